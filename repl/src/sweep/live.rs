//! What is seen of a sweep while it runs: a line for each running trial on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flambeau_experiments::metrics::{Follower, STEP, number};
use flambeau_experiments::table::number_text;
use flambeau_experiments::{Map, State, Trial, params};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

/// How often the metrics of running trials are read.
const INTERVAL: Duration = Duration::from_millis(250);

/// The screen of a sweep.
pub struct Live {
    bars: MultiProgress,
    /// How far all is.
    total: ProgressBar,
    terminal: bool,
    metric: Option<String>,
    varied: Vec<String>,
    running: HashMap<i64, Running>,
    counts: HashMap<State, usize>,
    count: usize,
    begun: Instant,
    /// Seconds that trials took which have ended in this sweep.
    took: Vec<f64>,
    /// The last steps of trials that were done.
    steps: Vec<f64>,
    jobs: usize,
    looked: Instant,
}

struct Running {
    bar: ProgressBar,
    name: String,
    follower: Follower,
    begun: Instant,
    first_step: Option<f64>,
    step: Option<f64>,
    value: Option<f64>,
}

/// What tells a trial apart: `lr=1e-3 seed=0`.
pub fn name(params: &Map, varied: &[String]) -> String {
    let parts = varied
        .iter()
        .filter_map(|name| Some(format!("{name}={}", params::text(params.get(name)?))));
    parts.collect::<Vec<_>>().join(" ")
}

fn plain(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Live {
    /// For a sweep of these trials.
    pub fn new(trials: &[Trial], metric: Option<String>, varied: Vec<String>, jobs: usize) -> Live {
        let terminal = std::io::stderr().is_terminal();
        let bars = MultiProgress::new();
        let total = bars.add(ProgressBar::new(trials.len() as u64));
        total.set_style(plain("{msg}"));
        let mut counts = HashMap::new();
        for trial in trials {
            *counts.entry(trial.state).or_insert(0) += 1;
        }
        let now = Instant::now();
        Live {
            bars,
            total,
            terminal,
            metric,
            varied,
            running: HashMap::new(),
            counts,
            count: trials.len(),
            begun: now,
            took: Vec::new(),
            steps: Vec::new(),
            jobs,
            looked: now,
        }
    }

    /// Says a line that stays.
    pub fn say(&self, text: &str) {
        // Away with the lines of running trials, and back again behind it.
        self.bars.suspend(|| eprintln!("{text}"));
    }

    fn moved(&mut self, from: State, to: State) {
        if let Some(count) = self.counts.get_mut(&from) {
            *count = count.saturating_sub(1);
        }
        *self.counts.entry(to).or_insert(0) += 1;
    }

    /// A trial begins.
    pub fn begins(&mut self, trial: &Trial, metrics: PathBuf) {
        self.moved(State::Waiting, State::Running);
        let name = name(&trial.params, &self.varied);
        let bar = self.bars.insert_before(&self.total, ProgressBar::new_spinner());
        bar.set_style(plain("  {msg}"));
        if !self.terminal && trial.attempts > 1 {
            eprintln!("trial {:>4}  {name}  attempt {}", trial.id, trial.attempts);
        }
        let running = Running {
            bar,
            name,
            follower: Follower::new(&metrics),
            begun: Instant::now(),
            first_step: None,
            step: None,
            value: None,
        };
        self.running.insert(trial.id, running);
        self.draw();
    }

    /// A trial has ended, in the state that it is in now.
    pub fn ended(&mut self, trial: &Trial) {
        self.moved(State::Running, trial.state);
        let Some(mut running) = self.running.remove(&trial.id) else { return };
        running.look(self.metric.as_deref());
        self.bars.remove(&running.bar);
        let seconds = running.begun.elapsed().as_secs_f64();
        if trial.state != State::Waiting {
            self.took.push(seconds);
        }
        if trial.state == State::Done {
            self.steps.extend(running.step);
        }
        let result = match (&trial.result, running.value, &self.metric) {
            (Some(result), ..) if trial.state == State::Done => {
                let one = |(name, value): (&String, &serde_json::Value)| match number(value) {
                    Some(number) => format!("{name}={}", number_text(number)),
                    None => format!("{name}={}", params::text(value)),
                };
                result.iter().map(one).collect::<Vec<_>>().join(" ")
            }
            (_, Some(value), Some(metric)) => format!("{metric}={}", number_text(value)),
            _ => String::new(),
        };
        let state = match trial.state {
            State::Waiting => "stopped",
            state => state.name(),
        };
        let line =
            format!("{state:>7} {:>4}  {}  {result}  {seconds:.1} s", trial.id, running.name);
        self.say(line.trim_end());
        if let Some(error) = trial.headline().filter(|_| trial.state == State::Failed) {
            self.say(&format!("             {error}"));
        }
        self.draw();
    }

    /// Looks at what has been logged, from time to time.
    pub fn tick(&mut self) {
        if !self.terminal || self.looked.elapsed() < INTERVAL {
            return;
        }
        self.looked = Instant::now();
        let metric = self.metric.clone();
        self.running.values_mut().for_each(|running| running.look(metric.as_deref()));
        self.draw();
    }

    fn draw(&self) {
        if !self.terminal {
            return;
        }
        let last = mean(&self.steps);
        for (id, running) in &self.running {
            running.bar.set_message(running.line(*id, self.metric.as_deref(), last));
        }
        self.total.set_message(self.summary());
    }

    /// How far all is.
    pub fn summary(&self) -> String {
        let of = |state: State| self.counts.get(&state).copied().unwrap_or(0);
        let ended = self.count.saturating_sub(of(State::Waiting) + of(State::Running));
        let mut parts = vec![format!("{ended} of {} trials", self.count)];
        for state in [State::Running, State::Failed, State::Pruned, State::Waiting] {
            if of(state) > 0 {
                parts.push(format!("{} {}", of(state), state.name()));
            }
        }
        parts.push(format!("{}", HumanDuration(self.begun.elapsed())));
        if let Some(mean) = mean(&self.took)
            && ended < self.count
        {
            let left = (self.count - ended) as f64 * mean / self.jobs as f64;
            parts.push(format!("about {} left", HumanDuration(Duration::from_secs_f64(left))));
        }
        parts.join(", ")
    }

    /// Takes the lines of running trials away.
    pub fn close(&self) {
        self.total.finish_and_clear();
        let _ = self.bars.clear();
    }
}

impl Running {
    fn look(&mut self, metric: Option<&str>) {
        // What cannot be read is told when the trial is looked at.
        for record in self.follower.read().unwrap_or_default() {
            if let Some(step) = record.get(STEP).and_then(number) {
                self.first_step.get_or_insert(step);
                self.step = Some(step);
            }
            if let Some(value) = metric.and_then(|metric| record.get(metric)).and_then(number) {
                self.value = Some(value);
            }
        }
    }

    fn line(&self, id: i64, metric: Option<&str>, last: Option<f64>) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut parts = vec![format!("{id:>4}  {}", self.name)];
        if let Some(step) = self.step {
            parts.push(format!("step {}", number_text(step)));
        }
        if let (Some(metric), Some(value)) = (metric, self.value) {
            parts.push(format!("{metric} {}", number_text(value)));
        }
        if let (Some(first), Some(step)) = (self.first_step, self.step)
            && step > first
            && seconds > 0.5
        {
            let rate = (step - first) / seconds;
            parts.push(format!("{rate:.1} steps/s"));
            if let Some(last) = last.filter(|&last| last > step) {
                parts.push(format!(
                    "about {} left",
                    HumanDuration(Duration::from_secs_f64((last - step) / rate))
                ));
            }
        }
        parts.push(format!("{seconds:.0} s"));
        parts.join("  ")
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
