//! What `runs.read` gives: sweeps and runs as they were when they were read.

use std::rc::Rc;

use flambeau_experiments::export::{self, Column, Frame};
use flambeau_experiments::table::{Comparison, Row};
use flambeau_experiments::{Sweep, Table as Trials, metrics, now};
use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Bundle, Context, Object, State, TextTable};
use flambeau_runtime::torch::Dtype;
use rhai::{Array, Dynamic};
use serde_json::Value;

use super::error;
use crate::host::from_json;
use crate::io::Table;
use crate::io::raw::RawTensor;

/// Sweeps, each with its trials.
#[derive(Clone)]
pub struct Runs(pub Rc<Vec<Sweep>>);

impl Object for Runs {
    const TYPE: &'static str = "Runs";

    fn display(&self) -> String {
        let trials: usize = self.0.iter().map(|sweep| sweep.trials.len()).sum();
        let folders: Vec<String> =
            self.0.iter().map(|sweep| sweep.folder.display().to_string()).collect();
        format!("Runs({trials} trials in {})", folders.join(", "))
    }

    fn representations(&self, state: &State) -> Option<Bundle> {
        let trials = Trials::of(&self.0);
        let mut names = vec!["trial".to_owned()];
        if trials.several {
            names.insert(0, "sweep".to_owned());
        }
        names.extend(trials.params.iter().cloned());
        names.extend(["state", "step"].map(str::to_owned));
        names.extend(trials.metrics.iter().cloned());
        names.push("seconds".to_owned());
        let row = |i: usize| cells(&trials, &trials.rows[i]);
        let table = TextTable::new(names, trials.rows.len(), row, state);
        Some(table.bundle(state.width.get()))
    }

    fn length(&self) -> Option<usize> {
        Some(self.0.iter().map(|sweep| sweep.trials.len()).sum())
    }
}

impl Runs {
    /// The trials as maps.
    pub fn trials(&self) -> Dynamic {
        let trials = export::trials(&Trials::of(&self.0));
        trials.into_iter().map(dynamic).collect::<Array>().into()
    }

    /// The best trial by a metric, as a map.
    pub fn best(&self, metric: Option<&str>) -> Result<Dynamic> {
        let mut trials = Trials::of(&self.0);
        let metric = match metric.or(trials.main_metric()) {
            Some(metric) => metric.to_owned(),
            None => return Err(Error::key("no trial has reported or logged a metric yet")),
        };
        trials.sort(&metric, None).map_err(error)?;
        let best = trials
            .rows
            .first()
            .filter(|row| row.number(&metric).is_some_and(|number| !number.is_nan()));
        let none = || Error::value(format!("no trial has a number as its '{metric}'"));
        Ok(dynamic(export::trial(best.ok_or_else(none)?, trials.several)))
    }

    /// What a trial logged.
    pub fn metrics(&self, trial: i64, sweep: Option<&str>, ctx: &Context<'_>) -> Result<Dynamic> {
        let mut trials = Trials::of(&self.0);
        let is_of = |row: &Row<'_>| sweep.is_none_or(|name| row.sweep.name() == name);
        trials.rows.retain(|row| row.trial.id == trial && is_of(row));
        trials.several = false;
        match trials.rows.len() {
            0 => return Err(Error::key(format!("there is no trial {trial}"))),
            1 => {}
            _ => {
                let names: Vec<String> =
                    trials.rows.iter().map(|row| format!("{:?}", row.sweep.name())).collect();
                let text = format!("trial {trial} is in several sweeps");
                let help = format!("name one: sweep: {}", names.join(" or sweep: "));
                return Err(Error::key(text).help(help));
            }
        }
        let mut frame = export::metrics_frame(&trials).map_err(error)?;
        let params = &trials.rows[0].trial.params;
        let known = |name: &str| {
            name == "trial"
                || params.contains_key(name)
                || name.strip_prefix("params.").is_some_and(|name| params.contains_key(name))
        };
        frame.columns.retain(|(name, _)| !known(name));
        table(frame, ctx)
    }

    /// Groups over seeds with means and deviations.
    pub fn compare(&self, by: &[String], names: &[String], ctx: &Context<'_>) -> Result<Dynamic> {
        let mut trials = Trials::of(&self.0);
        let compared = trials.compare(by, names, None).map_err(error)?;
        let Comparison { groups, metrics, several } = &compared;
        let mut frame = Frame::new(groups.len());
        if *several {
            frame.add("sweep", groups.iter().map(|group| group.rows[0].sweep.name().into()));
        }
        let shared = groups.first().map_or(0, |group| group.params.len());
        for i in 0..shared {
            let values = groups.iter().map(|group| group.params[i].1.clone());
            frame.add(&groups[0].params[i].0, values);
        }
        frame.add("n", groups.iter().map(|group| compared.counted(group).into()));
        for name in metrics {
            let stats: Vec<_> = groups.iter().map(|group| group.stat(name)).collect();
            let mean = |mean: Option<f64>| mean.map(metrics::value).unwrap_or_default();
            frame.add(name, stats.iter().map(|stat| mean(stat.map(|stat| stat.mean))));
            let deviations = stats.iter().map(|stat| mean(stat.and_then(|stat| stat.std)));
            frame.add(&format!("{name}_std"), deviations);
        }
        table(frame, ctx)
    }
}

/// A row of the table that is shown.
fn cells(trials: &Trials<'_>, row: &Row<'_>) -> Vec<Dynamic> {
    let mut cells: Vec<Dynamic> = Vec::new();
    if trials.several {
        cells.push(row.sweep.name().into());
    }
    cells.push(row.trial.id.into());
    let shown = |value: Option<&Value>| value.cloned().map(dynamic).unwrap_or_default();
    cells.extend(trials.params.iter().map(|name| shown(row.trial.params.get(name))));
    cells.push(row.trial.state.name().into());
    cells.push(shown(row.step()));
    cells.extend(trials.metrics.iter().map(|name| shown(row.value(name))));
    cells.push(row.seconds(now()).map(Dynamic::from_float).unwrap_or_default());
    cells
}

/// A value of a record, in which texts stand for nan and infinities.
fn dynamic(value: Value) -> Dynamic {
    match value {
        Value::Object(map) => {
            let pairs = map.into_iter().map(|(name, value)| (name.into(), dynamic(value)));
            pairs.collect::<rhai::Map>().into()
        }
        Value::String(_) => match metrics::number(&value) {
            Some(number) => number.into(),
            None => from_json(value),
        },
        value => from_json(value),
    }
}

/// Columns of numbers as tensors, in which nan stands for what is missing, others as arrays.
fn table(frame: Frame, ctx: &Context<'_>) -> Result<Dynamic> {
    let rows = frame.rows;
    let mut columns = Vec::with_capacity(frame.columns.len());
    for (name, column) in frame.columns {
        columns.push((name, values(column, ctx)?));
    }
    Ok(Dynamic::from(Table::new(columns, rows)))
}

fn values(column: Column, ctx: &Context<'_>) -> Result<Dynamic> {
    let tensor = |dtype: Dtype, bytes: Vec<u8>| {
        let shape = vec![(bytes.len() / dtype.itemsize()) as i64];
        RawTensor { dtype, shape, bytes }.into_tensor(ctx).map(Dynamic::from)
    };
    match column {
        Column::Ints(values) => match values.iter().copied().collect::<Option<Vec<i64>>>() {
            Some(ints) => {
                tensor(Dtype::INT64, ints.into_iter().flat_map(i64::to_ne_bytes).collect())
            }
            None => {
                let floats =
                    values.iter().map(|value| value.map_or(f64::NAN, |value| value as f64));
                tensor(Dtype::FLOAT64, floats.flat_map(f64::to_ne_bytes).collect())
            }
        },
        Column::Floats(values) => {
            let floats = values.into_iter().map(|value| value.unwrap_or(f64::NAN));
            tensor(Dtype::FLOAT64, floats.flat_map(f64::to_ne_bytes).collect())
        }
        Column::Bools(values) if values.iter().all(Option::is_some) => {
            tensor(Dtype::BOOL, values.into_iter().flatten().map(u8::from).collect())
        }
        Column::Bools(values) => Ok(values
            .into_iter()
            .map(|value| value.map_or(Dynamic::UNIT, Dynamic::from))
            .collect::<Array>()
            .into()),
        Column::Texts(values) => Ok(values
            .into_iter()
            .map(|value| value.map_or(Dynamic::UNIT, Dynamic::from))
            .collect::<Array>()
            .into()),
    }
}
