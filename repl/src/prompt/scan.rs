//! What a text consists of, as far as an editor must know: words, numbers, strings, comments, brackets, and
//! what of them is still open at the end. What one looks like each language says for itself; the parser in the engine
//! has the last word.

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

impl Scan {
    /// Whether a bracket at `start` or behind it is still open. `text` is what was read.
    pub fn opens_behind(&self, text: &str, start: usize) -> bool {
        let closed = |place: usize| self.pairs.iter().any(|pair| pair.0 == place);
        self.tokens.iter().any(|token| {
            token.kind == Kind::Bracket
                && token.start >= start
                && text[token.start..token.end].ends_with(['(', '[', '{'])
                && !closed(token.start)
        })
    }
}

/// Reads a text from its beginning to its end.
pub struct Scanner<'a> {
    pub text: &'a str,
    /// How far it has come, in bytes.
    pub at: usize,
    pub scan: Scan,
    /// Where each of `scan.open` began.
    places: Vec<usize>,
}

impl<'a> Scanner<'a> {
    /// Reads a whole text. Each `step` goes on by at least a character.
    pub fn run(text: &'a str, step: impl Fn(&mut Scanner<'a>)) -> Scan {
        let mut scanner = Scanner { text, at: 0, scan: Scan::default(), places: Vec::new() };
        while scanner.at < text.len() {
            step(&mut scanner);
        }
        scanner.scan
    }

    /// What is still to be read.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Takes `length` bytes as a token.
    pub fn take(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        self.at += length;
        self.scan.tokens.push(Token { kind, start, end: self.at });
    }

    /// Notes that something begins here.
    pub fn push(&mut self, open: Open) {
        self.scan.open.push(open);
        self.places.push(self.at);
    }

    /// Notes that what began last has ended.
    pub fn pop(&mut self) -> Option<usize> {
        self.scan.open.pop();
        self.places.pop()
    }

    /// Takes a closing bracket.
    pub fn close(&mut self, bracket: char) {
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
            let place = self.pop().unwrap_or_default();
            self.scan.pairs.push((place, self.at));
        }
        self.take(Kind::Bracket, 1);
    }

    /// Takes a word, which is one of `keywords` or not.
    pub fn word(&mut self, keywords: &[&str]) {
        let word = word(self.rest());
        let kind = if keywords.contains(&word) { Kind::Keyword } else { Kind::Word };
        self.take(kind, word.len());
    }
}

/// The word that a text begins with.
pub fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}
