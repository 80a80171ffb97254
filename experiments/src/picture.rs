//! Learning curves as a picture.

use crate::chart::{Chart, Marks, Series};
use crate::curves::{self, Axis, Curve};
use crate::error::{Error, Result};
use crate::table::{Group, Table, sort_groups};

/// More curves than this in one picture are told apart by nobody.
pub const CURVES: usize = 10;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The metric.
    pub metric: String,
    /// Over what.
    pub axis: Axis,
    /// How much a curve is smoothed, 0 to 1.
    pub smooth: f64,
    /// Whether the axis of the metric is logarithmic.
    pub log: bool,
    /// The parameters that tell curves apart; without any those that are varied, but for the seed.
    pub by: Vec<String>,
    /// How many curves there are at most, the best ones.
    pub top: usize,
    /// Above it.
    pub title: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
}

impl Picture {
    /// Curves of a metric over steps.
    pub fn of(metric: &str) -> Picture {
        Picture {
            metric: metric.to_owned(),
            axis: Axis::Step,
            smooth: 0.0,
            log: false,
            by: Vec::new(),
            top: CURVES,
            title: String::new(),
            size: (760, 460),
        }
    }

    /// The picture as SVG: a curve for each group of trials, with a band of one standard deviation where it has several.
    ///
    /// # Errors
    /// A metric or a parameter that no trial has, metrics that cannot be read, no value that can be drawn.
    pub fn svg(&self, table: &mut Table<'_>) -> Result<String> {
        table.require(&self.metric)?;
        let order = table.goal(&self.metric).best_first();
        let mut groups = table.groups(&self.by)?;
        let all = groups.len();
        if all > self.top {
            sort_groups(&mut groups, &self.metric, order);
            groups.truncate(self.top);
        }
        let mut series = Vec::with_capacity(groups.len());
        for group in &groups {
            if let Some(marks) = self.marks(group)? {
                series.push(Series { name: label(group, table.several, groups.len()), marks });
            }
        }
        if series.is_empty() {
            let metric = &self.metric;
            let text = format!("'{metric}' was reported, but not logged: there is no curve of it");
            return Err(Error::Picture(text));
        }
        let left_out = if all > groups.len() {
            format!("the best {} of {all} by {}", groups.len(), self.metric)
        } else {
            String::new()
        };
        let title = [self.title.as_str(), &left_out].map(str::to_owned);
        let title: Vec<String> = title.into_iter().filter(|part| !part.is_empty()).collect();
        let chart = Chart {
            title: title.join(": "),
            xlabel: self.axis.label().to_owned(),
            ylabel: self.metric.clone(),
            width: self.size.0,
            height: self.size.1,
            log_x: false,
            log_y: self.log,
            series,
        };
        chart.svg().map_err(Error::Picture)
    }

    fn marks(&self, group: &Group<'_>) -> Result<Option<Marks>> {
        let mut curves: Vec<Curve> = Vec::with_capacity(group.rows.len());
        for row in &group.rows {
            let curve = curves::of_row(row, &self.metric, self.axis)?;
            if !curve.is_empty() {
                curves.push(curves::smoothed(&curve, self.smooth));
            }
        }
        Ok(match curves.len() {
            0 => None,
            1 => curves.pop().map(Marks::Line),
            _ => Some(Marks::Band(curves::band(&curves))),
        })
    }
}

/// What the legend says of a group.
fn label(group: &Group<'_>, several: bool, groups: usize) -> String {
    let name = group.rows.first().filter(|_| several).map(|row| row.sweep.name());
    let params = Some(group.label()).filter(|label| !label.is_empty());
    let seeds = (group.rows.len() > 1 && groups == 1)
        .then(|| format!("mean ± std of {}", group.rows.len()));
    let parts: Vec<String> = [name, params, seeds].into_iter().flatten().collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::sweep::Sweep;

    #[test]
    fn a_picture_has_a_labelled_curve_and_a_band_for_each_group() {
        let folder = tempfile::tempdir().expect("folder");
        fixture::sweep(folder.path());
        let sweeps = Sweep::find(folder.path()).expect("sweep");
        let mut table = Table::of(&sweeps);
        let svg = Picture::of("loss").svg(&mut table).expect("picture");
        for text in ["lr=0.1 hidden=64", "lr=1e-3 hidden=64", "loss", "step"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<polygon").count(), 2);
        let best = Picture { top: 1, log: true, ..Picture::of("loss") };
        let svg = best.svg(&mut table).expect("picture");
        assert!(svg.contains("the best 1 of 2 by loss") && !svg.contains("lr=0.1"), "{svg}");
        let error = Picture::of("acc").svg(&mut table).expect_err("no curve").to_string();
        assert!(error.contains("was reported, but not logged"), "{error}");
        let error = Picture::of("acx").svg(&mut table).expect_err("no metric").to_string();
        assert!(error.contains("did you mean 'acc'?"), "{error}");
    }
}
