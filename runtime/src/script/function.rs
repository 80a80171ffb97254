//! How the library declares what scripts can call: one [`Function`] holds signature, description,
//! example and implementation; help, completion, documentation and argument checks come from it.
//!
//! GOOD: `Function { schema: "torch.nn.functional.relu(Tensor input, bool inplace=False) -> Tensor", … }`,
//! because binding, keywords, defaults and help are read from the schema.
//! BAD: registering a closure with the Rhai engine, because it has no keywords, no defaults and no help.

use std::any::TypeId;
use std::cell::OnceCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, FnPtr, Map};

use super::complete::Named;
use super::context::Context;
use super::convert;
use super::display::Bundle;
use super::members::{Members, Part};
use super::state::State;
use crate::error::{Error, Result};
use crate::torch::{Device, Dtype, Generator, Schema, Tensor};

/// A function or method that scripts call.
///
/// The dotted prefix of the schema's name says where it lives: a namespace
/// (`torch.nn.functional.relu`) or a type (`Tensor.backward`, `Module.parameters`), whose first
/// argument is then the receiver, called `self`. A bare name is a global function.
#[derive(Clone, Copy)]
pub struct Function {
    /// PyTorch's signature, see [`Schema`]. `Any`, `Function`, `Map` and names of types work too;
    /// `*Any args` takes the remaining positional arguments, `**Any kwargs` the remaining keywords.
    pub schema: &'static str,
    /// One or more sentences: what it does, shapes, units, the source.
    pub doc: &'static str,
    /// Lines of script that run as they stand; a test executes them.
    pub example: &'static str,
    /// The implementation; arguments are bound and defaults filled in when it is called.
    pub call: fn(&mut Args<'_>) -> Result<Dynamic>,
}

/// Writes a property: its holder, the new value, the context.
pub type Setter = fn(&mut Dynamic, Dynamic, &Context<'_>) -> Result<()>;

/// A property of a type, read as `x.shape` and, where it can be set, written as `x.grad = g`.
#[derive(Clone, Copy)]
pub struct Property {
    /// `Type.name`.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Reads it.
    pub get: fn(&Dynamic, &Context<'_>) -> Result<Dynamic>,
    /// Writes it, where that is allowed.
    pub set: Option<Setter>,
}

/// A constant in a namespace, such as `torch.float32`.
#[derive(Clone, Copy)]
pub struct Constant {
    /// The dotted name.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Makes the value.
    pub value: fn() -> Dynamic,
}

/// A shelf of the library: everything that one module declares.
#[derive(Clone, Copy, Default)]
pub struct Library {
    /// Functions and methods.
    pub functions: &'static [Function],
    /// Properties of types.
    pub properties: &'static [Property],
    /// Constants.
    pub constants: &'static [Constant],
    /// Types of objects, made by [`ObjectType::of`].
    pub types: &'static [fn() -> ObjectType],
}

/// On which side of an operator an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `object + other`
    Left,
    /// `other + object`
    Right,
}

/// Works an operator on an object: [`Object::operate`].
type Operate = fn(&Dynamic, &str, Option<(Side, &Dynamic)>) -> Result<Dynamic>;

/// Names and values, in order.
pub type Entries = Result<Vec<(String, Dynamic)>>;

/// What iterating over an object yields.
pub type Items = Box<dyn Iterator<Item = Result<Dynamic>>>;

/// A type of the library that scripts hold: modules, optimisers, datasets, …
///
/// An object is a handle (`Rc` inside): a clone is the same object.
/// Methods are [`Function`]s named `Type.method`; what is here is the rest.
#[allow(unused_variables)]
pub trait Object: Clone + 'static {
    /// The name that scripts see, for example `Module`.
    const TYPE: &'static str;

    /// Whether `object.name` means the object's own attribute before any function of that name: for
    /// objects whose names nobody here knows.
    const OWN_NAMES: bool = false;

    /// Whether operators work on it: [`Object::operate`].
    const OPERATORS: bool = false;

    /// What `print` shows.
    fn display(&self) -> String;

    /// What the end of a cell shows, by MIME type: text as it is, other data in base64. What `print` shows
    /// stands for the text where there is none. An empty bundle is that of an object that has shown itself.
    fn representations(&self, state: &State) -> Option<Bundle> {
        None
    }

    /// `self + other`, `other < self`, … by the operator's text; `-self` where there is no other.
    fn operate(&self, operator: &str, other: Option<(Side, &Dynamic)>) -> Result<Dynamic> {
        Err(Error::type_(format!("there is no operator '{operator}' for a {}", Self::TYPE)))
    }

    /// `with self as …`: begins the block, and gives the value that it is for.
    fn enter(&self) -> Result<Dynamic> {
        Err(Error::type_(format!("a {} is nothing to use with 'with'", Self::TYPE)))
    }

    /// The end of the block, with the error that ended it; whether that error is dealt with.
    fn exit(&self, error: Option<&Error>) -> Result<bool> {
        Ok(false)
    }

    /// `item in self`; `None` where that makes no sense.
    fn contains(&self, item: &Dynamic) -> Option<Result<bool>> {
        None
    }

    /// `self.name`, for names that are no property or method; `None` for unknown ones.
    fn attribute(&self, name: &str, ctx: &Context<'_>) -> Result<Option<Dynamic>> {
        Ok(None)
    }

    /// `self.name = value`; `false` for names that cannot be set.
    fn set_attribute(&self, name: &str, value: Dynamic, ctx: &Context<'_>) -> Result<bool> {
        Ok(false)
    }

    /// Names for completion and for near names in errors.
    fn attributes(&self) -> Vec<String> {
        Vec::new()
    }

    /// What `self.name` holds, where reading it runs no code: for completion.
    fn plain_attribute(&self, name: &str) -> Option<Dynamic> {
        let members = self.members()?;
        let parts = [Part::Child, Part::Parameter, Part::Buffer];
        parts.into_iter().find_map(|part| members.get(part, name).ok().flatten())
    }

    /// Texts that it can be indexed by: for completion, so reading them runs no code.
    fn keys(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is known of a call of it.
    fn call_help(&self) -> Option<CallHelp> {
        None
    }

    /// Its members, where it is made of tensors and of other such objects.
    fn members(&self) -> Option<Rc<dyn Members>> {
        None
    }

    /// Its entries, in order, where it is a table of names and values: an ordered mapping in other languages.
    fn entries(&self) -> Option<Entries> {
        None
    }

    /// The tensor that it is the data of, sharing its elements where that can be; nothing where it is no data.
    fn tensor(&self) -> Option<Result<Tensor>> {
        None
    }

    /// `self(args)`: a trailing map may be keyword arguments.
    fn call(&self, args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
        Err(Error::type_(format!("a {} cannot be called", Self::TYPE)))
    }

    /// `self.name(args)` by what [`Object::attribute`] finds; `None` where it finds nothing. The outer error is that
    /// of looking it up, the inner one that of the call.
    fn call_attribute(
        &self,
        name: &str,
        args: Vec<Dynamic>,
        ctx: &Context<'_>,
    ) -> Result<Option<Result<Dynamic>>> {
        Ok(self.attribute(name, ctx)?.map(|attribute| ctx.call(&attribute, args)))
    }

    /// Whether `self(args)` makes sense.
    fn is_callable(&self) -> bool {
        false
    }

    /// `self[index]`.
    fn index(&self, index: &Dynamic, ctx: &Context<'_>) -> Result<Dynamic> {
        Err(Error::type_(format!("a {} cannot be indexed", Self::TYPE)))
    }

    /// `self[index] = value`.
    fn set_index(&self, index: &Dynamic, value: Dynamic, ctx: &Context<'_>) -> Result<()> {
        Err(Error::type_(format!("the items of a {} cannot be set", Self::TYPE)))
    }

    /// `len(self)`; `None` where there is no length.
    fn length(&self) -> Option<usize> {
        None
    }

    /// `for x in self`; `None` where that makes no sense.
    fn iterate(&self) -> Option<Result<Items>> {
        None
    }
}

/// What is known of a call of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallHelp {
    /// In their order.
    pub arguments: Vec<Named>,
    /// What comes back, where that is said.
    pub result: Option<String>,
    /// What it does, in a sentence.
    pub help: Option<String>,
}

/// The type of [`Object::call_attribute`], erased.
type CallAttribute =
    fn(&Dynamic, &str, Vec<Dynamic>, &Context<'_>) -> Result<Option<Result<Dynamic>>>;

/// The type-erased face of an [`Object`] type.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct ObjectType {
    pub name: &'static str,
    pub id: fn() -> TypeId,
    pub(crate) own_names: bool,
    pub(crate) operators: bool,
    pub(crate) display: fn(&Dynamic) -> String,
    pub(crate) representations: fn(&Dynamic, &State) -> Option<Bundle>,
    pub(crate) operate: Operate,
    pub(crate) enter: fn(&Dynamic) -> Result<Dynamic>,
    pub(crate) exit: fn(&Dynamic, Option<&Error>) -> Result<bool>,
    pub(crate) contains: fn(&Dynamic, &Dynamic) -> Option<Result<bool>>,
    pub(crate) attribute: fn(&Dynamic, &str, &Context<'_>) -> Result<Option<Dynamic>>,
    pub(crate) set_attribute: fn(&Dynamic, &str, Dynamic, &Context<'_>) -> Result<bool>,
    pub(crate) attributes: fn(&Dynamic) -> Vec<String>,
    pub(crate) plain_attribute: fn(&Dynamic, &str) -> Option<Dynamic>,
    pub(crate) keys: fn(&Dynamic) -> Vec<String>,
    pub(crate) call_help: fn(&Dynamic) -> Option<CallHelp>,
    pub(crate) members: fn(&Dynamic) -> Option<Rc<dyn Members>>,
    pub(crate) entries: fn(&Dynamic) -> Option<Entries>,
    pub(crate) tensor: fn(&Dynamic) -> Option<Result<Tensor>>,
    pub(crate) call: fn(&Dynamic, Vec<Dynamic>, &Context<'_>) -> Result<Dynamic>,
    pub(crate) call_attribute: CallAttribute,
    pub(crate) is_callable: fn(&Dynamic) -> bool,
    pub(crate) index: fn(&Dynamic, &Dynamic, &Context<'_>) -> Result<Dynamic>,
    pub(crate) set_index: fn(&Dynamic, &Dynamic, Dynamic, &Context<'_>) -> Result<()>,
    pub(crate) length: fn(&Dynamic) -> Option<usize>,
    pub(crate) iterate: fn(&Dynamic) -> Option<Result<Items>>,
    pub(crate) register: fn(&mut rhai::Engine),
}

impl ObjectType {
    /// The erased face of `T`.
    pub fn of<T: Object>() -> ObjectType {
        fn get<T: Object>(value: &Dynamic) -> Result<T> {
            value.read_lock::<T>().map(|object| object.clone()).ok_or_else(|| {
                Error::type_(format!("expected a {}, found {}", T::TYPE, value.type_name()))
            })
        }
        ObjectType {
            name: T::TYPE,
            id: TypeId::of::<T>,
            own_names: T::OWN_NAMES,
            operators: T::OPERATORS,
            display: |v| get::<T>(v).map(|o| o.display()).unwrap_or_default(),
            representations: |v, state| get::<T>(v).ok().and_then(|o| o.representations(state)),
            operate: |v, operator, other| get::<T>(v)?.operate(operator, other),
            enter: |v| get::<T>(v)?.enter(),
            exit: |v, error| get::<T>(v)?.exit(error),
            contains: |v, item| get::<T>(v).ok().and_then(|o| o.contains(item)),
            attribute: |v, name, ctx| get::<T>(v)?.attribute(name, ctx),
            set_attribute: |v, name, value, ctx| get::<T>(v)?.set_attribute(name, value, ctx),
            attributes: |v| get::<T>(v).map(|o| o.attributes()).unwrap_or_default(),
            entries: |v| get::<T>(v).ok().and_then(|o| o.entries()),
            keys: |v| get::<T>(v).map(|o| o.keys()).unwrap_or_default(),
            call_help: |v| get::<T>(v).ok().and_then(|o| o.call_help()),
            tensor: |v| get::<T>(v).ok().and_then(|o| o.tensor()),
            plain_attribute: |v, name| get::<T>(v).ok().and_then(|o| o.plain_attribute(name)),
            members: |v| get::<T>(v).ok().and_then(|o| o.members()),
            call: |v, args, ctx| get::<T>(v)?.call(args, ctx),
            call_attribute: |v, name, args, ctx| get::<T>(v)?.call_attribute(name, args, ctx),
            is_callable: |v| get::<T>(v).is_ok_and(|o| o.is_callable()),
            index: |v, index, ctx| get::<T>(v)?.index(index, ctx),
            set_index: |v, index, value, ctx| get::<T>(v)?.set_index(index, value, ctx),
            length: |v| get::<T>(v).ok().and_then(|o| o.length()),
            iterate: |v| get::<T>(v).ok().and_then(|o| o.iterate()),
            register: super::dispatch::register_object::<T>,
        }
    }
}

/// The bound arguments of one call, in the order of the schema.
pub struct Args<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) values: Vec<Dynamic>,
    pub(crate) ctx: &'a Context<'a>,
}

impl<'a> Args<'a> {
    /// The call's context: callbacks, output, permissions.
    pub fn ctx(&self) -> &'a Context<'a> {
        self.ctx
    }

    /// The signature that was bound.
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// The tensors among the arguments, for errors: `input: float32[2, 3]`.
    pub(crate) fn describe(&self) -> Vec<String> {
        let named = self.schema.arguments.iter().zip(&self.values);
        let tensors = named.filter_map(|(argument, value)| {
            let tensor = value.read_lock::<Tensor>()?;
            Some(format!("{}: {}", argument.name, tensor.describe()))
        });
        tensors.collect()
    }

    /// The value at `i`, borrowed; `()` where none was given.
    pub fn get(&self, i: usize) -> &Dynamic {
        &self.values[i]
    }

    /// The value at `i`, taken out.
    pub fn take(&mut self, i: usize) -> Dynamic {
        std::mem::take(&mut self.values[i])
    }

    /// Whether nothing (or `()`) was given at `i`.
    pub fn is_none(&self, i: usize) -> bool {
        self.values[i].is_unit()
    }

    /// A `TypeError` that names argument `i`, what was expected and what was found.
    pub fn mismatch(&self, i: usize, expected: &str) -> Error {
        let name = self.schema.arguments.get(i).map_or("?", |argument| argument.name.as_str());
        Error::type_(format!(
            "{}(): argument '{name}' must be {expected}, not {}",
            self.schema.short_name(),
            convert::type_name(&self.values[i])
        ))
        .help(self.schema.to_string())
    }

    fn required<T>(&self, i: usize, value: Option<T>, expected: &str) -> Result<T> {
        value.ok_or_else(|| self.mismatch(i, expected))
    }

    fn optional<T>(&self, i: usize, get: impl FnOnce(&Self) -> Result<T>) -> Result<Option<T>> {
        if self.is_none(i) { Ok(None) } else { get(self).map(Some) }
    }

    /// The tensor at `i` (a handle to the same tensor).
    pub fn tensor(&self, i: usize) -> Result<Tensor> {
        let tensor = self.required(i, convert::tensor(&self.values[i]), "a Tensor")?;
        // What is composed of operators asks for shapes, which nested tensors do not have.
        if tensor.is_nested() && !self.schema.name.starts_with("Tensor.") {
            return Err(self.mismatch(i, "a tensor that is not nested"));
        }
        Ok(tensor)
    }

    /// The tensor at `i`, or `None` for `()`.
    pub fn opt_tensor(&self, i: usize) -> Result<Option<Tensor>> {
        self.optional(i, |args| args.tensor(i))
    }

    /// The integer at `i`.
    pub fn int(&self, i: usize) -> Result<i64> {
        self.required(i, convert::int(&self.values[i]), "an integer")
    }

    /// The integer at `i`, or `None` for `()`.
    pub fn opt_int(&self, i: usize) -> Result<Option<i64>> {
        self.optional(i, |args| args.int(i))
    }

    /// The number at `i` as a float.
    pub fn float(&self, i: usize) -> Result<f64> {
        self.required(i, convert::float(&self.values[i]), "a number")
    }

    /// The number at `i` as a float, or `None` for `()`.
    pub fn opt_float(&self, i: usize) -> Result<Option<f64>> {
        self.optional(i, |args| args.float(i))
    }

    /// The bool at `i`.
    pub fn bool(&self, i: usize) -> Result<bool> {
        self.required(i, self.values[i].as_bool().ok(), "a bool")
    }

    /// The bool at `i`, or `None` for `()`.
    pub fn opt_bool(&self, i: usize) -> Result<Option<bool>> {
        self.optional(i, |args| args.bool(i))
    }

    /// The string at `i`.
    pub fn str(&self, i: usize) -> Result<String> {
        self.required(i, convert::string(&self.values[i]), "a string")
    }

    /// The string at `i`, or `None` for `()`.
    pub fn opt_str(&self, i: usize) -> Result<Option<String>> {
        self.optional(i, |args| args.str(i))
    }

    /// The integers at `i`; one integer is a list of one.
    pub fn ints(&self, i: usize) -> Result<Vec<i64>> {
        self.required(i, convert::ints(&self.values[i]), "a list of integers")
    }

    /// The integers at `i`, one integer repeated to `n` (as `kernel_size: 3` for two dimensions).
    pub fn ints_n(&self, i: usize, n: usize) -> Result<Vec<i64>> {
        let values = self.ints(i)?;
        match values.len() {
            1 => Ok(vec![values[0]; n]),
            len if len == n => Ok(values),
            _ => Err(self.mismatch(i, &format!("an integer or a list of {n} integers"))),
        }
    }

    /// The integers at `i`, or `None` for `()`.
    pub fn opt_ints(&self, i: usize) -> Result<Option<Vec<i64>>> {
        self.optional(i, |args| args.ints(i))
    }

    /// The numbers at `i`; one number is a list of one.
    pub fn floats(&self, i: usize) -> Result<Vec<f64>> {
        self.required(i, convert::floats(&self.values[i]), "a list of numbers")
    }

    /// The tensors at `i` (any iterable of tensors; one tensor is a list of one).
    pub fn tensors(&self, i: usize) -> Result<Vec<Tensor>> {
        let value = &self.values[i];
        let found = match convert::tensors(value) {
            Some(found) => Some(found),
            None => {
                let items = self.ctx.items(value)?;
                items.and_then(|items| items.iter().map(convert::tensor).collect())
            }
        };
        self.required(i, found, "a list of tensors")
    }

    /// The dtype at `i`, or `None` for `()`.
    pub fn opt_dtype(&self, i: usize) -> Result<Option<Dtype>> {
        self.optional(i, |args| args.required(i, convert::dtype(&args.values[i]), "a dtype"))
    }

    /// The device at `i` (a device or a string such as `"cuda:1"`), or `None` for `()`.
    pub fn opt_device(&self, i: usize) -> Result<Option<Device>> {
        if self.is_none(i) {
            return Ok(None);
        }
        match convert::device(&self.values[i]) {
            Some(device) => device.map(Some),
            None => Err(self.mismatch(i, "a device")),
        }
    }

    /// The generator at `i`, or `None` for `()`.
    pub fn opt_generator(&self, i: usize) -> Result<Option<Generator>> {
        self.optional(i, |args| {
            let generator = args.values[i].read_lock::<Generator>().map(|g| g.clone());
            args.required(i, generator, "a Generator")
        })
    }

    /// The array at `i`.
    pub fn array(&mut self, i: usize) -> Result<Array> {
        if !self.values[i].is_array() {
            return Err(self.mismatch(i, "an array"));
        }
        self.take(i).into_array().map_err(|_| self.mismatch(i, "an array"))
    }

    /// The map at `i`; empty for `()`.
    pub fn map(&mut self, i: usize) -> Result<Map> {
        if self.is_none(i) {
            return Ok(Map::new());
        }
        let value = self.take(i);
        let found = convert::type_name(&value);
        value
            .try_cast::<Map>()
            .ok_or_else(|| Error::type_(format!("expected a map, found {found}")))
    }

    /// The object of type `T` at `i`.
    pub fn object<T: Object>(&self, i: usize) -> Result<T> {
        let object = self.values[i].read_lock::<T>().map(|object| object.clone());
        self.required(i, object, &format!("a {}", T::TYPE))
    }

    /// The callable at `i`: a closure, a function, or an object that can be called.
    /// Call it with [`Context::call`].
    pub fn callable(&self, i: usize) -> Result<Dynamic> {
        let value = &self.values[i];
        if value.is::<FnPtr>() || self.ctx.is_callable(value) {
            Ok(value.clone())
        } else {
            Err(self.mismatch(i, "a function or another callable"))
        }
    }
}

/// A declared function with its schema, which is read on first use.
pub(crate) struct Declared {
    pub function: Function,
    pub schema: OnceCell<Rc<Schema>>,
}
