//! Every operator with random arguments of every kind, and nothing ends the process.
//!
//! The calls are made in child processes with a limit on their address space, so that a crash, an
//! endless loop or an allocation beyond the machine names the operator and its arguments. Everything is
//! seeded; a failure's script can be run by hand.

mod child;
mod values;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes of address space of a child, in KiB: what is larger must be an OutOfMemoryError.
const ADDRESS_SPACE_KIB: u64 = 6 << 20;

/// An operator that takes longer is as bad as one that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const TASK: &str = "FLAMBEAU_FUZZ_TASK";

/// Does nothing unless the test below started this process for it.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let parts: Vec<&str> = task.split(' ').collect();
    let number = |i: usize| parts[i].parse().expect("a number");
    child::run(&child::Task {
        from: number(0),
        step: number(1),
        rounds: number(2),
        seed: number(3) as u64,
        log: &PathBuf::from(parts[4]),
    });
}

/// One of the processes that share the operators among them.
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
    fn start(from: usize, step: usize, log: PathBuf) -> Worker {
        let rounds = setting("FLAMBEAU_FUZZ_ROUNDS", 16);
        let seed = setting("FLAMBEAU_FUZZ_SEED", 1);
        let program = std::env::current_exe().expect("the test knows its own path");
        let child = Command::new("sh")
            .args([
                "-c",
                &format!("ulimit -v {ADDRESS_SPACE_KIB}; ulimit -c 0; exec \"$0\" \"$@\""),
            ])
            .arg(program)
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(TASK, format!("{from} {step} {rounds} {seed} {}", log.display()))
            .env("OMP_NUM_THREADS", "1")
            // Some operators write files.
            .current_dir(log.parent().expect("a folder"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        Worker { child, log, seen: 0, moved: Instant::now() }
    }

    /// How it ended, or that it hangs; `None` while it runs well.
    fn poll(&mut self) -> Option<String> {
        if let Some(status) = self.child.try_wait().expect("a child") {
            return Some(status.to_string());
        }
        let length = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        if length != self.seen {
            self.seen = length;
            self.moved = Instant::now();
        }
        if self.moved.elapsed() > PATIENCE {
            self.child.kill().expect("a child");
            self.child.wait().expect("a child");
            return Some(format!("no end within {} s", PATIENCE.as_secs()));
        }
        None
    }
}

#[test]
fn no_arguments_of_an_operator_end_the_process() {
    if std::env::var_os(TASK).is_some() {
        return;
    }
    let begin = Instant::now();
    let folder = tempfile::tempdir().expect("a folder");
    let step = setting("FLAMBEAU_FUZZ_CHILDREN", 2);
    let mut failures: Vec<String> = Vec::new();
    let mut logs: Vec<PathBuf> = Vec::new();
    let mut workers: Vec<Worker> = Vec::new();
    for part in 0..step {
        let log = folder.path().join(format!("{part}-0.log"));
        logs.push(log.clone());
        workers.push(Worker::start(part, step, log));
    }
    while !workers.is_empty() {
        std::thread::sleep(Duration::from_millis(50));
        let mut still = Vec::new();
        for mut worker in workers {
            let Some(end) = worker.poll() else {
                still.push(worker);
                continue;
            };
            let text = std::fs::read_to_string(&worker.log).unwrap_or_default();
            let last = text.lines().last().unwrap_or_default();
            if last.starts_with("summary ") {
                continue;
            }
            // Goes on behind the operator that ended it, so that one run tells of all.
            let call =
                text.lines().rev().find(|line| line.starts_with("call ")).unwrap_or("call 0 ?");
            failures.push(format!("{end}: {call}"));
            let index = call.split(' ').nth(1).and_then(|i| i.parse::<usize>().ok()).unwrap_or(0);
            let log = folder.path().join(format!("{index}.log"));
            logs.push(log.clone());
            still.push(Worker::start(index + step, step, log));
        }
        workers = still;
    }
    let all: String =
        logs.iter().map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect();
    if let Some(path) = std::env::var_os("FLAMBEAU_FUZZ_LOG") {
        std::fs::write(path, &all).expect("a log");
    }
    let count = |start: &str| all.lines().filter(|line| line.starts_with(start)).count();
    let reached = all.lines().filter(|line| line.ends_with(" reached")).count();
    println!(
        "{} overloads in {} calls, {reached} of them answered at least once, {:.0} s",
        count("end "),
        count("call "),
        begin.elapsed().as_secs_f64()
    );
    let bad: Vec<&str> = all.lines().filter(|line| line.starts_with("bad ")).collect();
    println!("{} messages that are not for users", bad.len());
    assert!(failures.is_empty(), "{} crashes:\n{}", failures.len(), failures.join("\n"));
}
