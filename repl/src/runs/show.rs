//! `flambeau runs show OUT [TRIAL]`: all that is known of one trial, or what a sweep is.

use std::fs;
use std::io::stdout;
use std::path::Path;

use flambeau_experiments::table::{Row, value_text};
use flambeau_experiments::{Run, Sweep, Table, export, files, metrics, now, params};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::arguments::Show;
use super::listing::states;
use super::{duration, problem, sweep, tail, trial};
use crate::commands::size;
use crate::draw;
use crate::problem::{Problem, exit};

/// How many lines of the log are shown.
const LINES: usize = 10;
/// A value with more lines than this is told by their number.
const LONG: usize = 3;
/// Where the values stand.
const INDENT: usize = 14;

/// Shows a trial or a sweep.
///
/// # Errors
/// As [`super::runs`].
pub fn show(show: &Show) -> Result<u8, Problem> {
    let mut sweep = sweep(&show.out)?;
    let number = match (show.trial, sweep.trials.as_slice()) {
        (None, [only]) => Some(only.id),
        (number, _) => number,
    };
    let whole = number.is_none().then(|| sweep.clone());
    if let Some(number) = number {
        sweep.trials = vec![trial(&sweep, number)?.clone()];
    }
    let sweeps = [sweep];
    let mut table = Table::of(&sweeps);
    if let Some(damaged) = table.problems.pop() {
        return Err(problem(damaged));
    }
    let text = match (&whole, table.rows.first()) {
        (None, Some(row)) if show.json => format!("{}\n", trial_object(row)?),
        (None, Some(row)) => trial_text(row)?,
        _ if show.json => format!("{}\n", sweep_object(&sweeps[0], &mut table)?),
        _ => sweep_text(&sweeps[0], &mut table)?,
    };
    draw::write(stdout().lock(), &text);
    Ok(exit::OK)
}

/// Lines of a name and a value; a value of several lines stands below its name.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        if value.contains('\n') {
            self.0.push_str(&format!("{name}\n"));
            for line in value.lines() {
                self.0.push_str(format!("  {line}").trim_end());
                self.0.push('\n');
            }
        } else if !value.is_empty() {
            self.0.push_str(&format!("{name:<INDENT$}{value}\n"));
        }
    }
}

fn pairs(map: &Map<String, Value>) -> String {
    let pairs = map.iter().map(|(name, value)| format!("{name}={}", params::text(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

fn rounded(map: &Map<String, Value>) -> String {
    let shown = map.iter().filter(|(name, _)| *name != metrics::TIME);
    let pairs = shown.map(|(name, value)| format!("{name}={}", value_text(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

fn trial_text(row: &Row<'_>) -> Result<String, Problem> {
    let (trial, run) = (row.trial, row.run());
    let mut lines = Lines::default();
    lines.add("folder", &run.folder().display().to_string());
    if !row.sweep.is_run {
        lines.add("trial", &trial.id.to_string());
    }
    let took = row.seconds(now()).map(|seconds| format!(", {}", duration(seconds)));
    let often = match trial.attempts {
        0 | 1 => String::new(),
        attempts => format!(", begun {attempts} times"),
    };
    lines.add("state", &format!("{}{}{often}", trial.state.name(), took.unwrap_or_default()));
    let config = run.config().map_err(problem)?;
    let script = config.map(|config| config.script).or_else(|| row.sweep.script.clone());
    lines.add("script", &script.map(|path| path.display().to_string()).unwrap_or_default());
    lines.add("started", &trial.started.map(moment).unwrap_or_default());
    lines.add("ended", &trial.ended.map(moment).unwrap_or_default());
    lines.add("params", &pairs(&trial.params));
    lines.add("result", &trial.result.as_ref().map(rounded).unwrap_or_default());
    lines.add("logged last", &rounded(&row.latest));
    lines.add("error", trial.error.as_deref().unwrap_or_default().trim_end());
    let environment = environment(&run)?.map(metrics::flat).unwrap_or_default();
    let environment = environment.iter().map(|(name, value)| {
        let text = params::text(value);
        match text.lines().count() {
            many if many > LONG => format!("{name}: {many} lines, in environment.json\n"),
            _ => format!("{name}: {}\n", text.trim_end().replace('\n', " ")),
        }
    });
    lines.add("environment", &environment.collect::<String>());
    let files = files_of(&run).into_iter();
    let files = files.map(|(name, bytes)| format!("{:>10}  {name}\n", size(bytes)));
    lines.add("files", &files.collect::<String>());
    let log = tail::last_lines(&run.file("log"), LINES).map_err(problem)?;
    if !log.is_empty() {
        lines.add("log", &format!("{}\n", log.join("\n")));
    }
    Ok(lines.0)
}

fn trial_object(row: &Row<'_>) -> Result<Value, Problem> {
    let run = row.run();
    let mut object = export::trial(row, false);
    let files = files_of(&run).into_iter();
    let files: Vec<Value> =
        files.map(|(name, bytes)| json!({"name": name, "bytes": bytes})).collect();
    object["environment"] = environment(&run)?.into();
    object["files"] = files.into();
    object["log"] = tail::last_lines(&run.file("log"), LINES).map_err(problem)?.into();
    Ok(object)
}

/// The best row by what the sweep is about; `None` where nothing was reached.
fn best<'a, 'b>(table: &'b mut Table<'a>) -> Result<Option<(&'b Row<'a>, String)>, Problem> {
    let Some(metric) = table.main_metric().map(str::to_owned) else { return Ok(None) };
    if table.rows.iter().all(|row| row.number(&metric).is_none()) {
        return Ok(None);
    }
    table.sort(&metric, None).map_err(problem)?;
    Ok(table.rows.first().map(|row| (row, metric)))
}

fn sweep_text(sweep: &Sweep, table: &mut Table<'_>) -> Result<String, Problem> {
    let mut lines = Lines::default();
    lines.add("folder", &sweep.folder.display().to_string());
    let script = sweep.script.as_ref().map(|path| path.display().to_string());
    lines.add("script", &script.unwrap_or_default());
    lines.add("state", &states(sweep));
    lines.add("varied", &table.params.join(", "));
    if let Some((row, metric)) = best(table)? {
        let value = row.value(&metric).map(value_text).unwrap_or_default();
        let params = table_params(row, sweep);
        lines.add("best", &format!("trial {}: {metric}={value} with {params}", row.trial.id));
    }
    Ok(lines.0)
}

fn table_params(row: &Row<'_>, sweep: &Sweep) -> String {
    let names = flambeau_experiments::sweep::varied(std::slice::from_ref(sweep));
    let pairs = names
        .iter()
        .filter_map(|name| Some(format!("{name}={}", params::text(row.trial.params.get(name)?))));
    pairs.collect::<Vec<_>>().join(" ")
}

fn sweep_object(sweep: &Sweep, table: &mut Table<'_>) -> Result<Value, Problem> {
    let mut states: Map<String, Value> = Map::new();
    for trial in &sweep.trials {
        let count = states.get(trial.state.name()).and_then(Value::as_u64).unwrap_or(0);
        states.insert(trial.state.name().to_owned(), (count + 1).into());
    }
    let varied = table.params.clone();
    let best = best(table)?.map(|(row, _)| export::trial(row, false));
    Ok(json!({
        "folder": sweep.folder.display().to_string(),
        "script": sweep.script,
        "metric": sweep.metric,
        "goal": sweep.goal,
        "varied": varied,
        "trials": sweep.trials.len(),
        "states": states,
        "best": best,
    }))
}

fn environment(run: &Run) -> Result<Option<Map<String, Value>>, Problem> {
    files::read_json(&run.file("environment.json")).map_err(problem)
}

/// The files of a run with their sizes in bytes, by name.
fn files_of(run: &Run) -> Vec<(String, u64)> {
    fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, u64)>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // Of a link its own size: what it names lies elsewhere.
            match entry.metadata() {
                Ok(data) if data.is_dir() => collect(&entry.path(), &format!("{name}/"), files),
                Ok(data) => files.push((name, data.len())),
                Err(_) => {}
            }
        }
    }
    let mut files = Vec::new();
    collect(run.folder(), "", &mut files);
    files.sort();
    files
}

/// A moment in seconds since 1970 as text.
fn moment(seconds: f64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let moment = OffsetDateTime::from_unix_timestamp(seconds as i64).ok();
    moment.and_then(|moment| moment.format(format).ok()).unwrap_or_default()
}
