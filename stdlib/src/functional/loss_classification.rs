//! Losses over classes and labels.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{legacy_reduction, reduce, reduction, shape, sizes, value};
use super::numbers::WithNumber;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, int ignore_index=-100, bool? reduce=None, str reduction='mean', float label_smoothing=0.0) -> Tensor",
        doc: "The cross entropy of logits (N, C, ...) with class numbers (N, ...) or class probabilities \
              (N, C, ...). `weight` is (C), `ignore_index` a class that counts nothing.",
        example: "F.cross_entropy(torch.tensor([[2.0, 0.5]]), torch.tensor([0]))",
        call: cross_entropy,
    },
    Function {
        schema: "torch.nn.functional.nll_loss(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, int ignore_index=-100, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "The negative log likelihood: `input` holds log-probabilities (N, C, ...), `target` class \
              numbers (N, ...).",
        example: "F.nll_loss(torch.tensor([[-0.1, -2.0]]), torch.tensor([0]))",
        call: |args| {
            let (x, target, weight) = (args.tensor(0)?, args.tensor(1)?, args.opt_tensor(2)?);
            let reduction = legacy_reduction(args, 3, 5, 6)?;
            Ok(value(x.f_nll_loss_nd(&target, weight.as_deref(), reduction, args.int(4)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "The cross entropy of probabilities with targets in [0, 1] of the same shape.",
        example: "F.binary_cross_entropy(torch.tensor([0.9, 0.2]), torch.tensor([1.0, 0.0]))",
        call: binary_cross_entropy,
    },
    Function {
        schema: "torch.nn.functional.binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? pos_weight=None) -> Tensor",
        doc: "The cross entropy of sigmoid(input) with targets in [0, 1], computed without overflow.",
        example: "F.binary_cross_entropy_with_logits(torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.0]))",
        call: |args| {
            let (x, target) = (args.tensor(0)?, args.tensor(1)?);
            let (weight, positive) = (args.opt_tensor(2)?, args.opt_tensor(6)?);
            let reduction = legacy_reduction(args, 3, 4, 5)?;
            if sizes(&x) != sizes(&target) {
                return Err(Error::shape(format!(
                    "Target size ({}) must be the same as input size ({})",
                    shape(&target),
                    shape(&x)
                )));
            }
            Ok(value(x.f_binary_cross_entropy_with_logits(
                &target,
                weight.as_deref(),
                positive.as_deref(),
                reduction,
            )?))
        },
    },
    Function {
        schema: "torch.nn.functional.multilabel_soft_margin_loss(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "The mean over classes of the binary cross entropy of logits (N, C) with labels (N, C).",
        example: "F.multilabel_soft_margin_loss(torch.zeros([1, 2]), torch.ones([1, 2]))",
        call: multilabel_soft_margin_loss,
    },
    Function {
        schema: "torch.nn.functional.ctc_loss(Tensor log_probs, Tensor targets, Any input_lengths, Any target_lengths, int blank=0, str reduction='mean', bool zero_infinity=False) -> Tensor",
        doc: "Connectionist temporal classification (Graves et al., 2006). `log_probs` is (T, N, C), \
              `targets` (N, S) or all of them in a row; lengths are tensors or lists of N numbers.",
        example: "F.ctc_loss(F.log_softmax(torch.zeros([5, 1, 3]), dim: 2), torch.tensor([[1, 2]]), [5], [2])",
        call: |args| {
            let reduction = reduction(args, 5)?.to_int();
            let mut values: Vec<Dynamic> = (0..5).map(|i| args.take(i)).collect();
            values.push(Dynamic::from_int(reduction));
            values.push(args.take(6));
            args.ctx().op("ctc_loss", values)
        },
    },
];

fn cross_entropy(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target, weight) = (args.tensor(0)?, args.tensor(1)?, args.opt_tensor(2)?);
    let reduction = legacy_reduction(args, 3, 5, 6)?;
    Ok(value(x.f_cross_entropy_loss(
        &target,
        weight.as_deref(),
        reduction,
        args.int(4)?,
        args.float(7)?,
    )?))
}

fn binary_cross_entropy(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target, weight) = (args.tensor(0)?, args.tensor(1)?, args.opt_tensor(2)?);
    let reduction = legacy_reduction(args, 3, 4, 5)?;
    if sizes(&x) != sizes(&target) {
        return Err(Error::shape(format!(
            "Using a target size ({}) that is different to the input size ({}) is deprecated. \
             Please ensure they have the same size.",
            shape(&target),
            shape(&x)
        )));
    }
    let weight = weight.map(|weight| weight.f_expand_as(&target)).transpose()?;
    Ok(value(x.f_binary_cross_entropy(&target, weight.as_ref(), reduction)?))
}

fn multilabel_soft_margin_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, target, weight) = (args.tensor(0)?, args.tensor(1)?, args.opt_tensor(2)?);
    let reduction = legacy_reduction(args, 3, 4, 5)?;
    let positive = target.f_mul(&x.f_log_sigmoid()?)?;
    let negative = target.rsub_number(1)?.f_mul(&x.f_neg()?.f_log_sigmoid()?)?;
    let mut loss = positive.f_add(&negative)?.f_neg()?;
    if let Some(weight) = weight {
        loss = loss.f_mul(&weight)?;
    }
    let Some(&classes) = sizes(&x).last() else {
        return Err(Error::shape("multilabel_soft_margin_loss needs a dimension of classes"));
    };
    let loss = loss.f_sum_dim_intlist([-1i64].as_slice(), false, None)?.div_number(classes)?;
    Ok(value(reduce(loss, reduction)?))
}
