//! Functions with their own backward, and checkpointing: both are one node in the graph whose backward
//! is a closure.

use rhai::{Array, Dynamic, FnPtr, Map};

use super::autograd::{in_graph, node};
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

/// Which results can have a gradient, by their dtype.
fn can_differ(results: &[Tensor]) -> Vec<bool> {
    results.iter().map(|r| r.dtype().is_floating_point() || r.dtype().is_complex()).collect()
}

/// The gradients of a node, which has those results that `differ`, in the places of all results.
fn spread(grads: Vec<Option<tch::Tensor>>, differ: &[bool]) -> Vec<Option<tch::Tensor>> {
    let mut grads = grads.into_iter();
    differ.iter().map(|has| if *has { grads.next().flatten() } else { None }).collect()
}

/// Gives results the node `label`, instead of the graph that they may have; those that `differ`.
fn attach(
    label: &str,
    inputs: &[Tensor],
    results: Vec<Tensor>,
    differ: &[bool],
    several: bool,
    backward: shim::Backward,
) -> Result<Dynamic> {
    // A result that is an input or a view of one would carry that one's history.
    let results: Vec<Tensor> = results
        .into_iter()
        .map(|result| Ok(Tensor::from(result.f_detach()?)))
        .collect::<Result<_>>()?;
    let outs: Vec<&tch::Tensor> = results
        .iter()
        .zip(differ)
        .filter(|(_, differ)| **differ)
        .map(|(result, _)| result.as_ref())
        .collect();
    if shim::grad_enabled() && !inputs.is_empty() && !outs.is_empty() {
        let ins: Vec<&tch::Tensor> = inputs.iter().map(AsRef::as_ref).collect();
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
    let materialize =
        parts.remove("materialize_grads").and_then(|on| on.as_bool().ok()).unwrap_or(true);
    let name = parts
        .remove("name")
        .and_then(|name| name.into_immutable_string().ok())
        .map_or_else(|| "ScriptFunction".to_owned(), |name| name.to_string());
    if let Some(unknown) = parts.keys().next() {
        return Err(Error::key(format!("a custom function has no part `{unknown}`"))
            .help("its parts are forward, backward, name and materialize_grads"));
    }
    let label = format!("{name}Backward");
    let call = move |native: rhai::NativeCallContext<'_>, args: &mut [&mut Dynamic]| {
        let args: Vec<Dynamic> = args.iter().map(|arg| arg.flatten_clone()).collect();
        apply(&label, &forward, &backward, materialize, args)
            .map_err(|error| crate::script::errors::raised(error, &native))
    };
    #[allow(deprecated)]
    let callable = FnPtr::from_fn("custom_function", call)
        .map_err(|error| crate::script::errors::from_rhai(&error))?;
    Ok(Dynamic::from(callable))
}

/// What a gradient of zeros needs to know of its result.
type Form = (Vec<i64>, tch::Kind, tch::Device);

/// Runs a custom function once: `forward(ctx, args…)` without a graph, then its node.
fn apply(
    label: &str,
    forward: &FnPtr,
    backward: &FnPtr,
    materialize: bool,
    args: Vec<Dynamic>,
) -> Result<Dynamic> {
    let inputs = differentiable(&args);
    let n_args = args.len();
    let places: Vec<usize> = inputs.iter().map(|(i, _)| *i).collect();
    let inputs: Vec<Tensor> = inputs.into_iter().map(|(_, tensor)| tensor).collect();
    // What forward leaves in `ctx` is there for backward.
    let mut store = Map::new();
    let needed = (0..n_args).map(|i| Dynamic::from_bool(places.contains(&i))).collect();
    store.insert("needs_input_grad".into(), Dynamic::from_array(needed));
    let store = Dynamic::from_map(store).into_shared();
    let result = {
        let _guard = ModeGuard::enter(Mode::NoGrad);
        let mut all = Vec::with_capacity(args.len() + 1);
        all.push(store.clone());
        all.extend(args);
        Context::current(|ctx| ctx.call(&Dynamic::from(forward.clone()), all))?
    };
    let (results, several) = outputs(&result)?;
    let differ = can_differ(&results);
    let forms: Vec<Form> = results
        .iter()
        .map(|result| Ok((shim::sizes(result), result.f_kind()?, result.device())))
        .collect::<Result<_>>()?;
    let backward = Dynamic::from(backward.clone());
    let known = differ.clone();
    let node = node(move |grads| {
        let mut all = vec![store.clone()];
        for (grad, (sizes, kind, device)) in spread(grads, &known).into_iter().zip(&forms) {
            let grad = match grad {
                None if materialize => Some(tch::Tensor::f_zeros(sizes, (*kind, *device))?),
                other => other,
            };
            all.push(grad.map_or(Dynamic::UNIT, |grad| Dynamic::from(Tensor::from(grad))));
        }
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
    })?;
    attach(label, &inputs, results, &differ, several, node)
}

/// Options of [`checkpoint`] that are no arguments of the closure. Reentrant or not makes no difference here:
/// parameters that the closure reads get their gradients in any case.
const CHECKPOINT_OPTIONS: &[&str] =
    &["use_reentrant", "preserve_rng_state", "determinism_check", "debug", "context_fn"];

/// Runs a closure without keeping what its backward needs, and runs it again when that is needed.
fn checkpoint(args: &mut Args<'_>) -> Result<Dynamic> {
    let function = args.callable(0)?;
    let mut inputs_all = args.array(1)?;
    let mut keywords = args.map(2)?;
    let preserve =
        keywords.get("preserve_rng_state").and_then(|v| v.as_bool().ok()).unwrap_or(true);
    keywords.retain(|name, _| !CHECKPOINT_OPTIONS.contains(&name.as_str()));
    if !keywords.is_empty() {
        inputs_all.push(Dynamic::from_map(keywords));
    }
    let inputs = differentiable(&inputs_all);
    let generator = crate::torch::Generator::default_of(crate::torch::Device::CPU)?;
    let state = if preserve { Some(generator.state()?) } else { None };
    // With a graph, which is dropped at once: only so it is known which results need a gradient.
    let result = args.ctx().call(&function, inputs_all.clone())?;
    let (results, several) = outputs(&result)?;
    let differ: Vec<bool> = results.iter().map(|result| result.requires_grad()).collect();
    let places: Vec<usize> = inputs.iter().map(|(i, _)| *i).collect();
    let mut ins: Vec<Tensor> = inputs.into_iter().map(|(_, tensor)| tensor).collect();
    // The node is needed also where only tensors that the closure reads need a gradient.
    let mut marker = tch::Tensor::f_zeros([0], (tch::Kind::Float, tch::Device::Cpu))?;
    ins.push(Tensor::from(marker.f_requires_grad_(true)?));
    let known = differ.clone();
    let node = node(move |grads| {
        // The same random numbers as the first time; the stream outside goes on undisturbed.
        let outside = match &state {
            Some(state) => {
                let outside = generator.state()?;
                generator.set_state(state)?;
                Some(outside)
            }
            None => None,
        };
        let outcome = again(&function, &inputs_all, &places, &spread(grads, &known));
        if let Some(outside) = outside {
            generator.set_state(&outside)?;
        }
        outcome
    })?;
    attach("CheckpointFunctionBackward", &ins, results, &differ, several, node)
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
        return Ok((0..=places.len()).map(|_| None).collect());
    }
    // Parameters inside the closure accumulate their own gradients, so this is a backward.
    in_graph(|| shim::backward(&roots, &seeds, false, false, &[]))?;
    let mut found = Vec::with_capacity(leaves.len() + 1);
    for leaf in &leaves {
        let grad = leaf.f_grad()?;
        found.push(grad.defined().then_some(grad));
    }
    // The marker that keeps the node alive has no gradient.
    found.push(None);
    Ok(found)
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.autograd.Function(Map parts) -> Function",
        doc: "A function with its own backward: `forward: |ctx, x…| …` and `backward: |ctx, grad…| …`; \
              what forward puts into the map `ctx` is there in backward. backward gives one gradient \
              per argument, () for those without; `ctx.needs_input_grad` says which are used. \
              `name:` is shown in grad_fn; `materialize_grads: false` gives () instead of zeros for \
              results without a gradient. \
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
