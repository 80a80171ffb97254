//! The line search of L-BFGS that meets the strong Wolfe conditions (Nocedal & Wright, 2006, algorithms
//! 3.5 and 3.6), with PyTorch's constants.

use flambeau_runtime::Result;
use tch::Tensor;

use super::lbfgs::dot;
use super::rounded::Rounded;
use crate::functional::common::copy;

/// A point on the line: how far, the loss, the gradient, and the gradient's slope along the line.
struct Point {
    t: Rounded,
    loss: Rounded,
    grad: Tensor,
    slope: Rounded,
}

impl Point {
    fn again(&self) -> Result<Point> {
        Ok(Point { t: self.t, loss: self.loss, grad: copy(&self.grad)?, slope: self.slope })
    }
}

/// What the search found.
pub(crate) struct Found {
    pub loss: Rounded,
    pub grad: Tensor,
    pub t: Rounded,
    pub evaluations: i64,
}

/// The least point of the cubic through two points, within `bounds` or between them.
fn cubic(a: &Point, b: &Point, bounds: Option<(Rounded, Rounded)>) -> Result<Rounded> {
    let (low, high) = bounds.unwrap_or(if a.t <= b.t { (a.t, b.t) } else { (b.t, a.t) });
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    // NaN, from losses that are infinite, ends here too.
    if square.partial_cmp(&0.0).is_none_or(std::cmp::Ordering::is_lt) {
        return Ok((low + high) / Rounded::float(2.0));
    }
    let d2 = square.sqrt()?;
    let least = if a.t <= b.t {
        b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2))
    } else {
        a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2.0 * d2))
    };
    Ok(least.max(low).min(high))
}

/// Searches along `direction`. `evaluate(t)` gives loss and gradient at `t` and leaves the parameters
/// where they were.
pub(crate) fn strong_wolfe(
    evaluate: &mut dyn FnMut(Rounded) -> Result<(Rounded, Tensor)>,
    first: Rounded,
    direction: &Tensor,
    start: (Rounded, &Tensor, Rounded),
    max_evaluations: i64,
) -> Result<Found> {
    const ENOUGH_LESS: f64 = 1e-4;
    const ENOUGH_FLAT: f64 = 0.9;
    const SMALLEST: f64 = 1e-9;
    let (loss, grad, slope) = start;
    let reach = super::lbfgs::largest(direction)?;
    let mut evaluations = 0;
    let mut at = |t: Rounded, evaluations: &mut i64| -> Result<Point> {
        let (loss, grad) = evaluate(t)?;
        *evaluations += 1;
        let slope = dot(&grad, direction)?;
        Ok(Point { t, loss, grad, slope })
    };
    let zero = || -> Result<Point> {
        Ok(Point { t: Rounded::float(0.0), loss, grad: copy(grad)?, slope })
    };
    let too_high = |point: &Point| point.loss > loss + ENOUGH_LESS * point.t * slope;
    let flat = |point: &Point| point.slope.abs() <= -(ENOUGH_FLAT * slope);
    let mut previous = zero()?;
    let mut point = at(first, &mut evaluations)?;
    let mut rounds = 0;
    let mut done = false;
    // First widen until the line turns up somewhere.
    let mut bracket: Vec<Point> = loop {
        if rounds >= max_evaluations {
            break vec![zero()?, point];
        }
        if too_high(&point) || (rounds > 1 && point.loss >= previous.loss) {
            break vec![previous, point];
        }
        if flat(&point) {
            done = true;
            break vec![point];
        }
        if point.slope >= 0.0 {
            break vec![previous, point];
        }
        let low = point.t + 0.01 * (point.t - previous.t);
        let high = point.t * Rounded::float(10.0);
        let next = cubic(&previous, &point, Some((low, high)))?;
        previous = point.again()?;
        point = at(next, &mut evaluations)?;
        rounds += 1;
    };
    // Then narrow the bracket.
    let order = |bracket: &[Point]| match bracket {
        [a, b] if a.loss > b.loss => (1, 0),
        _ => (0, 1),
    };
    let (mut low, mut high) = order(&bracket);
    let mut stuck = false;
    while !done && rounds < max_evaluations && bracket.len() == 2 {
        let (least, most) = (bracket[0].t.min(bracket[1].t), bracket[0].t.max(bracket[1].t));
        if (bracket[1].t - bracket[0].t).abs() * reach < SMALLEST {
            break;
        }
        let mut t = cubic(&bracket[0], &bracket[1], None)?;
        let margin = 0.1 * (most - least);
        if (most - t).min(t - least) < margin {
            if stuck || t >= most || t <= least {
                t = if (t - most).abs() < (t - least).abs() {
                    most - margin
                } else {
                    least + margin
                };
                stuck = false;
            } else {
                stuck = true;
            }
        } else {
            stuck = false;
        }
        let point = at(t, &mut evaluations)?;
        rounds += 1;
        if too_high(&point) || point.loss >= bracket[low].loss {
            bracket[high] = point;
            (low, high) = order(&bracket);
        } else {
            if flat(&point) {
                done = true;
            } else if point.slope * (bracket[high].t - bracket[low].t) >= 0.0 {
                bracket[high] = bracket[low].again()?;
            }
            bracket[low] = point;
        }
    }
    let best = bracket.swap_remove(low.min(bracket.len() - 1));
    Ok(Found { loss: best.loss, grad: best.grad, t: best.t, evaluations })
}
