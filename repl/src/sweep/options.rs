//! What `flambeau sweep` is told: by the command line, by a file, by both.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use flambeau_experiments::{Goal, Map, params};
use flambeau_protocol::Permissions;
use serde::Deserialize;

use super::problem::SweepProblem;
use crate::cli::{Environment, KEEP, bytes, seconds};
use crate::source::reason;

/// Bytes of a trial's log that are kept by default.
const LOG: u64 = 64 << 20;

/// Options of `flambeau sweep`.
#[derive(Debug, Default, Args)]
pub struct Sweep {
    /// The script; it declares what can be varied by params(#{…}).
    pub script: Option<PathBuf>,
    /// Values for all trials: NAME=VALUE.
    #[arg(last = true, value_name = "NAME=VALUE")]
    pub fixed: Vec<String>,
    /// Read what is not said here from this file.
    #[arg(long, value_name = "FILE.toml")]
    pub spec: Option<PathBuf>,
    /// Try all combinations: lr=1e-4,1e-3 hidden=64..256:64 (an end is excluded, ..= includes it).
    #[arg(long, value_name = "NAME=VALUES", num_args = 1.., help_heading = "What is tried")]
    pub grid: Vec<String>,
    /// Draw values: lr=log:1e-5..1e-1 p=uniform:0..0.5 hidden=16..257 act=relu,tanh.
    #[arg(long, value_name = "NAME=RANGE", num_args = 1.., help_heading = "What is tried")]
    pub random: Vec<String>,
    /// How often values are drawn.
    #[arg(long, value_name = "COUNT", help_heading = "What is tried")]
    pub trials: Option<usize>,
    /// The seed from which values are drawn [default: 0].
    #[arg(long, value_name = "SEED", help_heading = "What is tried")]
    pub draw_seed: Option<u64>,
    /// Repeat each with so many values of the parameter seed: 5 is 0..5.
    #[arg(long, value_name = "COUNT|A..B", help_heading = "What is tried")]
    pub seeds: Option<String>,
    /// List the trials and run none.
    #[arg(long, help_heading = "What is tried")]
    pub dry_run: bool,
    /// The folder of the sweep [default: runs/ and the script's name]. The same command again finishes what is missing.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// What trials are compared by: a name of report() or log().
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Whether more of it is better [default: min for names with loss or error, else max].
    #[arg(long, value_name = "GOAL", value_parser = goals())]
    pub goal: Option<Goal>,
    /// End trials early that are worse than others (asynchronous successive halving): at the first of these steps, and
    /// at each that is --eta times as far.
    #[arg(long, value_name = "FIRST..LAST", help_heading = "Early stopping")]
    pub halving: Option<String>,
    /// One in so many goes on [default: 3].
    #[arg(long, value_name = "COUNT", help_heading = "Early stopping")]
    pub eta: Option<u32>,
    /// How many trials run at once [default: 1, or one for each of --gpus].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "How trials run")]
    pub jobs: Option<u16>,
    /// CPU threads of a trial [default: the machine's, divided by --jobs].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "How trials run")]
    pub threads: Option<u16>,
    /// CUDA devices, such as 0,1: each trial sees one, the one that fewest others use.
    #[arg(long, value_name = "DEVICES", value_delimiter = ',', help_heading = "How trials run")]
    pub gpus: Vec<String>,
    /// Begin a failed trial again so often [default: 0].
    #[arg(long, value_name = "COUNT", help_heading = "How trials run")]
    pub retry: Option<u32>,
    /// End a trial after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "How trials run")]
    pub timeout: Option<f64>,
    /// End a trial that holds more bytes, such as 512M or 2G.
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "How trials run")]
    pub max_memory: Option<u64>,
    /// Bytes of a trial's log that are kept: the last ones [default: 64M].
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "How trials run")]
    pub max_log: Option<u64>,
    /// How many checkpoints of a trial stay [default: 2].
    #[arg(long, value_name = "COUNT", help_heading = "How trials run")]
    pub keep_checkpoints: Option<usize>,
    /// Begin a new process for each trial instead of forking a warm one.
    #[arg(long, help_heading = "How trials run")]
    pub spawn: bool,
    /// Deny scripts files, processes, environment variables, Python and custom CUDA code.
    #[arg(long, help_heading = "How trials run")]
    pub sandbox: bool,
    /// Let sandboxed scripts read this file or folder (may be repeated).
    #[arg(long, value_name = "PATH", requires = "sandbox", help_heading = "How trials run")]
    pub allow_read: Vec<PathBuf>,
    #[command(flatten)]
    pub environment: Environment,
}

fn goals() -> impl TypedValueParser<Value = Goal> {
    let goal = |name: String| if name == "max" { Goal::Max } else { Goal::Min };
    PossibleValuesParser::new(["max", "min"]).map(goal)
}

/// A file that says what is swept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spec {
    script: Option<PathBuf>,
    params: toml::Table,
    grid: toml::Table,
    random: toml::Table,
    trials: Option<usize>,
    draw_seed: Option<u64>,
    seeds: Option<toml::Value>,
    out: Option<PathBuf>,
    metric: Option<String>,
    goal: Option<Goal>,
    halving: Option<String>,
    eta: Option<u32>,
    jobs: Option<u16>,
    threads: Option<u16>,
    gpus: Option<Vec<toml::Value>>,
    retry: Option<u32>,
    timeout: Option<f64>,
    max_memory: Option<toml::Value>,
    max_log: Option<toml::Value>,
    keep_checkpoints: Option<usize>,
}

/// All that is wanted, checked as far as it can be without the script.
#[derive(Debug)]
pub struct Settings {
    /// Absolute.
    pub script: PathBuf,
    /// Absolute.
    pub out: PathBuf,
    /// Texts by name, in their order.
    pub fixed: Vec<(String, String)>,
    pub grid: Vec<(String, String)>,
    pub random: Vec<(String, String)>,
    pub trials: usize,
    pub draw_seed: u64,
    pub seeds: Option<String>,
    pub metric: Option<String>,
    pub goal: Goal,
    /// The first step, the last, and one in how many goes on.
    pub halving: Option<(i64, i64, u32)>,
    pub jobs: usize,
    pub threads: usize,
    pub gpus: Vec<String>,
    pub retry: u32,
    pub timeout: Option<f64>,
    pub max_memory: Option<u64>,
    pub max_log: u64,
    pub keep: usize,
    pub spawn: bool,
    pub permissions: Permissions,
    pub dry_run: bool,
}

impl Settings {
    /// Puts command line and file together; the command line is followed where both say something.
    ///
    /// # Errors
    /// A file that cannot be read, names twice, values that cannot be.
    pub fn of(sweep: &Sweep) -> Result<Settings, SweepProblem> {
        let (spec, folder) = match &sweep.spec {
            None => (Spec::default(), PathBuf::new()),
            Some(path) => (read(path)?, path.parent().map(Path::to_owned).unwrap_or_default()),
        };
        let script = match (&sweep.script, spec.script) {
            (Some(script), _) => script.clone(),
            // A file means files beside itself.
            (None, Some(script)) => folder.join(script),
            (None, None) => return Err(SweepProblem::NoScript),
        };
        if !script.is_file() {
            return Err(SweepProblem::Script { path: script, cause: "no such file".to_owned() });
        }
        let stem = script.file_stem().unwrap_or_default().to_owned();
        let out = sweep.out.clone().or(spec.out.map(|out| folder.join(out)));
        let out = out.unwrap_or_else(|| Path::new("runs").join(stem));
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (fixed, grid) = (pairs(&sweep.fixed, spec.params)?, pairs(&sweep.grid, spec.grid)?);
        let random = pairs(&sweep.random, spec.random)?;
        let mut names: Vec<&String> =
            fixed.iter().chain(&grid).chain(&random).map(|(name, _)| name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SweepProblem::Twice(twice[0].clone()));
        }
        let trials = match (sweep.trials.or(spec.trials), random.is_empty()) {
            (Some(0), _) => {
                return Err(SweepProblem::Wrong("--trials 0 leaves nothing to be run".to_owned()));
            }
            (Some(_), true) => {
                return Err(SweepProblem::Wrong(
                    "--trials wants something to draw: --random".to_owned(),
                ));
            }
            (Some(trials), false) => trials,
            (None, true) => 1,
            (None, false) => {
                return Err(SweepProblem::Wrong("--random wants --trials COUNT".to_owned()));
            }
        };
        let seeds = sweep.seeds.clone().or(spec.seeds.as_ref().map(text));
        let metric = sweep.metric.clone().or(spec.metric);
        let goal = sweep.goal.or(spec.goal);
        let eta = sweep.eta.or(spec.eta).unwrap_or(3);
        let halving = sweep.halving.clone().or(spec.halving);
        if halving.is_some() && metric.is_none() {
            return Err(SweepProblem::Wrong(
                "halving compares trials by a metric: --metric NAME".to_owned(),
            ));
        }
        let halving = halving.map(|range| rungs(&range, eta)).transpose()?;
        let gpus = match sweep.gpus.is_empty() {
            true => spec.gpus.unwrap_or_default().iter().map(text).collect(),
            false => sweep.gpus.clone(),
        };
        let jobs = sweep.jobs.or(spec.jobs).map_or(gpus.len().max(1), usize::from);
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let size = |value: Option<toml::Value>| {
            value.map(|value| bytes(&text(&value)).map_err(SweepProblem::Wrong)).transpose()
        };
        Ok(Settings {
            script: absolute(&script),
            out: absolute(&out),
            fixed,
            grid,
            random,
            trials,
            draw_seed: sweep.draw_seed.or(spec.draw_seed).unwrap_or(0),
            seeds,
            goal: goal.unwrap_or_else(|| Goal::guess(metric.as_deref().unwrap_or_default())),
            metric,
            halving,
            jobs,
            threads: sweep.threads.or(spec.threads).map_or((cores / jobs).max(1), usize::from),
            gpus,
            retry: sweep.retry.or(spec.retry).unwrap_or(0),
            timeout: sweep.timeout.or(spec.timeout),
            max_memory: sweep.max_memory.or(size(spec.max_memory)?),
            max_log: sweep.max_log.or(size(spec.max_log)?).unwrap_or(LOG),
            keep: sweep.keep_checkpoints.or(spec.keep_checkpoints).unwrap_or(KEEP),
            spawn: sweep.spawn,
            permissions: Permissions {
                sandbox: sweep.sandbox,
                allow_read: sweep.allow_read.clone(),
                ..Permissions::default()
            },
            dry_run: sweep.dry_run,
        })
    }

    /// The steps at which trials are compared.
    pub fn rungs(&self) -> Vec<i64> {
        let Some((first, last, eta)) = self.halving else { return Vec::new() };
        let next = |step: &i64| step.checked_mul(i64::from(eta));
        std::iter::successors(Some(first), next).take_while(|&step| step < last).collect()
    }

    /// What says which trials there are, to be kept with them.
    pub fn request(&self) -> Map {
        let list = |pairs: &[(String, String)]| -> Vec<String> {
            pairs.iter().map(|(name, text)| format!("{name}={text}")).collect()
        };
        let mut request = Map::new();
        request.insert("fixed".into(), list(&self.fixed).into());
        request.insert("grid".into(), list(&self.grid).into());
        request.insert("random".into(), list(&self.random).into());
        request.insert("trials".into(), self.trials.into());
        request.insert("draw_seed".into(), self.draw_seed.into());
        request.insert("seeds".into(), self.seeds.clone().into());
        request.insert("halving".into(), serde_json::json!(self.halving));
        request
    }
}

fn read(path: &Path) -> Result<Spec, SweepProblem> {
    let problem = |cause: String| SweepProblem::Spec { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path).map_err(|error| problem(reason(&error)))?;
    toml::from_str(&text).map_err(|error| problem(error.to_string().trim().to_owned()))
}

/// What a command line and a file give for names; a name of the command line is followed.
fn pairs(given: &[String], table: toml::Table) -> Result<Vec<(String, String)>, SweepProblem> {
    let mut pairs = Vec::new();
    for one in given {
        let (name, text) = params::split(one).map_err(|_| {
            SweepProblem::Wrong(format!(
                "expected NAME=VALUES, found '{one}'; the script comes first"
            ))
        })?;
        if pairs.iter().any(|(known, _)| known == name) {
            return Err(SweepProblem::Twice(name.to_owned()));
        }
        pairs.push((name.to_owned(), text.to_owned()));
    }
    for (name, value) in table {
        if pairs.iter().all(|(known, _)| *known != name) {
            pairs.push((name, text(&value)));
        }
    }
    Ok(pairs)
}

/// A value of a file as the command line would have it.
fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        value => value.to_string(),
    }
}

/// `FIRST..LAST`.
fn rungs(range: &str, eta: u32) -> Result<(i64, i64, u32), SweepProblem> {
    let wrong = || {
        SweepProblem::Wrong(format!("--halving wants FIRST..LAST, such as 10..270, not '{range}'"))
    };
    let (first, last) = range.split_once("..").ok_or_else(wrong)?;
    let parse = |text: &str| text.trim().parse::<i64>().ok().filter(|&step| step > 0);
    let (first, last) = (parse(first).ok_or_else(wrong)?, parse(last).ok_or_else(wrong)?);
    if eta < 2 || first >= last {
        return Err(SweepProblem::Wrong(format!(
            "--halving {range} --eta {eta}: the first step must be below the last, and eta at least 2"
        )));
    }
    Ok((first, last, eta))
}
