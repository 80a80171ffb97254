//! What stands around the cursor: the word, what it belongs to, the call that it is an argument of. Read
//! from the text alone, which need not be a whole script.

/// What a dotted name begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Receiver {
    /// Names with dots between them.
    Chain(Vec<String>),
    /// The value of a call of such names: `torch.ones([2]).`
    CallOf(Vec<String>),
    /// Text in quotes.
    Text,
    /// A list in brackets.
    List,
    /// An expression that would have to be evaluated.
    Unknown,
}

/// What the word at the cursor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing to complete: a comment, a number.
    Nothing,
    /// Within quotes; where they are the index of something, of what.
    Text(Option<Receiver>),
    /// Behind a dot.
    Member(Receiver),
    /// A name that stands by itself.
    Name,
}

/// The call whose argument begins at the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) function: Vec<String>,
    /// Names of arguments that it has already.
    pub(super) given: Vec<String>,
}

/// Everything about the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Where the word begins, in bytes.
    pub(super) start: usize,
    pub(super) place: Place,
    pub(super) call: Option<Call>,
}

/// Reads the text before the cursor.
pub(super) fn cursor(before: &str) -> Cursor {
    let read = Reader::read(before);
    let nothing = |start| Cursor { start, place: Place::Nothing, call: None };
    match read.within {
        Within::Comment => return nothing(before.len()),
        Within::Text(quote) => {
            let head = before[..quote].trim_end();
            let indexed = head.strip_suffix('[').map(|of| receiver(of, &read.pairs));
            return Cursor { start: quote + 1, place: Place::Text(indexed), call: None };
        }
        Within::Code => {}
    }
    let start = word_start(before);
    if before[start..].starts_with(|c: char| c.is_ascii_digit()) {
        return nothing(before.len());
    }
    let head = before[..start].trim_end();
    if let Some(of) = head.strip_suffix('.') {
        // A range, or a number's point.
        if of.ends_with('.') || is_number(&of[word_start(of)..]) {
            return nothing(before.len());
        }
        let of = of.strip_suffix('?').unwrap_or(of);
        return Cursor { start, place: Place::Member(receiver(of, &read.pairs)), call: None };
    }
    let call = call(before, &read.open, head);
    Cursor { start, place: Place::Name, call }
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the word that ends the text begins.
fn word_start(text: &str) -> usize {
    text.char_indices()
        .rev()
        .take_while(|(_, c)| is_part(*c))
        .last()
        .map_or(text.len(), |(at, _)| at)
}

/// The names with dots between them that end the text.
fn chain(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_end();
    loop {
        let start = word_start(rest);
        let word = &rest[start..];
        if word.is_empty() || is_number(word) {
            return None;
        }
        names.insert(0, word.to_owned());
        match rest[..start].trim_end().strip_suffix('.') {
            Some(before) => rest = before.trim_end(),
            None => return Some(names),
        }
    }
}

/// What ends the text; `pairs` are its closed brackets.
fn receiver(text: &str, pairs: &[(usize, usize)]) -> Receiver {
    let text = text.trim_end();
    let Some(last) = text.chars().last() else { return Receiver::Unknown };
    let opened = || pairs.iter().find(|(_, close)| close + 1 == text.len()).map(|(open, _)| *open);
    match last {
        '"' | '`' => Receiver::Text,
        ')' => match opened().and_then(|open| chain(&text[..open])) {
            Some(names) => Receiver::CallOf(names),
            None => Receiver::Unknown,
        },
        ']' => match opened() {
            // Behind a value it is an index.
            Some(open) if !text[..open].ends_with(|c: char| is_part(c) || c == ')' || c == ']') => {
                Receiver::List
            }
            _ => Receiver::Unknown,
        },
        _ => chain(text).map_or(Receiver::Unknown, Receiver::Chain),
    }
}

/// The call of which a new argument begins behind `head`: behind its parenthesis, or within a map that is its
/// last argument.
fn call(before: &str, open: &[Open], head: &str) -> Option<Call> {
    let (last, outer) = open.split_last()?;
    let of = if is_map(before, last) { outer.last()? } else { last };
    if !before[of.at..].starts_with('(') || !head.ends_with(['(', ',', '{']) {
        return None;
    }
    let function = chain(&before[..of.at])?;
    Some(Call { function, given: given(&before[last.at + 1..]) })
}

/// Whether a bracket begins a map.
fn is_map(text: &str, open: &Open) -> bool {
    text[open.at..].starts_with('{') && text[..open.at].ends_with('#')
}

/// The names of arguments in a text.
fn given(text: &str) -> Vec<String> {
    text.split(',').filter_map(|argument| name_of(argument).map(str::to_owned)).collect()
}

/// The name of a named argument.
fn name_of(argument: &str) -> Option<&str> {
    let name = argument.split_once(':')?.0.trim();
    (!name.is_empty() && name.chars().all(is_part)).then_some(name)
}

/// The call around the cursor, whatever stands in its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenCall {
    pub(super) function: Vec<String>,
    /// How many arguments stand before the one at the cursor.
    pub(super) position: usize,
    /// The name of the argument at the cursor.
    pub(super) named: Option<String>,
    /// Names of arguments that it has already.
    pub(super) given: Vec<String>,
}

/// The innermost call that is open at the end of the text.
pub(super) fn open_call(before: &str) -> Option<OpenCall> {
    let read = Reader::read(before);
    if let Within::Comment = read.within {
        return None;
    }
    let mut inner: Option<&Open> = None;
    for open in read.open.iter().rev() {
        let is_list = before[open.at..].starts_with('[');
        if !is_list && !is_map(before, open) {
            if !before[open.at..].starts_with('(') {
                return None;
            }
            if let Some(function) = chain(&before[..open.at]).filter(|names| !is_word(names)) {
                // Within its map the names are those of the map.
                let part = inner.filter(|inner| is_map(before, inner)).unwrap_or(open);
                let named = name_of(&before[part.part..]).map(str::to_owned);
                let given = given(&before[part.at + 1..part.part]);
                return Some(OpenCall { function, position: open.commas, named, given });
            }
        }
        inner = Some(open);
    }
    None
}

/// Whether what stands before a parenthesis is a word of the language.
fn is_word(names: &[String]) -> bool {
    matches!(names, [one] if ["if", "while", "for", "in", "switch", "return", "fn", "until"].contains(&one.as_str()))
}

/// Where the end of a text is.
enum Within {
    Code,
    Comment,
    /// Behind the quotation mark at this place.
    Text(usize),
}

/// A bracket that is open.
struct Open {
    at: usize,
    /// Where what stands behind the last comma begins.
    part: usize,
    commas: usize,
}

/// A walk over the text that knows strings, comments and brackets.
struct Reader {
    within: Within,
    /// Brackets that are open.
    open: Vec<Open>,
    /// Places of brackets that belong together.
    pairs: Vec<(usize, usize)>,
}

impl Reader {
    fn read(text: &str) -> Reader {
        let mut reader = Reader { within: Within::Code, open: Vec::new(), pairs: Vec::new() };
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let Some(c) = rest.chars().next() else { break };
            let mut length = c.len_utf8();
            match c {
                '/' if rest.starts_with("//") => match rest.find('\n') {
                    Some(end) => length = end,
                    None => {
                        reader.within = Within::Comment;
                        break;
                    }
                },
                '/' if rest.starts_with("/*") => match rest.find("*/") {
                    Some(end) => length = end + 2,
                    None => {
                        reader.within = Within::Comment;
                        break;
                    }
                },
                '"' | '`' => match closing(rest, c) {
                    Some(end) => length = end + 1,
                    None => {
                        reader.within = Within::Text(at);
                        break;
                    }
                },
                '\'' => length = closing(rest, c).filter(|end| *end <= 6).map_or(1, |end| end + 1),
                '(' | '[' | '{' => reader.open.push(Open { at, part: at + 1, commas: 0 }),
                ',' => {
                    if let Some(open) = reader.open.last_mut() {
                        (open.part, open.commas) = (at + 1, open.commas + 1);
                    }
                }
                ')' | ']' | '}' => {
                    if let Some(open) = reader.open.pop() {
                        reader.pairs.push((open.at, at));
                    }
                }
                _ => {}
            }
            at += length;
        }
        reader
    }
}

/// Where a text that begins with `quote` ends.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            _ if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    fn place(text: &str) -> Place {
        cursor(text).place
    }

    #[test]
    fn names_and_members() {
        assert_eq!(place(""), Place::Name);
        assert_eq!(place("let a = to"), Place::Name);
        assert_eq!(place("torch.li"), Place::Member(Receiver::Chain(names("torch"))));
        assert_eq!(place("a.b.c."), Place::Member(Receiver::Chain(names("a.b.c"))));
        assert_eq!(cursor("x + torch.li").start, 10);
        assert_eq!(place("f(1).x"), Place::Member(Receiver::CallOf(names("f"))));
        assert_eq!(place("[1, 2].x"), Place::Member(Receiver::List));
        assert_eq!(place("a[1].x"), Place::Member(Receiver::Unknown));
        assert_eq!(place("\"a\".x"), Place::Member(Receiver::Text));
    }

    #[test]
    fn nothing_in_comments_numbers_and_ranges() {
        for text in ["// to", "1", "1.", "0..n", "/* a"] {
            assert_eq!(place(text), Place::Nothing, "{text}");
        }
    }

    #[test]
    fn quotes_know_what_they_index() {
        assert_eq!(place("f(\"da"), Place::Text(None));
        assert_eq!(place("m[\"da"), Place::Text(Some(Receiver::Chain(names("m")))));
        assert_eq!(cursor("f(\"da").start, 3);
    }

    #[test]
    fn arguments_know_their_call() {
        let call = |text: &str| cursor(text).call.map(|call| (call.function.join("."), call.given));
        assert_eq!(call("x.sum(di"), Some(("x.sum".to_owned(), vec![])));
        assert_eq!(call("f(g(1), dim: 0, ke"), Some(("f".to_owned(), vec!["dim".to_owned()])));
        assert_eq!(call("x.sum(#{di"), Some(("x.sum".to_owned(), vec![])));
        assert_eq!(call("f(1, #{dim: 0, ke"), Some(("f".to_owned(), vec!["dim".to_owned()])));
        assert_eq!(call("#{di"), None);
        assert_eq!(call("f([1, di"), None);
        assert_eq!(call("f(dim: a"), None);
        assert_eq!(call("(a"), None);
    }

    #[test]
    fn the_call_around_the_cursor_is_found_through_lists_and_maps() {
        let open = |text: &str| {
            open_call(text).map(|call| (call.function.join("."), call.position, call.named))
        };
        let call = |name: &str, position, named: Option<&str>| {
            Some((name.to_owned(), position, named.map(str::to_owned)))
        };
        assert_eq!(open("f("), call("f", 0, None));
        assert_eq!(open("f(1, g(2), [3, "), call("f", 2, None));
        assert_eq!(open("x.sum(dim: 1"), call("x.sum", 0, Some("dim")));
        assert_eq!(open("x.sum(#{keepdim: t"), call("x.sum", 0, Some("keepdim")));
        assert_eq!(open("f(\"a, b"), call("f", 0, None));
        assert_eq!(open("f((1 + "), call("f", 0, None));
        assert_eq!(open("f(|x| { x"), None);
        assert_eq!(open("if (a"), None);
        assert_eq!(open("f(1)"), None);
    }

    #[test]
    fn any_prefix_of_any_text_can_be_read() {
        let text = "let é = f(\"ü\\\"\", #{a: 'ö'}) /* ß */ + x.y[0].`z${q}`; // ä\n(]}";
        for (at, _) in text.char_indices() {
            let cursor = cursor(&text[..at]);
            assert!(text.is_char_boundary(cursor.start));
        }
    }
}
