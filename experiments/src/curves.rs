//! Learning curves: a metric over the steps of a trial, and of a group of trials its mean and deviation.

use serde_json::Value;

use crate::Map;
use crate::error::Result;
use crate::metrics::{self, STEP, TIME};
use crate::table::{Row, Stat};

/// A band has no more points than this: no picture shows more.
const POINTS: usize = 500;

/// What a curve is drawn over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axis {
    /// The step; the number of the record where there is none.
    #[default]
    Step,
    /// Seconds since the first record.
    Time,
}

impl Axis {
    /// What stands below it.
    pub fn label(self) -> &'static str {
        match self {
            Axis::Step => "step",
            Axis::Time => "seconds",
        }
    }
}

/// Points in the order of their places; a value that is nan is a gap.
pub type Curve = Vec<(f64, f64)>;

/// Points `(x, mean, low, high)`.
pub type Band = Vec<(f64, f64, f64, f64)>;

/// A metric in the records of one trial, each with the number of what there is.
pub fn curve(records: &[Map], metric: &str, axis: Axis) -> Curve {
    let number = |record: &Map, name: &str| record.get(name).and_then(metrics::number);
    let begin = records.first().and_then(|record| number(record, TIME)).unwrap_or(0.0);
    let points = records.iter().enumerate().filter_map(|(i, record)| {
        let x = match axis {
            Axis::Step => number(record, STEP).unwrap_or(i as f64),
            Axis::Time => number(record, TIME)? - begin,
        };
        let y = find(record, metric).and_then(metrics::number)?;
        Some((x, y))
    });
    let mut points: Curve = points.filter(|(x, _)| x.is_finite()).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// A metric of a record, also one within a map: `loss/train`.
fn find<'a>(record: &'a Map, metric: &str) -> Option<&'a Value> {
    record.get(metric).or_else(|| {
        let (outer, inner) = metric.split_once('/')?;
        find(record.get(outer)?.as_object()?, inner)
    })
}

/// The curve of a trial.
///
/// # Errors
/// Metrics that cannot be read.
pub fn of_row(row: &Row<'_>, metric: &str, axis: Axis) -> Result<Curve> {
    Ok(curve(&row.run().metrics()?, metric, axis))
}

/// Smooths as TensorBoard does: a moving average that forgets by `weight` (0 to 1, 0 for none) at each point, and that
/// is not drawn to zero at its beginning. Values that are not finite stay, and count for nothing.
pub fn smoothed(points: &[(f64, f64)], weight: f64) -> Curve {
    let (mut last, mut seen) = (0.0, 0);
    let smooth = |&(x, y): &(f64, f64)| {
        if !y.is_finite() {
            return (x, y);
        }
        last = last * weight + (1.0 - weight) * y;
        seen += 1;
        (x, last / (1.0 - weight.powi(seen)))
    };
    if weight <= 0.0 { points.to_vec() } else { points.iter().map(smooth).collect() }
}

/// The mean of several curves, and one standard deviation on either side. Places are those of all curves; between its own
/// a curve is a straight line, and beyond its end it counts no more. Where one of them is nan there is a gap.
pub fn band(curves: &[Curve]) -> Band {
    let mut places: Vec<f64> = curves.iter().flatten().map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    if places.len() > POINTS {
        let last = places.len() - 1;
        places = (0..POINTS).map(|i| places[i * last / (POINTS - 1)]).collect();
    }
    let point = |x: f64| {
        let values: Vec<f64> = curves.iter().filter_map(|curve| at(curve, x)).collect();
        let stat = Stat::of(&values)?;
        let std = stat.std.unwrap_or(0.0);
        Some((x, stat.mean, stat.mean - std, stat.mean + std))
    };
    places.into_iter().filter_map(point).collect()
}

/// A curve at a place; `None` outside of it.
fn at(curve: &Curve, x: f64) -> Option<f64> {
    let next = curve.partition_point(|point| point.0 < x);
    let right = curve.get(next)?;
    if right.0 == x {
        // Of several values at one place the last.
        return curve[next..].iter().take_while(|point| point.0 == x).last().map(|point| point.1);
    }
    let left = curve.get(next.checked_sub(1)?)?;
    Some(left.1 + (right.1 - left.1) * (x - left.0) / (right.0 - left.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::map;

    #[test]
    fn a_curve_is_over_steps_records_or_seconds() {
        let records = [
            map(json!({"_time": 10.0, "step": 4, "loss": 2, "acc": {"test": 0.5}})),
            map(json!({"_time": 11.5, "step": 8, "note": "no loss"})),
            map(json!({"_time": 12.0, "loss": "NaN"})),
        ];
        let points = curve(&records, "loss", Axis::Step);
        assert_eq!(points[1], (4.0, 2.0));
        assert!(points[0].0 == 2.0 && points[0].1.is_nan());
        assert_eq!(curve(&records, "loss", Axis::Time)[0], (0.0, 2.0));
        assert_eq!(curve(&records, "acc/test", Axis::Step), [(4.0, 0.5)]);
        assert_eq!(curve(&records, "other", Axis::Step), []);
    }

    #[test]
    fn smoothing_begins_at_the_first_value() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)];
        let smooth = smoothed(&points, 0.5);
        assert_eq!(smooth[0].1, 1.0);
        assert!(smooth[1].1.is_nan());
        // (0.5 * 0.5 * 1 + 0.5 * 3) / (1 - 0.5^2)
        assert!((smooth[2].1 - 1.75 / 0.75).abs() < 1e-12);
        assert_eq!(smoothed(&points[..1], 0.0), points[..1]);
    }

    #[test]
    fn a_band_is_between_the_steps_of_its_curves() {
        let long = vec![(0.0, 0.0), (2.0, 2.0), (4.0, 4.0)];
        let short = vec![(1.0, 3.0), (2.0, 4.0)];
        let band = band(&[long, short]);
        let places: Vec<f64> = band.iter().map(|point| point.0).collect();
        assert_eq!(places, [0.0, 1.0, 2.0, 4.0]);
        assert_eq!(band[0], (0.0, 0.0, 0.0, 0.0));
        // 1 and 3, of which the sample's deviation is the root of two.
        let std = 2f64.sqrt();
        assert_eq!(band[1], (1.0, 2.0, 2.0 - std, 2.0 + std));
        assert_eq!(band[3].1, 4.0);
    }

    #[test]
    fn nan_in_one_curve_is_a_gap_in_the_band() {
        let whole = vec![(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)];
        let gap = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0)];
        let means: Vec<f64> = band(&[whole, gap]).iter().map(|point| point.1).collect();
        assert!(means[0] == 1.0 && means[1].is_nan() && means[2] == 1.0);
    }

    #[test]
    fn long_curves_become_bands_of_few_points() {
        let curve: Curve = (0..10_000).map(|i| (f64::from(i), f64::from(i))).collect();
        let band = band(&[curve.clone(), curve]);
        assert_eq!(band.len(), POINTS);
        assert_eq!((band[0].0, band[POINTS - 1].0), (0.0, 9999.0));
    }
}
