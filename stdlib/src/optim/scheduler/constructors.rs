//! From the arguments of a scheduler's constructor to its rule.

use flambeau_runtime::script::{Args, convert};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::cyclic::{Cyclic, Scale, start_momentum, uses_beta1};
use super::one_cycle::{OneCycle, phases};
use super::plateau::{self, Plateau};
use super::rules::WarmRestarts;
use super::{Rule, Scheduler, set_numbers};
use crate::optim::optimizer::Optimizer;
use crate::optim::values::number;

/// A scheduler of argument 0, with `last_epoch` at argument `last`.
pub(crate) fn simple(args: &Args<'_>, rule: Rule, last: usize) -> Result<Dynamic> {
    let (optimizer, last_epoch) = (args.object::<Optimizer>(0)?, args.int(last)?);
    Ok(Dynamic::from(Scheduler::new(optimizer, rule, last_epoch, args.ctx())?))
}

/// One closure per group from argument 1.
pub(crate) fn closures(args: &Args<'_>) -> Result<Vec<Dynamic>> {
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

pub(crate) fn schedulers(args: &Args<'_>, i: usize) -> Result<Vec<Scheduler>> {
    let items = convert::items(args.get(i)).unwrap_or_default();
    items
        .iter()
        .map(|item| item.read_lock::<Scheduler>().map(|scheduler| scheduler.clone()))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| args.mismatch(i, "a list of schedulers"))
}

pub(crate) fn linear(args: &mut Args<'_>) -> Result<Dynamic> {
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

pub(crate) fn warm_restarts(args: &mut Args<'_>) -> Result<Dynamic> {
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

pub(crate) fn cyclic(args: &mut Args<'_>) -> Result<Dynamic> {
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

pub(crate) fn one_cycle(args: &mut Args<'_>) -> Result<Dynamic> {
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

pub(crate) fn reduce_on_plateau(args: &mut Args<'_>) -> Result<Dynamic> {
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

pub(crate) fn step(args: &mut Args<'_>) -> Result<Dynamic> {
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
