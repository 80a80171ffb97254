//! Processes of the system: who belongs to whom, and signals. Source: proc(5).

use std::fs;
use std::process::Command;

/// Sends a signal by its name.
///
/// # Panics
/// When it cannot be sent.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.expect("a shell").success(), "{name} to {pid}");
}

/// The process that a process belongs to.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The children of a process.
///
/// # Panics
/// Without proc(5).
pub fn children(of: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|&pid: &u32| parent(pid) == Some(of)).collect()
}

/// Everything below a process.
pub fn descendants(of: u32) -> Vec<u32> {
    children(of).into_iter().flat_map(|pid| [vec![pid], descendants(pid)].concat()).collect()
}

/// Seconds that a process has computed, in all its threads; 0 where there is none.
pub fn computed(pid: u32) -> f64 {
    /// How many of the system's ticks a second has, on all that Linux runs on.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, behind)| behind).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// Whether a process is there and has not ended.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, behind)| !behind.trim_start().starts_with('Z'))
}
