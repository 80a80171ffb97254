//! Losses between numbers: squared and absolute errors and their likelihood kin.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;
use tch::Reduction;

use super::common::{broadcast, copy, legacy_reduction, reduce, reduction, shape, sizes, value};
use super::numbers::WithNumber;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.mse_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? weight=None) -> Tensor",
        doc: "The squared error (input - target) ** 2; with `weight`, the weighted mean.",
        example: "F.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]))",
        call: mse_loss,
    },
    Function {
        schema: "torch.nn.functional.l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? weight=None) -> Tensor",
        doc: "The absolute error |input - target|; with `weight`, the weighted mean.",
        example: "F.l1_loss(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]))",
        call: l1_loss,
    },
    Function {
        schema: "torch.nn.functional.smooth_l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', float beta=1.0) -> Tensor",
        doc: "Squared error below `beta`, absolute error above (Girshick, 2015).",
        example: "F.smooth_l1_loss(torch.tensor([1.0, 4.0]), torch.tensor([0.5, 2.0]))",
        call: smooth_l1_loss,
    },
    Function {
        schema: "torch.nn.functional.huber_loss(Tensor input, Tensor target, str reduction='mean', float delta=1.0, Tensor? weight=None) -> Tensor",
        doc: "Half the squared error below `delta`, linear above.",
        example: "F.huber_loss(torch.tensor([1.0, 4.0]), torch.tensor([0.5, 2.0]), delta: 0.5)",
        call: huber_loss,
    },
    Function {
        schema: "torch.nn.functional.poisson_nll_loss(Tensor input, Tensor target, bool log_input=True, bool full=False, bool? size_average=None, float eps=1e-08, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "The negative log likelihood of counts under a Poisson distribution.",
        example: "F.poisson_nll_loss(torch.tensor([0.5, 1.0]), torch.tensor([1.0, 2.0]))",
        call: |args| {
            let (x, target) = (args.tensor(0)?, args.tensor(1)?);
            Ok(value(x.f_poisson_nll_loss(
                &target,
                args.bool(2)?,
                args.bool(3)?,
                args.float(5)?,
                legacy_reduction(args, 4, 6, 7)?,
            )?))
        },
    },
    Function {
        schema: "torch.nn.functional.gaussian_nll_loss(Tensor input, Tensor target, Any var, bool full=False, float eps=1e-06, str reduction='mean') -> Tensor",
        doc: "The negative log likelihood under a Gaussian of mean `input` and variance `var` (a tensor \
              of the input's shape, or with a last dimension of 1 or none, or a number), which is clamped \
              to at least `eps`.",
        example: "F.gaussian_nll_loss(torch.zeros([2, 3]), torch.ones([2, 3]), torch.ones([2, 3]))",
        call: gaussian_nll_loss,
    },
    Function {
        schema: "torch.nn.functional.kl_div(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', bool log_target=False) -> Tensor",
        doc: "The Kullback-Leibler divergence; `input` holds log-probabilities, `target` probabilities \
              (or their logarithms with `log_target`). 'batchmean' divides by the batch size, as the \
              mathematical definition does; 'mean' divides by the number of elements.",
        example: "F.kl_div(F.log_softmax(torch.ones([2, 3]), dim: 1), F.softmax(torch.ones([2, 3]), dim: 1), reduction: \"batchmean\")",
        call: kl_div,
    },
];

/// Refuses a weight of another shape than the input.
fn check_weight(input: &tch::Tensor, weight: &tch::Tensor) -> Result<()> {
    if sizes(weight) != sizes(input) {
        return Err(Error::shape(format!(
            "Weights and input must have the same size, found {} and {}",
            shape(weight),
            shape(input)
        )));
    }
    Ok(())
}

/// The weighted mean, sum or elements of `errors`.
fn weighted(
    errors: tch::Tensor,
    weight: &tch::Tensor,
    reduction: Reduction,
) -> Result<tch::Tensor> {
    let weighted = errors.f_mul(weight)?;
    Ok(match reduction {
        Reduction::Mean => weighted.f_sum(None)?.f_div(&weight.f_sum(None)?)?,
        other => reduce(weighted, other)?,
    })
}

fn mse_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target) = (args.tensor(0)?.into_tch(), args.tensor(1)?.into_tch());
    let reduction = legacy_reduction(args, 2, 3, 4)?;
    let (a, b) = broadcast(&x, &target)?.unwrap_or_else(|| (x.shallow_clone(), target));
    Ok(value(match args.opt_tensor(5)? {
        None => a.f_mse_loss(&b, reduction)?,
        Some(weight) => {
            check_weight(&x, &weight)?;
            weighted(a.f_sub(&b)?.pow_number(2)?, &weight, reduction)?
        }
    }))
}

fn l1_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target) = (args.tensor(0)?.into_tch(), args.tensor(1)?.into_tch());
    let reduction = legacy_reduction(args, 2, 3, 4)?;
    let (a, b) = broadcast(&x, &target)?.unwrap_or_else(|| (x.shallow_clone(), target));
    Ok(value(match args.opt_tensor(5)? {
        None => a.f_l1_loss(&b, reduction)?,
        Some(weight) => {
            check_weight(&x, &weight)?;
            weighted(a.f_sub(&b)?.f_abs()?, &weight, reduction)?
        }
    }))
}

fn smooth_l1_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target) = (args.tensor(0)?.into_tch(), args.tensor(1)?.into_tch());
    let (reduction, beta) = (legacy_reduction(args, 2, 3, 4)?, args.float(5)?);
    let (a, b) = broadcast(&x, &target)?.unwrap_or((x, target));
    Ok(value(if beta == 0.0 {
        a.f_l1_loss(&b, reduction)?
    } else {
        a.f_smooth_l1_loss(&b, reduction, beta)?
    }))
}

fn huber_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target) = (args.tensor(0)?.into_tch(), args.tensor(1)?.into_tch());
    let (how, delta) = (reduction(args, 2)?, args.float(3)?);
    let (a, b) = broadcast(&x, &target)?.unwrap_or_else(|| (x.shallow_clone(), target));
    Ok(value(match args.opt_tensor(4)? {
        None => a.f_huber_loss(&b, how, delta)?,
        Some(weight) => {
            check_weight(&x, &weight)?;
            // Unlike the other weighted losses, PyTorch divides this mean by the number of elements.
            reduce(a.f_huber_loss(&b, Reduction::None, delta)?.f_mul(&weight)?, how)?
        }
    }))
}

fn gaussian_nll_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target) = (args.tensor(0)?, args.tensor(1)?);
    let (full, eps, reduction) = (args.bool(3)?, args.float(4)?, reduction(args, 5)?);
    // A tensor without dimensions is no number: its gradient counts.
    let mut variance = match args.tensor(2) {
        Ok(tensor) => tensor.into_tch(),
        Err(_) => x.f_ones_like()?.mul_number(args.float(2)?)?,
    };
    if bool::try_from(variance.lt_number(0)?.f_any()?)? {
        return Err(Error::value("var has negative entry/entries"));
    }
    let (size, wanted) = (sizes(&variance), sizes(&x));
    if size != wanted {
        if wanted.split_last().is_some_and(|(_, front)| front == size) {
            variance = variance.f_unsqueeze(-1)?;
        } else if size.len() != wanted.len()
            || size.iter().zip(&wanted).filter(|(a, b)| a != b).map(|(a, _)| a).sum::<i64>() != 1
        {
            return Err(Error::shape(format!(
                "var is of incorrect size: {size:?} for an input of {wanted:?}"
            )));
        }
    }
    let variance = copy(&variance)?;
    // The clamp is outside the graph, so that the gradient passes it.
    let _ = tch::no_grad(|| variance.clamp_min_number_(eps))?;
    let squared = x.f_sub(&target)?.pow_number(2)?;
    let mut loss = variance.f_log()?.f_add(&squared.f_div(&variance)?)?.mul_number(0.5)?;
    if full {
        loss = loss.add_number(0.5 * (2.0 * std::f64::consts::PI).ln())?;
    }
    Ok(value(reduce(loss, reduction)?))
}

fn kl_div(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target, log_target) = (args.tensor(0)?, args.tensor(1)?, args.bool(5)?);
    let batch_mean = args.is_none(2) && args.is_none(3) && args.str(4)? == "batchmean";
    let reduction = if batch_mean { Reduction::Sum } else { legacy_reduction(args, 2, 3, 4)? };
    let loss = x.f_kl_div(&target, reduction, log_target)?;
    Ok(value(match (batch_mean, sizes(&x).first()) {
        (true, Some(&n)) => loss.div_number(n)?,
        _ => loss,
    }))
}
