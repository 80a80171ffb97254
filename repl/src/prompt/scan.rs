//! What a text consists of, as far as an editor must know: words, numbers, strings, comments, brackets, and
//! what of them is still open at the end. The parser in the engine has the last word.

/// The words of the language.
pub const KEYWORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "global", "if", "import", "in", "let", "loop", "no_grad", "private", "return", "switch",
    "this", "throw", "true", "try", "until", "while", "with",
];

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Comment,
    Text,
    Number,
    Keyword,
    Word,
    Bracket,
    Sign,
}

/// A token and its place in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// What has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// `(`, `[`, `{` or `#{`.
    Bracket(char),
    /// Text between back-ticks.
    Template,
    /// `${` within such text.
    Interpolation,
    Comment,
    RawText,
    /// A string whose line ends with a backslash.
    Continued,
}

/// The tokens of a text, without the space between them.
#[derive(Debug, Default)]
pub struct Scan {
    pub tokens: Vec<Token>,
    /// From the outside in.
    pub open: Vec<Open>,
    /// Places of brackets that belong together.
    pub pairs: Vec<(usize, usize)>,
    /// Whether a bracket closes what was not open.
    pub mismatched: bool,
}

/// Reads a whole text.
pub fn scan(text: &str) -> Scan {
    let mut scanner = Scanner { text, at: 0, scan: Scan::default(), places: Vec::new() };
    while scanner.at < text.len() {
        scanner.step();
    }
    scanner.scan
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    scan: Scan,
    /// Where each of `scan.open` began.
    places: Vec<usize>,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Takes `length` bytes as a token.
    fn take(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        self.at += length;
        self.scan.tokens.push(Token { kind, start, end: self.at });
    }

    fn push(&mut self, open: Open) {
        self.scan.open.push(open);
        self.places.push(self.at);
    }

    fn step(&mut self) {
        if self.scan.open.last() == Some(&Open::Template) {
            return self.template();
        }
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        let second = rest[first.len_utf8()..].chars().next();
        match (first, second) {
            (c, _) if c.is_whitespace() => self.at += c.len_utf8(),
            ('/', Some('/')) => {
                let length = rest.find('\n').unwrap_or(rest.len());
                self.take(Kind::Comment, length);
            }
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => {
                let length = character(rest);
                self.take(if length > 1 { Kind::Text } else { Kind::Sign }, length);
            }
            ('`', _) => {
                self.push(Open::Template);
                self.take(Kind::Text, 1);
            }
            ('#', Some('"' | '#')) => self.raw_string(),
            ('#', Some('{')) => {
                self.push(Open::Bracket('{'));
                self.take(Kind::Bracket, 2);
            }
            ('(' | '[' | '{', _) => {
                self.push(Open::Bracket(first));
                self.take(Kind::Bracket, 1);
            }
            (')' | ']' | '}', _) => self.close(first),
            (c, _) if c.is_ascii_digit() => {
                let length = number(rest);
                self.take(Kind::Number, length);
            }
            (c, _) if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                let length = end.unwrap_or(rest.len());
                let keyword = KEYWORDS.contains(&&rest[..length]);
                self.take(if keyword { Kind::Keyword } else { Kind::Word }, length);
            }
            (c, _) => self.take(Kind::Sign, c.len_utf8()),
        }
    }

    fn close(&mut self, bracket: char) {
        let opening = match bracket {
            ')' => '(',
            ']' => '[',
            _ => '{',
        };
        match self.scan.open.last() {
            Some(Open::Bracket(open)) if *open == opening => {}
            Some(Open::Interpolation) if bracket == '}' => {}
            _ => self.scan.mismatched = true,
        }
        if !self.scan.mismatched {
            self.scan.open.pop();
            let place = self.places.pop().unwrap_or_default();
            self.scan.pairs.push((place, self.at));
        }
        self.take(Kind::Bracket, 1);
    }

    /// Text between back-ticks, up to its end or to `${`.
    fn template(&mut self) {
        let rest = self.rest();
        let end = rest.find('`');
        let code = rest.find("${");
        match (end, code) {
            (Some(end), code) if code.is_none_or(|code| end < code) => {
                let doubled = rest[end + 1..].starts_with('`');
                self.take(Kind::Text, end + 1 + usize::from(doubled));
                if !doubled {
                    self.scan.open.pop();
                    self.places.pop();
                }
            }
            (_, Some(code)) => {
                if code > 0 {
                    self.take(Kind::Text, code);
                }
                self.push(Open::Interpolation);
                self.take(Kind::Bracket, 2);
            }
            _ => self.take(Kind::Text, self.text.len() - self.at),
        }
    }

    /// Comments may hold comments.
    fn block_comment(&mut self) {
        let bytes = self.rest().as_bytes();
        let (mut depth, mut i) = (0usize, 0);
        while i < bytes.len() {
            match &bytes[i..] {
                [b'/', b'*', ..] => (depth, i) = (depth + 1, i + 2),
                [b'*', b'/', ..] => (depth, i) = (depth - 1, i + 2),
                _ => i += 1,
            }
            if depth == 0 {
                break;
            }
        }
        if depth > 0 {
            self.push(Open::Comment);
        }
        self.take(Kind::Comment, i);
    }

    /// `"…"` ends with its line, unless that ends with a backslash.
    fn string(&mut self) {
        let mut escaped = false;
        let mut continued = false;
        let mut length = self.rest().len();
        for (i, c) in self.rest().char_indices().skip(1) {
            if escaped {
                (escaped, continued) = (false, c == '\n');
                continue;
            }
            match c {
                '\\' => escaped = true,
                '"' => {
                    length = i + 1;
                    continued = false;
                    break;
                }
                '\n' => {
                    length = i;
                    continued = false;
                    break;
                }
                _ => {}
            }
        }
        if continued && self.at + length == self.text.len() {
            self.push(Open::Continued);
        }
        self.take(Kind::Text, length);
    }

    /// `#"…"#`, with any number of `#`.
    fn raw_string(&mut self) {
        let rest = self.rest();
        let hashes = rest.bytes().take_while(|&byte| byte == b'#').count();
        if !rest[hashes..].starts_with('"') {
            return self.take(Kind::Sign, hashes);
        }
        let closing = format!("\"{}", "#".repeat(hashes));
        match rest[hashes + 1..].find(&closing) {
            Some(end) => self.take(Kind::Text, hashes + 1 + end + closing.len()),
            None => {
                self.push(Open::RawText);
                self.take(Kind::Text, self.text.len() - self.at);
            }
        }
    }
}

/// The length of a character in single quotes; 1 where there is none.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let end = text[1..].find(['\'', '\n']).filter(|end| text[1 + end..].starts_with('\''));
            end.map_or(1, |end| end + 2)
        }
        Some((_, c)) if c != '\'' => match chars.next() {
            Some((i, '\'')) => i + 1,
            _ => 1,
        },
        _ => 1,
    }
}

/// The length of a number: `12`, `0xff`, `1_000`, `1.5e-3`, and not the `..` of a range.
fn number(text: &str) -> usize {
    let mut length = 0;
    let mut previous = ' ';
    for (i, c) in text.char_indices() {
        let sign =
            matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !text.starts_with("0x");
        let behind = text[i + c.len_utf8()..].chars().next();
        let point = c == '.' && behind.is_none_or(|next| next.is_ascii_digit());
        if !(c.is_alphanumeric() || c == '_' || sign || point) {
            break;
        }
        length = i + c.len_utf8();
        previous = c;
    }
    length.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Vec<Open> {
        scan(text).open
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        for text in
            ["\"(\"", "'('", "`[{`", "#\"(\"#", "// (", "/* ( /* [ */ */", "'\\''", "\"\\\"(\""]
        {
            assert_eq!(open(text), [], "{text}");
        }
    }

    #[test]
    fn what_is_open_is_told_from_the_outside_in() {
        use Open::*;
        assert_eq!(open("f([#{ a: 1"), [Bracket('('), Bracket('['), Bracket('{')]);
        assert_eq!(open("`a ${ b(`c"), [Template, Interpolation, Bracket('('), Template]);
        assert_eq!(open("/* /* */"), [Comment]);
        assert_eq!(open("##\"a\"#"), [RawText]);
        assert_eq!(open("\"a \\\n"), [Continued]);
        assert_eq!(open("\"a"), []);
    }

    #[test]
    fn ranges_are_not_numbers_with_points() {
        let kinds = |text: &str| -> Vec<(Kind, String)> {
            let tokens = scan(text).tokens;
            tokens.iter().map(|t| (t.kind, text[t.start..t.end].to_owned())).collect()
        };
        assert_eq!(kinds("0..10").len(), 4);
        assert_eq!(kinds("1.5e-3"), [(Kind::Number, "1.5e-3".to_owned())]);
        assert_eq!(kinds("let")[0].0, Kind::Keyword);
        assert_eq!(kinds("letter")[0].0, Kind::Word);
    }

    #[test]
    fn tokens_never_split_a_character() {
        for text in ["é(\"ü", "`ß${", "'é'", "#\"ö", "/*ä", "\"\\ö", "1é.", "😀'😀"] {
            for token in scan(text).tokens {
                assert!(text.is_char_boundary(token.start) && text.is_char_boundary(token.end));
            }
        }
    }

    #[test]
    fn pairs_belong_together() {
        assert_eq!(scan("f([1])").pairs, [(2, 4), (1, 5)]);
        assert!(scan("(]").mismatched);
    }
}
