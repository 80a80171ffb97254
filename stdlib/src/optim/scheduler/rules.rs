//! The rules that need no more than the epoch and the rates before it.

use std::f64::consts::PI;

use flambeau_runtime::script::Context;
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::{Progress, Rule, Scheduler, rates as current};
use crate::optim::values::number;

/// The rates that follow the current ones.
pub(crate) fn rates(scheduler: &Scheduler, initial: bool, ctx: &Context<'_>) -> Result<Vec<f64>> {
    let data = &scheduler.0;
    let progress = data.progress.borrow().clone();
    let epoch = progress.last_epoch;
    let now = current(&data.optimizer)?;
    // Closures may use the scheduler: no borrow is held while they run.
    let closures = match &*data.rule.borrow() {
        Rule::Lambda(closures) => Some((closures.clone(), &progress.base_lrs)),
        Rule::Multiplicative(_) if initial => return Ok(now),
        Rule::Multiplicative(closures) => Some((closures.clone(), &now)),
        _ => None,
    };
    if let Some((closures, scaled)) = closures {
        return scaled
            .iter()
            .zip(&closures)
            .map(|(lr, closure)| Ok(lr * factor(closure, epoch, ctx)?))
            .collect();
    }
    let times = |factor: f64| now.iter().map(|lr| lr * factor).collect::<Vec<f64>>();
    if let Rule::Cyclic(rule) = &*data.rule.borrow() {
        return rule.rates(&data.optimizer, &progress, ctx);
    }
    Ok(match &*data.rule.borrow() {
        Rule::Step { step_size, gamma } => {
            if epoch == 0 || *step_size == 0 || epoch % step_size != 0 {
                now
            } else {
                times(*gamma)
            }
        }
        Rule::MultiStep { milestones, gamma } => {
            match milestones.iter().filter(|milestone| **milestone == epoch).count() {
                0 => now,
                n => times(gamma.powf(n as f64)),
            }
        }
        Rule::Constant { factor, total_iters } => {
            if epoch == 0 {
                times(*factor)
            } else if epoch != *total_iters {
                now
            } else {
                times(1.0 / factor)
            }
        }
        Rule::Linear { start_factor, end_factor, total_iters } => {
            if epoch == 0 {
                times(*start_factor)
            } else if initial || epoch > *total_iters {
                now
            } else {
                let span = end_factor - start_factor;
                times(1.0 + span / (*total_iters as f64 * start_factor + (epoch - 1) as f64 * span))
            }
        }
        Rule::Exponential { gamma } => {
            if initial {
                now
            } else {
                times(*gamma)
            }
        }
        Rule::Polynomial { total_iters, power } => {
            if initial || epoch > *total_iters {
                now
            } else {
                let total = *total_iters as f64;
                let decay = (1.0 - epoch as f64 / total) / (1.0 - (epoch - 1) as f64 / total);
                times(decay.powf(*power))
            }
        }
        Rule::Cosine { t_max, eta_min } => cosine(&progress, &now, *t_max, *eta_min, initial),
        Rule::OneCycle(rule) => rule.rates(&data.optimizer, epoch)?,
        _ => now,
    })
}

/// What a closure makes of an epoch.
fn factor(closure: &Dynamic, epoch: i64, ctx: &Context<'_>) -> Result<f64> {
    let result = ctx.call(closure, vec![Dynamic::from_int(epoch)])?;
    number(&result).ok_or_else(|| {
        Error::type_(format!(
            "lr_lambda must give a number, not {}",
            flambeau_runtime::script::convert::type_name(&result)
        ))
    })
}

fn cosine(progress: &Progress, now: &[f64], t_max: i64, eta_min: f64, initial: bool) -> Vec<f64> {
    let epoch = progress.last_epoch;
    if initial {
        return now.to_vec();
    }
    let (t, total) = (epoch as f64, t_max as f64);
    if progress.step_count == 1 && epoch > 0 {
        return progress
            .base_lrs
            .iter()
            .map(|base| eta_min + (base - eta_min) * (1.0 + (t * PI / total).cos()) / 2.0)
            .collect();
    }
    // At the end of a half wave the ratio below would divide by zero.
    if t_max != 0 && (epoch - 1 - t_max) % (2 * t_max) == 0 {
        return now
            .iter()
            .zip(&progress.base_lrs)
            .map(|(lr, base)| lr + (base - eta_min) * (1.0 - (PI / total).cos()) / 2.0)
            .collect();
    }
    let ratio = (1.0 + (PI * t / total).cos()) / (1.0 + (PI * (t - 1.0) / total).cos());
    now.iter().map(|lr| ratio * (lr - eta_min) + eta_min).collect()
}

/// The rates of an epoch by the rules that have a closed form, for a jump to that epoch.
pub(crate) fn closed_form(scheduler: &Scheduler) -> Option<Vec<f64>> {
    let progress = scheduler.0.progress.borrow();
    let epoch = progress.last_epoch;
    let each = |rate: &dyn Fn(f64) -> f64| {
        Some(progress.base_lrs.iter().map(|base| rate(*base)).collect::<Vec<f64>>())
    };
    match &*scheduler.0.rule.borrow() {
        Rule::Step { step_size, gamma } if *step_size != 0 => {
            each(&|base| base * gamma.powf(epoch.div_euclid(*step_size) as f64))
        }
        Rule::MultiStep { milestones, gamma } => {
            let passed = milestones.iter().filter(|milestone| **milestone <= epoch).count();
            each(&|base| base * gamma.powf(passed as f64))
        }
        Rule::Constant { factor, total_iters } => {
            let over = f64::from(u8::from(epoch >= *total_iters));
            each(&|base| base * (factor + over * (1.0 - factor)))
        }
        Rule::Linear { start_factor, end_factor, total_iters } => {
            let t = epoch.min(*total_iters) as f64;
            each(&|base| {
                base * (start_factor + (end_factor - start_factor) * t / *total_iters as f64)
            })
        }
        Rule::Exponential { gamma } => each(&|base| base * gamma.powf(epoch as f64)),
        Rule::Polynomial { total_iters, power } => {
            let t = epoch.min(*total_iters) as f64 / *total_iters as f64;
            each(&|base| base * (1.0 - t).powf(*power))
        }
        Rule::Cosine { t_max, eta_min } => {
            let wave = 1.0 + (PI * epoch as f64 / *t_max as f64).cos();
            each(&|base| eta_min + (base - eta_min) * wave / 2.0)
        }
        _ => None,
    }
}

/// `CosineAnnealingWarmRestarts` (Loshchilov & Hutter, 2016).
pub(crate) struct WarmRestarts {
    /// Epochs of the first and of the current wave.
    pub t_0: i64,
    pub t_i: i64,
    pub t_mult: i64,
    pub eta_min: f64,
    /// Epochs since the last restart.
    pub t_cur: f64,
}

impl WarmRestarts {
    /// Moves on by one epoch, or to `epoch`, and gives the rates there.
    pub(crate) fn step(&mut self, progress: &mut Progress, epoch: Option<i64>) -> Result<Vec<f64>> {
        let epoch = if epoch.is_none() && progress.last_epoch < 0 { Some(0) } else { epoch };
        match epoch {
            None => {
                progress.last_epoch += 1;
                self.t_cur += 1.0;
                if self.t_cur >= self.t_i as f64 {
                    self.t_cur %= self.t_i as f64;
                    self.t_i *= self.t_mult;
                }
            }
            Some(epoch) if epoch < 0 => {
                return Err(Error::value(format!("Expected non-negative epoch, but got {epoch}")));
            }
            Some(epoch) => {
                self.jump(epoch);
                progress.last_epoch = epoch;
            }
        }
        let wave = 1.0 + (PI * self.t_cur / self.t_i as f64).cos();
        Ok(progress
            .base_lrs
            .iter()
            .map(|base| self.eta_min + (base - self.eta_min) * wave / 2.0)
            .collect())
    }

    fn jump(&mut self, epoch: i64) {
        if epoch < self.t_0 {
            self.t_i = self.t_0;
            self.t_cur = epoch as f64;
        } else if self.t_mult == 1 {
            self.t_cur = (epoch % self.t_0) as f64;
        } else {
            let (t, mult) = (self.t_0 as f64, self.t_mult as f64);
            let n = (epoch as f64 / t * (mult - 1.0) + 1.0).ln() / mult.ln();
            let grown = mult.powi(n as i32);
            self.t_cur = epoch as f64 - t * (grown - 1.0) / (mult - 1.0);
            self.t_i = (t * grown) as i64;
        }
    }
}
