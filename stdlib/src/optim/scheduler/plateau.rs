//! `ReduceLROnPlateau`: a lower rate when a metric has stopped to improve.

use flambeau_runtime::{Error, Result};

use super::{Scheduler, rates};

#[derive(Clone)]
pub(crate) struct Plateau {
    /// Whether less is better.
    pub minimise: bool,
    pub factor: f64,
    pub patience: i64,
    pub threshold: f64,
    /// Whether the threshold is a share of the best value.
    pub relative: bool,
    pub cooldown: i64,
    pub cooldown_counter: i64,
    pub min_lrs: Vec<f64>,
    /// The least rate where it was one for all groups.
    pub default_min_lr: Option<f64>,
    pub eps: f64,
    pub best: f64,
    pub num_bad_epochs: i64,
}

impl Plateau {
    /// What any value improves on.
    pub(crate) fn worst(&self) -> f64 {
        if self.minimise { f64::INFINITY } else { f64::NEG_INFINITY }
    }

    fn improves(&self, value: f64) -> bool {
        match (self.minimise, self.relative) {
            (true, true) => value < self.best * (1.0 - self.threshold),
            (true, false) => value < self.best - self.threshold,
            (false, true) => value > self.best * (self.threshold + 1.0),
            (false, false) => value > self.best + self.threshold,
        }
    }

    /// Notes a value; whether the rate is to be lowered.
    fn note(&mut self, value: f64) -> bool {
        if self.improves(value) {
            self.best = value;
            self.num_bad_epochs = 0;
        } else {
            self.num_bad_epochs += 1;
        }
        if self.cooldown_counter > 0 {
            self.cooldown_counter -= 1;
            self.num_bad_epochs = 0;
        }
        if self.num_bad_epochs <= self.patience {
            return false;
        }
        self.cooldown_counter = self.cooldown;
        self.num_bad_epochs = 0;
        true
    }
}

/// `scheduler.step(metric)`.
pub(crate) fn step(
    scheduler: &Scheduler,
    plateau: &mut Plateau,
    metric: f64,
    epoch: Option<i64>,
) -> Result<()> {
    let optimizer = &scheduler.0.optimizer;
    {
        let mut progress = scheduler.0.progress.borrow_mut();
        progress.last_epoch = epoch.unwrap_or(progress.last_epoch + 1);
    }
    if plateau.note(metric) {
        let groups = optimizer.groups();
        if groups.len() != plateau.min_lrs.len() {
            let Some(least) = plateau.default_min_lr else {
                return Err(Error::value(format!(
                    "The number of param groups in the `optimizer` ({}) differs from when \
                     `ReduceLROnPlateau` was initialized ({})",
                    groups.len(),
                    plateau.min_lrs.len()
                ))
                .help("give one min_lr for all groups"));
            };
            plateau.min_lrs = vec![least; groups.len()];
        }
        for (group, least) in groups.iter().zip(&plateau.min_lrs) {
            let mut data = group.data_mut();
            let old = data.values.float("lr")?;
            let new = (old * plateau.factor).max(*least);
            if old - new > plateau.eps {
                data.values.set_number("lr", new)?;
            }
        }
    }
    scheduler.0.progress.borrow_mut().last_lr = rates(optimizer)?;
    Ok(())
}
