//! What can be asked about runs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use flambeau_experiments::picture::CURVES;

/// `flambeau runs …`
#[derive(Debug, Subcommand)]
pub enum Runs {
    /// List the trials: what they vary, how far they are, what they reached.
    Ls(Ls),
    /// Show one trial, or what a sweep is.
    Show(Show),
    /// Compare means over seeds, the best first.
    Compare(Compare),
    /// Draw learning curves, with bands over seeds.
    Plot(Plot),
    /// Show the last lines that were printed and logged.
    Tail(Tail),
    /// Write trials or metrics as CSV, JSON, Parquet or for TensorBoard.
    Export(Export),
    /// Remove trials, a run or a sweep.
    Rm(Rm),
}

/// Which trials.
#[derive(Debug, Args)]
pub struct Choice {
    /// Folders of sweeps or runs, or folders that hold such.
    #[arg(required = true, value_name = "OUT")]
    pub out: Vec<PathBuf>,
    /// Only trials with this value of a parameter, or of `state` (may be repeated).
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = condition)]
    pub conditions: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct Ls {
    #[command(flatten)]
    pub choice: Choice,
    /// Sort by a metric (the best first), a parameter, trial, step, state or time.
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,
    #[command(flatten)]
    pub order: Order,
    /// One JSON object for each trial, in an array.
    #[arg(long)]
    pub json: bool,
}

/// Which values come first.
#[derive(Debug, Args)]
pub struct Order {
    /// The greatest first.
    #[arg(long, conflicts_with = "asc")]
    pub desc: bool,
    /// The smallest first.
    #[arg(long)]
    pub asc: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    /// The folder of a sweep or a run.
    pub out: PathBuf,
    /// The number of a trial.
    pub trial: Option<i64>,
    /// As a JSON object.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    pub choice: Choice,
    /// A parameter that groups trials (may be repeated, or a list with commas); without it all that vary but the seed.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub by: Vec<String>,
    /// A metric to compare (may be repeated, or a list with commas); the first sorts.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub metric: Vec<String>,
    #[command(flatten)]
    pub order: Order,
    /// One JSON object for each group, in an array.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Plot {
    #[command(flatten)]
    pub choice: Choice,
    /// The metric; without it that of the sweep, or the first that was logged.
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// What it is drawn over.
    #[arg(long, value_name = "AXIS", default_value = "step")]
    pub x: Axis,
    /// A logarithmic axis for the metric.
    #[arg(long)]
    pub log: bool,
    /// Smooth by a moving average, from 0 (not at all) to below 1, as TensorBoard does.
    #[arg(long, value_name = "WEIGHT", default_value = "0", value_parser = weight)]
    pub smooth: f64,
    /// A parameter that groups trials (may be repeated, or a list with commas); without it all that vary but the seed.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub by: Vec<String>,
    /// How many curves there are at most, the best ones.
    #[arg(long, value_name = "COUNT", default_value_t = CURVES)]
    pub top: usize,
    /// What stands above.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub title: String,
    /// The file, .svg or .png. Without one: the terminal, or OUT/plots/METRIC.svg where there is none.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Axis {
    Step,
    Time,
}

#[derive(Debug, Args)]
pub struct Tail {
    /// The folder of a sweep or a run.
    pub out: PathBuf,
    /// The number of a trial; without one all that run, or all where none does.
    pub trial: Option<i64>,
    /// Go on until all trials have ended, or until Ctrl-C.
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines of each trial.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10)]
    pub lines: usize,
    /// Only what was logged.
    #[arg(long, conflicts_with = "log")]
    pub metrics: bool,
    /// Only what was printed.
    #[arg(long)]
    pub log: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub choice: Choice,
    /// The file: .csv, .json (an array), .jsonl (a line for each) or .parquet.
    #[arg(short, long, value_name = "FILE", required_unless_present = "tensorboard")]
    pub output: Option<PathBuf>,
    /// A row for each record that was logged, instead of one for each trial.
    #[arg(long)]
    pub metrics: bool,
    /// Write an event file for each trial into folders of this one.
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Rm {
    /// The folder of a sweep or a run.
    pub out: PathBuf,
    /// Numbers of trials; without any the sweep or run itself.
    pub trials: Vec<i64>,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

fn condition(text: &str) -> Result<(String, String), String> {
    let split = flambeau_experiments::params::split(text).map_err(|error| error.to_string())?;
    Ok((split.0.to_owned(), split.1.to_owned()))
}

fn weight(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(weight) if (0.0..1.0).contains(&weight) => Ok(weight),
        _ => Err("expected a number from 0 to below 1, such as 0.6".to_owned()),
    }
}
