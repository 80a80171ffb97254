//! The processes that cells have started: they end with the kernel and hear when it is told to stop.
//!
//! Jupyter starts a kernel as the leader of a group, in which what it starts stays. Started in another way it is not
//! alone in its group, and nobody is told anything.

use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, kill_process_group};

/// Ends the group.
pub fn end_group() {
    if getpgrp() == getpid() {
        // We hear it too, and are ending already.
        let _ = kill_process_group(getpid(), Signal::TERM);
    }
}

/// Tells everyone else in the group what Ctrl-C would have told them. Source: proc(5), `/proc/pid/stat`.
pub fn interrupt_children() {
    let own = getpid();
    if getpgrp() != own {
        return;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return };
    let names = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for pid in names.filter_map(|name| Pid::from_raw(name.parse().ok()?)) {
        if pid != own && group(pid) == Some(own.as_raw_nonzero().get()) {
            // It may have ended.
            let _ = kill_process(pid, Signal::INT);
        }
    }
}

/// The group of a process: the third word behind its name, which may hold anything.
fn group(pid: Pid) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    behind.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_process_is_read() {
        assert_eq!(group(getpid()), Some(getpgrp().as_raw_nonzero().get()));
    }
}
