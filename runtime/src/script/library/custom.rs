//! Functions with their own backward, and checkpointing: both are one node in the graph whose backward
//! is a closure.

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::error::{Error, Result};
use crate::script::context::Context;
use crate::script::convert;
use crate::script::function::{Args, Function};
use crate::torch::autograd::{Mode, ModeGuard};
use crate::torch::{Tensor, shim};

/// The tensors among the arguments that need a gradient, with their places.
fn differentiable(args: &[Dynamic]) -> Vec<(usize, Tensor)> {
    args.iter()
        .enumerate()
        .filter_map(|(i, arg)| convert::tensor(arg).map(|tensor| (i, tensor)))
        .filter(|(_, tensor)| tensor.requires_grad())
        .collect()
}

/// The results of a forward: one tensor, or an array of them.
fn outputs(result: &Dynamic) -> Result<(Vec<Tensor>, bool)> {
    if let Some(one) = convert::tensor(result) {
        return Ok((vec![one], false));
    }
    let list = convert::items(result)
        .and_then(|items| items.iter().map(convert::tensor).collect::<Option<Vec<Tensor>>>())
        .ok_or_else(|| {
            Error::type_(format!(
                "forward gives a tensor or an array of tensors, not {}",
                convert::type_name(result)
            ))
        })?;
    Ok((list, true))
}

/// Gives results computed without a graph the node `label`.
fn attach(
    label: &str,
    inputs: &[(usize, Tensor)],
    results: Vec<Tensor>,
    several: bool,
    backward: shim::Backward,
) -> Result<Dynamic> {
    // A result that is an input or a view of one would carry that one's history.
    let results: Vec<Tensor> = results
        .into_iter()
        .map(|result| Ok(Tensor::from(result.f_detach()?)))
        .collect::<Result<_>>()?;
    if shim::grad_enabled() && !inputs.is_empty() {
        let ins: Vec<&tch::Tensor> = inputs.iter().map(|(_, tensor)| tensor.as_ref()).collect();
        let outs: Vec<&tch::Tensor> = results
            .iter()
            .filter(|result| result.dtype().is_floating_point() || result.dtype().is_complex())
            .map(AsRef::as_ref)
            .collect();
        shim::attach(label, &ins, &outs, backward)?;
    }
    Ok(if several {
        convert::from_tensors(results)
    } else {
        results.into_iter().next().map_or(Dynamic::UNIT, Dynamic::from)
    })
}

/// `torch.autograd.Function(#{forward, backward})`: returns a callable.
fn function(args: &mut Args<'_>) -> Result<Dynamic> {
    let mut parts = args.map(0)?;
    let mut part = |name: &str| {
        parts
            .remove(name)
            .and_then(|value| value.try_cast::<FnPtr>())
            .ok_or_else(|| Error::key(format!("a custom function needs a closure `{name}`")))
    };
    let (forward, backward) = (part("forward")?, part("backward")?);
    let name = parts
        .remove("name")
        .and_then(|name| name.into_immutable_string().ok())
        .map_or_else(|| "ScriptFunction".to_owned(), |name| name.to_string());
    if let Some(unknown) = parts.keys().next() {
        return Err(Error::key(format!("a custom function has no part `{unknown}`"))
            .help("its parts are forward, backward and name"));
    }
    let label = format!("{name}Backward");
    let call = move |native: rhai::NativeCallContext<'_>, args: &mut [&mut Dynamic]| {
        let args: Vec<Dynamic> = args.iter().map(|arg| arg.flatten_clone()).collect();
        apply(&label, &forward, &backward, args)
            .map_err(|error| crate::script::errors::to_rhai(error, native.call_position()))
    };
    #[allow(deprecated)]
    let callable = FnPtr::from_fn("custom_function", call)
        .map_err(|error| crate::script::errors::from_rhai(&error))?;
    Ok(Dynamic::from(callable))
}

/// Runs a custom function once: `forward(ctx, args…)` without a graph, then its node.
fn apply(label: &str, forward: &FnPtr, backward: &FnPtr, args: Vec<Dynamic>) -> Result<Dynamic> {
    let inputs = differentiable(&args);
    let n_args = args.len();
    // What forward leaves in `ctx` is there for backward.
    let store = Dynamic::from_map(Map::new()).into_shared();
    let result = {
        let _guard = ModeGuard::enter(Mode::NoGrad);
        let mut all = Vec::with_capacity(args.len() + 1);
        all.push(store.clone());
        all.extend(args);
        Context::current(|ctx| ctx.call(&Dynamic::from(forward.clone()), all))?
    };
    let (results, several) = outputs(&result)?;
    let backward = Dynamic::from(backward.clone());
    let places: Vec<usize> = inputs.iter().map(|(i, _)| *i).collect();
    let node: shim::Backward = Box::new(move |grads, _| {
        let mut all = vec![store.clone()];
        all.extend(
            grads
                .into_iter()
                .map(|grad| grad.map_or(Dynamic::UNIT, |grad| Dynamic::from(Tensor::from(grad)))),
        );
        let result = Context::current(|ctx| ctx.call(&backward, all))?;
        let list: Array = match convert::items(&result) {
            Some(list) => list,
            None => vec![result],
        };
        // One gradient per argument of forward, or per tensor that needs one.
        let pick: Vec<usize> = match list.len() {
            n if n == n_args => places.clone(),
            n if n == places.len() => (0..n).collect(),
            n => {
                return Err(Error::value(format!(
                    "backward gave {n} gradients for {n_args} arguments of forward"
                ))
                .help("give one per argument, () for those without a gradient"));
            }
        };
        pick.into_iter()
            .map(|i| match (&list[i], convert::tensor(&list[i])) {
                (_, Some(tensor)) => Ok(Some(tensor.into_tch())),
                (value, None) if value.is_unit() => Ok(None),
                (value, None) => Err(Error::type_(format!(
                    "backward gives tensors or (), not {}",
                    convert::type_name(value)
                ))),
            })
            .collect()
    });
    attach(label, &inputs, results, several, node)
}

/// Runs a closure without keeping what its backward needs, and runs it again when that is needed.
fn checkpoint(args: &mut Args<'_>) -> Result<Dynamic> {
    let function = args.callable(0)?;
    let inputs_all = args.array(1)?;
    let options = args.map(2)?;
    let preserve = options.get("preserve_rng_state").and_then(|v| v.as_bool().ok()).unwrap_or(true);
    let inputs = differentiable(&inputs_all);
    let generator = crate::torch::Generator::default_of(crate::torch::Device::CPU)?;
    let state = if preserve { Some(generator.state()?) } else { None };
    let result = {
        let _guard = ModeGuard::enter(Mode::NoGrad);
        args.ctx().call(&function, inputs_all.clone())?
    };
    let (results, several) = outputs(&result)?;
    let places: Vec<usize> = inputs.iter().map(|(i, _)| *i).collect();
    let node: shim::Backward = Box::new(move |grads, _| {
        // The same random numbers as the first time; the stream outside goes on undisturbed.
        let outside = match &state {
            Some(state) => {
                let outside = generator.state()?;
                generator.set_state(state)?;
                Some(outside)
            }
            None => None,
        };
        let outcome = again(&function, &inputs_all, &places, &grads);
        if let Some(outside) = outside {
            generator.set_state(&outside)?;
        }
        outcome
    });
    attach("CheckpointFunctionBackward", &inputs, results, several, node)
}

/// The second run of a checkpointed closure, and its backward.
fn again(
    function: &Dynamic,
    args: &[Dynamic],
    places: &[usize],
    grads: &[Option<tch::Tensor>],
) -> Result<Vec<Option<tch::Tensor>>> {
    let mut detached = args.to_vec();
    for &place in places {
        if let Some(tensor) = convert::tensor(&args[place]) {
            let leaf = tensor.f_detach()?.f_requires_grad_(true)?;
            detached[place] = Dynamic::from(Tensor::from(leaf));
        }
    }
    let leaves: Vec<Tensor> =
        places.iter().filter_map(|&i| convert::tensor(&detached[i])).collect();
    let result = {
        let _guard = ModeGuard::enter(Mode::EnableGrad);
        Context::current(|ctx| ctx.call(function, detached))?
    };
    let (results, _) = outputs(&result)?;
    let (mut roots, mut seeds) = (Vec::new(), Vec::new());
    for (result, grad) in results.iter().zip(grads) {
        if result.requires_grad()
            && let Some(grad) = grad
        {
            roots.push(result.as_ref());
            seeds.push(Some(grad));
        }
    }
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    // Parameters inside the closure accumulate their own gradients, so this is a backward.
    shim::backward(&roots, &seeds, false, false, &[])?;
    leaves
        .iter()
        .map(|leaf| {
            let grad = leaf.f_grad()?;
            Ok(grad.defined().then_some(grad))
        })
        .collect()
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.autograd.Function(Map parts) -> Function",
        doc: "A function with its own backward: `forward: |ctx, x…| …` and `backward: |ctx, grad…| …`; \
              what forward puts into the map `ctx` is there in backward. backward gives one gradient \
              per argument, () for those without. `name:` is shown in grad_fn. \
              <https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function>",
        example: "let square = torch.autograd.Function(#{\n    forward: |ctx, x| { ctx.x = x; x * x },\n    backward: |ctx, g| 2 * ctx.x * g,\n});\nlet x = torch.tensor([3.0], requires_grad: true);\nsquare(x).sum().backward();\nprint(x.grad);",
        call: function,
    },
    Function {
        schema: "torch.utils.checkpoint.checkpoint(Function function, *Any args, **Any kwargs) -> Any",
        doc: "Calls the closure without keeping what its backward needs, and runs it again during \
              backward: less memory for more time. `preserve_rng_state: false` leaves random numbers alone. \
              <https://pytorch.org/docs/stable/checkpoint.html>",
        example: "let x = torch.ones([2], requires_grad: true);\nlet y = torch.utils.checkpoint.checkpoint(|x| (x * x).exp(), x);\ny.sum().backward();\nprint(x.grad);",
        call: checkpoint,
    },
];
