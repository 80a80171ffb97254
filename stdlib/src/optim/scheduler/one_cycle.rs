//! `OneCycleLR` (Smith & Topin, 2017): up to a high rate and down to almost nothing, once.

use std::f64::consts::PI;

use flambeau_runtime::{Error, Result};

use super::cyclic::set_momentum;
use crate::optim::optimizer::Optimizer;

/// One leg of the way: until which step, between which settings of the group.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    pub end_step: f64,
    pub start_lr: &'static str,
    pub end_lr: &'static str,
    pub start_momentum: &'static str,
    pub end_momentum: &'static str,
}

pub(crate) struct OneCycle {
    pub total_steps: i64,
    pub phases: Vec<Phase>,
    /// Along a cosine, or else along a line.
    pub cosine: bool,
    pub cycle_momentum: bool,
    pub use_beta1: bool,
}

/// The phases of `total` steps of which the share `rising` goes up.
pub(crate) fn phases(total: i64, rising: f64, three_phase: bool) -> Vec<Phase> {
    let up = Phase {
        end_step: rising * total as f64 - 1.0,
        start_lr: "initial_lr",
        end_lr: "max_lr",
        start_momentum: "max_momentum",
        end_momentum: "base_momentum",
    };
    let last = (total - 1) as f64;
    if !three_phase {
        return vec![
            up,
            Phase {
                end_step: last,
                start_lr: "max_lr",
                end_lr: "min_lr",
                start_momentum: "base_momentum",
                end_momentum: "max_momentum",
            },
        ];
    }
    vec![
        up,
        Phase {
            end_step: 2.0 * rising * total as f64 - 2.0,
            start_lr: "max_lr",
            end_lr: "initial_lr",
            start_momentum: "base_momentum",
            end_momentum: "max_momentum",
        },
        Phase {
            end_step: last,
            start_lr: "initial_lr",
            end_lr: "min_lr",
            start_momentum: "max_momentum",
            end_momentum: "max_momentum",
        },
    ]
}

impl OneCycle {
    fn anneal(&self, start: f64, end: f64, share: f64) -> f64 {
        if self.cosine {
            let wave = (PI * share).cos() + 1.0;
            end + (start - end) / 2.0 * wave
        } else {
            (end - start) * share + start
        }
    }

    /// The rates of step `step`; writes the momentum too.
    ///
    /// # Errors
    /// A `ValueError` after the last step.
    pub(crate) fn rates(&self, optimizer: &Optimizer, step: i64) -> Result<Vec<f64>> {
        if step > self.total_steps {
            return Err(Error::value(format!(
                "Tried to step {step} times. The specified number of total steps is {}",
                self.total_steps
            ))
            .help("give total_steps as many steps as the training makes"));
        }
        let mut start = 0.0;
        let mut found = None;
        for (i, phase) in self.phases.iter().enumerate() {
            if step as f64 <= phase.end_step || i + 1 == self.phases.len() {
                found = Some((phase, (step as f64 - start) / (phase.end_step - start)));
                break;
            }
            start = phase.end_step;
        }
        let Some((phase, share)) = found else { return Ok(Vec::new()) };
        let count = optimizer.groups().len();
        let mut rates = Vec::with_capacity(count);
        for i in 0..count {
            let (rate, momentum) = {
                let groups = optimizer.groups();
                let data = groups[i].data();
                let values = &data.values;
                let between = |start: &str, end: &str| -> Result<f64> {
                    Ok(self.anneal(values.float(start)?, values.float(end)?, share))
                };
                let momentum = match self.cycle_momentum {
                    true => Some(between(phase.start_momentum, phase.end_momentum)?),
                    false => None,
                };
                (between(phase.start_lr, phase.end_lr)?, momentum)
            };
            rates.push(rate);
            if let Some(momentum) = momentum {
                set_momentum(optimizer, i, momentum, self.use_beta1)?;
            }
        }
        Ok(rates)
    }
}
