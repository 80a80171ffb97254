//! Trials and metrics for other programs: CSV, JSON and Parquet.

mod frame;
mod parquet;

use std::path::Path;

use serde_json::{Value, json};

use crate::Map;
use crate::error::{Error, Result};
use crate::files;
use crate::metrics::{self, STEP, TIME};
use crate::table::{Row, Table};

pub use frame::{Column, Frame};

/// The kinds of files that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Values between commas, with a line of names.
    Csv,
    /// One array of objects.
    Json,
    /// An object on each line.
    JsonLines,
    /// <https://parquet.apache.org>
    Parquet,
}

impl Kind {
    /// By the end of a file's name.
    pub fn of(path: &Path) -> Option<Kind> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "csv" => Some(Kind::Csv),
            "json" => Some(Kind::Json),
            "jsonl" | "ndjson" => Some(Kind::JsonLines),
            "parquet" => Some(Kind::Parquet),
            _ => None,
        }
    }
}

/// What is said of a trial: its parameters, its state, its result and what it logged last.
pub fn trial(row: &Row<'_>, several: bool) -> Value {
    let trial = row.trial;
    let mut latest = row.latest.clone();
    latest.remove(TIME);
    let mut object = json!({
        "trial": trial.id,
        "params": trial.params,
        "state": trial.state,
        "result": trial.result,
        "step": row.step(),
        "metrics": latest,
        "error": trial.error,
        "attempts": trial.attempts,
        "started": trial.started,
        "ended": trial.ended,
        "folder": row.run().folder().display().to_string(),
    });
    if several {
        object["sweep"] = row.sweep.name().into();
    }
    object
}

/// All trials of a table as such objects.
pub fn trials(table: &Table<'_>) -> Vec<Value> {
    table.rows.iter().map(|row| trial(row, table.several)).collect()
}

/// All records of the trials of a table, each with its trial and its parameters.
///
/// # Errors
/// Metrics that cannot be read.
pub fn records(table: &Table<'_>) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for row in &table.rows {
        for record in row.run().metrics()? {
            let mut object = json!({"trial": row.trial.id, "params": row.trial.params});
            if table.several {
                object["sweep"] = row.sweep.name().into();
            }
            object["metrics"] = record.into();
            objects.push(object);
        }
    }
    Ok(objects)
}

/// Objects as a JSON array with each on its own line.
pub fn array(objects: &[Value]) -> String {
    let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
    if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) }
}

/// Writes all trials of a table to a file.
///
/// # Errors
/// A file that cannot be written.
pub fn write_trials(table: &Table<'_>, path: &Path, kind: Kind) -> Result<()> {
    match kind {
        Kind::Json | Kind::JsonLines => write_objects(&trials(table), path, kind),
        kind => write_frame(&frame(table), path, kind),
    }
}

/// Writes all records of the trials of a table to a file.
///
/// # Errors
/// A file that cannot be written, metrics that cannot be read.
pub fn write_metrics(table: &Table<'_>, path: &Path, kind: Kind) -> Result<()> {
    match kind {
        Kind::Json | Kind::JsonLines => write_objects(&records(table)?, path, kind),
        kind => write_frame(&metrics_frame(table)?, path, kind),
    }
}

fn write_objects(objects: &[Value], path: &Path, kind: Kind) -> Result<()> {
    let text = match kind {
        Kind::JsonLines => objects.iter().map(|object| format!("{object}\n")).collect(),
        _ => array(objects),
    };
    files::write(path, text.as_bytes())
}

fn write_frame(frame: &Frame, path: &Path, kind: Kind) -> Result<()> {
    let bytes = if kind == Kind::Parquet { parquet::bytes(frame) } else { frame.csv() };
    let wrong = |cause| Error::File { path: path.to_owned(), cause };
    files::write(path, &bytes.map_err(wrong)?)
}

/// What a trial has beside parameters and metrics. A parameter of such a name is `params.NAME`, a metric that is also
/// the name of one of these or of a parameter `metrics.NAME`.
const OWN: [&str; 10] =
    ["sweep", "trial", "state", "step", "time", "seconds", "attempts", "started", "ended", "error"];

/// The trials of a table as columns: trial, parameters, state, metrics, step, times and errors.
pub fn frame(table: &Table<'_>) -> Frame {
    let mut frame = Frame::new(table.rows.len());
    let rows = || table.rows.iter();
    if table.several {
        frame.add("sweep", rows().map(|row| row.sweep.name().into()));
    }
    frame.add("trial", rows().map(|row| row.trial.id.into()));
    let params = add_params(&mut frame, table, |name| {
        rows().map(|row| row.trial.params.get(name).cloned()).collect()
    });
    frame.add("state", rows().map(|row| row.trial.state.name().into()));
    for name in &table.metrics {
        let values = rows().map(|row| row.value(name).cloned().unwrap_or_default());
        frame.add(&metric_column(name, &params), values);
    }
    frame.add("step", rows().map(|row| row.step().cloned().unwrap_or_default()));
    frame.add("seconds", rows().map(|row| row.seconds(f64::NAN).filter(|s| s.is_finite()).into()));
    frame.add("attempts", rows().map(|row| row.trial.attempts.into()));
    frame.add("started", rows().map(|row| row.trial.started.into()));
    frame.add("ended", rows().map(|row| row.trial.ended.into()));
    frame.add("error", rows().map(|row| row.trial.error.clone().into()));
    frame
}

/// The records of the trials of a table as columns: trial, parameters, step, time and metrics.
///
/// # Errors
/// Metrics that cannot be read.
pub fn metrics_frame(table: &Table<'_>) -> Result<Frame> {
    let mut records: Vec<(&Row<'_>, usize, Map)> = Vec::new();
    for row in &table.rows {
        let logged = row.run().metrics()?.into_iter().enumerate();
        records.extend(logged.map(|(i, record)| (row, i, metrics::flat(record))));
    }
    let mut frame = Frame::new(records.len());
    if table.several {
        frame.add("sweep", records.iter().map(|(row, ..)| row.sweep.name().into()));
    }
    frame.add("trial", records.iter().map(|(row, ..)| row.trial.id.into()));
    let params = add_params(&mut frame, table, |name| {
        records.iter().map(|(row, ..)| row.trial.params.get(name).cloned()).collect()
    });
    frame.add(
        "step",
        records
            .iter()
            .map(|(_, i, record)| record.get(STEP).cloned().unwrap_or_else(|| (*i).into())),
    );
    let time = |record: &Map| record.get(TIME).cloned().unwrap_or_default();
    frame.add("time", records.iter().map(|(.., record)| time(record)));
    let mut names: Vec<&String> = records.iter().flat_map(|(.., record)| record.keys()).collect();
    names.sort();
    names.dedup();
    for name in names.into_iter().filter(|name| ![STEP, TIME].contains(&name.as_str())) {
        let column = metric_column(name, &params);
        let value = |record: &Map| record.get(name).cloned().unwrap_or_default();
        frame.add(&column, records.iter().map(|(.., record)| value(record)));
    }
    Ok(frame)
}

/// Adds a column for each parameter, those that vary first; their names.
fn add_params(
    frame: &mut Frame,
    table: &Table<'_>,
    values: impl Fn(&str) -> Vec<Option<Value>>,
) -> Vec<String> {
    let mut other: Vec<&String> =
        table.rows.iter().flat_map(|row| row.trial.params.keys()).collect();
    other.sort();
    other.dedup();
    other.retain(|name| !table.params.contains(name));
    let names: Vec<String> = table.params.iter().chain(other).cloned().collect();
    for name in &names {
        let taken = OWN.contains(&name.as_str());
        let column = if taken { format!("params.{name}") } else { name.clone() };
        frame.add(&column, values(name).into_iter().map(Option::unwrap_or_default));
    }
    names
}

fn metric_column(name: &str, params: &[String]) -> String {
    let taken = OWN.contains(&name) || params.iter().any(|param| param == name);
    if taken { format!("metrics.{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::sweep::Sweep;

    #[test]
    fn columns_are_of_the_narrowest_kind() {
        let mut frame = Frame::new(2);
        frame.add("int", [json!(1), json!(null)].into_iter());
        frame.add("float", [json!(1), json!("NaN")].into_iter());
        frame.add("bool", [json!(true), json!(false)].into_iter());
        frame.add("text", [json!("a,b"), json!([1])].into_iter());
        frame.add("none", [json!(null), json!(null)].into_iter());
        let csv = String::from_utf8(frame.csv().expect("csv")).expect("text");
        assert_eq!(csv, "int,float,bool,text,none\n1,1.0,true,\"a,b\",\n,NaN,false,[1],\n");
    }

    #[test]
    fn names_that_are_taken_are_told_apart() {
        let folder = tempfile::tempdir().expect("folder");
        fixture::sweep(folder.path());
        let mut sweeps = Sweep::find(folder.path()).expect("sweep");
        for trial in &mut sweeps[0].trials {
            trial.params.insert("state".to_owned(), 1.into());
            trial.params.insert("acc".to_owned(), 2.into());
        }
        let table = Table::of(&sweeps);
        let frame = frame(&table);
        let names: Vec<&str> = frame.columns.iter().map(|(name, _)| name.as_str()).collect();
        let params = ["lr", "hidden", "seed", "acc", "params.state"];
        assert_eq!(names[..6], [&["trial"], &params[..]].concat());
        assert_eq!(names[6..8], ["state", "metrics.acc"]);
        assert_eq!(metrics_frame(&table).expect("metrics").rows, 40);
        let objects = trials(&table);
        assert_eq!(objects[3]["result"], Value::Null);
        assert_eq!(objects[0]["metrics"]["step"], json!(9));
        assert_eq!(serde_json::from_str::<Vec<Value>>(&array(&objects)).expect("json"), objects);
    }
}
