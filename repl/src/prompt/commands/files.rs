//! Commands that read and write files.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use flambeau_protocol::Language;

use crate::cells::{mark_of, spans};
use crate::problem::Problem;
use crate::settings;
use crate::source::{Source, reason};

use super::super::{Evaluated, Prompt};
use super::Flow;

/// A path as it was typed: `~` is the home directory.
pub(super) fn path(text: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(&rest[1..]),
        _ => PathBuf::from(text),
    }
}

fn read(prompt: &Prompt<'_>, file: &str) -> Option<Source> {
    match Source::read(&path(file)) {
        Ok(source) => Some(source),
        Err(problem) => {
            prompt.complain(&problem.to_string());
            None
        }
    }
}

/// `:run FILE`
pub fn run(prompt: &mut Prompt<'_>, file: &str) -> Result<Flow, Problem> {
    if let Some(source) = read(prompt, file) {
        prompt.run_source(source)?;
    }
    Ok(Flow::On)
}

/// `:load FILE`
pub fn load(prompt: &mut Prompt<'_>, file: &str) -> Result<Flow, Problem> {
    match read(prompt, file).map(Source::text) {
        Some(Ok(text)) => prompt.initial = text.trim_end().to_owned(),
        Some(Err(error)) => prompt.screen.report(&error),
        None => {}
    }
    Ok(Flow::On)
}

/// `:save FILE`
pub fn save(prompt: &mut Prompt<'_>, file: &str) -> Result<Flow, Problem> {
    let file = path(file);
    let cells: Vec<&Evaluated> = prompt.cells.iter().filter(|cell| cell.succeeded).collect();
    match write(&file, &script(&cells)) {
        Ok(()) => prompt.say(&format!("{} cells in {}", cells.len(), file.display())),
        Err(error) => {
            prompt.complain(&format!("cannot write {}: {}", file.display(), reason(&error)));
        }
    }
    Ok(Flow::On)
}

/// The cells as one script, with a mark where the language changes.
fn script(cells: &[&Evaluated]) -> String {
    let mut text = String::new();
    let mut language = Language::Rhai;
    for cell in cells {
        for span in spans(&cell.code, cell.language) {
            if span.language != language {
                language = span.language;
                text.push_str(&format!("{}\n", mark_of(language)));
            }
            let code = cell.code[span.range].trim_end();
            text.push_str(code);
            // A value that was shown is a statement now.
            if language == Language::Rhai && !code.ends_with([';', '}']) {
                text.push(';');
            }
            text.push('\n');
        }
    }
    text
}

/// Writes a file; nothing that is there is overwritten.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(file)?;
    file.write_all(text.as_bytes())?;
    file.flush()
}

/// `:config`
pub fn config(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    let Some(path) = settings::file() else {
        prompt
            .complain("there is no place for settings: neither $XDG_CONFIG_HOME nor $HOME is set");
        return Ok(Flow::On);
    };
    match settings::write_default(&path) {
        Ok(()) => prompt.say(&format!("{} is new, with all defaults", path.display())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            prompt.say(&path.display().to_string());
        }
        Err(error) => {
            prompt.complain(&format!("cannot write {}: {}", path.display(), reason(&error)));
        }
    }
    Ok(Flow::On)
}

/// `:cd [FOLDER]`
pub fn cd(prompt: &mut Prompt<'_>, folder: &str) -> Result<Flow, Problem> {
    let folder = path(if folder.is_empty() { "~" } else { folder });
    match std::env::set_current_dir(&folder).and_then(|()| std::env::current_dir()) {
        Ok(folder) => prompt.say(&folder.display().to_string()),
        Err(error) => {
            prompt.complain(&format!("cannot go to {}: {}", folder.display(), reason(&error)));
        }
    }
    Ok(Flow::On)
}
