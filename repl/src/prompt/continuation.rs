//! Whether a cell goes on in the next line, and how far that is indented.

use flambeau_protocol::Language;

use crate::cells::Span;
use crate::commands;

use super::scan::{Kind, Open, Scan};
use super::scan_python;
use super::scan_script::scan;

/// How much deeper each open bracket is.
pub const INDENT: usize = 4;

/// Whether the cell wants another line; `last` is its last part. Behind a mark a part ends with an empty line.
pub fn is_open(cell: &str, last: &Span) -> bool {
    // Commands and questions are one line, but for those that take all lines behind them.
    if question(cell.trim()).is_some() {
        return false;
    }
    if let Some(takes_all) = commands::is_command(cell) {
        return takes_all && !ends_with_empty_line(cell);
    }
    let part = &cell[last.range.clone()];
    let open = match last.language {
        Language::Rhai => is_open_script(part),
        Language::Python => scan_python::is_open(part),
    };
    open || (last.marked && !ends_with_empty_line(part))
}

/// Whether brackets of a script do not fit together.
pub fn is_wrong(cell: &str, language: Language) -> bool {
    language == Language::Rhai && scan(cell).mismatched
}

fn is_open_script(cell: &str) -> bool {
    let scan = scan(cell);
    if scan.mismatched {
        return false;
    }
    // An empty line gets out of an operator that was left at the end.
    !scan.open.is_empty() || (ends_with_operator(cell, &scan) && !ends_with_empty_line(cell))
}

/// A wish to know more of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    pub name: &'a str,
    /// Whether its definition is asked for too.
    pub source: bool,
}

/// What `name?`, `name??` and, as in IPython, `?name` ask for.
pub fn question(cell: &str) -> Option<Question<'_>> {
    let name = cell.trim_matches('?');
    let marks = cell.len() - name.len();
    let name = name.trim();
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    (marks > 0 && plain && !name.is_empty()).then_some(Question { name, source: marks > 1 })
}

fn ends_with_empty_line(cell: &str) -> bool {
    cell.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty())
}

/// Whether the last sign wants another operand. What follows a comment's end does not.
fn ends_with_operator(cell: &str, scan: &Scan) -> bool {
    let last = scan.tokens.iter().rev().find(|token| token.kind != Kind::Comment);
    last.is_some_and(|token| {
        token.kind == Kind::Sign
            && matches!(
                &cell[token.start..token.end],
                "+" | "-" | "*" | "/" | "%" | "=" | "&" | "@" | "," | "."
            )
            && token.start > 0
    })
}

/// The indentation of the line that a break behind `before` begins.
pub fn indentation(before: &str, language: Language) -> usize {
    match language {
        Language::Rhai => indentation_in_script(before),
        Language::Python => scan_python::indentation(before),
    }
}

fn indentation_in_script(before: &str) -> usize {
    let scan = scan(before);
    if scan.open.iter().any(|open| {
        matches!(open, Open::Template | Open::RawText | Open::Continued | Open::Comment)
    }) {
        return 0;
    }
    let line = before.rsplit('\n').next().unwrap_or("");
    let here = line.len() - line.trim_start_matches(' ').len();
    // Brackets that this line opens together indent once.
    let start = before.len() - line.len();
    if scan.opens_behind(before, start) { here + INDENT } else { here }
}

/// How many of the spaces before the cursor are left when a closing bracket is typed behind them; `None` where
/// something else stands there.
pub fn outdent(before: &str) -> Option<usize> {
    let (_, line) = before.rsplit_once('\n')?;
    let blank = !line.is_empty() && line.bytes().all(|byte| byte == b' ');
    blank.then(|| line.len().saturating_sub(INDENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_goes_on_while_something_is_open_script() {
        for cell in
            ["f(", "fn f(x) {", "`a", "/* a", "1 +", "let x =", "#{ a: 1,", "x.", "f( // why?"]
        {
            assert!(is_open_script(cell), "{cell}");
        }
        for cell in ["1", "f(x)", "let x = 1;", "\"a", "f(]", "1 +\n", "// +", "1 // +", ""] {
            assert!(!is_open_script(cell), "{cell}");
        }
    }

    #[test]
    fn questions_and_commands_are_one_line() {
        let last = Span { language: Language::Rhai, range: 0..0, marked: false };
        for cell in ["x.y?", "f??", ":help ("] {
            assert!(!is_open(cell, &last), "{cell}");
        }
    }

    #[test]
    fn behind_a_mark_a_cell_ends_with_an_empty_line() {
        let open = |cell: &str| {
            let last = Span { language: Language::Python, range: 9..cell.len(), marked: true };
            is_open(cell, &last)
        };
        assert!(open("%%python\n") || open("%%python\nx = 1"));
        assert!(open("%%python\nx = 1"));
        assert!(!open("%%python\nx = 1\n"));
        assert!(open("%%python\nf(\n"));
    }

    #[test]
    fn lines_are_indented_by_what_their_line_opens() {
        assert_eq!(indentation_in_script("fn f(x) {"), 4);
        assert_eq!(indentation_in_script("    a.map(|x| {"), 8);
        assert_eq!(indentation_in_script("f(a,\n    b,"), 4);
        assert_eq!(indentation_in_script("fn f() {\n    let a = 1;"), 4);
        assert_eq!(indentation_in_script("`text {"), 0);
        assert_eq!(indentation_in_script("let a = [1, 2];"), 0);
    }

    #[test]
    fn a_closing_bracket_goes_back() {
        assert_eq!(outdent("{\n    "), Some(0));
        assert_eq!(outdent("{\n      "), Some(2));
        assert_eq!(outdent("{\n    a"), None);
        assert_eq!(outdent("    "), None);
    }
}
