//! Where a text defines a function.

use rhai::{Engine, Token};

use super::tokens::{Item, name_of, tokens};

/// The definitions of the functions that are called `name`, with the comments right above them.
pub(crate) fn definitions(engine: &Engine, text: &str, name: &str) -> Vec<String> {
    let items = tokens(engine, text);
    let lines: Vec<&str> = text.split('\n').collect();
    let begins = items
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0].token == Token::Fn && name_of(&pair[1].token) == Some(name));
    begins.filter_map(|(at, _)| definition(&items[at..], &lines)).collect()
}

/// The lines from `fn` to the end of its body.
fn definition(items: &[Item], lines: &[&str]) -> Option<String> {
    let first = items.first()?.line;
    let mut depth = 0_usize;
    let mut last = None;
    for item in items {
        match item.token {
            Token::LeftBrace | Token::MapStart => depth += 1,
            Token::RightBrace if depth == 1 => {
                last = Some(item);
                break;
            }
            Token::RightBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let last = last?;
    let begin = first.checked_sub(1)?;
    let comments = lines[..begin].iter().rev().take_while(|line| line.trim().starts_with("//"));
    let begin = begin - comments.count();
    let mut found: Vec<String> =
        lines.get(begin..last.line)?.iter().map(|line| (*line).to_owned()).collect();
    // What follows the body in its last line is another statement.
    let end = found.last_mut()?;
    *end = end.chars().take(last.column).collect();
    Some(found.join("\n"))
}
