//! `optim.lr_scheduler`: what the learning rate of each parameter group is after each step.
//!
//! Source: <https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate>; the formulas are
//! the chainable forms of PyTorch's `get_lr`, in the same order of operations.

mod composite;
mod constructors;
mod cyclic;
mod functions;
mod one_cycle;
mod plateau;
mod rules;
mod state;

use std::cell::RefCell;
use std::rc::Rc;

use flambeau_runtime::script::{Context, Object};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::optimizer::Optimizer;
pub(crate) use functions::FUNCTIONS;

/// A scheduler's rule: one variant per class of PyTorch's.
pub(crate) enum Rule {
    /// `LambdaLR`: one closure per group.
    Lambda(Vec<Dynamic>),
    /// `MultiplicativeLR`.
    Multiplicative(Vec<Dynamic>),
    /// `StepLR`.
    Step { step_size: i64, gamma: f64 },
    /// `MultiStepLR`: milestones may repeat.
    MultiStep { milestones: Vec<i64>, gamma: f64 },
    /// `ConstantLR`.
    Constant { factor: f64, total_iters: i64 },
    /// `LinearLR`.
    Linear { start_factor: f64, end_factor: f64, total_iters: i64 },
    /// `ExponentialLR`.
    Exponential { gamma: f64 },
    /// `PolynomialLR`.
    Polynomial { total_iters: i64, power: f64 },
    /// `CosineAnnealingLR`.
    Cosine { t_max: i64, eta_min: f64 },
    /// `CosineAnnealingWarmRestarts`.
    WarmRestarts(rules::WarmRestarts),
    /// `CyclicLR`.
    Cyclic(cyclic::Cyclic),
    /// `OneCycleLR`.
    OneCycle(one_cycle::OneCycle),
    /// `ReduceLROnPlateau`.
    Plateau(plateau::Plateau),
    /// `SequentialLR`.
    Sequential { schedulers: Vec<Scheduler>, milestones: Vec<i64> },
    /// `ChainedScheduler`.
    Chained(Vec<Scheduler>),
}

impl Rule {
    /// PyTorch's class name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Rule::Lambda(_) => "LambdaLR",
            Rule::Multiplicative(_) => "MultiplicativeLR",
            Rule::Step { .. } => "StepLR",
            Rule::MultiStep { .. } => "MultiStepLR",
            Rule::Constant { .. } => "ConstantLR",
            Rule::Linear { .. } => "LinearLR",
            Rule::Exponential { .. } => "ExponentialLR",
            Rule::Polynomial { .. } => "PolynomialLR",
            Rule::Cosine { .. } => "CosineAnnealingLR",
            Rule::WarmRestarts(_) => "CosineAnnealingWarmRestarts",
            Rule::Cyclic(_) => "CyclicLR",
            Rule::OneCycle(_) => "OneCycleLR",
            Rule::Plateau(_) => "ReduceLROnPlateau",
            Rule::Sequential { .. } => "SequentialLR",
            Rule::Chained(_) => "ChainedScheduler",
        }
    }
}

/// Where a scheduler is.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    pub base_lrs: Vec<f64>,
    pub last_epoch: i64,
    pub step_count: i64,
    pub last_lr: Vec<f64>,
}

pub(crate) struct SchedulerData {
    pub optimizer: Optimizer,
    pub rule: RefCell<Rule>,
    pub progress: RefCell<Progress>,
}

/// A learning-rate scheduler; a clone is the same scheduler.
#[derive(Clone)]
pub struct Scheduler(pub(crate) Rc<SchedulerData>);

/// The learning rates of an optimiser's groups.
pub(crate) fn rates(optimizer: &Optimizer) -> Result<Vec<f64>> {
    numbers(optimizer, "lr")
}

/// The setting `name` of every group.
pub(crate) fn numbers(optimizer: &Optimizer, name: &str) -> Result<Vec<f64>> {
    optimizer.groups().iter().map(|group| group.data().values.float(name)).collect()
}

/// Writes the setting `name` of every group.
pub(crate) fn set_numbers(optimizer: &Optimizer, name: &str, numbers: &[f64]) -> Result<()> {
    let groups = optimizer.groups();
    if groups.len() != numbers.len() {
        return Err(Error::value(format!(
            "the optimizer has {} parameter groups, the scheduler was made for {}",
            groups.len(),
            numbers.len()
        )));
    }
    for (group, number) in groups.iter().zip(numbers) {
        group.data_mut().values.set_number(name, *number)?;
    }
    Ok(())
}

impl Scheduler {
    /// A scheduler that starts after `last_epoch` (`-1`: from the beginning), and its first step.
    ///
    /// # Errors
    /// A `KeyError` where a start in the middle finds no `initial_lr` in a group.
    pub(crate) fn new(
        optimizer: Optimizer,
        rule: Rule,
        last_epoch: i64,
        ctx: &Context<'_>,
    ) -> Result<Scheduler> {
        for (i, group) in optimizer.groups().iter().enumerate() {
            let mut data = group.data_mut();
            if last_epoch == -1 {
                let lr = Dynamic::from_float(data.values.float("lr")?);
                data.values.set_default("initial_lr", &lr);
            } else if data.values.get("initial_lr").is_none() {
                return Err(Error::key(format!(
                    "param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler \
                     with last_epoch >= 0"
                ))
                .help("load the optimizer's state dict before making the scheduler"));
            }
        }
        let base_lrs = numbers(&optimizer, "initial_lr")?;
        let scheduler = Scheduler(Rc::new(SchedulerData {
            optimizer,
            rule: RefCell::new(rule),
            progress: RefCell::new(Progress { base_lrs, last_epoch, ..Progress::default() }),
        }));
        scheduler.initial_step(ctx)?;
        Ok(scheduler)
    }

    /// A scheduler that makes no first step.
    pub(crate) fn unstepped(optimizer: Optimizer, rule: Rule, last_epoch: i64) -> Result<Self> {
        let last_lr = rates(&optimizer)?;
        Ok(Scheduler(Rc::new(SchedulerData {
            optimizer,
            rule: RefCell::new(rule),
            progress: RefCell::new(Progress { last_epoch, last_lr, ..Progress::default() }),
        })))
    }

    pub(crate) fn name(&self) -> &'static str {
        self.0.rule.borrow().name()
    }

    pub(crate) fn last_lr(&self) -> Vec<f64> {
        self.0.progress.borrow().last_lr.clone()
    }

    /// The step that the constructor makes.
    pub(crate) fn initial_step(&self, ctx: &Context<'_>) -> Result<()> {
        if matches!(&*self.0.rule.borrow(), Rule::WarmRestarts(_)) {
            return self.restart_step(None);
        }
        self.0.progress.borrow_mut().step_count = 1;
        self.update(None, true, ctx)
    }

    /// `scheduler.step()`, or to `epoch`.
    pub(crate) fn step(&self, epoch: Option<i64>, ctx: &Context<'_>) -> Result<()> {
        {
            let rule = self.0.rule.borrow();
            match &*rule {
                Rule::WarmRestarts(_) => {
                    drop(rule);
                    return self.restart_step(epoch);
                }
                Rule::Sequential { schedulers, milestones } => {
                    return composite::sequential(self, schedulers, milestones, ctx);
                }
                Rule::Chained(schedulers) => {
                    for scheduler in schedulers {
                        scheduler.step(None, ctx)?;
                    }
                    self.0.progress.borrow_mut().last_lr = rates(&self.0.optimizer)?;
                    return Ok(());
                }
                _ => {}
            }
        }
        self.0.progress.borrow_mut().step_count += 1;
        self.update(epoch, false, ctx)
    }

    /// Computes and writes the rates of the next epoch, or of `epoch`.
    pub(crate) fn update(
        &self,
        epoch: Option<i64>,
        initial: bool,
        ctx: &Context<'_>,
    ) -> Result<()> {
        if matches!(&*self.0.rule.borrow(), Rule::WarmRestarts(_)) {
            return self.restart_step(epoch);
        }
        {
            let mut progress = self.0.progress.borrow_mut();
            progress.last_epoch = epoch.unwrap_or(progress.last_epoch + 1);
        }
        let closed = epoch.and_then(|_| rules::closed_form(self));
        let rates_now = match closed {
            Some(rates) => rates,
            None => rules::rates(self, initial, ctx)?,
        };
        set_numbers(&self.0.optimizer, "lr", &rates_now)?;
        self.0.progress.borrow_mut().last_lr = rates(&self.0.optimizer)?;
        Ok(())
    }

    fn restart_step(&self, epoch: Option<i64>) -> Result<()> {
        let rates_now = {
            let (mut rule, mut progress) = (self.0.rule.borrow_mut(), self.0.progress.borrow_mut());
            let Rule::WarmRestarts(rule) = &mut *rule else { return Ok(()) };
            rule.step(&mut progress, epoch)?
        };
        set_numbers(&self.0.optimizer, "lr", &rates_now)?;
        self.0.progress.borrow_mut().last_lr = rates(&self.0.optimizer)?;
        Ok(())
    }
}

impl Object for Scheduler {
    const TYPE: &'static str = "LRScheduler";

    fn display(&self) -> String {
        let progress = self.0.progress.borrow();
        let rates: Vec<String> =
            progress.last_lr.iter().map(|lr| super::values::python_float(*lr)).collect();
        format!(
            "{}(last_epoch={}, last_lr=[{}])",
            self.name(),
            progress.last_epoch,
            rates.join(", ")
        )
    }

    fn attribute(&self, name: &str, _: &Context<'_>) -> Result<Option<Dynamic>> {
        if name == "optimizer" {
            return Ok(Some(Dynamic::from(self.0.optimizer.clone())));
        }
        Ok(state::state_map(self)?.remove(name))
    }

    fn set_attribute(&self, name: &str, value: Dynamic, _: &Context<'_>) -> Result<bool> {
        if name != "last_epoch" {
            return Ok(false);
        }
        let epoch = value
            .as_int()
            .map_err(|found| Error::type_(format!("last_epoch must be an integer, not {found}")))?;
        self.0.progress.borrow_mut().last_epoch = epoch;
        Ok(true)
    }

    fn attributes(&self) -> Vec<String> {
        let mut names: Vec<String> = state::state_map(self)
            .map(|map| map.keys().map(ToString::to_string).collect())
            .unwrap_or_default();
        names.push("optimizer".to_owned());
        names
    }
}
