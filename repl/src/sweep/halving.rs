//! Asynchronous successive halving: trials that are worse than others at the same step are ended.
//!
//! Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", in the form that ends trials instead of
//! promoting them: a trial goes on from a rung if it is among the best in `1 / eta` of those that have come to that rung
//! so far, itself included.

use flambeau_experiments::Goal;

/// Who has come to which rung.
pub struct Halving {
    goal: Goal,
    eta: u32,
    /// For each rung the trials in the order in which they came, with their values.
    reached: Vec<Vec<(i64, f64)>>,
}

impl Halving {
    /// With what was kept of it: trial, rung, value, in the order in which they came.
    pub fn new(goal: Goal, eta: u32, rungs: usize, known: Vec<(i64, usize, f64)>) -> Halving {
        let mut reached = vec![Vec::new(); rungs];
        for (trial, rung, value) in known {
            if let Some(rung) = reached.get_mut(rung) {
                rung.push((trial, value));
            }
        }
        Halving { goal, eta, reached }
    }

    /// Whether a trial goes on that has come to a rung. One that comes again, because it was begun again, hears what it
    /// heard before.
    pub fn goes_on(&mut self, trial: i64, rung: usize, value: f64) -> bool {
        let Some(reached) = self.reached.get_mut(rung) else { return true };
        let at = reached.iter().position(|(known, _)| *known == trial).unwrap_or_else(|| {
            reached.push((trial, value));
            reached.len() - 1
        });
        let value = reached[at].1;
        if value.is_nan() {
            return false;
        }
        let higher_is_better = |value: f64| if self.goal == Goal::Max { value } else { -value };
        let value = higher_is_better(value);
        let mut values: Vec<f64> = reached[..=at]
            .iter()
            .filter(|(_, value)| !value.is_nan())
            .map(|(_, value)| higher_is_better(*value))
            .collect();
        values.sort_by(f64::total_cmp);
        value >= quantile(&values, 1.0 - 1.0 / f64::from(self.eta))
    }
}

/// A quantile of sorted values, interpolated linearly as `numpy.quantile` does.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_go_on_and_the_others_do_not() {
        let mut halving = Halving::new(Goal::Max, 3, 2, Vec::new());
        let heard: Vec<bool> = [0.5, 0.9, 0.1, 0.8, 0.95, f64::NAN]
            .into_iter()
            .zip(1..)
            .map(|(value, trial)| halving.goes_on(trial, 0, value))
            .collect();
        assert_eq!(heard, [true, true, false, true, true, false]);
        // The next rung begins anew.
        assert!(halving.goes_on(4, 1, 0.1));
        let mut less = Halving::new(Goal::Min, 2, 1, Vec::new());
        assert_eq!(
            [1.0, 2.0, 0.5].map(|value| less.goes_on((value * 10.0) as i64, 0, value)),
            [true, false, true]
        );
    }

    #[test]
    fn who_comes_again_hears_the_same() {
        let mut halving = Halving::new(Goal::Max, 2, 1, Vec::new());
        let values = [(1, 0.5), (2, 0.4), (3, 0.45), (4, 0.9)];
        let first: Vec<bool> =
            values.iter().map(|&(trial, value)| halving.goes_on(trial, 0, value)).collect();
        let again: Vec<bool> =
            values.iter().map(|&(trial, _)| halving.goes_on(trial, 0, 0.0)).collect();
        assert_eq!(first, again);
        let known = values.iter().map(|&(trial, value)| (trial, 0, value)).collect();
        let mut kept = Halving::new(Goal::Max, 2, 1, known);
        let kept: Vec<bool> =
            values.iter().map(|&(trial, _)| kept.goes_on(trial, 0, 0.0)).collect();
        assert_eq!(first, kept);
    }
}
