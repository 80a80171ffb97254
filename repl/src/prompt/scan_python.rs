//! What a text in Python consists of, as far as an editor must know; and whether a cell is complete, as
//! Python's own `codeop` has it. The compiler in the engine has the last word.

use super::continuation::INDENT;
use super::scan::{Kind, Open, Scan, Scanner, word};

/// The words of the language; those that are words only in their place (`match`, `type`) are not among them.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// The words that a statement with a block begins with.
const COMPOUND: &[&str] = &[
    "async", "case", "class", "def", "elif", "else", "except", "finally", "for", "if", "match",
    "try", "while", "with",
];

/// The words behind which a block has ended.
const LAST_OF_BLOCK: &[&str] = &["break", "continue", "pass", "raise", "return"];

/// Reads a whole text.
pub fn scan(text: &str) -> Scan {
    Scanner::run(text, step)
}

fn step(scanner: &mut Scanner<'_>) {
    let rest = scanner.rest();
    let Some(first) = rest.chars().next() else { return };
    match first {
        '\\' if rest == "\\" => {
            scanner.push(Open::Continued);
            scanner.take(Kind::Sign, 1);
        }
        c if c.is_whitespace() || c == '\\' => scanner.at += c.len_utf8(),
        '#' => {
            let length = rest.find('\n').unwrap_or(rest.len());
            scanner.take(Kind::Comment, length);
        }
        '"' | '\'' => take_string(scanner, 0),
        '(' | '[' | '{' => {
            scanner.push(Open::Bracket(first));
            scanner.take(Kind::Bracket, 1);
        }
        ')' | ']' | '}' => scanner.close(first),
        c if c.is_ascii_digit() => {
            let length = number(rest);
            scanner.take(Kind::Number, length);
        }
        c if c.is_alphabetic() || c == '_' => {
            let word = word(rest);
            if is_prefix(word) && rest[word.len()..].starts_with(['"', '\'']) {
                return take_string(scanner, word.len());
            }
            scanner.word(KEYWORDS);
        }
        c => scanner.take(Kind::Sign, c.len_utf8()),
    }
}

/// A string whose quotes begin behind `prefix` bytes.
fn take_string(scanner: &mut Scanner<'_>, prefix: usize) {
    let rest = scanner.rest();
    let formatted = rest[..prefix].contains(['f', 'F', 't', 'T']);
    let (length, open) = string(&rest[prefix..], formatted);
    if let Some(open) = open {
        scanner.push(open);
    }
    scanner.take(Kind::Text, prefix + length);
}

fn is_prefix(word: &str) -> bool {
    word.len() <= 2 && word.chars().all(|c| "rbfutRBFUT".contains(c))
}

/// The length of the string that `text` begins with, and what is open where it does not end. In a formatted one a
/// bracket may hold strings of the same quotes.
fn string(text: &str, formatted: bool) -> (usize, Option<Open>) {
    let Some(quote) = text.chars().next() else { return (0, None) };
    let triple: String = [quote; 3].iter().collect();
    let long = text.starts_with(&triple);
    let closing = if long { triple.as_str() } else { &text[..1] };
    let mut at = closing.len();
    let mut depth = 0_usize;
    while at < text.len() {
        let rest = &text[at..];
        let Some(c) = rest.chars().next() else { break };
        match c {
            '\\' if depth == 0 => {
                let escaped = rest[1..].chars().next();
                if escaped.is_none_or(|c| c == '\n') && rest.len() <= 2 && !long {
                    return (text.len(), Some(Open::Continued));
                }
                at += 1 + escaped.map_or(0, char::len_utf8);
                continue;
            }
            '\n' if !long => return (at, None),
            _ if depth == 0 && rest.starts_with(closing) => return (at + closing.len(), None),
            '{' if formatted && depth == 0 && rest.starts_with("{{") => at += 1,
            '{' if formatted => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            // Before Python 3.12 these quotes end the string: no other text could follow.
            '"' | '\'' if depth > 0 => {
                let (length, open) = string(rest, false);
                if open.is_some() || !rest[1..length].contains(c) {
                    depth = 0;
                    continue;
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    (text.len(), long.then_some(Open::RawText))
}

/// The length of a number: `12`, `0xff`, `1_000`, `1.5e-3`, `2j`.
fn number(text: &str) -> usize {
    let mut length = 0;
    let mut previous = ' ';
    for (i, c) in text.char_indices() {
        let sign =
            matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !text.starts_with("0x");
        if !(c.is_alphanumeric() || c == '_' || c == '.' || sign) {
            break;
        }
        length = i + c.len_utf8();
        previous = c;
    }
    length
}

/// A statement's line, which may go on over several of the text.
struct Line<'a> {
    indented: bool,
    first: &'a str,
    last: &'a str,
}

/// The statements' lines; comments and empty lines are none.
fn lines<'a>(text: &'a str, scan: &Scan) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut depth = 0_usize;
    let mut end = 0;
    for token in scan.tokens.iter().filter(|token| token.kind != Kind::Comment) {
        let word = &text[token.start..token.end];
        let between = &text[end..token.start];
        let ends = between.contains('\n') && !before_break(between).ends_with('\\');
        match lines.last_mut() {
            Some(line) if depth > 0 || !ends => line.last = word,
            _ => {
                let start = text[..token.start].rfind('\n').map_or(0, |at| at + 1);
                lines.push(Line { indented: start < token.start, first: word, last: word });
            }
        }
        match token.kind {
            Kind::Bracket if matches!(word, "(" | "[" | "{") => depth += 1,
            Kind::Bracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        end = token.end;
    }
    lines
}

fn before_break(text: &str) -> &str {
    let line = text.split('\n').next().unwrap_or("");
    line.split('#').next().unwrap_or("").trim_end()
}

/// Whether a cell wants another line. A statement with a block ends with an empty line.
pub fn is_open(cell: &str) -> bool {
    let scan = scan(cell);
    if scan.mismatched {
        return false;
    }
    if !scan.open.is_empty() {
        return true;
    }
    let lines = lines(cell, &scan);
    let Some(last) = lines.last() else { return false };
    let block = |line: &Line<'_>| match line.first {
        // Words only where a block follows.
        "match" | "case" => line.last == ":",
        first => COMPOUND.contains(&first),
    };
    if last.first == "@" || (last.last == ":" && block(last)) {
        return true;
    }
    // The statement that stands outside of all blocks, and what belongs to it.
    let mut statement = lines.iter().rposition(|line| !line.indented).unwrap_or(0);
    while statement > 0 && continues(lines[statement].first) {
        statement = lines[..statement].iter().rposition(|line| !line.indented).unwrap_or(0);
    }
    let Some(begin) = lines.get(statement) else { return false };
    if begin.first == "try" {
        let rest = &lines[statement + 1..];
        if !rest.iter().any(|line| !line.indented && matches!(line.first, "except" | "finally")) {
            return true;
        }
    }
    let compound = block(begin) || begin.first == "@" || last.indented;
    compound && !cell.rsplit_once('\n').is_some_and(|(_, line)| line.trim().is_empty())
}

/// Whether a line goes on with the statement before it.
fn continues(first: &str) -> bool {
    matches!(first, "elif" | "else" | "except" | "finally")
}

/// The indentation of the line that a break behind `before` begins.
pub fn indentation(before: &str) -> usize {
    let scan = scan(before);
    if scan.open.iter().any(|open| matches!(open, Open::RawText)) {
        return 0;
    }
    let line = before.rsplit('\n').next().unwrap_or("");
    let here = line.len() - line.trim_start_matches(' ').len();
    let start = before.len() - line.len();
    if scan.opens_behind(before, start) {
        return here + INDENT;
    }
    if !scan.open.is_empty() {
        return here;
    }
    let lines = lines(before, &scan);
    match lines.last() {
        Some(last) if last.last == ":" => here + INDENT,
        Some(last) if LAST_OF_BLOCK.contains(&last.first) && !line.trim().is_empty() => {
            here.saturating_sub(INDENT)
        }
        _ => here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `codeop.compile_command(cell, symbol="single")` of Python 3.11 says; of several statements, what it
    /// says of the last.
    #[test]
    fn a_cell_is_complete_where_codeop_says_so() {
        for cell in [
            "@foo",
            "@foo\n\n",
            "if x:",
            "if x:\n\n",
            "if x:\n  # c\n\n",
            "if x: y",
            "try:\n  pass\n",
            "try:\n  pass\n\n",
            "def f():\n  return 1",
            "x = 1 + \\",
            "'''a",
            "x = f\"\"\"{a}\n",
            "f(",
            "f( # )",
            "x = [\n1,\n",
            "class A: pass",
            "match x:\n",
            "for i in x:\n  pass\nelse:\n",
            "def f():\n  '''doc\n\n",
            "x = 1\nfor i in x:\n  i",
        ] {
            assert!(is_open(cell), "{cell:?}");
        }
        for cell in [
            "",
            "# c",
            "x",
            "x = 1 + \\\n",
            "x:",
            "x: int",
            "'a",
            "f(]",
            "return",
            "lambda:",
            "match = 3",
            "print('(', \"[\")",
            "f'{x!r:>{3}}'",
            "if x: y\n",
            "def f():\n  return 1\n",
            "class A: pass\n",
            "with a:\n  b\n  \n",
            "async def f():\n  pass\n",
            "try:\n  pass\nexcept E:\n  pass\n",
            "match x:\n  case 1:\n    pass\n",
            "def f():\n  return 1\nf()",
            "x = '''\ndef f():\n'''",
        ] {
            assert!(!is_open(cell), "{cell:?}");
        }
    }

    #[test]
    fn strings_and_comments_are_told_apart() {
        let kinds = |text: &str| -> Vec<(Kind, String)> {
            let tokens = scan(text).tokens;
            tokens.iter().map(|t| (t.kind, text[t.start..t.end].to_owned())).collect()
        };
        assert_eq!(kinds("'#' # '")[0], (Kind::Text, "'#'".to_owned()));
        assert_eq!(kinds("'#' # '")[1], (Kind::Comment, "# '".to_owned()));
        assert_eq!(kinds("rb'\\''")[0], (Kind::Text, "rb'\\''".to_owned()));
        assert_eq!(kinds("f\"{d[\"a\"]}\"").len(), 1);
        assert_eq!(kinds("f'{{' + 'a'").len(), 3);
        assert_eq!(kinds("'''a'b'''")[0].1, "'''a'b'''");
        assert_eq!(kinds("import_x")[0].0, Kind::Word);
        assert_eq!(kinds("1.5e-3 + 2j")[0].1, "1.5e-3");
    }

    #[test]
    fn tokens_never_split_a_character() {
        for text in ["é('ü", "f'{ß", "\"\\ö", "'''ä", "1é.", "😀'😀'", "#ö", "\\ö", "f'{\"ü"]
        {
            for token in scan(text).tokens {
                assert!(text.is_char_boundary(token.start) && text.is_char_boundary(token.end));
            }
        }
    }

    #[test]
    fn blocks_are_indented() {
        assert_eq!(indentation("def f():"), 4);
        assert_eq!(indentation("def f():  # why"), 4);
        assert_eq!(indentation("    if x:"), 8);
        assert_eq!(indentation("    return x"), 0);
        assert_eq!(indentation("    y = 1"), 4);
        assert_eq!(indentation("f("), 4);
        assert_eq!(indentation("d = {'a':"), 4);
        assert_eq!(indentation("x = 1"), 0);
        assert_eq!(indentation("'''a"), 0);
    }
}
