//! What somebody means who writes Python, and what a text that is no script lacks.

use rhai::{Engine, ParseErrorType, Token};

/// Names of Python and what scripts write instead.
const NAMES: &[(&str, &str)] = &[
    ("None", "nothing is written ()"),
    ("True", "did you mean 'true'?"),
    ("False", "did you mean 'false'?"),
    ("self", "did you mean 'this'?"),
    ("range", "a range is written 0..n"),
    ("elif", "did you mean 'else if'?"),
    ("pass", "a block may be empty: { }"),
    ("lambda", "a closure is written |x| x + 1"),
    ("raise", "did you mean 'throw'?"),
];

/// Words of Python's syntax.
const WORDS: &[(&str, &str)] = &[
    ("and", "did you mean '&&'?"),
    ("or", "did you mean '||'?"),
    ("not", "did you mean '!'?"),
    ("is", "did you mean '=='?"),
    ("def", "a function is written fn name(x) { … }"),
    ("class", "a module is written nn.Module(#{ forward: |x| … })"),
    ("lambda", "a closure is written |x| x + 1"),
    ("elif", "did you mean 'else if'?"),
    ("except", "did you mean 'catch'?"),
    ("raise", "did you mean 'throw'?"),
    ("from", "a file is imported with: import \"file\" as name;"),
    ("del", "a variable lives until its block ends, or until it is set to ()"),
    ("pass", "a block may be empty: { }"),
    ("assert", "write: if !condition { throw \"…\"; }"),
];

/// Help for a variable that does not exist.
pub(crate) fn name(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(python, _)| *python == name).map(|(_, help)| *help)
}

/// Help for a text that is no script, where it went wrong at `column` of `line`, counted from 1.
pub(crate) fn syntax(
    engine: &Engine,
    kind: &ParseErrorType,
    text: &str,
    line: usize,
    column: usize,
) -> Option<String> {
    let here = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
    let before: String = here.chars().take(column.saturating_sub(1)).collect();
    let after: String = here.chars().skip(column.saturating_sub(1)).collect();
    let last = before.split(|c: char| !is_part(c)).rfind(|word| !word.is_empty());
    let next = after.split(|c: char| !is_part(c)).next().filter(|word| !word.is_empty());
    for word in [next, last].into_iter().flatten() {
        if let Some((_, help)) = WORDS.iter().find(|(python, _)| *python == word) {
            return Some((*help).to_owned());
        }
    }
    let nothing_follows =
        after.trim().is_empty() && text.lines().skip(line).all(|rest| rest.trim().is_empty());
    if nothing_follows && let Some((bracket, line)) = unclosed(engine, text) {
        return Some(format!("the '{bracket}' of line {line} is never closed"));
    }
    let text = kind.to_string();
    match kind {
        ParseErrorType::MissingToken(_, _)
            if after.starts_with('=') && text.contains("argument") =>
        {
            Some("a named argument is written name: value".to_owned())
        }
        ParseErrorType::MissingToken(token, _) if after.starts_with(':') && token == "]" => {
            Some("a slice is written x[1..3]".to_owned())
        }
        ParseErrorType::MissingToken(token, _) if token == "," && text.contains("argument") => {
            Some("or is a ')' missing?".to_owned())
        }
        ParseErrorType::MissingToken(token, _) if token == ";" => {
            Some("statements end with a semicolon".to_owned())
        }
        ParseErrorType::Reserved(_) => {
            Some("this is a word of the language: take another name".to_owned())
        }
        ParseErrorType::AssignmentToConstant(_) => {
            Some("declare it with let to change it".to_owned())
        }
        ParseErrorType::MismatchedType(wanted, _) if wanted.contains("iterable") => {
            Some("to count, write 0..n".to_owned())
        }
        _ => None,
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The innermost bracket that nothing closes, and its line.
fn unclosed(engine: &Engine, text: &str) -> Option<(&'static str, usize)> {
    let mut open = Vec::new();
    for (token, position) in engine.lex([&text]).0 {
        let bracket = match token {
            Token::LeftBrace => "{",
            Token::MapStart => "#{",
            Token::LeftParen => "(",
            Token::LeftBracket => "[",
            Token::RightBrace | Token::RightParen | Token::RightBracket => {
                open.pop();
                continue;
            }
            Token::EOF => break,
            _ => continue,
        };
        open.push((bracket, position.line().unwrap_or(0)));
    }
    open.pop()
}
