//! `nn.utils`: gradient clipping, and parameters as one vector.
//!
//! Source: <https://docs.pytorch.org/docs/stable/nn.html#utilities>.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, convert};
use flambeau_runtime::torch::{NativeArgument, NativeOperator, Tensor, numel};
use rhai::Dynamic;

use super::module::Module;
use super::tensors;
use crate::functional::common::{Lazy, device};
use crate::functional::numbers::WithNumber;

/// The parameters at `i`: an array of tensors, one tensor, or a module for all of its own.
fn parameters(args: &Args<'_>, i: usize) -> Result<Vec<Tensor>> {
    if let Some(module) = Module::of(args.get(i)) {
        return Ok(module.parameters());
    }
    args.tensors(i)
}

fn gradients(args: &Args<'_>, i: usize) -> Result<Vec<Tensor>> {
    let mut grads = Vec::new();
    for parameter in parameters(args, i)? {
        grads.extend(tensors::grad(&parameter)?);
    }
    Ok(grads)
}

/// Tensors of one device and dtype together, as the foreach operators want them.
fn groups(list: Vec<Tensor>) -> Vec<Vec<Tensor>> {
    let mut groups: Vec<Vec<Tensor>> = Vec::new();
    for tensor in list {
        let fits = |group: &&mut Vec<Tensor>| {
            group.first().is_some_and(|first| {
                first.device_of() == tensor.device_of() && first.dtype() == tensor.dtype()
            })
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(tensor),
            None => groups.push(vec![tensor]),
        }
    }
    groups
}

/// The norm of all tensors as if they were one vector.
fn total_norm(list: &[Tensor], p: f64, must_be_finite: bool, args: &Args<'_>) -> Result<Tensor> {
    let Some(first) = list.first() else {
        return Ok(tch::Tensor::f_from_slice(&[0f32])?.f_reshape([] as [i64; 0])?.into());
    };
    let ctx = args.ctx();
    let device = device(first)?;
    let mut norms: Vec<tch::Tensor> = Vec::with_capacity(list.len());
    for group in groups(list.to_vec()) {
        let found = ctx.op("_foreach_norm", vec![convert::from_tensors(group), p.into()])?;
        for norm in convert::tensors(&found).unwrap_or_default() {
            norms.push(norm.f_to_device(device)?);
        }
    }
    let all = Tensor::from(tch::Tensor::f_stack(&norms, 0)?);
    let total = ctx.op("linalg_vector_norm", vec![Dynamic::from(all), p.into()])?;
    let total = convert::tensor(&total).ok_or_else(|| Error::type_("a norm gave no tensor"))?;
    if must_be_finite && !total.f_double_value(&[])?.is_finite() {
        return Err(Error::value(format!(
            "The total norm of order {p} for gradients from `parameters` is non-finite, so it cannot \
             be clipped"
        ))
        .help("error_if_nonfinite: false scales the gradients all the same"));
    }
    Ok(total)
}

/// Scales gradients so that their total norm is at most `max_norm`.
fn scale(grads: Vec<Tensor>, max_norm: f64, total: &Tensor) -> Result<()> {
    if grads.is_empty() {
        return Ok(());
    }
    let factor =
        total.add_number(1e-6)?.f_reciprocal()?.mul_number(max_norm)?.clamp_max_number(1.0)?;
    for group in groups(grads) {
        let Some(first) = group.first() else { continue };
        let device = device(first)?;
        let factor = factor.f_to_device(device)?;
        let group: Vec<tch::Tensor> = group.iter().map(Tensor::tch).collect();
        let arguments = [NativeArgument::Tensors(&group), NativeArgument::Tensor(&factor)];
        NativeOperator::find("_foreach_mul_", "Tensor")?.call(&arguments)?;
    }
    Ok(())
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "nn.utils.clip_grad_norm_(Any parameters, float max_norm, float norm_type=2.0, bool error_if_nonfinite=False, bool? foreach=None) -> Tensor",
        doc: "Scales the gradients of parameters (an array, one tensor, or a module) in place so that \
              their total norm is at most max_norm, and gives the norm before.",
        example: "let m = nn.Linear(2, 3);\nm(torch.ones([1, 2])).sum().backward();\nnn.utils.clip_grad_norm_(m.parameters(), 1.0)",
        call: |args| {
            let grads = gradients(args, 0)?;
            tch::no_grad(|| {
                let total = total_norm(&grads, args.float(2)?, args.bool(3)?, args)?;
                scale(grads, args.float(1)?, &total)?;
                Ok(Dynamic::from(total))
            })
        },
    },
    Function {
        schema: "nn.utils.get_total_norm(Tensor[] tensors, float norm_type=2.0, bool error_if_nonfinite=False, bool? foreach=None) -> Tensor",
        doc: "The norm of tensors as if they were one vector.",
        example: "nn.utils.get_total_norm([torch.ones([2]), torch.ones([2])])",
        call: |args| {
            let list = args.tensors(0)?;
            let norm = tch::no_grad(|| total_norm(&list, args.float(1)?, args.bool(2)?, args))?;
            Ok(Dynamic::from(norm))
        },
    },
    Function {
        schema: "nn.utils.clip_grads_with_norm_(Any parameters, float max_norm, Tensor total_norm, bool? foreach=None) -> ()",
        doc: "Scales gradients by max_norm / total_norm where that is below 1.",
        example: "nn.utils.clip_grads_with_norm_([torch.ones([2])], 1.0, torch.tensor(2.0))",
        call: |args| {
            let grads = gradients(args, 0)?;
            tch::no_grad(|| scale(grads, args.float(1)?, &args.tensor(2)?))?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "nn.utils.clip_grad_value_(Any parameters, float clip_value, bool? foreach=None) -> ()",
        doc: "Cuts every element of the gradients at ±clip_value, in place.",
        example: "let m = nn.Linear(2, 3);\nm(torch.ones([1, 2])).sum().backward();\nnn.utils.clip_grad_value_(m.parameters(), 0.5)",
        call: |args| {
            static CLAMP: Lazy = Lazy::new("clamp_", "");
            let limit = args.float(1)?;
            for grad in gradients(args, 0)? {
                let _ = tch::no_grad(|| {
                    let (low, high) = (NativeArgument::Float(-limit), NativeArgument::Float(limit));
                    CLAMP.call(&[NativeArgument::Tensor(&grad.tch()), low, high])
                })?;
            }
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "nn.utils.parameters_to_vector(Any parameters) -> Tensor",
        doc: "All parameters in one vector.",
        example: "nn.utils.parameters_to_vector(nn.Linear(2, 3).parameters()).shape",
        call: |args| {
            let list = parameters(args, 0)?;
            let flat = list.iter().map(|p| p.f_view([-1])).collect::<Result<Vec<_>, _>>()?;
            Ok(Dynamic::from(Tensor::from(tch::Tensor::f_cat(&flat, 0)?)))
        },
    },
    Function {
        schema: "nn.utils.vector_to_parameters(Tensor vec, Any parameters) -> ()",
        doc: "Puts slices of a vector into the parameters, in order.",
        example: "let m = nn.Linear(2, 3);\nnn.utils.vector_to_parameters(torch.zeros([9]), m.parameters());\nm.bias",
        call: |args| {
            let vector = args.tensor(0)?;
            let list = parameters(args, 1)?;
            let wanted: i64 = list.iter().map(|p| numel(p) as i64).sum();
            let given = numel(&vector) as i64;
            if vector.dim() != 1 || given < wanted {
                return Err(Error::shape(format!(
                    "the parameters hold {wanted} numbers, but the vector is {}",
                    vector.describe()
                )));
            }
            let mut start = 0;
            for parameter in &list {
                let count = numel(parameter) as i64;
                let part = vector.f_narrow(0, start, count)?.f_view_as(parameter)?.f_detach()?;
                tensors::set_data(parameter, &part.into())?;
                start += count;
            }
            Ok(Dynamic::UNIT)
        },
    },
];
