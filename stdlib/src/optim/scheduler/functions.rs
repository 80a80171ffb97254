//! The schedulers' constructors and methods as scripts call them.

use flambeau_runtime::script::{Args, Function, convert};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::cyclic::{Cyclic, Scale, start_momentum, uses_beta1};
use super::one_cycle::{OneCycle, phases};
use super::plateau::{self, Plateau};
use super::rules::WarmRestarts;
use super::{Rule, Scheduler, composite, set_numbers, state};
use crate::optim::optimizer::Optimizer;
use crate::optim::values::number;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "optim.lr_scheduler.LambdaLR(Optimizer optimizer, Any lr_lambda, int last_epoch=-1) -> LRScheduler",
        doc: "The initial rate times what a closure makes of the epoch; one closure, or one per group.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.LambdaLR(opt, |epoch| 0.95 ** epoch)",
        call: |args| {
            let closures = closures(args)?;
            simple(args, Rule::Lambda(closures), 2)
        },
    },
    Function {
        schema: "optim.lr_scheduler.MultiplicativeLR(Optimizer optimizer, Any lr_lambda, int last_epoch=-1) -> LRScheduler",
        doc: "The rate before times what a closure makes of the epoch.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.MultiplicativeLR(opt, |epoch| 0.95)",
        call: |args| {
            let closures = closures(args)?;
            simple(args, Rule::Multiplicative(closures), 2)
        },
    },
    Function {
        schema: "optim.lr_scheduler.StepLR(Optimizer optimizer, int step_size, float gamma=0.1, int last_epoch=-1) -> LRScheduler",
        doc: "Multiplies the rate by gamma every `step_size` epochs.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.StepLR(opt, 30)",
        call: |args| {
            let step_size = args.int(1)?;
            if step_size <= 0 {
                return Err(Error::value(format!("step_size must be positive, got {step_size}")));
            }
            let rule = Rule::Step { step_size, gamma: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.MultiStepLR(Optimizer optimizer, int[] milestones, float gamma=0.1, int last_epoch=-1) -> LRScheduler",
        doc: "Multiplies the rate by gamma at each of the milestones.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.MultiStepLR(opt, [30, 80])",
        call: |args| {
            let rule = Rule::MultiStep { milestones: args.ints(1)?, gamma: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.ConstantLR(Optimizer optimizer, float factor=0.3333333333333333, int total_iters=5, int last_epoch=-1) -> LRScheduler",
        doc: "The rate times `factor` until `total_iters` epochs have passed.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ConstantLR(opt, factor: 0.5)",
        call: |args| {
            let factor = args.float(1)?;
            if !(0.0..=1.0).contains(&factor) {
                return Err(Error::value(
                    "Constant multiplicative factor expected to be between 0 and 1.",
                ));
            }
            let rule = Rule::Constant { factor, total_iters: args.int(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.LinearLR(Optimizer optimizer, float start_factor=0.3333333333333333, float end_factor=1.0, int total_iters=5, int last_epoch=-1) -> LRScheduler",
        doc: "The rate times a factor that goes linearly from `start_factor` to `end_factor`.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.LinearLR(opt, total_iters: 10)",
        call: linear,
    },
    Function {
        schema: "optim.lr_scheduler.ExponentialLR(Optimizer optimizer, float gamma, int last_epoch=-1) -> LRScheduler",
        doc: "Multiplies the rate by gamma in every epoch.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9)",
        call: |args| {
            let rule = Rule::Exponential { gamma: args.float(1)? };
            simple(args, rule, 2)
        },
    },
    Function {
        schema: "optim.lr_scheduler.PolynomialLR(Optimizer optimizer, int total_iters=5, float power=1.0, int last_epoch=-1) -> LRScheduler",
        doc: "The rate times (1 - epoch / total_iters) ** power.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.PolynomialLR(opt, total_iters: 10, power: 2)",
        call: |args| {
            let rule = Rule::Polynomial { total_iters: args.int(1)?, power: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.CosineAnnealingLR(Optimizer optimizer, int T_max, float eta_min=0.0, int last_epoch=-1) -> LRScheduler",
        doc: "Half a cosine from the rate to `eta_min` in `T_max` epochs (Loshchilov & Hutter, 2016).",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.CosineAnnealingLR(opt, T_max: 100)",
        call: |args| {
            let rule = Rule::Cosine { t_max: args.int(1)?, eta_min: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.CosineAnnealingWarmRestarts(Optimizer optimizer, int T_0, int T_mult=1, float eta_min=0.0, int last_epoch=-1) -> LRScheduler",
        doc: "Half cosines that start anew after T_0 epochs, each T_mult times as long as the one before.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 10)",
        call: warm_restarts,
    },
    Function {
        schema: "optim.lr_scheduler.CyclicLR(Optimizer optimizer, Any base_lr, Any max_lr, int step_size_up=2000, int? step_size_down=None, str mode='triangular', float gamma=1.0, Function? scale_fn=None, str scale_mode='cycle', bool cycle_momentum=True, Any base_momentum=0.8, Any max_momentum=0.9, int last_epoch=-1) -> LRScheduler",
        doc: "A triangle wave between two rates (Smith, 2017), with momentum the other way. Modes \
              'triangular', 'triangular2', 'exp_range', or a closure `scale_fn`.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)], momentum: 0.9); optim.lr_scheduler.CyclicLR(opt, 0.01, 0.1, step_size_up: 5)",
        call: cyclic,
    },
    Function {
        schema: "optim.lr_scheduler.OneCycleLR(Optimizer optimizer, Any max_lr, int? total_steps=None, int? epochs=None, int? steps_per_epoch=None, float pct_start=0.3, str anneal_strategy='cos', bool cycle_momentum=True, Any base_momentum=0.85, Any max_momentum=0.95, float div_factor=25.0, float final_div_factor=10000.0, bool three_phase=False, int last_epoch=-1) -> LRScheduler",
        doc: "Up to `max_lr` and down to almost nothing, once in `total_steps` steps (Smith & Topin, \
              2017). Call step() after every batch.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)], momentum: 0.9); optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps: 100)",
        call: one_cycle,
    },
    Function {
        schema: "optim.lr_scheduler.ReduceLROnPlateau(Optimizer optimizer, str mode='min', float factor=0.1, int patience=10, float threshold=0.0001, str threshold_mode='rel', int cooldown=0, Any min_lr=0, float eps=1e-08) -> LRScheduler",
        doc: "Lowers the rate by `factor` when the metric given to step() has not improved for `patience` \
              epochs.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ReduceLROnPlateau(opt).step(0.5)",
        call: reduce_on_plateau,
    },
    Function {
        schema: "optim.lr_scheduler.SequentialLR(Optimizer optimizer, LRScheduler[] schedulers, int[] milestones, int last_epoch=-1) -> LRScheduler",
        doc: "One scheduler after the other, the next from each milestone on.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.SequentialLR(opt, [optim.lr_scheduler.ConstantLR(opt), optim.lr_scheduler.ExponentialLR(opt, 0.9)], [5])",
        call: |args| {
            let (optimizer, list) = (args.object::<Optimizer>(0)?, schedulers(args, 1)?);
            let (milestones, last) = (args.ints(2)?, args.int(3)?);
            let scheduler =
                composite::new_sequential(optimizer, list, milestones, last, args.ctx())?;
            Ok(Dynamic::from(scheduler))
        },
    },
    Function {
        schema: "optim.lr_scheduler.ChainedScheduler(LRScheduler[] schedulers, Optimizer? optimizer=None) -> LRScheduler",
        doc: "Several schedulers, all stepped at once.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ChainedScheduler([optim.lr_scheduler.ConstantLR(opt), optim.lr_scheduler.ExponentialLR(opt, 0.9)])",
        call: |args| {
            let list = schedulers(args, 0)?;
            let optimizer = if args.is_none(1) { None } else { Some(args.object::<Optimizer>(1)?) };
            Ok(Dynamic::from(composite::new_chained(list, optimizer)?))
        },
    },
    Function {
        schema: "LRScheduler.step(LRScheduler self, Any metrics=None, int? epoch=None) -> ()",
        doc: "Moves on by one epoch (or to `epoch`) and writes the rates into the optimiser's groups. \
              ReduceLROnPlateau takes the metric first.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9).step()",
        call: step,
    },
    Function {
        schema: "LRScheduler.get_last_lr(LRScheduler self) -> float[]",
        doc: "The rates that the last step wrote, one per group.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9).get_last_lr()",
        call: |args| {
            let rates = args.object::<Scheduler>(0)?.last_lr();
            Ok(Dynamic::from_array(rates.into_iter().map(Dynamic::from_float).collect()))
        },
    },
    Function {
        schema: "LRScheduler.state_dict(LRScheduler self) -> Map",
        doc: "Where the scheduler is, with PyTorch's keys; closures are left out.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9).state_dict()",
        call: |args| Ok(Dynamic::from_map(state::state_map(&args.object::<Scheduler>(0)?)?)),
    },
    Function {
        schema: "LRScheduler.load_state_dict(LRScheduler self, Map state_dict) -> ()",
        doc: "Goes on from where a scheduler of the same class was.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); let s = optim.lr_scheduler.ExponentialLR(opt, 0.9); s.load_state_dict(s.state_dict())",
        call: |args| {
            let scheduler = args.object::<Scheduler>(0)?;
            state::load(&scheduler, &args.map(1)?)?;
            Ok(Dynamic::UNIT)
        },
    },
];

/// A scheduler of argument 0, with `last_epoch` at argument `last`.
fn simple(args: &Args<'_>, rule: Rule, last: usize) -> Result<Dynamic> {
    let (optimizer, last_epoch) = (args.object::<Optimizer>(0)?, args.int(last)?);
    Ok(Dynamic::from(Scheduler::new(optimizer, rule, last_epoch, args.ctx())?))
}

/// One closure per group from argument 1.
fn closures(args: &Args<'_>) -> Result<Vec<Dynamic>> {
    let groups = args.object::<Optimizer>(0)?.groups().len();
    if args.get(1).is_array() {
        let list = convert::items(args.get(1)).unwrap_or_default();
        if list.len() != groups {
            return Err(Error::value(format!(
                "Expected {groups} lr_lambdas, but got {}",
                list.len()
            )));
        }
        if !list.iter().all(|closure| args.ctx().is_callable(closure)) {
            return Err(args.mismatch(1, "a function, or a list with one per group"));
        }
        return Ok(list);
    }
    Ok(vec![args.callable(1)?; groups])
}

/// One number per group from argument `i`.
fn per_group(args: &Args<'_>, i: usize, optimizer: &Optimizer) -> Result<Vec<f64>> {
    let groups = optimizer.groups().len();
    if let Some(one) = number(args.get(i)) {
        return Ok(vec![one; groups]);
    }
    let list = args.floats(i)?;
    if list.len() != groups {
        let name = &args.schema().arguments[i].name;
        return Err(Error::value(format!(
            "{name} must have the same length as optimizer.param_groups. {name} has {} values, \
             param_groups has {groups}.",
            list.len()
        )));
    }
    Ok(list)
}

fn schedulers(args: &Args<'_>, i: usize) -> Result<Vec<Scheduler>> {
    let items = convert::items(args.get(i)).unwrap_or_default();
    items
        .iter()
        .map(|item| item.read_lock::<Scheduler>().map(|scheduler| scheduler.clone()))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| args.mismatch(i, "a list of schedulers"))
}

fn linear(args: &mut Args<'_>) -> Result<Dynamic> {
    let (start_factor, end_factor) = (args.float(1)?, args.float(2)?);
    if start_factor > 1.0 || start_factor <= 0.0 {
        return Err(Error::value(
            "Starting multiplicative factor expected to be greater than 0 and less or equal to 1.",
        ));
    }
    if !(0.0..=1.0).contains(&end_factor) {
        return Err(Error::value("Ending multiplicative factor expected to be between 0 and 1."));
    }
    simple(args, Rule::Linear { start_factor, end_factor, total_iters: args.int(3)? }, 4)
}

fn warm_restarts(args: &mut Args<'_>) -> Result<Dynamic> {
    let (t_0, t_mult, last) = (args.int(1)?, args.int(2)?, args.int(4)?);
    if t_0 <= 0 {
        return Err(Error::value(format!("Expected positive integer T_0, but got {t_0}")));
    }
    if t_mult < 1 {
        return Err(Error::value(format!("Expected integer T_mult >= 1, but got {t_mult}")));
    }
    let rule = WarmRestarts { t_0, t_i: t_0, t_mult, eta_min: args.float(3)?, t_cur: last as f64 };
    simple(args, Rule::WarmRestarts(rule), 4)
}

fn cyclic(args: &mut Args<'_>) -> Result<Dynamic> {
    let optimizer = args.object::<Optimizer>(0)?;
    let fresh = args.int(12)? == -1;
    let base_lrs = per_group(args, 1, &optimizer)?;
    if fresh {
        set_numbers(&optimizer, "lr", &base_lrs)?;
    }
    let up = args.int(3)? as f64;
    let total_size = up + args.opt_int(4)?.map_or(up, |down| down as f64);
    let mode = args.str(5)?;
    let own = if args.is_none(7) { None } else { Some(args.callable(7)?) };
    let (scale, by_cycle) = match (own, mode.as_str()) {
        (Some(own), _) => (Scale::Own(own), args.str(8)? == "cycle"),
        (None, "triangular") => (Scale::Triangular, true),
        (None, "triangular2") => (Scale::Triangular2, true),
        (None, "exp_range") => (Scale::ExpRange, false),
        _ => return Err(Error::value("mode is invalid and scale_fn is None")),
    };
    let mut use_beta1 = false;
    let momentum = match args.bool(9)? {
        false => None,
        true => {
            use_beta1 = uses_beta1(&optimizer)?;
            let least = per_group(args, 10, &optimizer)?;
            let most = per_group(args, 11, &optimizer)?;
            if fresh {
                start_momentum(&optimizer, &least, &most, use_beta1)?;
            }
            Some((least, most))
        }
    };
    let rule = Cyclic {
        max_lrs: per_group(args, 2, &optimizer)?,
        base_lrs,
        total_size,
        step_ratio: up / total_size,
        mode,
        gamma: args.float(6)?,
        scale,
        by_cycle,
        momentum,
        use_beta1,
    };
    simple(args, Rule::Cyclic(rule), 12)
}

fn one_cycle(args: &mut Args<'_>) -> Result<Dynamic> {
    let optimizer = args.object::<Optimizer>(0)?;
    let fresh = args.int(13)? == -1;
    let positive = |name: &str, n: i64| match n > 0 {
        true => Ok(n),
        false => Err(Error::value(format!("Expected positive integer {name}, but got {n}"))),
    };
    let total_steps = match (args.opt_int(2)?, args.opt_int(3)?, args.opt_int(4)?) {
        (Some(total), ..) => positive("total_steps", total)?,
        (None, Some(epochs), Some(steps)) => {
            positive("epochs", epochs)? * positive("steps_per_epoch", steps)?
        }
        _ => {
            return Err(Error::value(
                "You must define either total_steps OR (epochs AND steps_per_epoch)",
            ));
        }
    };
    let rising = args.float(5)?;
    if !(0.0..=1.0).contains(&rising) {
        return Err(Error::value(format!(
            "Expected float between 0 and 1 pct_start, but got {rising}"
        )));
    }
    let cosine = match args.str(6)?.as_str() {
        "cos" => true,
        "linear" => false,
        other => {
            return Err(Error::value(format!(
                "anneal_strategy must be one of 'cos' or 'linear', instead got {other}"
            )));
        }
    };
    let max_lrs = per_group(args, 1, &optimizer)?;
    let (div, final_div) = (args.float(10)?, args.float(11)?);
    if fresh {
        for (group, most) in optimizer.groups().iter().zip(&max_lrs) {
            let mut data = group.data_mut();
            data.values.set("initial_lr", Dynamic::from_float(most / div));
            data.values.set("max_lr", Dynamic::from_float(*most));
            data.values.set("min_lr", Dynamic::from_float(most / div / final_div));
        }
    }
    let cycle_momentum = args.bool(7)?;
    let use_beta1 = cycle_momentum && uses_beta1(&optimizer)?;
    if cycle_momentum && fresh {
        let least = per_group(args, 8, &optimizer)?;
        let most = per_group(args, 9, &optimizer)?;
        start_momentum(&optimizer, &least, &most, use_beta1)?;
    }
    let phases = phases(total_steps, rising, args.bool(12)?);
    let rule = OneCycle { total_steps, phases, cosine, cycle_momentum, use_beta1 };
    simple(args, Rule::OneCycle(rule), 13)
}

fn reduce_on_plateau(args: &mut Args<'_>) -> Result<Dynamic> {
    let optimizer = args.object::<Optimizer>(0)?;
    let factor = args.float(2)?;
    if factor >= 1.0 {
        return Err(Error::value("Factor should be < 1.0."));
    }
    let minimise = match args.str(1)?.as_str() {
        "min" => true,
        "max" => false,
        other => return Err(Error::value(format!("mode {other} is unknown!"))),
    };
    let relative = match args.str(5)?.as_str() {
        "rel" => true,
        "abs" => false,
        other => return Err(Error::value(format!("threshold mode {other} is unknown!"))),
    };
    let mut rule = Plateau {
        minimise,
        factor,
        patience: args.int(3)?,
        threshold: args.float(4)?,
        relative,
        cooldown: args.int(6)?,
        cooldown_counter: 0,
        min_lrs: per_group(args, 7, &optimizer)?,
        default_min_lr: number(args.get(7)),
        eps: args.float(8)?,
        best: 0.0,
        num_bad_epochs: 0,
    };
    rule.best = rule.worst();
    Ok(Dynamic::from(Scheduler::unstepped(optimizer, Rule::Plateau(rule), 0)?))
}

fn step(args: &mut Args<'_>) -> Result<Dynamic> {
    let scheduler = args.object::<Scheduler>(0)?;
    let is_plateau = matches!(&*scheduler.0.rule.borrow(), Rule::Plateau(_));
    if is_plateau {
        let metric = number(args.get(1))
            .ok_or_else(|| args.mismatch(1, "the metric, a number or a tensor with one element"))?;
        let epoch = args.opt_int(2)?;
        if let Rule::Plateau(rule) = &mut *scheduler.0.rule.borrow_mut() {
            plateau::step(&scheduler, rule, metric, epoch)?;
        }
        return Ok(Dynamic::UNIT);
    }
    let epoch = match args.opt_int(1)? {
        Some(epoch) => Some(epoch),
        None => args.opt_int(2)?,
    };
    scheduler.step(epoch, args.ctx())?;
    Ok(Dynamic::UNIT)
}
