//! Reads the tables of cases.
//!
//! ```text
//! # a comment
//! setup: let x = torch.arange(6)           runs before each case that follows in the file
//! x + 1.5                                  one text for both languages
//! x[[(), -1]] <=> x[:, -1]                 two texts: script, Python
//! print: x                                 compares what is printed
//! error IndexError: x[7]                   both fail; the script's error is of this kind
//! case: a title                            several lines, indented
//!     let y = x; y += 1; [x, y]
//! <=>
//!     y = x; y = y + 1; [x, y]
//! ```
//! A text for both is translated where the languages differ in spelling only: `let`, `name: value` for
//! `name=value` in calls, `true`, `false`, and `()` for `None`. A line `%%` starts a new cell of the script.

use std::path::Path;

/// What the two sides of a case must agree in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    Value,
    Print,
    /// The kind of the script's error.
    Error(String),
}

/// A text in both languages.
#[derive(Clone, Debug, Default)]
pub struct Code {
    pub script: String,
    /// `None`: the script's own text.
    pub python: Option<String>,
}

impl Code {
    fn parse(text: &str) -> Code {
        match text.split_once("<=>") {
            Some((script, python)) => {
                Code { script: script.trim().to_owned(), python: Some(python.trim().to_owned()) }
            }
            None => Code { script: text.trim().to_owned(), python: None },
        }
    }

    /// The Python text, and whether it is the script's own.
    pub fn python(&self) -> (&str, bool) {
        match &self.python {
            Some(python) => (python, false),
            None => (&self.script, true),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Case {
    /// File and line.
    pub place: String,
    pub setup: Code,
    pub code: Code,
    pub compare: Compare,
}

/// All cases of all files of a folder.
pub fn read(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of the tables")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files.iter().flat_map(|file| parse(file)).collect()
}

fn parse(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).expect("a table is UTF-8");
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut cases = Vec::new();
    let mut setup = Code::default();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((i, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{name}:{}", i + 1);
        if let Some(code) = line.strip_prefix("setup:") {
            setup = Code::parse(code);
            continue;
        }
        let (compare, rest) = mode(line);
        let code = if rest.starts_with("case:") {
            let mut indented = || {
                let mut block = String::new();
                while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("    ")) {
                    block.push_str(&line[4..]);
                    block.push('\n');
                }
                block
            };
            let script = indented();
            let python = lines.next_if(|(_, line)| *line == "<=>").map(|_| {
                let mut block = String::new();
                while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("    ")) {
                    block.push_str(&line[4..]);
                    block.push('\n');
                }
                block
            });
            Code { script, python }
        } else {
            Code::parse(rest)
        };
        assert!(!code.script.is_empty(), "{place}: a case without code");
        cases.push(Case { place, setup: setup.clone(), code, compare });
    }
    cases
}

/// What a line's prefix asks for, and the rest of the line.
fn mode(line: &str) -> (Compare, &str) {
    if let Some(rest) = line.strip_prefix("print:") {
        return (Compare::Print, rest.trim_start());
    }
    if let Some(rest) = line.strip_prefix("error ")
        && let Some((kind, rest)) = rest.split_once(' ')
    {
        return (Compare::Error(kind.trim_end_matches(':').to_owned()), rest.trim_start());
    }
    (Compare::Value, line)
}
