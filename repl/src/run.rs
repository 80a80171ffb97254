//! `flambeau run`: one script, from text to exit code.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use flambeau_protocol::{Configure, Done, ErrorReport, Event, Request};

use crate::cli::{Run, Shared};
use crate::draw::Screen;
use crate::environment::Places;
use crate::extension;
use crate::problem::{Problem, exit};
use crate::signal::Interrupts;
use crate::start::start;

/// Runs the script and says what the program ends with.
///
/// # Errors
/// Whatever keeps the script from being begun.
pub fn run(run: &Run, shared: &Shared) -> Result<u8, Problem> {
    let interrupts =
        Interrupts::watch().map_err(|error| Problem::EngineFailed(error.to_string()))?;
    let sandbox = run.sandbox;
    if run.script == Path::new("-") {
        // Before standard input has been read: inside another process it would be empty.
        let folder = std::env::current_dir().ok();
        let script_dir = folder.as_deref();
        let places = Places { explicit: shared.env.as_deref(), script_dir, sandbox };
        extension::move_in_if_needed(places)?;
    }
    let source = Source::read(&run.script)?;
    let screen = Arc::new(Screen::new(shared.color));
    let code = match text(source.bytes) {
        Ok(code) => code,
        Err(error) => {
            screen.report(&error.in_file(&source.name));
            return Ok(exit::SCRIPT);
        }
    };

    let configure = Configure {
        args: run.args.clone(),
        script_dir: Some(source.folder.clone()),
        permissions: run.permissions(),
        limits: run.limits(),
        ..Configure::default()
    };
    let places =
        Places { explicit: shared.env.as_deref(), script_dir: Some(&source.folder), sandbox };
    let (answer, answers) = mpsc::channel();
    let engine = start(places, configure, {
        let screen = screen.clone();
        move |event| match event {
            // Nobody listens any more once the first answer was taken.
            Event::Done(done) => drop(answer.send(Ok(done))),
            Event::Failed(cause) => drop(answer.send(Err(Problem::EngineFailed(cause)))),
            event => screen.draw(event),
        }
    })?;
    let engine = Arc::new(engine);
    interrupts.forward_to(&engine);
    engine.send(&Request::Evaluate { id: 1, source_name: source.name, code });
    let done = answers.recv().unwrap_or_else(|_| Err(Problem::EngineFailed("it is gone".into())));
    interrupts.finished();
    screen.finish();
    let code = exit_code(&done?, &screen);
    // Ends the session, so that what a script left open is written out.
    drop(engine);
    Ok(code)
}

/// Shows an error and says what the program ends with.
fn exit_code(done: &Done, screen: &Screen) -> u8 {
    match &done.error {
        None => exit::OK,
        Some(error) => {
            screen.report(error);
            if error.is_interrupt() { exit::INTERRUPT } else { exit::SCRIPT }
        }
    }
}

/// A script as it was found.
struct Source {
    /// What tracebacks call it.
    name: String,
    /// Where its relative imports start.
    folder: PathBuf,
    bytes: Vec<u8>,
}

impl Source {
    fn read(path: &Path) -> Result<Source, Problem> {
        let cannot = |cause: std::io::Error| Problem::Script {
            path: path.to_owned(),
            cause: reason(&cause),
        };
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(cannot)?;
            let folder = std::env::current_dir().map_err(cannot)?;
            return Ok(Source { name: "<stdin>".to_owned(), folder, bytes });
        }
        let bytes = std::fs::read(path).map_err(cannot)?;
        let absolute = std::path::absolute(path).map_err(cannot)?;
        let folder = absolute.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Source { name: path.display().to_string(), folder, bytes })
    }
}

/// The system's words without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Bytes that are no text, and where.
#[derive(Debug, PartialEq, Eq)]
struct NotText {
    byte: u8,
    line: usize,
    column: usize,
}

/// The script as text, without a byte order mark.
fn text(bytes: Vec<u8>) -> Result<String, NotText> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        NotText { byte: error.as_bytes()[at], line: before.matches('\n').count() + 1, column }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

impl NotText {
    fn in_file(&self, name: &str) -> ErrorReport {
        let NotText { byte, line, column } = self;
        let message = format!(
            "{name}:{line}:{column}: the script is not UTF-8: byte 0x{byte:02x}; save it as UTF-8"
        );
        ErrorReport {
            line: Some(*line),
            column: Some(*column),
            ..ErrorReport::without_place("SyntaxError", &message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_placed() {
        let found = text(b"let a = 1;\nlet \xc3\xa4 = \xff;".to_vec());
        assert_eq!(found, Err(NotText { byte: 0xff, line: 2, column: 9 }));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_script() {
        assert_eq!(text(b"\xef\xbb\xbf1".to_vec()), Ok("1".to_owned()));
    }
}
