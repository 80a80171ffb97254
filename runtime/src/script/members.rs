//! Objects that are made of tensors and of other such objects, seen alike from every language: what one
//! language made, another one shows as its own.

use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::context::Context;
use super::convert;
use super::dispatch::{self, object_type};
use super::function::Entries;
use super::operator_call;
use super::state::State;
use crate::error::{Error, Result};
use crate::torch::{Operator, Tensor};

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A tensor that is trained.
    Parameter,
    /// A tensor that is kept with the object and not trained.
    Buffer,
    /// Another object of this sort.
    Child,
}

/// An object whose members have names, in order. A member may be `()`: the name is taken, nothing is there.
///
/// Whoever made the object keeps the truth; the other language reads and writes through this.
pub trait Members {
    /// A number that no other living object has.
    fn identity(&self) -> usize;

    /// The name of its class in its library, such as `Linear`.
    fn class(&self) -> String;

    /// The name that it shows.
    fn name(&self) -> String;

    /// The value that it is in the language that made it, where that is not this library's.
    fn origin(&self) -> Option<Dynamic> {
        None
    }

    /// What `print` shows of it.
    fn display(&self) -> String;

    /// The members of one part, in order.
    ///
    /// # Errors
    /// What the other language raises; so everywhere here.
    fn items(&self, part: Part) -> Result<Vec<(String, Dynamic)>>;

    /// The member of that name; `None` where the name is not taken.
    fn get(&self, part: Part, name: &str) -> Result<Option<Dynamic>> {
        let items = self.items(part)?;
        Ok(items.into_iter().find(|(known, _)| known == name).map(|(_, value)| value))
    }

    /// Sets a member, in its old place where it has one and at the end otherwise.
    fn set(&self, part: Part, name: &str, value: Dynamic) -> Result<()>;

    /// Takes a member out; whether there was one.
    fn remove(&self, part: Part, name: &str) -> Result<bool>;

    /// Whether a buffer belongs to what is saved.
    fn is_persistent(&self, name: &str) -> Result<bool>;

    /// Says whether a buffer belongs to what is saved.
    fn set_persistent(&self, name: &str, persistent: bool) -> Result<()>;

    /// Whether it is in training mode.
    fn training(&self) -> Result<bool>;

    /// Sets the training mode of this object alone.
    fn set_training(&self, mode: bool) -> Result<()>;

    /// Sets the training mode here and below, as the object itself does it.
    fn train(&self, mode: bool) -> Result<()>;

    /// Whatever else has this name: a setting, a method.
    fn attribute(&self, name: &str) -> Result<Option<Dynamic>>;

    /// Sets a setting, or a member of that name.
    fn set_attribute(&self, name: &str, value: Dynamic) -> Result<()>;

    /// Takes a setting out; whether there was one.
    fn remove_attribute(&self, name: &str) -> Result<bool>;

    /// The names of settings and methods.
    fn attributes(&self) -> Vec<String>;

    /// The forward pass, with the hooks that its own language knows or without them.
    fn run(&self, args: Vec<Dynamic>, hooks: bool, ctx: &Context<'_>) -> Result<Dynamic>;

    /// Has `hook(object, args)` called before each call of the object, or `hook(object, args, result)` after it;
    /// what that gives back, unless `()`, is taken in place of the arguments or the result. Gives a handle whose
    /// `remove()` ends it.
    fn hook(&self, hook: Dynamic, before: bool, prepend: bool) -> Result<Dynamic>;

    /// A new object of its class with its settings and without its members.
    fn blank(&self) -> Result<Dynamic>;

    /// A deep copy of `whole`, in which this object is, made in the language of this object.
    fn deep_copy(&self, whole: &Dynamic) -> Result<Dynamic>;

    /// What the other language keeps with the object for as long as that lives.
    fn companion(&self) -> Option<Dynamic> {
        None
    }

    /// Keeps something for the other language.
    fn set_companion(&self, _value: Dynamic) {}

    /// Has every call of the object made by `outer(object, args…)` instead, which runs the other language's
    /// hooks and then [`Members::run`]; `None` ends that.
    fn set_outer(&self, _outer: Option<Dynamic>) {}
}

/// The call of an operator once more, with arrays in place of what another language iterates over; `error`
/// where there is no such argument.
pub(crate) fn with_lists(
    operator: &'static Operator,
    args: &mut [&mut Dynamic],
    error: Error,
    state: &State,
) -> Result<Dynamic> {
    let mut listed = Vec::with_capacity(args.len());
    let mut found = false;
    for arg in args.iter() {
        let theirs = object_type(arg, state).filter(|object| object.own_names);
        match theirs.and_then(|object| (object.iterate)(arg)) {
            Some(Ok(items)) => {
                listed.push(Dynamic::from_array(items.collect::<Result<Array>>()?));
                found = true;
            }
            _ => listed.push(arg.flatten_clone()),
        }
    }
    if !found {
        return Err(error);
    }
    operator_call::call(operator, &mut listed.iter_mut().collect::<Vec<_>>())
}

impl Context<'_> {
    /// The entries of an object that is a table of names and values.
    pub fn entries(&self, value: &Dynamic) -> Option<Entries> {
        object_type(value, &self.state).and_then(|object| (object.entries)(value))
    }

    /// The tensor that a value is or is the data of, such as a NumPy array: with the same elements, where that can
    /// be.
    ///
    /// # Errors
    /// Why the data cannot be one.
    pub fn tensor(&self, value: &Dynamic) -> Result<Option<Tensor>> {
        if let Some(tensor) = convert::tensor(value) {
            return Ok(Some(tensor));
        }
        object_type(value, &self.state).and_then(|object| (object.tensor)(value)).transpose()
    }

    /// The members of an object that has such.
    pub fn members(&self, value: &Dynamic) -> Option<Rc<dyn Members>> {
        object_type(value, &self.state).and_then(|object| (object.members)(value))
    }

    /// The items of anything list-like, or of what else a loop can go over, which is used up by it; `None`
    /// where that makes no sense.
    ///
    /// # Errors
    /// What the iteration raises.
    pub fn items(&self, value: &Dynamic) -> Result<Option<Array>> {
        if let Some(items) = convert::items(value) {
            return Ok(Some(items));
        }
        match object_type(value, &self.state).and_then(|object| (object.iterate)(value)) {
            Some(items) => items?.collect::<Result<Array>>().map(Some),
            None => Ok(None),
        }
    }

    /// `len(value)` of an object; `None` where there is no length.
    pub fn length(&self, value: &Dynamic) -> Option<usize> {
        object_type(value, &self.state).and_then(|object| (object.length)(value))
    }

    /// `value.name`.
    ///
    /// # Errors
    /// A `NameError` where there is no such attribute.
    pub fn attribute(&self, value: &Dynamic, name: &str) -> Result<Dynamic> {
        dispatch::get_attribute(value, name, self)
    }

    /// `value[index]` of an object.
    ///
    /// # Errors
    /// A `TypeError` for what is no object; what the object raises.
    pub fn item(&self, value: &Dynamic, index: &Dynamic) -> Result<Dynamic> {
        match object_type(value, &self.state) {
            Some(object) => (object.index)(value, index, self),
            None => Err(Error::type_(format!("{} cannot be indexed", convert::a_type(value)))),
        }
    }
}
