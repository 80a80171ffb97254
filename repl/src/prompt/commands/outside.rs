//! Commands that work with other programs: an editor, a shell; and with files that change.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;

use flambeau_protocol::Language;
use notify::{RecursiveMode, Watcher};

use crate::problem::Problem;
use crate::source::{Source, reason};

use super::super::Prompt;
use super::Flow;
use super::files::path;

/// How often Ctrl-C is looked for while a file is watched.
const LOOK: Duration = Duration::from_millis(50);
/// How long a file must be left alone before it is run: editors write it in several steps.
const SETTLED: Duration = Duration::from_millis(100);

/// `:sh CODE`
pub fn sh(prompt: &mut Prompt<'_>, code: &str) -> Result<Flow, Problem> {
    let status = Command::new("sh").arg("-c").arg(code).status();
    // Ctrl-C was for the command.
    prompt.remote.forget_interrupts();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => prompt.complain(&ended(status)),
        Err(error) => prompt.complain(&format!("cannot run sh: {}", reason(&error))),
    }
    Ok(Flow::On)
}

/// How a program ended that did not succeed.
fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// `:edit [CELL]`
pub fn edit(prompt: &mut Prompt<'_>, number: &str) -> Result<Flow, Problem> {
    let cell = match number.parse::<u64>() {
        _ if number.is_empty() => prompt.cells.last(),
        Ok(wanted) => match prompt.cells.iter().find(|cell| cell.number == wanted) {
            Some(cell) => Some(cell),
            None => {
                prompt.complain(&format!("there is no cell {wanted} in this session"));
                return Ok(Flow::On);
            }
        },
        Err(_) => {
            prompt.complain(&format!("'{number}' is no number of a cell"));
            return Ok(Flow::On);
        }
    };
    let language = cell.map_or(prompt.mode.language(), |cell| cell.language);
    let before = cell.map(|cell| cell.code.clone()).unwrap_or_default();
    match edited(&before, language) {
        Ok(Some(after)) if !after.trim().is_empty() => {
            let code = after.trim_end();
            prompt.say(code);
            prompt.later.push(code.to_owned());
            prompt.evaluate_in(language, code)?;
        }
        Ok(Some(_)) => prompt.say("the cell is empty: nothing is run"),
        Ok(None) => prompt.say("not saved: nothing is run"),
        Err(cause) => prompt.complain(&cause),
    }
    Ok(Flow::On)
}

/// What the editor has saved; `None` where it has not.
fn edited(text: &str, language: Language) -> Result<Option<String>, String> {
    let says = |error: std::io::Error| reason(&error);
    let folder = std::env::temp_dir();
    let extension = match language {
        Language::Rhai => "rhai",
        Language::Python => "py",
    };
    let file = unused(&folder, extension);
    let new = || std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
    let shown = if text.is_empty() { String::new() } else { format!("{}\n", text.trim_end()) };
    new()
        .and_then(|mut new| std::io::Write::write_all(&mut new, shown.as_bytes()))
        .map_err(|error| format!("cannot write {}: {}", file.display(), says(error)))?;
    let written = modified(&file);
    let (editor, status) = run_editor(&file);
    let outcome = match status {
        Ok(status) if !status.success() => Err(format!("{editor}: {}", ended(status))),
        Ok(_) if modified(&file) == written => Ok(None),
        Ok(_) => std::fs::read_to_string(&file)
            .map(Some)
            .map_err(|error| format!("cannot read {}: {}", file.display(), says(error))),
        Err(error) => {
            Err(format!("cannot run {editor}: {}; $VISUAL or $EDITOR names one", says(error)))
        }
    };
    // Nobody else knows of it.
    let _ = std::fs::remove_file(&file);
    outcome
}

fn modified(file: &Path) -> Option<(std::time::SystemTime, u64)> {
    let about = std::fs::metadata(file).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// A path that no file has.
fn unused(folder: &Path, extension: &str) -> PathBuf {
    let process = std::process::id();
    let names = (0..).map(|i: u64| folder.join(format!("flambeau-{process}-{i}.{extension}")));
    names.into_iter().find(|path| !path.exists()).unwrap_or_else(|| folder.to_owned())
}

/// Runs `$VISUAL`, `$EDITOR` or vi, which may come with arguments.
fn run_editor(file: &Path) -> (String, std::io::Result<ExitStatus>) {
    let named = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    let editor = editor.to_string_lossy().into_owned();
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(file).status();
    (editor, status)
}

/// `:watch FILE`
pub fn watch(prompt: &mut Prompt<'_>, file: &str) -> Result<Flow, Problem> {
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
            prompt.complain(&format!("cannot watch {}: {error}", file.display()));
            return Ok(Flow::On);
        }
    };
    prompt.remote.forget_interrupts();
    loop {
        let before = modified(&file);
        match Source::read(&file) {
            // Between two steps of an editor there may be none.
            Ok(source) => {
                if prompt.run_source(source)? {
                    break;
                }
            }
            Err(problem) => prompt.complain(&problem.to_string()),
        }
        prompt.say(&format!("watching {}; Ctrl-C ends that", file.display()));
        if !wait(prompt, &file, before, &changes) {
            break;
        }
    }
    prompt.remote.forget_interrupts();
    Ok(Flow::On)
}

/// Waits until the file is another one; false after Ctrl-C.
fn wait(
    prompt: &Prompt<'_>,
    file: &Path,
    before: Option<(std::time::SystemTime, u64)>,
    changes: &mpsc::Receiver<notify::Result<notify::Event>>,
) -> bool {
    loop {
        if prompt.remote.was_interrupted() {
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
