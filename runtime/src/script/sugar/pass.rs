//! The walk over a script's tokens that decides what is inserted where.

use std::collections::HashSet;

use rhai::Token;

use super::tokens::{
    Item, begins_statement, ends_call, ends_value, is_any_word_of_rhai, is_word_of_rhai,
    may_begin_statement, name_of, top_level_variables,
};
use super::{CALL, ERROR_OF, ESCAPE, Earlier, HELD, Insertion, LAST, LAST_BUT_ONE, WITH};

/// What a bracket opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Block,
    /// The body of a function: it sees its own names and the session's.
    FunctionBody,
    Map,
    Index,
    Group,
    /// The parentheses of a call.
    Call,
    /// The body of a closure with braces.
    ClosureBody,
    /// The body of a closure without braces.
    ClosureExpression,
    /// The block of `no_grad` and its kin, where that is a statement of its own.
    ModeStatement,
}

pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) names: HashSet<String>,
    /// Whether a run of named arguments has begun in this call.
    pub(super) named: bool,
}

impl Frame {
    fn new(kind: Kind) -> Self {
        Frame { kind, names: HashSet::new(), named: false }
    }
}

pub(super) struct Pass<'a> {
    pub(super) items: &'a [Item],
    pub(super) earlier: &'a Earlier,
    /// The functions of this script.
    pub(super) functions: &'a HashSet<String>,
    /// Its variables outside of all blocks, also those that are declared further down.
    pub(super) variables: HashSet<String>,
    pub(super) frames: Vec<Frame>,
    /// Names for the next block that opens at this depth of frames.
    pub(super) pending: Vec<(usize, Kind, HashSet<String>)>,
    pub(super) insertions: Vec<Insertion>,
    pub(super) free: HashSet<String>,
    pub(super) captured: HashSet<String>,
    /// Names of variables that closures or functions share, as far as known.
    pub(super) shared: HashSet<String>,
    /// Top-level variables and where their statement has ended.
    pub(super) lets: Vec<(String, usize, usize)>,
    pub(super) open_let: Option<String>,
}

impl<'a> Pass<'a> {
    /// Walks over a whole script; `shared` are the names of variables that closures or functions share.
    pub(super) fn over(
        items: &'a [Item],
        earlier: &'a Earlier,
        functions: &'a HashSet<String>,
        shared: HashSet<String>,
    ) -> Pass<'a> {
        let mut pass = Pass {
            items,
            earlier,
            functions,
            variables: top_level_variables(items),
            frames: vec![Frame::new(Kind::Block)],
            pending: Vec::new(),
            insertions: Vec::new(),
            free: HashSet::new(),
            captured: HashSet::new(),
            shared,
            lets: Vec::new(),
            open_let: None,
        };
        let mut i = 0;
        while i < items.len() {
            i = pass.step(i);
        }
        pass
    }

    pub(super) fn token(&self, i: usize) -> Option<&Token> {
        self.items.get(i).map(|item| &item.token)
    }

    fn insert(&mut self, i: usize, text: &str) {
        if let Some(item) = self.items.get(i) {
            let (line, column) = (item.line, item.column);
            self.insertions.push(Insertion { line, column, text: text.to_owned() });
        }
    }

    /// Handles the token at `i`; returns where to go on.
    fn step(&mut self, i: usize) -> usize {
        let previous = i.checked_sub(1).and_then(|p| self.token(p)).cloned();
        let after_value = previous.as_ref().is_some_and(ends_value);
        if self.is_member(i) && is_word_of_rhai(&self.items[i].token) {
            self.insert(i, ESCAPE);
            return i + 1;
        }
        if self.is_key(i, &previous) {
            return self.key(i);
        }
        if self.is_short_entry(i, &previous) {
            let name = name_of(&self.items[i].token).unwrap_or_default().to_owned();
            self.insert(i, &format!("{name}: "));
        }
        match self.items[i].token.clone() {
            Token::Let | Token::Const => self.declaration(i),
            Token::Fn => self.function(i),
            Token::For => self.names_until(i, |token| *token == Token::In, Kind::Block),
            Token::Catch => self.catch(i),
            Token::Pipe if !after_value => self.closure(i),
            Token::Or if !after_value => self.closure_body(i + 1, HashSet::new()),
            Token::LeftParen => {
                // A word of Rhai's own behind a dot is a method: `x.var(dim: 0)`.
                let word = self.is_member(i.saturating_sub(1))
                    && previous.as_ref().is_some_and(|token| {
                        matches!(token, Token::Reserved(_)) || is_word_of_rhai(token)
                    });
                let called = word || after_value && !matches!(previous, Some(Token::RightBrace));
                if called && ends_call(previous.as_ref()) {
                    self.insert(i, &format!(".{CALL}"));
                }
                self.frames.push(Frame::new(if called { Kind::Call } else { Kind::Group }));
                i + 1
            }
            Token::Unit => {
                if ends_call(previous.as_ref()) {
                    self.insert(i, &format!(".{CALL}"));
                }
                i + 1
            }
            Token::LeftBracket | Token::QuestionBracket => {
                self.frames.push(Frame::new(Kind::Index));
                i + 1
            }
            Token::MapStart => {
                self.frames.push(Frame::new(Kind::Map));
                i + 1
            }
            Token::LeftBrace => {
                let depth = self.frames.len();
                let mut frame = Frame::new(Kind::Block);
                if let Some(at) = self.pending.iter().rposition(|(d, ..)| *d == depth) {
                    let (_, kind, names) = self.pending.remove(at);
                    frame.kind = kind;
                    frame.names = names;
                }
                self.frames.push(frame);
                i + 1
            }
            Token::RightParen | Token::RightBracket | Token::RightBrace => {
                self.end_closures();
                if self.frames.last().is_some_and(|frame| frame.named) {
                    self.insert(i, "}");
                }
                if self.frames.last().is_some_and(|frame| frame.kind == Kind::ModeStatement)
                    && self.token(i + 1).is_some_and(may_begin_statement)
                {
                    self.insert(i + 1, ";");
                }
                if self.frames.len() > 1 {
                    self.frames.pop();
                }
                i + 1
            }
            Token::Comma | Token::SemiColon => {
                self.end_closures();
                if self.items[i].token == Token::SemiColon
                    && self.frames.len() == 1
                    && let Some(name) = self.open_let.take()
                {
                    let (line, column) = (self.items[i].line, self.items[i].column + 1);
                    self.lets.push((name, line, column));
                }
                i + 1
            }
            Token::Identifier(_)
                if self.token(i + 1) == Some(&Token::LeftBrace) && begins_statement(&previous) =>
            {
                self.pending.push((self.frames.len(), Kind::ModeStatement, HashSet::new()));
                i + 1
            }
            Token::Identifier(name) => self.identifier(i, &name, previous.as_ref()),
            Token::Reserved(word) | Token::Custom(word) if word.as_str() == WITH => {
                self.with(i, &previous)
            }
            // Not the default of a `switch`.
            Token::Underscore if self.token(i + 1) != Some(&Token::DoubleArrow) => {
                self.kept(i, "_", LAST)
            }
            Token::LexError(_) => self.kept(i, "__", LAST_BUT_ONE),
            Token::Reserved(name) if name.as_str() == "this" => {
                if self.token(i + 1) == Some(&Token::LeftParen)
                    && !matches!(previous, Some(Token::Period))
                {
                    self.insert(i + 1, &format!(".{CALL}"));
                }
                i + 1
            }
            _ => i + 1,
        }
    }

    /// Whether a named argument or the key of a map stands at `i`: a word with `:` behind it.
    fn is_key(&self, i: usize, previous: &Option<Token>) -> bool {
        let word = matches!(self.items[i].token, Token::Identifier(_))
            || is_any_word_of_rhai(&self.items[i].token);
        let place = match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::Call) => matches!(previous, Some(Token::LeftParen | Token::Comma)),
            Some(Kind::Map) => matches!(previous, Some(Token::MapStart | Token::Comma)),
            _ => false,
        };
        word && place && self.token(i + 1) == Some(&Token::Colon)
    }

    /// Whether an entry of a map stands at `i` that is only the name of its variable: `#{step, loss}`.
    fn is_short_entry(&self, i: usize, previous: &Option<Token>) -> bool {
        matches!(self.items[i].token, Token::Identifier(_))
            && self.frames.last().is_some_and(|frame| frame.kind == Kind::Map)
            && matches!(previous, Some(Token::MapStart | Token::Comma))
            && matches!(self.token(i + 1), Some(Token::Comma | Token::RightBrace))
    }

    /// The first named argument of a call opens a map; Rhai wants its own words as keys in quotes.
    fn key(&mut self, i: usize) -> usize {
        if let Some(frame) = self.frames.last_mut()
            && frame.kind == Kind::Call
            && !frame.named
        {
            frame.named = true;
            self.insert(i, "#{");
        }
        if is_any_word_of_rhai(&self.items[i].token) {
            self.insert(i, "\"");
            self.insert(i + 1, "\"");
        }
        i + 2
    }

    /// `with EXPR as NAME {`: the name belongs to the block.
    fn with(&mut self, i: usize, previous: &Option<Token>) -> usize {
        let mut depth = 0usize;
        let mut names = HashSet::new();
        for j in i + 1..self.items.len() {
            match &self.items[j].token {
                Token::LeftParen | Token::LeftBracket | Token::MapStart => depth += 1,
                Token::LeftBrace if depth > 0 => depth += 1,
                Token::LeftBrace | Token::SemiColon => break,
                Token::RightParen | Token::RightBracket | Token::RightBrace => {
                    depth = depth.saturating_sub(1);
                }
                Token::As if depth == 0 => {
                    names.extend(self.token(j + 1).and_then(name_of).map(str::to_owned));
                }
                _ => {}
            }
        }
        let kind = if begins_statement(previous) { Kind::ModeStatement } else { Kind::Block };
        self.pending.push((self.frames.len(), kind, names));
        i + 1
    }

    /// The value of an earlier cell, by its short name.
    fn kept(&mut self, i: usize, written: &str, name: &str) -> usize {
        if self.earlier.variables.contains(name)
            && let Some(rest) = name.strip_prefix(written)
        {
            let (line, column) = (self.items[i].line, self.items[i].column + written.len());
            self.insertions.push(Insertion { line, column, text: rest.to_owned() });
        }
        i + 1
    }

    /// Whether the token at `i` stands behind a dot.
    pub(super) fn is_member(&self, i: usize) -> bool {
        i > 0 && matches!(self.token(i - 1), Some(Token::Period | Token::Elvis))
    }

    /// A `,`, `;` or closing bracket ends closures without braces.
    fn end_closures(&mut self) {
        while self.frames.last().is_some_and(|frame| frame.kind == Kind::ClosureExpression) {
            self.frames.pop();
        }
    }

    fn declaration(&mut self, i: usize) -> usize {
        if let Some(name) = self.token(i + 1).and_then(name_of).map(str::to_owned) {
            if self.frames.len() == 1 {
                self.open_let = Some(name.clone());
            }
            if let Some(frame) = self.frames.last_mut() {
                frame.names.insert(name);
            }
            return i + 2;
        }
        i + 1
    }

    /// `fn name(a, b) {`: its parameters belong to its body. `fn Type.name(…)` too.
    fn function(&mut self, i: usize) -> usize {
        let Some(open) = (i + 1..self.items.len())
            .take(6)
            .find(|&j| matches!(self.token(j), Some(Token::LeftParen | Token::Unit)))
        else {
            return i + 1;
        };
        let mut names = HashSet::new();
        let mut j = open;
        if self.token(open) == Some(&Token::LeftParen) {
            j = open + 1;
            while let Some(token) = self.token(j) {
                if *token == Token::RightParen {
                    break;
                }
                names.extend(name_of(token).map(str::to_owned));
                j += 1;
            }
        }
        self.pending.push((self.frames.len(), Kind::FunctionBody, names));
        j + 1
    }

    /// `for x in` and `for (x, i) in`: the names belong to the next block at this depth.
    fn names_until(&mut self, i: usize, end: impl Fn(&Token) -> bool, kind: Kind) -> usize {
        let mut names = HashSet::new();
        let mut j = i + 1;
        while let Some(token) = self.token(j) {
            if end(token) {
                break;
            }
            names.extend(name_of(token).map(str::to_owned));
            j += 1;
        }
        self.pending.push((self.frames.len(), kind, names));
        j + 1
    }

    /// `catch (e) {`
    fn catch(&mut self, i: usize) -> usize {
        if self.token(i + 1) == Some(&Token::LeftParen)
            && let Some(name) = self.token(i + 2).and_then(name_of).map(str::to_owned)
            && self.token(i + 3) == Some(&Token::RightParen)
            && self.token(i + 4) == Some(&Token::LeftBrace)
        {
            let (line, column) = (self.items[i + 4].line, self.items[i + 4].column + 1);
            self.insertions.push(Insertion {
                line,
                column,
                text: format!(" {name} = {ERROR_OF}({name});"),
            });
            self.pending.push((self.frames.len(), Kind::Block, HashSet::from([name])));
            return i + 4;
        }
        i + 1
    }

    /// `|a, b| body`
    fn closure(&mut self, i: usize) -> usize {
        let mut names = HashSet::new();
        let mut j = i + 1;
        while let Some(token) = self.token(j) {
            if *token == Token::Pipe {
                break;
            }
            names.extend(name_of(token).map(str::to_owned));
            j += 1;
        }
        self.closure_body(j + 1, names)
    }

    fn closure_body(&mut self, body: usize, names: HashSet<String>) -> usize {
        if self.token(body) == Some(&Token::LeftBrace) {
            self.pending.push((self.frames.len(), Kind::ClosureBody, names));
        } else {
            let mut frame = Frame::new(Kind::ClosureExpression);
            frame.names = names;
            self.frames.push(frame);
        }
        body
    }

    fn identifier(&mut self, i: usize, name: &str, previous: Option<&Token>) -> usize {
        let member = matches!(previous, Some(Token::Period | Token::Elvis | Token::DoubleColon));
        let next = self.token(i + 1).cloned();
        if member || next == Some(Token::DoubleColon) {
            return i + 1;
        }
        let called =
            matches!(next, Some(Token::LeftParen | Token::Unit)) && self.is_called_variable(name);
        if self.shared.contains(name)
            && (called || next == Some(Token::Period) && self.is_method_call(i + 2))
            && self.is_own_variable(name)
            && !self.is_assigned(i)
        {
            self.insert(i, &format!("{HELD}(|| "));
            self.insert(i + 1, ")");
        }
        if called {
            self.insert(i + 1, &format!(".{CALL}"));
        }
        self.note_free(name);
        self.note_captured(name);
        i + 1
    }
}
