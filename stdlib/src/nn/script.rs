//! Modules that scripts write: `nn.Module(#{ fc: nn.Linear(4, 2), forward: |x| this.fc(x) })`.
//!
//! What becomes of an entry is decided by its value: a Module is a submodule, a tensor that is a leaf
//! and requires gradients (what `nn.Parameter` makes) a parameter, an `nn.Buffer` a buffer, a closure a
//! method with `this` bound to the module, anything else an attribute. A script's map is sorted by
//! name, so the order in a state dict is alphabetical; random numbers are drawn where the layers are
//! made, in the order in which the script makes them.

use std::rc::Rc;

use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Context, Function, Object, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Array, Dynamic, FnPtr};

use super::class::{Class, Forward};
use super::module::{Buffer, Module};
use super::{methods, tensors};

/// The class of modules that scripts write.
pub(crate) static SCRIPT: Class = Class {
    schema: "nn.Module(Map members)",
    forward: Forward::Script,
    inputs: &[],
    ..Class::LAYER
};

/// A closure of a module as a value: calling it binds `this`.
#[derive(Clone)]
pub(crate) struct Method {
    pub module: Module,
    pub function: Bound,
}

/// What a [`Method`] calls.
#[derive(Clone)]
pub(crate) enum Bound {
    /// A closure of the script.
    Closure(Rc<FnPtr>),
    /// A function of the library, given the module first.
    Library(&'static str),
}

impl Object for Method {
    const TYPE: &'static str = "Method";

    fn display(&self) -> String {
        format!("<method of {}>", self.module.name())
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, mut args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
        match &self.function {
            Bound::Closure(closure) => {
                ctx.call_with_this(closure, &mut self.module.to_dynamic(), args)
            }
            Bound::Library(name) => {
                args.insert(0, self.module.to_dynamic());
                ctx.function(name, args)
            }
        }
    }
}

/// A tensor on its way into a module as a buffer.
#[derive(Clone)]
pub(crate) struct NewBuffer {
    pub tensor: Tensor,
    pub persistent: bool,
}

impl Object for NewBuffer {
    const TYPE: &'static str = "Buffer";

    fn display(&self) -> String {
        format!("Buffer({}, persistent={})", self.tensor.describe(), self.persistent)
    }
}

/// The forward pass of a module that a script wrote.
pub(crate) fn forward(module: &Module, args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
    let closure = module.state().forward.clone();
    match closure {
        Some(closure) => ctx.call_with_this(&closure, &mut module.to_dynamic(), args),
        None => Err(Error::new(
            Kind::NotImplemented,
            format!("Module [{}] is missing the required \"forward\" function", module.name()),
        )
        .help("give nn.Module an entry `forward: |x| …`")),
    }
}

/// An error for names that a member cannot have.
pub(crate) fn check_name(module: &Module, name: &str, what: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::key(format!("{what} name can't be empty string \"\"")));
    }
    if name.contains('.') {
        return Err(Error::key(format!("{what} name can't contain \".\", got: {name}")));
    }
    if methods::is_method(name) || name == "training" {
        return Err(Error::key(format!("attribute '{name}' already exists"))
            .help(format!("`{name}` belongs to every module; choose another name")));
    }
    let _ = module;
    Ok(())
}

/// Takes `name` out of every place but the one that it is about to have.
fn take_out(module: &Module, name: &str) -> Result<()> {
    let mut state = module.state_mut()?;
    let old = (
        state.parameters.remove(name),
        state.buffers.remove(name),
        state.modules.remove(name),
        state.attributes.remove(name),
        state.methods.remove(name),
    );
    drop(state);
    drop(old);
    Ok(())
}

/// `module.name = value`, as PyTorch's `__setattr__` sorts it.
pub(crate) fn set_member(module: &Module, name: &str, value: Dynamic) -> Result<()> {
    let value = value.flatten();
    if name == "training" {
        let mode = value.as_bool().map_err(|_| Error::type_("training must be a bool"))?;
        return module.set_training(mode);
    }
    if let Some(theirs) = module.foreign() {
        return theirs.set_attribute(name, value);
    }
    if name == "forward" {
        let Some(closure) = value.try_cast::<FnPtr>() else {
            return Err(Error::type_("forward must be a closure"));
        };
        let old = module.state_mut()?.forward.replace(Rc::new(closure));
        drop(old);
        return Ok(());
    }
    check_name(module, name, "attribute")?;
    let (is_parameter, is_module, is_buffer) = {
        let state = module.state();
        (
            state.parameters.contains(name),
            state.modules.contains(name),
            state.buffers.contains(name),
        )
    };
    let cannot = |kind: &str, expected: &str| {
        Error::type_(format!(
            "cannot assign {} as {kind} '{name}' ({expected} or () expected)",
            convert::type_name(&value)
        ))
    };
    if let Some(child) = Module::of(&value) {
        if !is_module {
            take_out(module, name)?;
        }
        return module.put_module(name, child);
    }
    if let Some(buffer) = value.read_lock::<NewBuffer>() {
        if !is_buffer {
            take_out(module, name)?;
        }
        let buffer = Buffer { tensor: Some(buffer.tensor.clone()), persistent: buffer.persistent };
        module.state_mut()?.buffers.set(name, buffer);
        return Ok(());
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        let ready = tensors::is_leaf(&tensor) && tensor.requires_grad();
        if is_parameter {
            if ready {
                return module.put_parameter(name, Some(tensor.clone()));
            }
            if !tensors::is_leaf(&tensor) {
                return Err(Error::value(format!(
                    "Cannot assign non-leaf Tensor to parameter '{name}'"
                ))
                .help(
                    "make it a leaf: nn.Parameter(t.detach()); or compute the value in forward",
                ));
            }
            let old = module.state().opt_parameter(name).is_none_or(|old| old.requires_grad());
            return module.put_parameter(name, Some(tensors::parameter(&tensor, old)?));
        }
        if is_buffer {
            let mut state = module.state_mut()?;
            let persistent = state.buffers.get(name).is_none_or(|buffer| buffer.persistent);
            state.buffers.set(name, Buffer { tensor: Some(tensor.clone()), persistent });
            return Ok(());
        }
        if is_module {
            return Err(cannot("child module", "nn.Module"));
        }
        take_out(module, name)?;
        if ready {
            return module.put_parameter(name, Some(tensor.clone()));
        }
        return module.put(name, Dynamic::from(tensor.clone()));
    }
    if is_parameter {
        return if value.is_unit() {
            module.put_parameter(name, None)
        } else {
            Err(cannot("parameter", "nn.Parameter"))
        };
    }
    if is_module {
        return if value.is_unit() {
            module.put_no_module(name)
        } else {
            Err(cannot("child module", "nn.Module"))
        };
    }
    if is_buffer {
        if !value.is_unit() {
            return Err(cannot("buffer", "Tensor"));
        }
        if let Some(buffer) = module.state_mut()?.buffers.get_mut(name) {
            buffer.tensor = None;
        }
        return Ok(());
    }
    set_plain(module, name, value)
}

/// An attribute or a method.
fn set_plain(module: &Module, name: &str, value: Dynamic) -> Result<()> {
    if let Some(list) = value.read_lock::<Array>()
        && !list.is_empty()
        && list.iter().all(|item| item.is::<Module>())
    {
        return Err(Error::type_(format!(
            "'{name}' is an array of modules, whose parameters would not be found"
        ))
        .help("use nn.ModuleList([…]), or nn.Sequential(…) to call them in turn"));
    }
    let closure = value.read_lock::<FnPtr>().filter(|f| f.is_anonymous()).map(|f| f.clone());
    let mut state = module.state_mut()?;
    let old = match closure {
        Some(closure) => {
            state.methods.set(name, Rc::new(closure));
            state.attributes.remove(name)
        }
        None => {
            let _ = state.methods.remove(name);
            let old = state.attributes.remove(name);
            state.attributes.set(name, value);
            old
        }
    };
    drop(state);
    drop(old);
    Ok(())
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "nn.Module(Map? members=None) -> Module",
        doc: "A module of your own. Entries that are modules become submodules, parameters \
              (nn.Parameter) parameters, nn.Buffer buffers, closures methods, everything else \
              attributes; in closures `this` is the module. `forward` is what calling it runs, \
              `name` what printing it shows. Keys of the state dict are in alphabetical order.",
        example: "let net = nn.Module(#{\n  fc1: nn.Linear(4, 8),\n  fc2: nn.Linear(8, 2),\n  forward: |x| this.fc2(F.relu(this.fc1(x))),\n});\nnet(torch.randn([3, 4])).shape",
        call: |args| {
            let mut members = args.map(0)?;
            let name = members.remove("name").map(Dynamic::flatten);
            let name = match &name {
                None => "Module".to_owned(),
                Some(name) => convert::string(name)
                    .ok_or_else(|| Error::type_("the entry `name` must be a string"))?,
            };
            let module = Module::new(&SCRIPT, &name);
            for (name, value) in members {
                set_member(&module, &name, value)?;
            }
            Ok(module.to_dynamic())
        },
    },
    Function {
        schema: "nn.Parameter(Tensor data, bool requires_grad=True) -> Tensor",
        doc: "A leaf tensor with the same data that requires gradients: in a module it becomes a \
              parameter. (With requires_grad: false use register_parameter.)",
        example: "nn.Parameter(torch.zeros([2])).requires_grad",
        call: |args| Ok(Dynamic::from(tensors::parameter(&args.tensor(0)?, args.bool(1)?)?)),
    },
    Function {
        schema: "nn.Buffer(Tensor data, *, bool persistent=True) -> Buffer",
        doc: "A tensor that becomes a buffer of the module that it is put in: moved and saved with it, \
              not trained. One that is not persistent is not saved.",
        example: "let m = nn.Module(#{ count: nn.Buffer(torch.zeros([])) });\nm.count",
        call: |args| {
            let buffer = NewBuffer { tensor: args.tensor(0)?, persistent: args.bool(1)? };
            Ok(Dynamic::from(buffer))
        },
    },
];
