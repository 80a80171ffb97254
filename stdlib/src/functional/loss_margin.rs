//! Losses with a margin: ranking, embedding and triplet losses.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::Tensor;
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{legacy_reduction, reduce, reduction, shape, tensor_of, value};
use super::numbers::WithNumber;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "max(0, -target * (input1 - input2) + margin), with targets 1 or -1.",
        example: "F.margin_ranking_loss(torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([1.0]))",
        call: margin_ranking_loss,
    },
    Function {
        schema: "torch.nn.functional.hinge_embedding_loss(Tensor input, Tensor target, float margin=1.0, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "input where target is 1, max(0, margin - input) where it is -1.",
        example: "F.hinge_embedding_loss(torch.tensor([0.5, 0.2]), torch.tensor([1.0, -1.0]))",
        call: |args| {
            let (x, target) = (args.tensor(0)?, args.tensor(1)?);
            let reduction = legacy_reduction(args, 3, 4, 5)?;
            Ok(value(x.f_hinge_embedding_loss(&target, args.float(2)?, reduction)?))
        },
    },
    Function {
        schema: "torch.nn.functional.multilabel_margin_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "A hinge loss between scores (N, C) and the class numbers of each row, ended by -1.",
        example: "F.multilabel_margin_loss(torch.tensor([[0.1, 0.8]]), torch.tensor([[1, -1]]))",
        call: |args| {
            let (x, target) = (args.tensor(0)?, args.tensor(1)?);
            Ok(value(x.f_multilabel_margin_loss(&target, legacy_reduction(args, 2, 3, 4)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.soft_margin_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "log(1 + exp(-target * input)), with targets 1 or -1.",
        example: "F.soft_margin_loss(torch.tensor([0.5, -0.2]), torch.tensor([1.0, -1.0]))",
        call: |args| {
            let (x, target) = (args.tensor(0)?, args.tensor(1)?);
            Ok(value(x.f_soft_margin_loss(&target, legacy_reduction(args, 2, 3, 4)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1.",
        example: "F.cosine_embedding_loss(torch.ones([1, 2]), torch.ones([1, 2]), torch.tensor([1.0]))",
        call: |args| {
            let (a, b, target) = (args.tensor(0)?, args.tensor(1)?, args.tensor(2)?);
            let (margin, reduction) = (args.float(3)?, legacy_reduction(args, 4, 5, 6)?);
            Ok(value(tch::Tensor::f_cosine_embedding_loss(&a, &b, &target, margin, reduction)?))
        },
    },
    Function {
        schema: "torch.nn.functional.multi_margin_loss(Tensor input, Tensor target, int p=1, float margin=1.0, Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "A multi-class hinge loss between scores (N, C) and class numbers (N).",
        example: "F.multi_margin_loss(torch.tensor([[0.1, 0.8]]), torch.tensor([1]))",
        call: multi_margin_loss,
    },
    Function {
        schema: "torch.nn.functional.triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, float p=2, float eps=1e-06, bool swap=False, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        doc: "max(0, |anchor - positive|_p - |anchor - negative|_p + margin).",
        example: "F.triplet_margin_loss(torch.zeros([1, 2]), torch.zeros([1, 2]), torch.ones([1, 2]))",
        call: |args| {
            let (a, p, n) = (args.tensor(0)?, args.tensor(1)?, args.tensor(2)?);
            let reduction = legacy_reduction(args, 7, 8, 9)?;
            Ok(value(tch::Tensor::f_triplet_margin_loss(
                &a,
                &p,
                &n,
                positive_margin(args.float(3)?)?,
                args.float(4)?,
                args.float(5)?,
                args.bool(6)?,
                reduction,
            )?))
        },
    },
    Function {
        schema: "torch.nn.functional.triplet_margin_with_distance_loss(Tensor anchor, Tensor positive, Tensor negative, *, Function? distance_function=None, float margin=1.0, bool swap=False, str reduction='mean') -> Tensor",
        doc: "The triplet loss with a distance of one's own: a closure of two tensors; without one, the \
              pairwise distance.",
        example: "F.triplet_margin_with_distance_loss(torch.zeros([1, 2]), torch.zeros([1, 2]), torch.ones([1, 2]), distance_function: |a, b| (a - b).abs().sum(dim: 1))",
        call: triplet_with_distance,
    },
];

fn positive_margin(margin: f64) -> Result<f64> {
    if margin <= 0.0 {
        return Err(Error::value(format!("margin must be greater than 0, got {margin}")));
    }
    Ok(margin)
}

fn margin_ranking_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let (a, b, target) = (args.tensor(0)?, args.tensor(1)?, args.tensor(2)?);
    let (margin, reduction) = (args.float(3)?, legacy_reduction(args, 4, 5, 6)?);
    if a.dim() != b.dim() || a.dim() != target.dim() {
        return Err(Error::shape(format!(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: \
             input1: {}, input2: {}, target: {}",
            shape(&a),
            shape(&b),
            shape(&target)
        )));
    }
    Ok(value(tch::Tensor::f_margin_ranking_loss(&a, &b, &target, margin, reduction)?))
}

fn multi_margin_loss(args: &mut Args<'_>) -> Result<Dynamic> {
    let p = args.int(2)?;
    if p != 1 && p != 2 {
        return Err(Error::value(format!("only p == 1 and p == 2 supported, got {p}")));
    }
    if args.opt_tensor(4)?.is_some_and(|weight| weight.dim() != 1) {
        return Err(Error::shape("weight must be one-dimensional"));
    }
    let reduction = legacy_reduction(args, 5, 6, 7)?.to_int();
    let mut values: Vec<Dynamic> = (0..5).map(|i| args.take(i)).collect();
    values.push(Dynamic::from_int(reduction));
    args.ctx().op("multi_margin_loss", values)
}

fn triplet_with_distance(args: &mut Args<'_>) -> Result<Dynamic> {
    let (anchor, positive, negative) = (args.tensor(0)?, args.tensor(1)?, args.tensor(2)?);
    let (margin, swap) = (positive_margin(args.float(4)?)?, args.bool(5)?);
    let reduction = reduction(args, 6)?;
    let (a, p, n) = (anchor.dim(), positive.dim(), negative.dim());
    if a != p || p != n {
        return Err(Error::shape(format!(
            "The anchor, positive, and negative tensors are expected to have the same number of \
             dimensions, but got: anchor {a}D, positive {p}D, and negative {n}D inputs"
        )));
    }
    let own = if args.is_none(3) { None } else { Some(args.callable(3)?) };
    let distance = |a: &Tensor, b: &Tensor| -> Result<Tensor> {
        let both = vec![Dynamic::from(a.clone()), Dynamic::from(b.clone())];
        match &own {
            Some(own) => tensor_of(&args.ctx().call(own, both)?),
            None => tensor_of(&args.ctx().op("pairwise_distance", both)?),
        }
    };
    let near = distance(&anchor, &positive)?;
    let mut far = distance(&anchor, &negative)?;
    if swap {
        let other = distance(&positive, &negative)?;
        far = Tensor::from(far.f_minimum(&other)?);
    }
    let loss = near.add_number(margin)?.f_sub(&far)?.clamp_min_number(0)?;
    Ok(value(reduce(loss, reduction)?))
}
