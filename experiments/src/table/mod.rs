//! Trials as rows: sorted by a metric, chosen by parameters, grouped over seeds.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Map;
use crate::error::{Error, Result};
use crate::metrics::{self, STEP, TIME};
use crate::params;
use crate::run::{Run, State};
use crate::store::Trial;
use crate::sweep::{self, Goal, SEED, Sweep};

/// One trial.
pub struct Row<'a> {
    /// What it is of.
    pub sweep: &'a Sweep,
    /// Its number, parameters, state and result.
    pub trial: &'a Trial,
    /// The last values that it logged.
    pub latest: Map,
}

impl Row<'_> {
    /// A metric: as it was reported, else as it was logged last.
    pub fn value(&self, metric: &str) -> Option<&Value> {
        let reported = self.trial.result.as_ref().and_then(|result| result.get(metric));
        let logged = || self.latest.get(metric).filter(|_| metric != TIME);
        reported.or_else(logged)
    }

    /// [`Row::value`], where it is a number.
    pub fn number(&self, metric: &str) -> Option<f64> {
        self.value(metric).and_then(metrics::number)
    }

    /// The step that it has come to.
    pub fn step(&self) -> Option<&Value> {
        self.latest.get(STEP)
    }

    /// How long it took, or takes already at `now`, in seconds.
    pub fn seconds(&self, now: f64) -> Option<f64> {
        let ended = match self.trial.state {
            State::Running => now,
            _ => self.trial.ended?,
        };
        Some((ended - self.trial.started?).max(0.0))
    }

    /// Its folder.
    pub fn run(&self) -> Run {
        self.sweep.run(self.trial)
    }
}

/// Rows of one or several sweeps.
pub struct Table<'a> {
    /// The parameters in which the rows differ.
    pub params: Vec<String>,
    /// The metrics that are worth a column: what was reported, or what was logged where nothing was.
    pub metrics: Vec<String>,
    /// Whether the rows are of several sweeps.
    pub several: bool,
    /// The rows.
    pub rows: Vec<Row<'a>>,
    /// Metrics that cannot be read.
    pub problems: Vec<Error>,
}

impl<'a> Table<'a> {
    /// All trials by number.
    pub fn of(sweeps: &'a [Sweep]) -> Table<'a> {
        let mut problems = Vec::new();
        let mut rows = Vec::new();
        for sweep in sweeps {
            for trial in &sweep.trials {
                let path = sweep.run(trial).file("metrics.jsonl");
                let latest = metrics::latest(&path).unwrap_or_else(|problem| {
                    problems.push(problem);
                    Map::new()
                });
                rows.push(Row { sweep, trial, latest: metrics::flat(latest) });
            }
        }
        let params = sweep::varied(sweeps);
        let mut table =
            Table { params, metrics: Vec::new(), several: sweeps.len() > 1, rows, problems };
        table.metrics = table.notable(sweeps);
        table
    }

    fn notable(&self, sweeps: &[Sweep]) -> Vec<String> {
        let mut names: Vec<&String> = Vec::new();
        let reported = self.rows.iter().filter_map(|row| row.trial.result.as_ref());
        let mut other: Vec<&String> = reported.flat_map(Map::keys).collect();
        if other.is_empty() {
            let logged = self.rows.iter().flat_map(|row| row.latest.keys());
            other = logged.filter(|name| ![TIME, STEP].contains(&name.as_str())).collect();
        }
        other.sort();
        for name in sweeps.iter().filter_map(|sweep| sweep.metric.as_ref()).chain(other) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.into_iter().cloned().collect()
    }

    /// The metrics that trials have.
    pub fn known_metrics(&self) -> Vec<&str> {
        let results = self.rows.iter().filter_map(|row| row.trial.result.as_ref());
        let maps = self.rows.iter().map(|row| &row.latest).chain(results);
        let mut names: Vec<&str> = maps.flat_map(Map::keys).map(String::as_str).collect();
        names.retain(|name| ![TIME, STEP].contains(name));
        names.sort();
        names.dedup();
        names
    }

    /// Finds the last value of a metric for every trial that has one, however long ago that was logged.
    ///
    /// # Errors
    /// A metric that no trial has.
    pub fn require(&mut self, metric: &str) -> Result<()> {
        for row in self.rows.iter_mut().filter(|row| row.value(metric).is_none()) {
            let records = row.sweep.run(row.trial).metrics().unwrap_or_default();
            let mut values = records.into_iter().rev().map(metrics::flat);
            if let Some(value) = values.find_map(|mut record| record.remove(metric)) {
                row.latest.insert(metric.to_owned(), value);
            }
        }
        match self.rows.iter().any(|row| row.value(metric).is_some()) {
            true => Ok(()),
            false => Err(Error::name("a metric", metric, &self.known_metrics())),
        }
    }

    /// What the rows are about where nobody says: the sweep's metric, or the first that there is.
    pub fn main_metric(&self) -> Option<&str> {
        self.metrics.first().map(String::as_str)
    }

    /// What is drawn where nobody says: what the rows are about if that was logged, else the first metric that was.
    ///
    /// # Errors
    /// Rows that have logged nothing.
    pub fn curve_metric(&self) -> Result<String> {
        let logged = |name: &str| {
            let mut values = self.rows.iter().filter_map(|row| row.latest.get(name));
            values.any(|value| metrics::number(value).is_some())
        };
        let names = self.main_metric().into_iter().chain(self.known_metrics());
        let found = names.filter(|name| logged(name)).map(str::to_owned).next();
        let none = "nothing has been logged yet; log(#{step: 1, loss: 0.5}) does that";
        found.ok_or_else(|| Error::Name(none.to_owned()))
    }

    /// Which values of a metric are good.
    pub fn goal(&self, metric: &str) -> Goal {
        self.rows.first().map_or_else(|| Goal::guess(metric), |row| row.sweep.goal(metric))
    }

    /// Keeps the rows whose parameter, or `state`, has this value, given as text.
    ///
    /// # Errors
    /// A parameter that no trial has.
    pub fn retain(&mut self, name: &str, text: &str) -> Result<()> {
        let wanted = params::guess(text);
        let is = |row: &Row<'_>| match row.trial.params.get(name) {
            Some(value) => same(value, &wanted) || params::text(value) == text,
            None => name == "state" && row.trial.state.name() == text,
        };
        if name == "state" && State::parse(text).is_none() {
            let known = State::ALL.map(State::name);
            return Err(Error::name("the state", text, &known));
        }
        if name != "state" {
            self.require_param(name)?;
        }
        self.rows.retain(is);
        Ok(())
    }

    /// Sorts by a column: a metric (the best first), a parameter, `trial`, `step` or `state` (ascending); `order` says
    /// otherwise. Rows without a value, and those with nan, come last in any case.
    ///
    /// # Errors
    /// A column that no trial has.
    pub fn sort(&mut self, column: &str, order: Option<Ordering>) -> Result<()> {
        let is_param = self.rows.iter().any(|row| row.trial.params.contains_key(column));
        let is_own = ["trial", "state", STEP, "time"].contains(&column);
        let natural = if is_own || is_param {
            Ordering::Less
        } else {
            self.require(column)?;
            self.goal(column).best_first()
        };
        let key = |row: &Row<'_>| -> Option<Value> {
            match column {
                "trial" => Some(row.trial.id.into()),
                "state" => Some(row.trial.state.name().into()),
                "time" => row.seconds(0.0).map(Value::from),
                STEP => row.step().cloned(),
                _ if is_param => row.trial.params.get(column).cloned(),
                _ => row.value(column).cloned(),
            }
        };
        let order = order.unwrap_or(natural);
        self.rows.sort_by(|a, b| ordered(key(a).as_ref(), key(b).as_ref(), order));
        Ok(())
    }

    fn require_param(&self, name: &str) -> Result<()> {
        let names = self.rows.iter().flat_map(|row| row.trial.params.keys());
        let known: BTreeSet<&str> = names.map(String::as_str).collect();
        match known.contains(name) {
            true => Ok(()),
            false => Err(Error::name("a parameter", name, &Vec::from_iter(known))),
        }
    }

    /// The rows in groups: of each sweep those that are the same in all parameters that are varied but the seed, or in
    /// those of `by`. In the order of their first rows.
    ///
    /// # Errors
    /// A parameter that no trial has.
    pub fn groups(&self, by: &[String]) -> Result<Vec<Group<'_>>> {
        by.iter().try_for_each(|name| self.require_param(name))?;
        let shared: Vec<&String> = match by {
            [] => self.params.iter().filter(|name| *name != SEED).collect(),
            by => by.iter().collect(),
        };
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
        for row in &self.rows {
            let value = |name: &&String| row.trial.params.get(*name).cloned();
            let params: Vec<(String, Value)> = shared
                .iter()
                .map(|name| ((*name).clone(), value(name).unwrap_or_default()))
                .collect();
            let key = params.iter().map(|(_, value)| format!("{value}\n")).collect();
            let sweep = row.sweep.folder.display().to_string();
            let place = *places.entry((sweep, key)).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.rows.push(row),
                None => groups.push(Group { params, rows: vec![row] }),
            }
        }
        Ok(groups)
    }

    /// [`Table::groups`] by the first of these metrics, the best first unless `order` says otherwise; without names, the
    /// metrics that are worth a column.
    ///
    /// # Errors
    /// A metric or a parameter that no trial has.
    pub fn compare(
        &mut self,
        by: &[String],
        names: &[String],
        order: Option<Ordering>,
    ) -> Result<Comparison<'_>> {
        names.iter().try_for_each(|name| self.require(name))?;
        let mut groups = self.groups(by)?;
        let names = if names.is_empty() { &self.metrics } else { names };
        // A text is no metric to be compared.
        let has = |name: &&String| groups.iter().any(|group| group.stat(name).is_some());
        let metrics: Vec<String> = names.iter().filter(has).cloned().collect();
        if let Some(main) = metrics.first() {
            sort_groups(&mut groups, main, order.unwrap_or(self.goal(main).best_first()));
        }
        Ok(Comparison { groups, metrics, several: self.several })
    }
}

/// Groups of trials side by side.
pub struct Comparison<'a> {
    /// In their order.
    pub groups: Vec<Group<'a>>,
    /// What they are compared by: the main one first.
    pub metrics: Vec<String>,
    /// Whether they are of several sweeps.
    pub several: bool,
}

impl Comparison<'_> {
    /// How many trials of a group count: those that have the main metric.
    pub fn counted(&self, group: &Group<'_>) -> usize {
        let stat = self.metrics.first().and_then(|main| group.stat(main));
        stat.map_or(if self.metrics.is_empty() { group.rows.len() } else { 0 }, |stat| stat.n)
    }
}

/// Trials that differ in their seeds.
pub struct Group<'a> {
    /// What they share, of what is varied.
    pub params: Vec<(String, Value)>,
    /// Its trials; never none.
    pub rows: Vec<&'a Row<'a>>,
}

impl Group<'_> {
    /// What it is called: `lr=1e-3 hidden=64`.
    pub fn label(&self) -> String {
        let pairs: Vec<String> = self
            .params
            .iter()
            .map(|(name, value)| format!("{name}={}", params::text(value)))
            .collect();
        pairs.join(" ")
    }

    /// A metric of those trials that have it and have ended without failing; of those that run where none has ended.
    /// `None` where there is none.
    pub fn stat(&self, metric: &str) -> Option<Stat> {
        let values = |states: &[State]| -> Vec<f64> {
            let counted = self.rows.iter().filter(|row| states.contains(&row.trial.state));
            counted.filter_map(|row| row.number(metric)).collect()
        };
        let ended = Stat::of(&values(&[State::Done, State::Pruned]));
        ended.or_else(|| Stat::of(&values(&[State::Running, State::Waiting])))
    }

    /// How many trials are in each state.
    pub fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for row in &self.rows {
            *states.entry(row.trial.state.name()).or_default() += 1;
        }
        states
    }
}

/// Sorts groups by the mean of a metric, those without one last.
pub fn sort_groups(groups: &mut [Group<'_>], metric: &str, order: Ordering) {
    let key = |group: &Group<'_>| group.stat(metric).map(|stat| Value::from(stat.mean));
    groups.sort_by(|a, b| ordered(key(a).as_ref(), key(b).as_ref(), order));
}

/// Several numbers in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stat {
    /// How many there are, at least one.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// The standard deviation of the sample, with n - 1; of two at least.
    pub std: Option<f64>,
}

impl Stat {
    /// Of these numbers; `None` for none.
    pub fn of(values: &[f64]) -> Option<Stat> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Some(Stat { n, mean, std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()) })
    }

    /// As text: the deviation with two digits, the mean with as many behind its point.
    pub fn text(&self) -> String {
        let Some(std) = self.std.filter(|std| std.is_finite() && *std > 0.0) else {
            let mean = number_text(self.mean);
            return if self.std == Some(0.0) { format!("{mean} ± 0") } else { mean };
        };
        let digits = 1 - std.log10().floor() as i32;
        if self.mean.abs() >= 1e6 || !(-4..=7).contains(&digits) {
            return format!("{:.2e} ± {std:.1e}", self.mean);
        }
        let digits = digits.max(0) as usize;
        format!("{:.digits$} ± {std:.digits$}", self.mean)
    }
}

/// A number for a table: six significant digits, or all those before its point.
pub fn number_text(number: f64) -> String {
    let rounded = match number.abs() {
        large if large >= 1e5 => format!("{number:.0}"),
        _ => format!("{number:.5e}"),
    };
    let rounded: f64 = rounded.parse().unwrap_or(number);
    match rounded.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-4..1e9).contains(&size) && size.is_finite() => format!("{rounded:e}"),
        _ => format!("{rounded}"),
    }
}

/// A value for a table.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            number_text(number.as_f64().unwrap_or(f64::NAN))
        }
        value => params::text(value),
    }
}

/// Whether two values are the same, as numbers where they are such.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

/// Two values in an order; nothing and nan come last in either.
fn ordered(a: Option<&Value>, b: Option<&Value>, order: Ordering) -> Ordering {
    let known = |value: Option<&Value>| match value {
        None | Some(Value::Null) => None,
        Some(value) => match metrics::number(value) {
            Some(number) if number.is_nan() => None,
            Some(number) => Some((Some(number), String::new())),
            None => Some((None, params::text(value))),
        },
    };
    match (known(a), known(b)) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
        (Some(a), Some(b)) => {
            let ascending = match (a.0, b.0) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a_number, b_number) => {
                    b_number.is_some().cmp(&a_number.is_some()).then_with(|| a.1.cmp(&b.1))
                }
            };
            if order == Ordering::Greater { ascending.reverse() } else { ascending }
        }
    }
}

#[cfg(test)]
mod tests;
