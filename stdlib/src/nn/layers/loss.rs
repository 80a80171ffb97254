//! Losses: each takes an input and a target and gives one number, or one per element with
//! `reduction: "none"`.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::{Tensor, sizes};

use super::super::class::{Class, Forward, constructors, value};
use super::super::module::Module;
use super::distance;
use crate::functional::numbers::WithNumber;

const LOSS: Class = Class { build: loss, inputs: &["input", "target"], ..Class::LAYER };

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.L1Loss(bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "|x - y|.",
        example: "nn.L1Loss()(torch.randn([3, 5]), torch.randn([3, 5]))",
        forward: Forward::Native(|call| {
            let reduction = call.state().reduction()?;
            Ok(value(call.tensor(0)?.f_l1_loss(&*call.tensor(1)?, reduction)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.MSELoss(bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "(x - y)².",
        example: "nn.MSELoss()(torch.randn([3, 5]), torch.randn([3, 5]))",
        forward: Forward::Native(|call| {
            let reduction = call.state().reduction()?;
            Ok(value(call.tensor(0)?.f_mse_loss(&*call.tensor(1)?, reduction)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.SmoothL1Loss(bool? size_average=None, bool? reduce=None, str reduction='mean', float beta=1.0) -> Module",
        doc: "0.5 (x - y)² / beta where |x - y| < beta, else |x - y| - 0.5 beta: Girshick (2015).",
        example: "nn.SmoothL1Loss()(torch.randn([3, 5]), torch.randn([3, 5]))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (reduction, beta) = (state.reduction()?, state.float("beta")?);
            let (input, target) = (call.tensor(0)?, call.tensor(1)?);
            if beta == 0.0 {
                return Ok(value(input.f_l1_loss(&target, reduction)?));
            }
            Ok(value(input.f_smooth_l1_loss(&target, reduction, beta)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.HuberLoss(str reduction='mean', float delta=1.0) -> Module",
        doc: "0.5 (x - y)² where |x - y| < delta, else delta (|x - y| - 0.5 delta).",
        example: "nn.HuberLoss()(torch.randn([3, 5]), torch.randn([3, 5]))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (reduction, delta) = (state.reduction()?, state.float("delta")?);
            Ok(value(call.tensor(0)?.f_huber_loss(&*call.tensor(1)?, reduction, delta)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.CrossEntropyLoss(Tensor? weight=None, bool? size_average=None, int ignore_index=-100, bool? reduce=None, str reduction='mean', float label_smoothing=0.0) -> Module",
        doc: "Cross entropy between logits (N, C, *) and class indices (N, *) or class \
              probabilities (N, C, *). `weight` (C) rescales the classes.",
        example: "nn.CrossEntropyLoss()(torch.randn([3, 5]), torch.tensor([1, 0, 4]))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (input, target) = (call.tensor(0)?, call.tensor(1)?);
            let weight = state.opt_buffer("weight").map(AsRef::<tch::Tensor>::as_ref);
            let (ignore, smoothing) = (state.int("ignore_index")?, state.float("label_smoothing")?);
            let reduction = state.reduction()?;
            Ok(value(input.f_cross_entropy_loss(&target, weight, reduction, ignore, smoothing)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.NLLLoss(Tensor? weight=None, bool? size_average=None, int ignore_index=-100, bool? reduce=None, str reduction='mean') -> Module",
        doc: "Negative log likelihood of class indices (N, *) under log-probabilities (N, C, *).",
        example: "nn.NLLLoss()(torch.randn([3, 5]).log_softmax(1), torch.tensor([1, 0, 4]))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (input, target) = (call.tensor(0)?, call.tensor(1)?);
            let weight = state.opt_buffer("weight").map(AsRef::<tch::Tensor>::as_ref);
            let (ignore, reduction) = (state.int("ignore_index")?, state.reduction()?);
            Ok(value(input.f_nll_loss_nd(&target, weight, reduction, ignore)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.BCELoss(Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "Binary cross entropy of probabilities in [0, 1]; input and target of one shape.",
        example: "nn.BCELoss()(torch.sigmoid(torch.randn([3])), torch.rand([3]))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (input, target) = (call.tensor(0)?, call.tensor(1)?);
            same_size(&input, &target)?;
            let weight = match state.opt_buffer("weight") {
                Some(weight) => Some(weight.f_expand_as(&target)?),
                None => None,
            };
            Ok(value(input.f_binary_cross_entropy(&target, weight, state.reduction()?)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.BCEWithLogitsLoss(Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? pos_weight=None) -> Module",
        doc: "Sigmoid and binary cross entropy in one, numerically stable.",
        example: "nn.BCEWithLogitsLoss()(torch.randn([3]), torch.rand([3]))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (input, target) = (call.tensor(0)?, call.tensor(1)?);
            same_size(&input, &target)?;
            let weight = state.opt_buffer("weight").map(AsRef::<tch::Tensor>::as_ref);
            let positive = state.opt_buffer("pos_weight").map(AsRef::<tch::Tensor>::as_ref);
            let reduction = state.reduction()?;
            let out =
                input.f_binary_cross_entropy_with_logits(&target, weight, positive, reduction)?;
            Ok(value(out))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.KLDivLoss(bool? size_average=None, bool? reduce=None, str reduction='mean', bool log_target=False) -> Module",
        doc: "Kullback-Leibler divergence; the input is log-probabilities. \
              reduction: \"batchmean\" divides the sum by the batch size.",
        example: "nn.KLDivLoss(reduction: \"batchmean\")(torch.randn([3, 5]).log_softmax(1), torch.rand([3, 5]).softmax(1))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (input, target) = (call.tensor(0)?, call.tensor(1)?);
            let log_target = state.bool("log_target")?;
            if !state.is_text("reduction", "batchmean") {
                return Ok(value(input.f_kl_div(&target, state.reduction()?, log_target)?));
            }
            let total = input.f_kl_div(&target, tch::Reduction::Sum, log_target)?;
            let batch = sizes(&input).first().copied().unwrap_or(1);
            Ok(value(total.div_number(batch)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.PoissonNLLLoss(bool log_input=True, bool full=False, bool? size_average=None, float eps=1e-08, bool? reduce=None, str reduction='mean') -> Module",
        doc: "Negative log likelihood of a Poisson target.",
        example: "nn.PoissonNLLLoss()(torch.randn([5, 2]), torch.rand([5, 2]))",
        inputs: &["log_input", "target"],
        forward: Forward::Native(|call| {
            let state = call.state();
            let (log_input, full) = (state.bool("log_input")?, state.bool("full")?);
            let (eps, reduction) = (state.float("eps")?, state.reduction()?);
            let (input, target) = (call.tensor(0)?, call.tensor(1)?);
            Ok(value(input.f_poisson_nll_loss(&target, log_input, full, eps, reduction)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.GaussianNLLLoss(*, bool full=False, float eps=1e-06, str reduction='mean') -> Module",
        doc: "Negative log likelihood of a Gaussian target with a predicted variance.",
        example: "nn.GaussianNLLLoss()(torch.randn([5, 2]), torch.randn([5, 2]), torch.ones([5, 2]))",
        inputs: &["input", "target", "var"],
        forward: Forward::Functional(
            "torch.nn.functional.gaussian_nll_loss",
            &["full", "eps", "reduction"],
        ),
        ..LOSS
    },
    Class {
        schema: "nn.HingeEmbeddingLoss(float margin=1.0, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "x where y = 1, max(0, margin - x) where y = -1.",
        example: "nn.HingeEmbeddingLoss()(torch.randn([3]), torch.tensor([1.0, -1.0, 1.0]))",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (margin, reduction) = (state.float("margin")?, state.reduction()?);
            Ok(value(call.tensor(0)?.f_hinge_embedding_loss(
                &*call.tensor(1)?,
                margin,
                reduction,
            )?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.SoftMarginLoss(bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "log(1 + exp(-y x)) for targets ±1.",
        example: "nn.SoftMarginLoss()(torch.randn([3]), torch.tensor([1.0, -1.0, 1.0]))",
        forward: Forward::Native(|call| {
            let reduction = call.state().reduction()?;
            Ok(value(call.tensor(0)?.f_soft_margin_loss(&*call.tensor(1)?, reduction)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.MultiLabelMarginLoss(bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "Hinge loss over several labels; the target lists class indices, padded with -1.",
        example: "nn.MultiLabelMarginLoss()(torch.tensor([[0.1, 0.2, 0.4, 0.8]]), torch.tensor([[3, 0, -1, 1]]))",
        forward: Forward::Native(|call| {
            let reduction = call.state().reduction()?;
            Ok(value(call.tensor(0)?.f_multilabel_margin_loss(&*call.tensor(1)?, reduction)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.MultiLabelSoftMarginLoss(Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "The mean over classes of binary cross entropy with logits.",
        example: "nn.MultiLabelSoftMarginLoss()(torch.randn([3, 5]), torch.ones([3, 5]))",
        forward: Forward::Functional(
            "torch.nn.functional.multilabel_soft_margin_loss",
            &["weight", "reduction"],
        ),
        ..LOSS
    },
    Class {
        schema: "nn.MultiMarginLoss(int p=1, float margin=1.0, Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "Hinge loss over classes: the mean of max(0, margin - x[y] + x[i])ᵖ.",
        example: "nn.MultiMarginLoss()(torch.randn([3, 5]), torch.tensor([1, 0, 4]))",
        build: |module, args| {
            if !matches!(args.int(0)?, 1 | 2) {
                return Err(Error::value("only p == 1 and p == 2 supported"));
            }
            loss(module, args)
        },
        forward: Forward::Functional(
            "torch.nn.functional.multi_margin_loss",
            &["p", "margin", "weight", "reduction"],
        ),
        ..LOSS
    },
    Class {
        schema: "nn.CosineEmbeddingLoss(float margin=0.0, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "1 - cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) - margin) where y = -1.",
        example: "nn.CosineEmbeddingLoss()(torch.randn([3, 5]), torch.randn([3, 5]), torch.ones([3]))",
        inputs: &["input1", "input2", "target"],
        forward: Forward::Native(|call| {
            let state = call.state();
            let (margin, reduction) = (state.float("margin")?, state.reduction()?);
            let (a, b, target) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
            Ok(value(tch::Tensor::f_cosine_embedding_loss(&a, &b, &target, margin, reduction)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.MarginRankingLoss(float margin=0.0, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "max(0, -y (x₁ - x₂) + margin).",
        example: "nn.MarginRankingLoss()(torch.randn([3]), torch.randn([3]), torch.ones([3]))",
        inputs: &["input1", "input2", "target"],
        forward: Forward::Native(|call| {
            let state = call.state();
            let (margin, reduction) = (state.float("margin")?, state.reduction()?);
            let (a, b, target) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
            Ok(value(tch::Tensor::f_margin_ranking_loss(&a, &b, &target, margin, reduction)?))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.TripletMarginLoss(float margin=1.0, float p=2.0, float eps=1e-06, bool swap=False, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Module",
        doc: "max(0, d(a, p) - d(a, n) + margin): Balntas et al. (2016).",
        example: "nn.TripletMarginLoss()(torch.randn([3, 5]), torch.randn([3, 5]), torch.randn([3, 5]))",
        build: |module, args| {
            positive_margin(module, args.float(0)?)?;
            loss(module, args)
        },
        inputs: &["anchor", "positive", "negative"],
        forward: Forward::Native(|call| {
            let state = call.state();
            let (margin, p, eps) = (state.float("margin")?, state.float("p")?, state.float("eps")?);
            let (swap, reduction) = (state.bool("swap")?, state.reduction()?);
            let (a, b, c) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
            let out =
                tch::Tensor::f_triplet_margin_loss(&a, &b, &c, margin, p, eps, swap, reduction)?;
            Ok(value(out))
        }),
        ..LOSS
    },
    Class {
        schema: "nn.TripletMarginWithDistanceLoss(*, Function? distance_function=None, float margin=1.0, bool swap=False, str reduction='mean') -> Module",
        doc: "max(0, d(a, p) - d(a, n) + margin) for a distance that the script gives.",
        example: "nn.TripletMarginWithDistanceLoss()(torch.randn([3, 5]), torch.randn([3, 5]), torch.randn([3, 5]))",
        build: |module, args| {
            positive_margin(module, args.float(1)?)?;
            if args.is_none(0) {
                let distance = distance::pairwise()?;
                let mut state = module.state_mut()?;
                let _ = state.attributes.remove("distance_function");
                state.modules.set("distance_function", Some(distance));
            }
            loss(module, args)
        },
        inputs: &["anchor", "positive", "negative"],
        forward: Forward::Functional(
            "torch.nn.functional.triplet_margin_with_distance_loss",
            &["distance_function", "margin", "swap", "reduction"],
        ),
        ..LOSS
    },
    Class {
        schema: "nn.CTCLoss(int blank=0, str reduction='mean', bool zero_infinity=False) -> Module",
        doc: "Connectionist temporal classification: Graves et al. (2006). Log-probabilities \
              (T, N, C), targets (N, S) or concatenated, lengths of both as lists or tensors.",
        example: "nn.CTCLoss()(torch.randn([6, 2, 4]).log_softmax(2), torch.tensor([[1, 2], [3, 1]]), [6, 6], [2, 2])",
        inputs: &["log_probs", "targets", "input_lengths", "target_lengths"],
        forward: Forward::Functional(
            "torch.nn.functional.ctc_loss",
            &["blank", "reduction", "zero_infinity"],
        ),
        ..LOSS
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// Registers weights as buffers, checks the reduction and translates the old `size_average` and
/// `reduce` into it.
fn loss(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let at = |name| args.schema().position(name);
    for name in ["weight", "pos_weight"] {
        if let Some(i) = at(name) {
            module.put_buffer(name, args.opt_tensor(i)?)?;
        }
    }
    let legacy = |name| at(name).map(|i| args.opt_bool(i)).transpose().map(Option::flatten);
    let (average, reduce) = (legacy("size_average")?, legacy("reduce")?);
    if average.is_some() || reduce.is_some() {
        let reduction = match (average.unwrap_or(true), reduce.unwrap_or(true)) {
            (_, false) => "none",
            (true, true) => "mean",
            (false, true) => "sum",
        };
        module.put("reduction", reduction)?;
    }
    let batchmean =
        module.name() == "KLDivLoss" && module.state().is_text("reduction", "batchmean");
    if !batchmean {
        module.state().reduction()?;
    }
    Ok(())
}

fn positive_margin(module: &Module, margin: f64) -> Result<()> {
    if margin > 0.0 {
        return Ok(());
    }
    Err(Error::value(format!(
        "{}: expected margin to be greater than 0, got {margin} instead",
        module.name()
    )))
}

fn same_size(input: &Tensor, target: &Tensor) -> Result<()> {
    let (input, target) = (sizes(input), sizes(target));
    if input == target {
        return Ok(());
    }
    Err(Error::shape(format!(
        "Target size ({target:?}) must be the same as input size ({input:?})"
    )))
}
