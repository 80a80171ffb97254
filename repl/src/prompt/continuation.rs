//! Whether a cell goes on in the next line, and how far that is indented.

use super::scan::{Kind, Open, Scan, scan};

/// How much deeper each open bracket is.
pub const INDENT: usize = 4;

/// Whether the cell wants another line.
pub fn is_open(cell: &str) -> bool {
    // Commands and questions are one line.
    if is_command(cell) {
        return false;
    }
    let scan = scan(cell);
    if scan.mismatched {
        return false;
    }
    // An empty line gets out of an operator that was left at the end.
    !scan.open.is_empty() || (ends_with_operator(cell, &scan) && !ends_with_empty_line(cell))
}

/// Whether a cell is for the program and not for the engine.
pub fn is_command(cell: &str) -> bool {
    let trimmed = cell.trim();
    trimmed.starts_with(':') || question(trimmed).is_some()
}

/// The name in `name?`.
pub fn question(cell: &str) -> Option<&str> {
    let name = cell.strip_suffix('?')?.trim_end_matches('?').trim();
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    (plain && !name.is_empty()).then_some(name)
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
pub fn indentation(before: &str) -> usize {
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
    let closed: Vec<usize> = scan.pairs.iter().map(|pair| pair.0).collect();
    let opens = scan.tokens.iter().any(|token| {
        token.kind == Kind::Bracket
            && token.start >= start
            && matches!(before[token.start..token.end].chars().last(), Some('(' | '[' | '{'))
            && !closed.contains(&token.start)
    });
    if opens { here + INDENT } else { here }
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
    fn a_cell_goes_on_while_something_is_open() {
        for cell in
            ["f(", "fn f(x) {", "`a", "/* a", "1 +", "let x =", "#{ a: 1,", "x.", "f( // why?"]
        {
            assert!(is_open(cell), "{cell}");
        }
        for cell in [
            "1",
            "f(x)",
            "let x = 1;",
            "\"a",
            "f(]",
            "1 +\n",
            "x.y?",
            "f??",
            ":help",
            "// +",
            "1 // +",
            "",
        ] {
            assert!(!is_open(cell), "{cell}");
        }
    }

    #[test]
    fn lines_are_indented_by_what_their_line_opens() {
        assert_eq!(indentation("fn f(x) {"), 4);
        assert_eq!(indentation("    a.map(|x| {"), 8);
        assert_eq!(indentation("f(a,\n    b,"), 4);
        assert_eq!(indentation("fn f() {\n    let a = 1;"), 4);
        assert_eq!(indentation("`text {"), 0);
        assert_eq!(indentation("let a = [1, 2];"), 0);
    }

    #[test]
    fn a_closing_bracket_goes_back() {
        assert_eq!(outdent("{\n    "), Some(0));
        assert_eq!(outdent("{\n      "), Some(2));
        assert_eq!(outdent("{\n    a"), None);
        assert_eq!(outdent("    "), None);
    }
}
