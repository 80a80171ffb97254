//! Schedulers made of schedulers: one after the other, or all at once.

use flambeau_runtime::script::Context;
use flambeau_runtime::{Error, Result};

use super::{Rule, Scheduler, numbers, rates, set_numbers};
use crate::optim::optimizer::Optimizer;

/// Refuses schedulers that cannot be combined.
pub(crate) fn check(name: &str, schedulers: &[Scheduler], optimizer: &Optimizer) -> Result<()> {
    for (i, scheduler) in schedulers.iter().enumerate() {
        if matches!(&*scheduler.0.rule.borrow(), Rule::Plateau(_)) {
            return Err(Error::value(format!(
                "{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs \
                 to be specified when calling `step`, but got one at index {i} in the given schedulers \
                 sequence."
            )));
        }
        if !scheduler.0.optimizer.same(optimizer) {
            return Err(Error::value(format!(
                "{name} expects all schedulers to belong to the same optimizer, but got scheduler {} at \
                 index {i}, which is of another one.",
                scheduler.name()
            )));
        }
    }
    Ok(())
}

/// `SequentialLR`: takes the first steps of all schedulers back, then makes that of the first.
pub(crate) fn new_sequential(
    optimizer: Optimizer,
    schedulers: Vec<Scheduler>,
    milestones: Vec<i64>,
    last_epoch: i64,
    ctx: &Context<'_>,
) -> Result<Scheduler> {
    if schedulers.is_empty() {
        return Err(Error::value(
            "SequentialLR expects at least one scheduler, but got no scheduler.",
        ));
    }
    check("SequentialLR", &schedulers, &optimizer)?;
    if milestones.len() + 1 != schedulers.len() {
        return Err(Error::value(format!(
            "Sequential Schedulers expects number of schedulers provided to be one more than the number \
             of milestone points, but got number of schedulers {} and the number of milestones to be \
             equal to {}",
            schedulers.len(),
            milestones.len()
        )));
    }
    set_numbers(&optimizer, "lr", &numbers(&optimizer, "initial_lr")?)?;
    for scheduler in &schedulers {
        undo(scheduler);
    }
    schedulers[0].initial_step(ctx)?;
    let rule = Rule::Sequential { schedulers, milestones };
    Scheduler::unstepped(optimizer, rule, last_epoch + 1)
}

/// Takes the step of a constructor back.
fn undo(scheduler: &Scheduler) {
    match &*scheduler.0.rule.borrow() {
        Rule::Sequential { schedulers, .. } | Rule::Chained(schedulers) => {
            schedulers.iter().for_each(undo);
        }
        _ => scheduler.0.progress.borrow_mut().last_epoch -= 1,
    }
}

/// One step of `SequentialLR`.
pub(crate) fn sequential(
    scheduler: &Scheduler,
    schedulers: &[Scheduler],
    milestones: &[i64],
    ctx: &Context<'_>,
) -> Result<()> {
    let epoch = {
        let mut progress = scheduler.0.progress.borrow_mut();
        progress.last_epoch += 1;
        progress.last_epoch
    };
    let passed = milestones.iter().filter(|milestone| **milestone <= epoch).count();
    let Some(current) = schedulers.get(passed) else { return Ok(()) };
    if passed > 0 && milestones[passed - 1] == epoch {
        current.update(Some(0), false, ctx)?;
    } else {
        current.step(None, ctx)?;
    }
    scheduler.0.progress.borrow_mut().last_lr = current.last_lr();
    Ok(())
}

/// `ChainedScheduler`.
pub(crate) fn new_chained(
    schedulers: Vec<Scheduler>,
    optimizer: Option<Optimizer>,
) -> Result<Scheduler> {
    let Some(first) = schedulers.first() else {
        return Err(Error::value(
            "ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.",
        ));
    };
    let optimizer = optimizer.unwrap_or_else(|| first.0.optimizer.clone());
    check("ChainedScheduler", &schedulers, &optimizer)?;
    let scheduler = Scheduler::unstepped(optimizer, Rule::Chained(schedulers), 0)?;
    scheduler.0.progress.borrow_mut().last_lr = rates(&scheduler.0.optimizer)?;
    Ok(scheduler)
}
