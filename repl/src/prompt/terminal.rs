//! Commands that only the prompt has: they change how it reads, or need the terminal.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use flambeau_protocol::Language;

use super::Prompt;
use crate::commands::{Flow, Front, ended, modified};
use crate::problem::Problem;
use crate::source::reason;

/// `:python`
pub fn python(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    prompt.mode.set(match prompt.language() {
        Language::Rhai => Language::Python,
        Language::Python => Language::Rhai,
    });
    Ok(Flow::On)
}

/// `:rhai`
pub fn rhai(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    prompt.mode.set(Language::Rhai);
    Ok(Flow::On)
}

/// `:edit [CELL]`
pub fn edit(prompt: &mut Prompt<'_>, number: &str) -> Result<Flow, Problem> {
    let cell = match number.parse::<u64>() {
        _ if number.is_empty() => prompt.cells().last(),
        Ok(wanted) => match prompt.cells().iter().find(|cell| cell.number == wanted) {
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
    let language = cell.map_or(prompt.language(), |cell| cell.language);
    let before = cell.map(|cell| cell.code.clone()).unwrap_or_default();
    match edited(&before, language) {
        Ok(Some(after)) if !after.trim().is_empty() => {
            let code = after.trim_end();
            prompt.say(code);
            prompt.later.push(code.to_owned());
            prompt.evaluate(language, code)?;
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
