//! What the system knows of processes: whose children they are, how much memory they hold. Source: proc(5).

use std::collections::HashSet;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The children of a process.
fn children(pid: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    let tasks = tasks.into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let numbers = lists.flat_map(|list| {
        list.split_whitespace().filter_map(|number| number.parse().ok()).collect::<Vec<i32>>()
    });
    numbers.filter_map(Pid::from_raw).collect()
}

/// All that descend from a process, but not itself.
pub fn descendants(pid: Pid) -> Vec<Pid> {
    let mut known = HashSet::from([pid]);
    let mut found = Vec::new();
    let mut waiting = vec![pid];
    while let Some(pid) = waiting.pop() {
        for child in children(pid) {
            if known.insert(child) {
                found.push(child);
                waiting.push(child);
            }
        }
    }
    found
}

/// Bytes of memory that a process holds alone: not those of files such as libraries.
pub fn memory(pid: Pid) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// Ends all that descend from a process, also what is begun meanwhile.
pub fn kill_descendants(pid: Pid) {
    loop {
        let found = descendants(pid);
        let mut killed = false;
        for child in found {
            // One that has ended and is not waited for yet cannot be ended again.
            killed |= !is_zombie(child) && kill_process(child, Signal::KILL).is_ok();
        }
        if !killed {
            return;
        }
    }
}

fn is_zombie(pid: Pid) -> bool {
    let stat =
        fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, behind)| behind.trim_start().starts_with(['Z', 'X']))
}
