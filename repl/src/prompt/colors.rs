//! Colours of a cell as it is typed.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use flambeau_protocol::Language;

use crate::cells::spans;
use crate::settings::Theme;

use super::scan::Kind;
use super::scan_python;
use super::scan_script;

/// What kinds of words look like.
struct Palette {
    keyword: &'static str,
    text: &'static str,
    number: &'static str,
    call: &'static str,
    comment: &'static str,
    command: &'static str,
}

/// The terminal's own sixteen colours, which its user has made readable.
const TERMINAL: Palette = Palette {
    keyword: "\x1b[35m",
    text: "\x1b[32m",
    number: "\x1b[36m",
    call: "\x1b[34m",
    comment: "\x1b[2;3m",
    command: "\x1b[33m",
};

/// Of the 256 colours those that stand out from black.
const DARK: Palette = Palette {
    keyword: "\x1b[38;5;176m",
    text: "\x1b[38;5;114m",
    number: "\x1b[38;5;80m",
    call: "\x1b[38;5;75m",
    comment: "\x1b[3;38;5;246m",
    command: "\x1b[38;5;179m",
};

/// Of the 256 colours those that stand out from white.
const LIGHT: Palette = Palette {
    keyword: "\x1b[38;5;90m",
    text: "\x1b[38;5;22m",
    number: "\x1b[38;5;24m",
    call: "\x1b[38;5;25m",
    comment: "\x1b[3;38;5;242m",
    command: "\x1b[38;5;94m",
};

static CHOSEN: OnceLock<Theme> = OnceLock::new();

/// Says once which colours are used.
pub fn choose(theme: Theme) {
    // Asked once, by the prompt that begins.
    let _ = CHOSEN.set(theme);
}

fn palette() -> &'static Palette {
    match CHOSEN.get().copied().unwrap_or_default() {
        Theme::Terminal => &TERMINAL,
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

const MATCHED: &str = "\x1b[1;4m";
const FAINT: &str = "\x1b[2m";
const PROMPT: &str = "\x1b[1;32m";
const END: &str = "\x1b[0m";

/// Longer cells are shown plain: they are redrawn at every key.
const LONGEST: usize = 64 << 10;

/// The cell with its colours; `cursor` is where brackets are matched, if they are. A cell without a mark is in
/// `language`.
pub fn cell(text: &str, cursor: Option<usize>, language: Language) -> Cow<'_, str> {
    if text.is_empty() || text.len() > LONGEST {
        return Cow::Borrowed(text);
    }
    if text.starts_with(':') {
        let word = text.find(char::is_whitespace).unwrap_or(text.len());
        return Cow::Owned(format!("{}{}{END}{}", palette().command, &text[..word], &text[word..]));
    }
    let mut shown = String::with_capacity(text.len() * 2);
    let mut done = 0;
    for span in spans(text, language) {
        let range = span.range;
        // What stands before is its mark.
        mark(&mut shown, &text[done..range.start]);
        let cursor = cursor.and_then(|at| at.checked_sub(range.start));
        part(&mut shown, &text[range.clone()], cursor, span.language);
        done = range.end;
    }
    Cow::Owned(shown)
}

/// The line that marks the beginning of a language.
fn mark(shown: &mut String, line: &str) {
    let word = line.trim_end_matches('\n');
    if !word.is_empty() {
        shown.push_str(&format!("{}{word}{END}", palette().command));
    }
    shown.push_str(&line[word.len()..]);
}

/// A part of a cell.
fn part(shown: &mut String, text: &str, cursor: Option<usize>, language: Language) {
    let scan = match language {
        Language::Rhai => scan_script::scan(text),
        Language::Python => scan_python::scan(text),
    };
    let pair = cursor.and_then(|at| {
        let near = |place: usize| place == at || place + 1 == at;
        scan.pairs.iter().copied().find(|&(open, close)| near(open) || near(close))
    });
    let palette = palette();
    let mut done = 0;
    for token in &scan.tokens {
        shown.push_str(&text[done..token.start]);
        let word = &text[token.start..token.end];
        let color = match token.kind {
            Kind::Keyword => palette.keyword,
            Kind::Text => palette.text,
            Kind::Number => palette.number,
            Kind::Comment => palette.comment,
            Kind::Word if text[token.end..].starts_with('(') => palette.call,
            Kind::Bracket if pair.is_some_and(|(a, b)| token.start == a || token.start == b) => {
                MATCHED
            }
            _ => "",
        };
        if color.is_empty() {
            shown.push_str(word);
        } else {
            // Each line by itself: the editor may draw them one by one.
            for (i, line) in word.split('\n').enumerate() {
                if i > 0 {
                    shown.push('\n');
                }
                shown.push_str(color);
                shown.push_str(line);
                shown.push_str(END);
            }
        }
        done = token.end;
    }
    shown.push_str(&text[done..]);
}

/// The prompt in its colour.
pub fn prompt(text: &str) -> String {
    format!("{PROMPT}{text}{END}")
}

/// What is only suggested; `active` stands out.
pub fn hint(text: &str, active: Option<Range<usize>>) -> String {
    let faint = |text: &str| match text {
        "" => String::new(),
        text => format!("{FAINT}{text}{END}"),
    };
    let parts = active.and_then(|range| {
        Some((text.get(..range.start)?, text.get(range.clone())?, text.get(range.end..)?))
    });
    match parts {
        Some((before, active, after)) => format!("{}{active}{}", faint(before), faint(after)),
        None => faint(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text without escape sequences.
    fn plain(text: &str) -> String {
        let mut parts = text.split('\x1b');
        let first = parts.next().unwrap_or("").to_owned();
        parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
    }

    #[test]
    fn colours_change_no_character() {
        for text in [
            "let x = f(1, \"a\") // é",
            "`a ${ b }\nc`",
            ":time x",
            "/* a\nb */ 1",
            "({[",
            "🙂",
            "1\n%%python\n\"\"\"a\nb\"\"\" # é\n%%rhai\n2",
        ] {
            for cursor in [None, Some(0), Some(text.len())] {
                for language in [Language::Rhai, Language::Python] {
                    assert_eq!(plain(&cell(text, cursor, language)), text);
                }
            }
        }
    }

    #[test]
    fn the_bracket_at_the_cursor_and_its_partner_stand_out() {
        assert_eq!(
            cell("(a)", Some(3), Language::Rhai),
            format!("{MATCHED}({END}a{MATCHED}){END}")
        );
        assert_eq!(cell("(a)", None, Language::Rhai), "(a)");
    }
}
