//! `nn.Module`: a tree of parameters, buffers, submodules and settings, with a forward pass.
//!
//! Names, order and keys follow <https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html>.
//! A module is a handle: a clone is the same module.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::HashSet;
use std::rc::Rc;

use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Context, Members};
use flambeau_runtime::torch::Tensor;
use rhai::{Dynamic, FnPtr};

use super::class::{self, Class};
use super::foreign;
use super::hooks::{self, Hooks};
use super::slots::Slots;
use super::state_dict::StateDict;
use super::tensors::Seen;

/// A neural network module, as scripts hold it.
#[derive(Clone)]
pub struct Module(pub(super) Rc<Inner>);

pub(super) struct Inner {
    class: &'static Class,
    name: Rc<str>,
    training: Cell<bool>,
    hooked: Cell<bool>,
    /// How many modules stand below one another in it, at least.
    height: Cell<usize>,
    pub(super) state: RefCell<State>,
    /// Where it was made, for a module of another language.
    foreign: Option<Rc<dyn Members>>,
    pub(super) elsewhere: RefCell<Elsewhere>,
}

/// What another language has to do with a module of this one.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// What it keeps with the module.
    pub companion: Option<Dynamic>,
    /// What calls the module with the hooks that it knows.
    pub outer: Option<Dynamic>,
}

/// The deepest nesting of modules; walks over them are recursive.
const DEEPEST: usize = 1000;

/// A tensor that belongs to a module and is no parameter.
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    pub tensor: Option<Tensor>,
    /// Whether the state dict holds it.
    pub persistent: bool,
}

/// What a module holds.
#[derive(Default)]
pub(crate) struct State {
    pub parameters: Slots<Option<Tensor>>,
    pub buffers: Slots<Buffer>,
    pub modules: Slots<Option<Module>>,
    pub attributes: Slots<Dynamic>,
    /// Closures of a module that a script wrote; called with `this` bound to the module.
    pub methods: Slots<Rc<FnPtr>>,
    /// The forward pass of a module that a script wrote.
    pub forward: Option<Rc<FnPtr>>,
    pub hooks: Option<Box<Hooks>>,
}

impl Module {
    /// A module of `class` with nothing in it, called `name`.
    pub(crate) fn new(class: &'static Class, name: &str) -> Self {
        Module::with(class, name, None)
    }

    /// The handle of a module that another language made.
    pub(super) fn made_elsewhere(class: &'static Class, theirs: Rc<dyn Members>) -> Self {
        let name = theirs.name();
        Module::with(class, &name, Some(theirs))
    }

    fn with(class: &'static Class, name: &str, foreign: Option<Rc<dyn Members>>) -> Self {
        Module(Rc::new(Inner {
            class,
            name: name.into(),
            training: Cell::new(true),
            hooked: Cell::new(false),
            height: Cell::new(1),
            state: RefCell::default(),
            foreign,
            elsewhere: RefCell::default(),
        }))
    }

    /// Where it was made, for a module of another language.
    pub(crate) fn foreign(&self) -> Option<&dyn Members> {
        self.0.foreign.as_deref()
    }

    /// The class it was made from.
    pub(crate) fn class(&self) -> &'static Class {
        self.0.class
    }

    /// The name of its class, such as `Linear`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is in training mode.
    pub fn training(&self) -> bool {
        match self.foreign() {
            // One that cannot say trains, as every module does at first.
            Some(theirs) => theirs.training().unwrap_or(true),
            None => self.0.training.get(),
        }
    }

    /// Whether both are the same module.
    pub fn same(&self, other: &Module) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A number that no other living module has.
    pub(crate) fn identity(&self) -> usize {
        Rc::as_ptr(&self.0) as usize
    }

    pub(crate) fn state(&self) -> Ref<'_, State> {
        if let Some(theirs) = self.foreign() {
            // What cannot be read any more is as it was.
            let _ = foreign::refresh(self, theirs);
        }
        self.0.state.borrow()
    }

    /// What the module holds, to be changed.
    ///
    /// # Errors
    /// A `RuntimeError` while its own forward pass reads it.
    pub(crate) fn state_mut(&self) -> Result<RefMut<'_, State>> {
        self.0.state.try_borrow_mut().map_err(|_| {
            Error::new(Kind::Runtime, format!("{} is in use and cannot change now", self.name()))
        })
    }

    /// Whether a call has anything but the forward pass to run: asked on every call.
    pub(crate) fn hooked(&self) -> bool {
        self.0.hooked.get()
    }

    /// Notes anew what [`Module::hooked`] says.
    pub(crate) fn note_hooks(&self) {
        let own = self.0.state.borrow().hooks.is_some();
        self.0.hooked.set(own || self.0.elsewhere.borrow().outer.is_some());
    }

    /// Notes that `child` is about to be a submodule.
    pub(crate) fn nest(&self, child: &Module) -> Result<()> {
        let height = child.0.height.get() + 1;
        if height > DEEPEST {
            return Err(Error::value(format!("modules cannot be nested more than {DEEPEST} deep")));
        }
        if child.named_modules("", true).iter().any(|(_, below)| below.same(self)) {
            return Err(Error::value(format!("a {} cannot contain itself", self.name())));
        }
        self.0.height.set(self.0.height.get().max(height));
        Ok(())
    }

    /// The module as a script's value.
    pub fn to_dynamic(&self) -> Dynamic {
        Dynamic::from(self.clone())
    }

    /// `self(args)`: hooks, then the forward pass.
    ///
    /// # Errors
    /// Whatever the forward pass reports.
    pub fn call(&self, args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
        if self.hooked() {
            return hooks::call(self, args, ctx);
        }
        class::forward(self, args, ctx)
    }

    /// `self(x)` for one tensor, giving one tensor.
    ///
    /// # Errors
    /// Whatever the forward pass reports; a `TypeError` where it gives no tensor.
    pub(crate) fn call_tensor(&self, x: Tensor, ctx: &Context<'_>) -> Result<Tensor> {
        let out = self.call(vec![Dynamic::from(x)], ctx)?;
        out.try_cast::<Tensor>().ok_or_else(|| {
            Error::type_(format!("{} must give a Tensor here, and did not", self.name()))
        })
    }

    /// Sets the training flag here and in every submodule.
    ///
    /// # Errors
    /// What a module of another language raises.
    pub fn train(&self, mode: bool) -> Result<()> {
        if let Some(theirs) = self.foreign() {
            return theirs.train(mode);
        }
        self.0.training.set(mode);
        self.named_children().iter().try_for_each(|(_, child)| child.train(mode))
    }

    /// The flag of this module alone, as `m.training = false` sets it.
    pub(crate) fn set_training(&self, mode: bool) -> Result<()> {
        match self.foreign() {
            Some(theirs) => theirs.set_training(mode),
            None => {
                self.0.training.set(mode);
                Ok(())
            }
        }
    }

    /// Direct submodules, each once, in the order of their registration.
    pub fn named_children(&self) -> Vec<(String, Module)> {
        let mut seen = HashSet::new();
        let state = self.state();
        let present =
            state.modules.iter().filter_map(|(name, module)| Some((name, module.clone()?)));
        present
            .filter(|(_, module)| seen.insert(module.identity()))
            .map(|(name, module)| (name.to_string(), module))
            .collect()
    }

    /// The submodules at positions, as a `Sequential` holds them.
    pub(crate) fn items(&self) -> Vec<Module> {
        self.state().modules.iter().filter_map(|(_, module)| module.clone()).collect()
    }

    /// This module and all below it, depth first, by dotted names.
    pub fn named_modules(&self, prefix: &str, remove_duplicate: bool) -> Vec<(String, Module)> {
        fn walk(
            module: &Module,
            prefix: &str,
            seen: &mut Option<HashSet<usize>>,
            out: &mut Vec<(String, Module)>,
        ) {
            if let Some(seen) = seen
                && !seen.insert(module.identity())
            {
                return;
            }
            out.push((prefix.to_owned(), module.clone()));
            for (name, child) in module.state().modules.iter() {
                if let Some(child) = child {
                    walk(child, &join(prefix, name), seen, out);
                }
            }
        }
        let mut out = Vec::new();
        walk(self, prefix, &mut remove_duplicate.then(HashSet::new), &mut out);
        out
    }

    /// Every parameter by its dotted name; one that stands in two places is listed once.
    pub fn named_parameters(&self) -> Vec<(String, Tensor)> {
        self.named_parameters_with("", true, true)
    }

    /// Every parameter, each once.
    pub fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, tensor)| tensor).collect()
    }

    pub(crate) fn named_parameters_with(
        &self,
        prefix: &str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Vec<(String, Tensor)> {
        self.members(prefix, recurse, remove_duplicate, |state, each| {
            state.parameters.iter().for_each(|(name, tensor)| each(name, tensor.as_ref()));
        })
    }

    pub(crate) fn named_buffers_with(
        &self,
        prefix: &str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Vec<(String, Tensor)> {
        self.members(prefix, recurse, remove_duplicate, |state, each| {
            state.buffers.iter().for_each(|(name, buffer)| each(name, buffer.tensor.as_ref()));
        })
    }

    /// Every buffer by its dotted name.
    pub fn named_buffers(&self) -> Vec<(String, Tensor)> {
        self.named_buffers_with("", true, true)
    }

    fn members(
        &self,
        prefix: &str,
        recurse: bool,
        remove_duplicate: bool,
        visit: impl Fn(&State, &mut dyn FnMut(&str, Option<&Tensor>)),
    ) -> Vec<(String, Tensor)> {
        let modules = if recurse {
            self.named_modules(prefix, remove_duplicate)
        } else {
            vec![(prefix.to_owned(), self.clone())]
        };
        let mut seen = Seen::default();
        let mut out = Vec::new();
        for (prefix, module) in modules {
            visit(&module.state(), &mut |name, tensor| {
                if let Some(tensor) = tensor
                    && (!remove_duplicate || seen.insert(tensor))
                {
                    out.push((join(&prefix, name), tensor.clone()));
                }
            });
        }
        out
    }

    /// Parameters and persistent buffers by their dotted names, in PyTorch's order; detached, so
    /// that they share memory with the module and carry no graph.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn state_dict(&self) -> Result<StateDict> {
        self.state_dict_with("", false)
    }

    pub(crate) fn state_dict_with(&self, prefix: &str, keep_vars: bool) -> Result<StateDict> {
        let mut pairs = Vec::new();
        for (path, module) in self.named_modules("", false) {
            let state = module.state();
            let parameters = state.parameters.iter().map(|(name, tensor)| (name, tensor.as_ref()));
            let buffers = state.buffers.iter().filter(|(_, buffer)| buffer.persistent);
            let buffers = buffers.map(|(name, buffer)| (name, buffer.tensor.as_ref()));
            for (name, tensor) in parameters.chain(buffers) {
                let Some(tensor) = tensor else { continue };
                let value =
                    if keep_vars { tensor.clone() } else { Tensor::from(tensor.f_detach()?) };
                pairs.push((format!("{prefix}{}", join(&path, name)), Dynamic::from(value)));
            }
        }
        Ok(StateDict::from_pairs(pairs))
    }
}

/// `prefix.name`, or `name` where there is no prefix.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}
