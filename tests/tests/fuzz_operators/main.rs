//! Every operator and every function of the libraries with random arguments of every kind, and nothing
//! ends the process.
//!
//! The calls are made in child processes with a limit on their address space, so that a crash, an
//! endless loop or an allocation beyond the machine names the call. Everything is seeded; the script of
//! a failure can be run by hand. More than the default is done by
//!
//! - `FLAMBEAU_FUZZ_ROUNDS`: calls of each operator,
//! - `FLAMBEAU_FUZZ_SEED`: other arguments,
//! - `FLAMBEAU_FUZZ_ONLY`: only names that start so, such as `aten._fused` or `nn.`,
//! - `FLAMBEAU_FUZZ_CHILDREN`: how many processes share the work,
//! - `FLAMBEAU_FUZZ_PATIENCE`: seconds after which a call counts as endless,
//! - `FLAMBEAU_FUZZ_LOG`: a file for all calls and their errors.

mod cases;
mod child;
mod values;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flambeau_tests::session::on_deep_stack;

/// Address space of a child, in KiB: what is larger must be an OutOfMemoryError.
const ADDRESS_SPACE_KIB: u64 = 4 << 20;

/// Of how many operators at least one call must answer in a default run, so that refusing everything
/// does not pass. With 16 rounds 0.54 of them do; no round gives the private operators what they want.
const ANSWERED: f64 = 0.52;

/// A case that ended so many children is left alone.
const CRASHES_OF_ONE: usize = 3;

const TASK: &str = "FLAMBEAU_FUZZ_TASK";

/// Does nothing unless the test below started this process for it.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let mut parts = task.splitn(7, ' ').map(str::to_owned);
    let mut part = || parts.next().expect("a task of seven parts");
    let number = |text: String| text.parse().expect("a number");
    let task = child::Task {
        from: number(part()),
        step: number(part()),
        first_round: number(part()),
        rounds: number(part()),
        seed: number(part()) as u64,
        log: PathBuf::from(part()),
        only: part(),
    };
    on_deep_stack(move || child::run(&task));
}

/// One of the processes that share the cases among them.
struct Worker {
    child: Child,
    log: PathBuf,
    seen: u64,
    moved: Instant,
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

impl Worker {
    fn start(from: usize, step: usize, first_round: usize, log: &Path) -> Worker {
        let rounds = setting("FLAMBEAU_FUZZ_ROUNDS", 16);
        let seed = setting("FLAMBEAU_FUZZ_SEED", 1);
        let only = std::env::var("FLAMBEAU_FUZZ_ONLY").unwrap_or_default();
        let program = std::env::current_exe().expect("the test knows its own path");
        let child = Command::new("sh")
            .args([
                "-c",
                &format!("ulimit -v {ADDRESS_SPACE_KIB}; ulimit -c 0; exec \"$0\" \"$@\""),
            ])
            .arg(program)
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(
                TASK,
                format!("{from} {step} {first_round} {rounds} {seed} {} {only}", log.display()),
            )
            .env("OMP_NUM_THREADS", "1")
            // Some operators write files.
            .current_dir(log.parent().expect("a folder"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        Worker { child, log: log.to_owned(), seen: 0, moved: Instant::now() }
    }

    /// How it ended, or that it hangs; `None` while it runs well.
    fn poll(&mut self, patience: Duration) -> Option<String> {
        if let Some(status) = self.child.try_wait().expect("a child") {
            return Some(status.to_string());
        }
        let length = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        if length != self.seen {
            self.seen = length;
            self.moved = Instant::now();
        }
        if self.moved.elapsed() > patience {
            self.child.kill().expect("a child");
            self.child.wait().expect("a child");
            return Some(format!("no end within {} s", patience.as_secs()));
        }
        None
    }
}

/// The calls and the errors of all children, and how those that died ended.
fn run_all(folder: &Path) -> (String, Vec<String>) {
    let step = setting("FLAMBEAU_FUZZ_CHILDREN", 2);
    let patience = Duration::from_secs(setting("FLAMBEAU_FUZZ_PATIENCE", 60) as u64);
    let mut failures: Vec<String> = Vec::new();
    let mut crashes: Vec<usize> = Vec::new();
    let (mut logs, mut workers) = (Vec::new(), Vec::new());
    for part in 0..step {
        let log = folder.join(format!("part-{part}.log"));
        workers.push(Worker::start(part, step, 0, &log));
        logs.push(log);
    }
    while !workers.is_empty() {
        std::thread::sleep(Duration::from_millis(50));
        let mut still = Vec::new();
        for mut worker in workers {
            let Some(end) = worker.poll(patience) else {
                still.push(worker);
                continue;
            };
            let text = std::fs::read_to_string(&worker.log).unwrap_or_default();
            if text.lines().last().unwrap_or_default().starts_with("summary ") {
                continue;
            }
            let call = text.lines().rev().find(|line| line.starts_with("call "));
            let panic = text.lines().rev().find(|line| line.starts_with("bad panic "));
            let failure = format!("{end}: {} {}", call.unwrap_or("no call"), panic.unwrap_or(""));
            println!("{failure}");
            failures.push(failure);
            // Goes on behind the call that ended it, so that one run tells of all.
            let Some((index, round)) = call.and_then(place) else { continue };
            crashes.push(index);
            let enough = crashes.iter().filter(|&&other| other == index).count() >= CRASHES_OF_ONE;
            let (from, first_round) = if enough { (index + step, 0) } else { (index, round + 1) };
            let log = folder.join(format!("{index}-{round}.log"));
            still.push(Worker::start(from, step, first_round, &log));
            logs.push(log);
        }
        workers = still;
    }
    (logs.iter().map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect(), failures)
}

/// The case and the round of a line `call INDEX ROUND SCRIPT`.
fn place(call: &str) -> Option<(usize, usize)> {
    let mut parts = call.split(' ').skip(1).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[test]
fn no_arguments_end_the_process() {
    if std::env::var_os(TASK).is_some() {
        return;
    }
    let begin = Instant::now();
    let folder = tempfile::tempdir().expect("a folder");
    let (log, failures) = run_all(folder.path());
    if let Some(path) = std::env::var_os("FLAMBEAU_FUZZ_LOG") {
        std::fs::write(path, &log).expect("a log");
    }
    let count = |start: &str| log.lines().filter(|line| line.starts_with(start)).count();
    let operators = count("end operator ");
    let answered = count("end operator answered ");
    println!(
        "{operators} overloads and {} functions in {} calls, {answered} and {} of them answered at \
         least once, {:.0} s",
        count("end function "),
        count("call "),
        count("end function answered "),
        begin.elapsed().as_secs_f64()
    );
    let bad: Vec<&str> = log.lines().filter(|line| line.starts_with("bad ")).collect();
    assert!(failures.is_empty(), "{} crashes:\n{}", failures.len(), failures.join("\n"));
    assert!(bad.is_empty(), "{} messages that are not for users:\n{}", bad.len(), bad.join("\n"));
    assert!(
        std::env::var_os("FLAMBEAU_FUZZ_ONLY").is_some()
            || answered as f64 >= ANSWERED * operators as f64,
        "only {answered} of {operators} overloads answered"
    );
}
