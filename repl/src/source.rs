//! Scripts as they are found: a file, standard input, an argument.

use std::io::Read;
use std::path::{Path, PathBuf};

use flambeau_protocol::{ErrorReport, Language};

use crate::problem::Problem;

/// A script as it was found.
pub struct Source {
    /// What tracebacks call it.
    pub name: String,
    /// Where its relative imports start.
    pub folder: PathBuf,
    bytes: Vec<u8>,
}

impl Source {
    /// Code that was an argument.
    ///
    /// # Errors
    /// When there is no working directory.
    pub fn argument(code: &str) -> Result<Source, Problem> {
        let path = Path::new("-c");
        let folder = std::env::current_dir().map_err(|cause| cannot(path, &cause))?;
        Ok(Source { name: "<command>".to_owned(), folder, bytes: code.as_bytes().to_vec() })
    }

    /// Reads a file, or standard input where that is `-`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Source, Problem> {
        let cannot = |cause: std::io::Error| cannot(path, &cause);
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

    /// What it begins in: Python where its name says so.
    pub fn language(&self) -> Language {
        match Path::new(&self.name).extension() {
            Some(extension) if extension == "py" => Language::Python,
            _ => Language::Rhai,
        }
    }

    /// Its text, without a byte order mark.
    ///
    /// # Errors
    /// Where it is no text.
    pub fn text(self) -> Result<String, Box<ErrorReport>> {
        text(self.bytes).map_err(|error| Box::new(error.in_file(&self.name)))
    }
}

fn cannot(path: &Path, cause: &std::io::Error) -> Problem {
    Problem::Script { path: path.to_owned(), cause: reason(cause) }
}

/// The system's words without its number.
pub fn reason(error: &std::io::Error) -> String {
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
