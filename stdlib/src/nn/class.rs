//! The form in which layers are declared: one [`Class`] holds a layer's signature, description,
//! construction, forward pass and printed form; everything else about modules is shared.
//!
//! GOOD: a row in a table, `Class { schema: "nn.GELU(str approximate='none') -> Module", … }`.
//! BAD: a type per layer, because 150 of them would repeat what [`Module`] does.

use std::cell::Ref;
use std::collections::HashMap;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Context, Function, convert};
use flambeau_runtime::torch::{Arity, Tensor, Type};
use rhai::{Dynamic, Map};

use super::module::{Module, State};

/// A layer as scripts can make it.
#[derive(Clone, Copy)]
pub(crate) struct Class {
    /// The constructor's signature, as PyTorch's. Each argument becomes an attribute of its name,
    /// except `device`, `dtype`, tensors and private ones; `build` may set others.
    pub schema: &'static str,
    pub doc: &'static str,
    pub example: &'static str,
    /// Makes parameters and buffers and checks the arguments, after the attributes were set.
    pub build: fn(&Module, &mut Args<'_>) -> Result<()>,
    /// The names of the inputs of the forward pass; one that ends in `?` may be left out.
    pub inputs: &'static [&'static str],
    pub forward: Forward,
    /// What stands between the parentheses when the module is printed, see [`super::repr`].
    pub repr: &'static str,
    pub role: Role,
}

/// How a layer computes.
#[derive(Clone, Copy)]
pub(crate) enum Forward {
    /// Native code.
    Native(fn(&Call<'_>) -> Result<Dynamic>),
    /// An operator of libtorch: the inputs, then these attributes by position. Its in-place form
    /// where the attribute `inplace` is true.
    Operator(&'static str, &'static [&'static str]),
    /// A function of `torch.nn.functional`: the inputs, then these attributes by keyword.
    Functional(&'static str, &'static [&'static str]),
    /// The closure `forward` of a script.
    Script,
    /// Containers that only hold.
    None,
}

/// What indexing, iterating and printing mean for a module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A layer: no items.
    Layer,
    /// Modules at positions, called one after another.
    Sequential,
    /// Modules at positions.
    List,
    /// Modules by names.
    Dict,
    /// Parameters at positions.
    ParameterList,
    /// Parameters by names.
    ParameterDict,
}

impl Class {
    /// A layer with one input, no parameters and nothing to print: the base for the tables.
    pub(crate) const LAYER: Class = Class {
        schema: "",
        doc: "",
        example: "",
        build: |_, _| Ok(()),
        inputs: &["input"],
        forward: Forward::None,
        repr: "",
        role: Role::Layer,
    };

    /// The name behind the namespace: `Linear` of `nn.Linear(…)`.
    pub(crate) fn name(&self) -> &'static str {
        let full = self.schema.split('(').next().unwrap_or(self.schema);
        full.rsplit('.').next().unwrap_or(full)
    }
}

/// The constructors of a table of layers, as the library declares functions.
pub(crate) const fn constructors<const N: usize>(classes: &[Class]) -> [Function; N] {
    let none = Function { schema: "", doc: "", example: "", call: construct };
    let mut functions = [none; N];
    let mut i = 0;
    while i < N {
        let class = &classes[i];
        functions[i] = Function {
            schema: class.schema,
            doc: class.doc,
            example: class.example,
            call: construct,
        };
        i += 1;
    }
    functions
}

/// The class whose schema has this dotted name, such as `nn.Linear`.
pub(crate) fn find(name: &str) -> Option<&'static Class> {
    thread_local! {
        static CLASSES: HashMap<&'static str, &'static Class> = super::TABLES
            .iter()
            .flat_map(|table| table.iter())
            .map(|class| (class.schema.split('(').next().unwrap_or_default(), class))
            .collect();
    }
    CLASSES.with(|classes| classes.get(name).copied())
}

/// Makes a module from the bound arguments of its constructor.
fn construct(args: &mut Args<'_>) -> Result<Dynamic> {
    let schema = args.schema();
    let class =
        find(&schema.name).ok_or_else(|| Error::name(format!("{} is not a layer", schema.name)))?;
    let module = Module::new(class, class.name());
    for (i, argument) in schema.arguments.iter().enumerate() {
        let hidden =
            matches!(argument.name.as_str(), "device" | "dtype" | "size_average" | "reduce")
                || argument.name.starts_with('_')
                || argument.arity != Arity::One
                || *argument.ty.required() == Type::Tensor;
        if !hidden {
            check(args, i, argument.ty.required())?;
            let value = args.get(i).flatten_clone();
            module.state_mut()?.attributes.set(&argument.name, value);
        }
    }
    (class.build)(&module, args)?;
    Ok(module.to_dynamic())
}

/// A `TypeError` where argument `i` cannot be what the signature says: a wrong setting is found
/// when the layer is made, not when it first runs.
fn check(args: &Args<'_>, i: usize, ty: &Type) -> Result<()> {
    if args.is_none(i) {
        return Ok(());
    }
    match ty {
        Type::Int => args.int(i).map(drop),
        Type::Float => args.float(i).map(drop),
        Type::Bool => args.bool(i).map(drop),
        Type::Str => args.str(i).map(drop),
        Type::List(inner, _) if **inner == Type::Int => args.ints(i).map(drop),
        _ => Ok(()),
    }
}

/// One call of a layer: its inputs, bound in the order of [`Class::inputs`].
pub(crate) struct Call<'a> {
    pub module: &'a Module,
    pub ctx: &'a Context<'a>,
    args: Vec<Dynamic>,
}

/// Runs the forward pass of `module`, without hooks. The error of a layer names the layer and its input.
pub(crate) fn forward(module: &Module, args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
    // A handle to it, which costs nothing.
    let input =
        args.first().and_then(|input| input.read_lock::<Tensor>().map(|input| input.clone()));
    forward_of(module, args, ctx).map_err(|mut error| {
        let is_layer = module.state().modules.len() == 0;
        if is_layer
            && error.position.is_none()
            && !error.operands.iter().any(|o| o.starts_with(LAYER))
        {
            let input = input.map(|input| format!("input: {}", input.describe()));
            error.operands = std::iter::once(format!("{LAYER}{}", super::repr::repr(module)))
                .chain(input)
                .collect();
        }
        error
    })
}

/// What the name of the layer begins with in an error.
const LAYER: &str = "layer: ";

fn forward_of(module: &Module, args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
    let class = module.class();
    match class.forward {
        Forward::Native(run) => {
            let args = if class.inputs.is_empty() { args } else { bind(module, args)? };
            run(&Call { module, ctx, args })
        }
        Forward::Operator(name, attributes) => {
            let mut args = bind(module, args)?;
            let state = module.state();
            args.extend(attributes.iter().map(|name| state.read(module, name)));
            let inplace = state.attributes.get("inplace").and_then(|v| v.as_bool().ok());
            drop(state);
            match inplace {
                Some(true) => ctx.op(&format!("{name}_"), args),
                _ => ctx.op(name, args),
            }
        }
        Forward::Functional(name, attributes) => {
            let mut args = bind(module, args)?;
            let state = module.state();
            let keywords: Map =
                attributes.iter().map(|name| ((*name).into(), state.read(module, name))).collect();
            drop(state);
            args.push(Dynamic::from_map(keywords));
            ctx.function(name, args)
        }
        Forward::Script => super::script::forward(module, args, ctx),
        Forward::None => Err(Error::type_(format!("{} has no forward pass", module.name()))
            .help("call the modules that it holds, as in `m[0](x)`")),
    }
}

/// The inputs in the order of the class, keywords of a trailing map put in place.
fn bind(module: &Module, mut args: Vec<Dynamic>) -> Result<Vec<Dynamic>> {
    let inputs = module.class().inputs;
    let keywords = match args.last() {
        Some(last) if last.is::<Map>() => args.pop().and_then(|map| map.try_cast::<Map>()),
        _ if args.len() == inputs.len() => return Ok(args),
        _ => None,
    };
    let signature = || {
        let names: Vec<&str> = inputs.to_vec();
        format!("{}(…)({})", module.name(), names.join(", "))
    };
    if args.len() > inputs.len() {
        return Err(Error::type_(format!(
            "{}.forward() takes {} arguments, not {}",
            module.name(),
            inputs.len(),
            args.len()
        ))
        .help(signature()));
    }
    let mut keywords = keywords.unwrap_or_default();
    for (i, input) in inputs.iter().enumerate().skip(args.len()) {
        let name = input.trim_end_matches('?');
        match keywords.remove(name) {
            Some(value) => args.push(value),
            None if input.ends_with('?') => args.push(Dynamic::UNIT),
            None => {
                return Err(Error::type_(format!(
                    "{}.forward() needs argument '{name}' (position {})",
                    module.name(),
                    i + 1
                ))
                .help(signature()));
            }
        }
    }
    match keywords.keys().next() {
        None => Ok(args),
        Some(name) => Err(Error::type_(format!(
            "{}.forward() got an unexpected keyword argument '{name}'",
            module.name()
        ))
        .help(signature())),
    }
}

impl Call<'_> {
    /// What the module holds: parameters, buffers and settings.
    pub fn state(&self) -> Ref<'_, State> {
        self.module.state()
    }

    /// The arguments as they came, for containers.
    pub fn all(&self) -> Vec<Dynamic> {
        self.args.clone()
    }

    /// The argument at `i`.
    pub fn value(&self, i: usize) -> &Dynamic {
        &self.args[i]
    }

    /// The tensor at `i`, borrowed.
    pub fn tensor(&self, i: usize) -> Result<impl std::ops::Deref<Target = Tensor> + '_> {
        let tensor =
            self.args[i].read_lock::<Tensor>().ok_or_else(|| self.mismatch(i, "a Tensor"))?;
        // Layers ask for shapes, which nested tensors do not have.
        if tensor.is_nested() {
            return Err(self.mismatch(i, "a tensor that is not nested"));
        }
        Ok(tensor)
    }

    /// The tensor at `i`, or `None` for `()`.
    pub fn opt_tensor(&self, i: usize) -> Result<Option<Tensor>> {
        match &self.args[i] {
            value if value.is_unit() => Ok(None),
            _ => self.tensor(i).map(|tensor| Some(tensor.clone())),
        }
    }

    /// The bool at `i`, or `default` for `()`.
    pub fn bool_or(&self, i: usize, default: bool) -> Result<bool> {
        match &self.args[i] {
            value if value.is_unit() => Ok(default),
            value => value.as_bool().map_err(|_| self.mismatch(i, "a bool")),
        }
    }

    /// The integers at `i`, or `None` for `()`.
    pub fn opt_ints(&self, i: usize) -> Result<Option<Vec<i64>>> {
        match &self.args[i] {
            value if value.is_unit() => Ok(None),
            value => convert::ints(value).map(Some).ok_or_else(|| self.mismatch(i, "integers")),
        }
    }

    /// A `TypeError` that names argument `i`.
    pub fn mismatch(&self, i: usize, expected: &str) -> Error {
        let name = self.module.class().inputs.get(i).map_or("?", |name| name.trim_end_matches('?'));
        Error::type_(format!(
            "{}.forward(): argument '{name}' must be {expected}, not {}",
            self.module.name(),
            convert::type_name(&self.args[i])
        ))
    }

    /// Applies `f` to the first tensor.
    pub fn unary(
        &self,
        f: impl FnOnce(&tch::Tensor) -> std::result::Result<tch::Tensor, tch::TchError>,
    ) -> Result<Dynamic> {
        let input = self.tensor(0)?;
        Ok(value(f(&input)?))
    }
}

/// A result of tch as a script's value.
pub(crate) fn value(tensor: tch::Tensor) -> Dynamic {
    Dynamic::from(Tensor::from(tensor))
}
