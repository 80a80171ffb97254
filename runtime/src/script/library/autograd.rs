//! `backward`, `torch.autograd.grad`, hooks.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::context::Context;
use crate::script::convert;
use crate::script::function::{Args, Function, Object, ObjectType};
use crate::script::turn::{self, Home, Kept};
use crate::torch::{Tensor, shim};

fn references(tensors: &[Tensor]) -> Vec<&tch::Tensor> {
    tensors.iter().map(AsRef::as_ref).collect()
}

/// One gradient per root: given, or none for a root with one element.
fn root_gradients(roots: &[Tensor], given: &Dynamic) -> Result<Vec<Option<Tensor>>> {
    if given.is_unit() {
        return roots
            .iter()
            .map(|root| {
                let elements: i64 = shim::sizes(root).iter().product();
                if elements == 1 {
                    Ok(None)
                } else {
                    Err(Error::new(
                        crate::error::Kind::Runtime,
                        "grad can be implicitly created only for scalar outputs",
                    )
                    .help(format!(
                        "this is {}: reduce it with .sum() or .mean(), or give `gradient: …`",
                        root.describe()
                    )))
                }
            })
            .collect();
    }
    let list = match convert::tensor(given) {
        Some(one) => vec![Some(one)],
        None => convert::items(given)
            .ok_or_else(|| Error::type_("gradients are a tensor or an array of tensors and ()"))?
            .iter()
            .map(convert::tensor)
            .collect(),
    };
    if list.len() != roots.len() {
        return Err(Error::value(format!(
            "{} gradients were given for {} tensors",
            list.len(),
            roots.len()
        )));
    }
    for (grad, root) in list.iter().zip(roots) {
        if let Some(grad) = grad
            && shim::sizes(grad) != shim::sizes(root)
        {
            return Err(Error::shape(format!(
                "a gradient {} does not fit its tensor {}",
                grad.describe(),
                root.describe()
            )));
        }
    }
    Ok(list)
}

fn backward(roots: Vec<Tensor>, args: &Args<'_>, gradient: usize) -> Result<Dynamic> {
    let grads = root_gradients(&roots, args.get(gradient))?;
    let create = args.bool(gradient + 2)?;
    let retain = args.opt_bool(gradient + 1)?.unwrap_or(create);
    let inputs = if args.is_none(gradient + 3) { Vec::new() } else { args.tensors(gradient + 3)? };
    let grads: Vec<Option<&tch::Tensor>> =
        grads.iter().map(|grad| grad.as_ref().map(AsRef::as_ref)).collect();
    in_graph(|| shim::backward(&references(&roots), &grads, retain, create, &references(&inputs)))?;
    Ok(Dynamic::UNIT)
}

/// Runs a backward pass. Hooks may run on threads of libtorch's own; an error of theirs comes out here as it
/// was raised.
pub(super) fn in_graph<R>(run: impl FnOnce() -> Result<R>) -> Result<R> {
    let Some(home) = Home::current() else { return run() };
    // One that nobody took belongs to a pass that Python began.
    drop(home.take_pending());
    let outcome = turn::outside(run);
    match (outcome, home.take_pending()) {
        (Err(_), Some(error)) => Err(error),
        (outcome, _) => outcome.map_err(graph_help),
    }
}

/// A closure that libtorch calls during a backward pass, on whatever thread that is.
pub(super) fn node(
    run: impl Fn(Vec<Option<tch::Tensor>>) -> Result<Vec<Option<tch::Tensor>>> + 'static,
) -> Result<shim::Backward> {
    let kept = Kept::new(run)?;
    Ok(Box::new(move |grads| {
        kept.with(|run| {
            let outcome = run(grads);
            outcome.inspect_err(|error| {
                kept.home().set_pending(error.clone());
                shim::fail_with(error);
            })
        })
    }))
}

/// Says what to do about the two errors that everybody meets once.
fn graph_help(error: Error) -> Error {
    if error.help.is_some() {
        return error;
    }
    if error.message.contains("backward through the graph a second time") {
        return error.help("say `retain_graph: true` the first time to go through a graph twice");
    }
    if error.message.contains("does not require grad") {
        return error
            .help("set `requires_grad: true` on what the gradient is for, outside no_grad");
    }
    error
}

fn grad(args: &mut Args<'_>) -> Result<Dynamic> {
    let outputs = args.tensors(0)?;
    let inputs = args.tensors(1)?;
    let grads = root_gradients(&outputs, args.get(2))?;
    let create = args.bool(4)?;
    let retain = args.opt_bool(3)?.unwrap_or(create);
    let materialize = args.bool(6)?;
    let allow_unused = args.opt_bool(5)?.unwrap_or(materialize);
    let grads: Vec<Option<&tch::Tensor>> =
        grads.iter().map(|grad| grad.as_ref().map(AsRef::as_ref)).collect();
    let options = shim::GradOptions { retain, create, allow_unused };
    let found =
        in_graph(|| shim::grad(&references(&outputs), &grads, &references(&inputs), options))?;
    let mut list = rhai::Array::with_capacity(found.len());
    for (grad, input) in found.into_iter().zip(&inputs) {
        list.push(match grad {
            Some(grad) => Dynamic::from(Tensor::from(grad)),
            None if materialize => Dynamic::from(Tensor::from(input.f_zeros_like()?)),
            None => Dynamic::UNIT,
        });
    }
    Ok(Dynamic::from_array(list))
}

/// What `register_hook` returns.
#[derive(Clone)]
pub(super) struct TensorHook {
    tensor: Tensor,
    id: u32,
}

impl Object for TensorHook {
    const TYPE: &'static str = "TensorHook";

    fn display(&self) -> String {
        format!("<TensorHook {}>", self.id)
    }
}

/// A hook that a closure is: the gradient in, its replacement or `()` out.
fn hook(closure: Dynamic) -> Result<shim::Backward> {
    node(move |grads| {
        let grad = grads
            .into_iter()
            .next()
            .flatten()
            .map_or(Dynamic::UNIT, |grad| Dynamic::from(Tensor::from(grad)));
        let result = Context::current(|ctx| ctx.call(&closure, vec![grad]))?;
        if result.is_unit() {
            return Ok(vec![None]);
        }
        let replacement = convert::tensor(&result).ok_or_else(|| {
            Error::type_(format!(
                "a hook gives a tensor or (), not {}",
                convert::type_name(&result)
            ))
        })?;
        Ok(vec![Some(replacement.into_tch())])
    })
}

pub(super) const TYPES: &[fn() -> ObjectType] = &[ObjectType::of::<TensorHook>];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "Tensor.backward(Tensor self, Tensor? gradient=None, bool? retain_graph=None, \
                 bool create_graph=False, Any inputs=None) -> None",
        doc: "Computes the gradients of the graph's leaves and adds them to their `.grad`. \
              <https://pytorch.org/docs/stable/generated/torch.Tensor.backward.html>",
        example: "let x = torch.tensor([2.0], requires_grad: true);\n(x * x).sum().backward();\nprint(x.grad);",
        call: |args| backward(vec![args.tensor(0)?], args, 1),
    },
    Function {
        schema: "torch.autograd.backward(Any tensors, Any grad_tensors=None, bool? retain_graph=None, \
                 bool create_graph=False, Any inputs=None) -> None",
        doc: "Computes the gradients of the leaves of several graphs.",
        example: "let x = torch.ones([2], requires_grad: true);\ntorch.autograd.backward([x.sum(), (x * x).sum()]);\nprint(x.grad);",
        call: |args| backward(args.tensors(0)?, args, 1),
    },
    Function {
        schema: "torch.autograd.grad(Any outputs, Any inputs, Any grad_outputs=None, \
                 bool? retain_graph=None, bool create_graph=False, bool? allow_unused=None, \
                 bool materialize_grads=False) -> Tensor[]",
        doc: "The gradients of outputs for inputs, one per input, without touching `.grad`. \
              <https://pytorch.org/docs/stable/generated/torch.autograd.grad.html>",
        example: "let x = torch.tensor([2.0], requires_grad: true);\nlet g = torch.autograd.grad((x * x * x).sum(), x, create_graph: true)[0];\nprint(torch.autograd.grad(g.sum(), x)[0]);",
        call: grad,
    },
    Function {
        schema: "Tensor.requires_grad_(Tensor self, bool requires_grad=True) -> Tensor",
        doc: "Sets whether gradients are computed for this tensor, and returns it.",
        example: "let x = torch.zeros([2]).requires_grad_();",
        call: |args| {
            let _ = args.tensor(0)?.tch().f_requires_grad_(args.bool(1)?)?;
            Ok(args.take(0))
        },
    },
    Function {
        schema: "Tensor.register_hook(Tensor self, Function hook) -> TensorHook",
        doc: "Calls the closure with this tensor's gradient whenever it is computed; what it gives, \
              unless (), is the gradient from there on. `remove()` of what it returns ends it.",
        example: "let x = torch.ones([2], requires_grad: true);\nx.register_hook(|g| g * 2);\nx.sum().backward();\nprint(x.grad);",
        call: |args| {
            let tensor = args.tensor(0)?;
            if !tensor.requires_grad() {
                return Err(Error::value("a hook needs a tensor that requires grad"));
            }
            let id = shim::register_hook(&tensor, hook(args.callable(1)?)?)?;
            Ok(Dynamic::from(TensorHook { tensor, id }))
        },
    },
    Function {
        schema: "TensorHook.remove(TensorHook self) -> None",
        doc: "Ends the hook.",
        example: "let x = torch.ones([2], requires_grad: true);\nlet hook = x.register_hook(|g| g * 2);\nhook.remove();",
        call: |args| {
            let hook = args.object::<TensorHook>(0)?;
            shim::remove_hook(&hook.tensor, hook.id)?;
            Ok(Dynamic::UNIT)
        },
    },
];
