//! The methods of every module.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, Members, convert};
use flambeau_runtime::torch::{Tensor, numel};
use rhai::Dynamic;

use super::module::Module;
use super::{conversion, hooks, loading, script, tensors};

/// Whether every module has a method of this name.
pub(crate) fn is_method(name: &str) -> bool {
    let tables = [FUNCTIONS, conversion::FUNCTIONS, loading::FUNCTIONS, hooks::FUNCTIONS];
    tables.into_iter().flatten().any(|function| {
        let full = function.schema.split('(').next().unwrap_or_default();
        full.strip_prefix("Module.") == Some(name)
    })
}

fn this(args: &Args<'_>) -> Result<Module> {
    args.object::<Module>(0)
}

fn tensors_of(pairs: Vec<(String, Tensor)>) -> Dynamic {
    convert::from_tensors(pairs.into_iter().map(|(_, tensor)| tensor))
}

/// Pairs [name, value].
fn named<T>(pairs: Vec<(String, T)>, value: impl Fn(T) -> Dynamic) -> Dynamic {
    let pairs = pairs
        .into_iter()
        .map(|(name, item)| Dynamic::from_array(vec![Dynamic::from(name), value(item)]));
    Dynamic::from_array(pairs.collect())
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "Module.forward(Module self, *Any args, **Any kwargs) -> Any",
        doc: "Runs the forward pass without hooks; `m(x)` runs it with them.",
        example: "nn.ReLU().forward(torch.tensor([-1.0, 2.0]))",
        call: |args| {
            let module = this(args)?;
            let mut inputs = args.array(1)?;
            let keywords = args.map(2)?;
            if !keywords.is_empty() {
                inputs.push(Dynamic::from_map(keywords));
            }
            match module.foreign() {
                Some(theirs) => theirs.run(inputs, false, args.ctx()),
                None => super::class::forward(&module, inputs, args.ctx()),
            }
        },
    },
    Function {
        schema: "Module.parameters(Module self, bool recurse=True) -> Tensor[]",
        doc: "The parameters of the module and of those below it, each once.",
        example: "len(nn.Linear(2, 3).parameters())",
        call: |args| Ok(tensors_of(this(args)?.named_parameters_with("", args.bool(1)?, true))),
    },
    Function {
        schema: "Module.named_parameters(Module self, str prefix='', bool recurse=True, bool remove_duplicate=True) -> Any[]",
        doc: "Pairs [name, parameter].",
        example: "for p in nn.Linear(2, 3).named_parameters() { print(p[0]); }",
        call: |args| {
            let (prefix, recurse, once) = (args.str(1)?, args.bool(2)?, args.bool(3)?);
            Ok(named(this(args)?.named_parameters_with(&prefix, recurse, once), Dynamic::from))
        },
    },
    Function {
        schema: "Module.buffers(Module self, bool recurse=True) -> Tensor[]",
        doc: "The buffers of the module and of those below it, each once.",
        example: "len(nn.BatchNorm1d(3).buffers())",
        call: |args| Ok(tensors_of(this(args)?.named_buffers_with("", args.bool(1)?, true))),
    },
    Function {
        schema: "Module.named_buffers(Module self, str prefix='', bool recurse=True, bool remove_duplicate=True) -> Any[]",
        doc: "Pairs [name, buffer].",
        example: "for b in nn.BatchNorm1d(3).named_buffers() { print(b[0]); }",
        call: |args| {
            let (prefix, recurse, once) = (args.str(1)?, args.bool(2)?, args.bool(3)?);
            Ok(named(this(args)?.named_buffers_with(&prefix, recurse, once), Dynamic::from))
        },
    },
    Function {
        schema: "Module.children(Module self) -> Module[]",
        doc: "The direct submodules, each once.",
        example: "len(nn.Sequential(nn.ReLU(), nn.Tanh()).children())",
        call: |args| {
            let children = this(args)?.named_children().into_iter();
            Ok(Dynamic::from_array(children.map(|(_, child)| child.to_dynamic()).collect()))
        },
    },
    Function {
        schema: "Module.named_children(Module self) -> Any[]",
        doc: "Pairs [name, submodule] of the direct submodules.",
        example: "nn.Sequential(nn.ReLU()).named_children()[0][0]",
        call: |args| Ok(named(this(args)?.named_children(), |child| child.to_dynamic())),
    },
    Function {
        schema: "Module.modules(Module self, bool remove_duplicate=True) -> Module[]",
        doc: "The module itself and all below it, depth first.",
        example: "len(nn.Sequential(nn.ReLU(), nn.Tanh()).modules())",
        call: |args| {
            let modules = this(args)?.named_modules("", args.bool(1)?).into_iter();
            Ok(Dynamic::from_array(modules.map(|(_, module)| module.to_dynamic()).collect()))
        },
    },
    Function {
        schema: "Module.named_modules(Module self, str prefix='', bool remove_duplicate=True) -> Any[]",
        doc: "Pairs [dotted name, module]; the module itself has the name \"\".",
        example: "nn.Sequential(nn.ReLU()).named_modules()[1][0]",
        call: |args| {
            let modules = this(args)?.named_modules(&args.str(1)?, args.bool(2)?);
            Ok(named(modules, |module| module.to_dynamic()))
        },
    },
    Function {
        schema: "Module.get_submodule(Module self, str target) -> Module",
        doc: "The submodule at a dotted path.",
        example: "nn.Sequential(nn.ReLU()).get_submodule(\"0\")",
        call: |args| {
            let (module, target) = (this(args)?, args.str(1)?);
            let found =
                module.named_modules("", false).into_iter().find(|(name, _)| *name == target);
            found
                .map(|(_, module)| module.to_dynamic())
                .ok_or_else(|| Error::key(format!("{} has no submodule '{target}'", module.name())))
        },
    },
    Function {
        schema: "Module.get_parameter(Module self, str target) -> Tensor",
        doc: "The parameter at a dotted path.",
        example: "nn.Linear(2, 3).get_parameter(\"bias\")",
        call: |args| {
            let (module, target) = (this(args)?, args.str(1)?);
            let parameters = module.named_parameters_with("", true, false);
            let found = parameters.into_iter().find(|(name, _)| *name == target);
            found
                .map(|(_, tensor)| Dynamic::from(tensor))
                .ok_or_else(|| Error::key(format!("{} has no parameter '{target}'", module.name())))
        },
    },
    Function {
        schema: "Module.get_buffer(Module self, str target) -> Tensor",
        doc: "The buffer at a dotted path.",
        example: "nn.BatchNorm1d(3).get_buffer(\"running_mean\")",
        call: |args| {
            let (module, target) = (this(args)?, args.str(1)?);
            let buffers = module.named_buffers_with("", true, false);
            let found = buffers.into_iter().find(|(name, _)| *name == target);
            found
                .map(|(_, tensor)| Dynamic::from(tensor))
                .ok_or_else(|| Error::key(format!("{} has no buffer '{target}'", module.name())))
        },
    },
    Function {
        schema: "Module.num_parameters(Module self, bool trainable=False) -> int",
        doc: "How many numbers the parameters hold; with trainable: true only those that require gradients.",
        example: "nn.Linear(2, 3).num_parameters()",
        call: |args| {
            let trainable = args.bool(1)?;
            let parameters = this(args)?.parameters();
            let counted = parameters.iter().filter(|p| !trainable || p.requires_grad());
            Ok(Dynamic::from_int(counted.map(|p| numel(p) as i64).sum()))
        },
    },
    Function {
        schema: "Module.train(Module self, bool mode=True) -> Module",
        doc: "Sets training mode here and below (dropout drops, batch norms use the batch) and gives \
              the module back.",
        example: "nn.Dropout().train().training",
        call: |args| {
            this(args)?.train(args.bool(1)?)?;
            Ok(args.take(0))
        },
    },
    Function {
        schema: "Module.eval(Module self) -> Module",
        doc: "Sets evaluation mode here and below and gives the module back.",
        example: "nn.Dropout().eval().training",
        call: |args| {
            this(args)?.train(false)?;
            Ok(args.take(0))
        },
    },
    Function {
        schema: "Module.requires_grad_(Module self, bool requires_grad=True) -> Module",
        doc: "Whether the parameters are to get gradients.",
        example: "nn.Linear(2, 3).requires_grad_(false).weight.requires_grad",
        call: |args| {
            let flag = args.bool(1)?;
            for parameter in this(args)?.parameters() {
                let _ = parameter.tch().f_requires_grad_(flag)?;
            }
            Ok(args.take(0))
        },
    },
    Function {
        schema: "Module.zero_grad(Module self, bool set_to_none=True) -> ()",
        doc: "Clears the gradients of all parameters, or sets them to zero with set_to_none: false.",
        example: "nn.Linear(2, 3).zero_grad()",
        call: |args| {
            let clear = args.bool(1)?;
            for parameter in this(args)?.parameters() {
                let Some(grad) = tensors::grad(&parameter)? else { continue };
                if clear {
                    tensors::set_grad(&parameter, None)?;
                } else {
                    let _ = grad.tch().f_detach_()?.f_zero_()?;
                }
            }
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Module.apply(Module self, Function fn) -> Module",
        doc: "Calls fn(module) for every module below and then for this one, for example to \
              initialise weights.",
        example: "let init = |m| if type_of(m) == \"Module\" { () };\nnn.Sequential(nn.Linear(2, 3)).apply(init)",
        call: |args| {
            fn walk(module: &Module, f: &Dynamic, args: &Args<'_>) -> Result<()> {
                for (_, child) in module.named_children() {
                    walk(&child, f, args)?;
                }
                args.ctx().call(f, vec![module.to_dynamic()]).map(drop)
            }
            let f = args.callable(1)?;
            walk(&this(args)?, &f, args)?;
            Ok(args.take(0))
        },
    },
    Function {
        schema: "Module.deepcopy(Module self) -> Module",
        doc: "An independent module with the same values, as Python's copy.deepcopy makes it.",
        example: "nn.Linear(2, 3).deepcopy()",
        call: |args| Ok(this(args)?.deep_copy()?.to_dynamic()),
    },
    Function {
        schema: "Module.register_buffer(Module self, str name, Tensor? tensor, bool persistent=True) -> ()",
        doc: "Adds a tensor that is moved with the module but not trained; one that is not persistent \
              is not in the state dict.",
        example: "let m = nn.ReLU();\nm.register_buffer(\"steps\", torch.zeros([]));\nm.steps",
        call: |args| {
            let (module, name) = (this(args)?, args.str(1)?);
            new_member(&module, &name, "buffer")?;
            module.put_buffer(&name, args.opt_tensor(2)?)?;
            Members::set_persistent(&module, &name, args.bool(3)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Module.register_parameter(Module self, str name, Tensor? param) -> ()",
        doc: "Adds a parameter; the tensor must be a leaf.",
        example: "let m = nn.ReLU();\nm.register_parameter(\"scale\", nn.Parameter(torch.ones([1])));\nlen(m.parameters())",
        call: |args| {
            let (module, name) = (this(args)?, args.str(1)?);
            new_member(&module, &name, "parameter")?;
            let tensor = args.opt_tensor(2)?;
            if tensor.as_ref().is_some_and(|tensor| !tensors::is_leaf(tensor)) {
                return Err(Error::value(format!(
                    "Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be \
                     created explicitly."
                ))
                .help("make it a leaf with nn.Parameter(t), or compute it in forward"));
            }
            module.put_parameter(&name, tensor)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Module.add_module(Module self, str name, Module? module) -> ()",
        doc: "Adds a submodule.",
        example: "let m = nn.Sequential();\nm.add_module(\"act\", nn.ReLU());\nm.act",
        call: add_module,
    },
    Function {
        schema: "Module.register_module(Module self, str name, Module? module) -> ()",
        doc: "The same as add_module.",
        example: "let m = nn.Sequential();\nm.register_module(\"act\", nn.ReLU());\nm.act",
        call: add_module,
    },
    Function {
        schema: "Module.class_name(Module self) -> str",
        doc: "The name of the module's class, such as \"Linear\": Python's type(m).__name__.",
        example: "nn.Linear(2, 3).class_name()",
        call: |args| Ok(Dynamic::from(this(args)?.name().to_owned())),
    },
];

fn add_module(args: &mut Args<'_>) -> Result<Dynamic> {
    let (module, name) = (this(args)?, args.str(1)?);
    new_member(&module, &name, "module")?;
    if args.is_none(2) {
        module.put_no_module(&name)?;
    } else {
        module.put_module(&name, Module::required(args.get(2))?)?;
    }
    Ok(Dynamic::UNIT)
}

/// An error where `name` is taken by something of another kind.
fn new_member(module: &Module, name: &str, kind: &str) -> Result<()> {
    script::check_name(module, name, kind)?;
    let state = module.state();
    let taken = state.parameters.contains(name) && kind != "parameter"
        || state.buffers.contains(name) && kind != "buffer"
        || state.modules.contains(name) && kind != "module"
        || state.attributes.contains(name)
        || state.methods.contains(name);
    if taken {
        return Err(Error::key(format!("attribute '{name}' already exists")));
    }
    Ok(())
}
