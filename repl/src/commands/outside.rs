//! Commands that work with other programs: an editor, a shell; and with files that change.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};

use crate::environment::program_dir;
use crate::problem::Problem;
use crate::source::{Source, reason};

use super::Front;
use super::files::path;

/// How often Ctrl-C is looked for while a file is watched.
const LOOK: Duration = Duration::from_millis(50);
/// How long a file must be left alone before it is run: editors write it in several steps.
const SETTLED: Duration = Duration::from_millis(100);

/// `:sh CODE`
pub fn sh(front: &mut dyn Front, code: &str) -> Result<(), Problem> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(code);
    if let Some(path) = search_path() {
        command.env("PATH", path);
    }
    let status = command.status();
    // Ctrl-C was for the command.
    front.forget_interrupts();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => front.complain(&ended(status)),
        Err(error) => front.complain(&format!("cannot run sh: {}", reason(&error))),
    }
    Ok(())
}

/// `$PATH`, and behind it where this program lies: `flambeau` is found in an environment that nobody has activated, as
/// a kernel's mostly is.
fn search_path() -> Option<OsString> {
    let known = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&known).chain(program_dir());
    std::env::join_paths(folders).ok()
}

/// How a program ended that did not succeed.
pub fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// By what can be seen that a file has changed.
pub fn modified(file: &Path) -> Option<(std::time::SystemTime, u64)> {
    let about = std::fs::metadata(file).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// `:watch FILE`
pub fn watch(front: &mut dyn Front, file: &str) -> Result<(), Problem> {
    let file = path(file);
    let (changed, changes) = mpsc::channel();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // What is only read has not changed.
        let reads = matches!(&event, Ok(event) if event.kind.is_access());
        if !reads {
            // Nobody listens any more at the end.
            let _ = changed.send(event);
        }
    });
    // The folder: many editors put a new file in the place of the old one.
    let folder = std::path::absolute(&file).ok().and_then(|path| Some(path.parent()?.to_owned()));
    let begun = watcher.and_then(|mut watcher| {
        let folder = folder.unwrap_or_default();
        watcher.watch(&folder, RecursiveMode::NonRecursive).map(|()| watcher)
    });
    let _watcher = match begun {
        Ok(watcher) => watcher,
        Err(error) => {
            front.complain(&format!("cannot watch {}: {error}", file.display()));
            return Ok(());
        }
    };
    front.forget_interrupts();
    loop {
        let before = modified(&file);
        match Source::read(&file) {
            // Between two steps of an editor there may be none.
            Ok(source) => {
                if front.run_source(source)? {
                    break;
                }
            }
            Err(problem) => front.complain(&problem.to_string()),
        }
        front.say(&format!("watching {}; Ctrl-C ends that", file.display()));
        if !wait(front, &file, before, &changes) {
            break;
        }
    }
    front.forget_interrupts();
    Ok(())
}

/// Waits until the file is another one; false after Ctrl-C.
fn wait(
    front: &mut dyn Front,
    file: &Path,
    before: Option<(std::time::SystemTime, u64)>,
    changes: &mpsc::Receiver<notify::Result<notify::Event>>,
) -> bool {
    loop {
        if front.was_interrupted() {
            return false;
        }
        match changes.recv_timeout(LOOK) {
            Ok(_) => {
                while changes.recv_timeout(SETTLED).is_ok() {}
                let now = modified(file);
                if now.is_some() && now != before {
                    return true;
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
        }
    }
}
