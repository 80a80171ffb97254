//! Commands that read and write files.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use flambeau_protocol::Language;

use crate::cells::mark_of;
use crate::problem::Problem;
use crate::settings;
use crate::source::{Source, reason};

use super::{Evaluated, Front, Step, steps};

/// A path as it was typed: `~` is the home directory.
pub(super) fn path(text: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(&rest[1..]),
        _ => PathBuf::from(text),
    }
}

fn read(front: &mut dyn Front, file: &str) -> Option<Source> {
    match Source::read(&path(file)) {
        Ok(source) => Some(source),
        Err(problem) => {
            front.complain(&problem.to_string());
            None
        }
    }
}

/// `:run FILE`
pub fn run(front: &mut dyn Front, file: &str) -> Result<(), Problem> {
    if let Some(source) = read(front, file) {
        front.run_source(source)?;
    }
    Ok(())
}

/// `:load FILE`
pub fn load(front: &mut dyn Front, file: &str) -> Result<(), Problem> {
    match read(front, file).map(Source::text) {
        Some(Ok(text)) => front.put(text.trim_end().to_owned()),
        Some(Err(error)) => front.report(&error),
        None => {}
    }
    Ok(())
}

/// `:save FILE`
pub fn save(front: &mut dyn Front, file: &str) -> Result<(), Problem> {
    let file = path(file);
    let cells: Vec<&Evaluated> = front.cells().iter().filter(|cell| cell.succeeded).collect();
    match write(&file, &script(&cells)) {
        Ok(()) => front.say(&format!("{} cells in {}", cells.len(), file.display())),
        Err(error) => {
            front.complain(&format!("cannot write {}: {}", file.display(), reason(&error)));
        }
    }
    Ok(())
}

/// The cells as one script, with a mark where the language changes.
fn script(cells: &[&Evaluated]) -> String {
    let mut text = String::new();
    let mut language = Language::Rhai;
    for cell in cells {
        for step in steps(&cell.code, cell.language) {
            // Commands are the user's, not the script's.
            let Step::Code(part) = step else { continue };
            if part.language != language {
                language = part.language;
                text.push_str(&format!("{}\n", mark_of(language)));
            }
            let code = part.code.trim_start_matches('\n').trim_end();
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
pub fn config(front: &mut dyn Front, _: &str) -> Result<(), Problem> {
    let Some(path) = settings::file() else {
        front.complain("there is no place for settings: neither $XDG_CONFIG_HOME nor $HOME is set");
        return Ok(());
    };
    match settings::write_default(&path) {
        Ok(()) => front.say(&format!("{} is new, with all defaults", path.display())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            front.say(&path.display().to_string());
        }
        Err(error) => {
            front.complain(&format!("cannot write {}: {}", path.display(), reason(&error)));
        }
    }
    Ok(())
}

/// `:cd [FOLDER]`
pub fn cd(front: &mut dyn Front, folder: &str) -> Result<(), Problem> {
    let folder = path(if folder.is_empty() { "~" } else { folder });
    match std::env::set_current_dir(&folder).and_then(|()| std::env::current_dir()) {
        Ok(folder) => front.say(&folder.display().to_string()),
        Err(error) => {
            front.complain(&format!("cannot go to {}: {}", folder.display(), reason(&error)));
        }
    }
    Ok(())
}
