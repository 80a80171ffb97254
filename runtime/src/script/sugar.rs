//! The sugar, and the one rule about top-level names, as a pass over Rhai's own tokens.
//!
//! - `f(x, dim: 1)` becomes `f(x, #{dim: 1})`: named arguments at the end of a call.
//! - `f(x)` becomes `f.__call__(x)` where `f` is a variable in scope (let, const, parameter, loop,
//!   catch, session) and no function of the script; so do `a[0](x)` and `f(x)(y)`. Between a variable
//!   and a function of different cells, the younger one is meant.
//! - `model.eval()`: names behind a dot may be words that Rhai reserves.
//! - `catch (e) {` gets `e = error_of(e);`, so that all errors have one shape.
//! - A top-level `let x` that a function of the session reads is shared with it.
//! - `no_grad { … }` as a statement ends with its brace, so that `[` or `(` may begin the next one.
//!
//! Nothing else changes: plain Rhai stays as it is. Text is only inserted, never with a line break, so
//! a position in the result maps back to what the user wrote.

use std::collections::HashSet;

use rhai::{Engine, Position, Token};

/// The method that a call of a value becomes.
pub(crate) const CALL: &str = "__call__";

/// The function that shares a top-level variable.
pub(crate) const SHARE: &str = "__share__";

/// The function that gives caught errors their shape.
pub(crate) const ERROR_OF: &str = "__error_of__";

/// Put before names of methods and attributes that are words of Rhai's own, such as `model.eval()`.
const ESCAPE: &str = "__word_";

/// The name that a script wrote, without the escape that this pass may have given it.
pub(crate) fn written_name(name: &str) -> &str {
    name.strip_prefix(ESCAPE).unwrap_or(name)
}

/// Words that Rhai lets stand behind a dot.
const METHOD_WORDS: &[&str] = &["call", "curry", "type_of", "is_shared", "this", "print", "debug"];

/// Text that was inserted before a position of the original, in characters.
#[derive(Clone, Debug)]
struct Insertion {
    line: usize,
    column: usize,
    text: String,
}

/// A script with its sugar taken out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desugared {
    /// What Rhai compiles.
    pub text: String,
    insertions: Vec<Insertion>,
    /// Names that functions read and that are not their own.
    pub free: HashSet<String>,
    /// Variables that are declared outside of all blocks.
    pub variables: HashSet<String>,
}

impl Desugared {
    /// The position in the user's text of a position in [`Desugared::text`].
    pub(crate) fn original(&self, position: Position) -> Position {
        let (Some(line), Some(column)) = (position.line(), position.position()) else {
            return position;
        };
        let mut shift = 0;
        for insertion in self.insertions.iter().filter(|insertion| insertion.line == line) {
            let length = insertion.text.chars().count();
            // Where the insertion begins in the new text.
            let start = insertion.column + shift;
            if column < start {
                break;
            }
            if column < start + length {
                return Position::new(line as u16, insertion.column as u16);
            }
            shift += length;
        }
        Position::new(line as u16, (column - shift) as u16)
    }
}

/// What a bracket opened.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Block,
    /// The body of a function: it sees its own names and the session's.
    FunctionBody,
    Map,
    Index,
    Group,
    /// The parentheses of a call.
    Call,
    /// The body of a closure without braces.
    ClosureExpression,
    /// The block of `no_grad` and its kin, where that is a statement of its own.
    ModeStatement,
}

struct Frame {
    kind: Kind,
    names: HashSet<String>,
    /// Whether a run of named arguments has begun in this call.
    named: bool,
}

impl Frame {
    fn new(kind: Kind) -> Self {
        Frame { kind, names: HashSet::new(), named: false }
    }
}

struct Item {
    token: Token,
    line: usize,
    column: usize,
}

/// What earlier cells of a session have left.
#[derive(Default)]
pub(crate) struct Earlier {
    /// Top-level variables.
    pub variables: HashSet<String>,
    /// Functions that are younger than any variable of their name.
    pub functions: HashSet<String>,
    /// Names that functions read and that are not their own.
    pub read: HashSet<String>,
}

/// Takes the sugar out of `source`.
pub(crate) fn desugar(engine: &Engine, source: &str, earlier: &Earlier) -> Desugared {
    let items = tokens(engine, source);
    let functions: HashSet<String> = items
        .windows(2)
        .filter(|pair| pair[0].token == Token::Fn)
        .filter_map(|pair| name_of(&pair[1].token).map(str::to_owned))
        .collect();
    let mut pass = Pass {
        items: &items,
        earlier,
        functions,
        variables: top_level_variables(&items),
        frames: vec![Frame::new(Kind::Block)],
        pending: Vec::new(),
        insertions: Vec::new(),
        free: HashSet::new(),
        lets: Vec::new(),
        open_let: None,
    };
    pass.run();
    let Pass { mut insertions, free, lets, variables, .. } = pass;
    for (name, line, column) in lets {
        if free.contains(&name) || earlier.read.contains(&name) {
            insertions.push(Insertion {
                line,
                column,
                text: format!(" {SHARE}(\"{name}\", || {name});"),
            });
        }
    }
    insertions.sort_by_key(|insertion| (insertion.line, insertion.column));
    let text = apply(source, &insertions);
    Desugared { text, insertions, free, variables }
}

/// The names of all `let` and `const` outside of brackets and braces.
fn top_level_variables(items: &[Item]) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut depth = 0usize;
    for pair in items.windows(2) {
        match &pair[0].token {
            Token::LeftBrace | Token::MapStart | Token::LeftParen | Token::LeftBracket => {
                depth += 1
            }
            Token::RightBrace | Token::RightParen | Token::RightBracket => {
                depth = depth.saturating_sub(1);
            }
            Token::Let | Token::Const if depth == 0 => {
                names.extend(name_of(&pair[1].token).map(str::to_owned));
            }
            _ => {}
        }
    }
    names
}

/// Inserts all texts in one walk over the source.
fn apply(source: &str, insertions: &[Insertion]) -> String {
    if insertions.is_empty() {
        return source.to_owned();
    }
    let mut out = String::with_capacity(source.len() + insertions.len() * 12);
    let mut next = insertions.iter().peekable();
    for (i, line) in source.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        for (column, c) in (1..).zip(line.chars()) {
            while let Some(insertion) = next.next_if(|n| n.line == i + 1 && n.column == column) {
                out.push_str(&insertion.text);
            }
            out.push(c);
        }
        while let Some(insertion) = next.next_if(|n| n.line == i + 1) {
            out.push_str(&insertion.text);
        }
    }
    out
}

/// All tokens with their positions; what follows an error of the lexer is left to the parser.
fn tokens(engine: &Engine, source: &str) -> Vec<Item> {
    let (stream, control) = engine.lex(std::slice::from_ref(&source));
    let mut items: Vec<Item> = Vec::new();
    // Depth of braces at which each open interpolation began.
    let mut interpolations: Vec<usize> = Vec::new();
    let mut depth = 0;
    for (token, position) in stream {
        match &token {
            Token::EOF | Token::LexError(_) => break,
            Token::LeftBrace | Token::MapStart => depth += 1,
            Token::RightBrace => {
                depth -= 1.min(depth);
                if interpolations.last() == Some(&depth) {
                    interpolations.pop();
                    // As Rhai's parser does: what follows is text again.
                    control.borrow_mut().is_within_text = true;
                }
            }
            Token::InterpolatedString(_) => interpolations.push(depth),
            _ => {}
        }
        items.push(Item {
            token,
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0),
        });
    }
    items
}

fn name_of(token: &Token) -> Option<&str> {
    match token {
        Token::Identifier(name) => Some(name),
        _ => None,
    }
}

/// Whether a token can end a value, so that what follows is an operator or a call.
fn ends_value(token: &Token) -> bool {
    matches!(
        token,
        Token::Identifier(_)
            | Token::IntegerConstant(_)
            | Token::FloatConstant(_)
            | Token::CharConstant(_)
            | Token::StringConstant(_)
            | Token::True
            | Token::False
            | Token::RightParen
            | Token::RightBracket
            | Token::RightBrace
            | Token::Unit
    ) || matches!(token, Token::Reserved(name) | Token::Custom(name) if name.as_str() == "this")
}

/// Whether a token ends a call or an index, whose value a `(` then calls. (`()` is one token.)
fn ends_call(token: Option<&Token>) -> bool {
    matches!(token, Some(Token::RightParen | Token::RightBracket | Token::Unit))
}

/// Whether a token behind `no_grad { }` begins a statement although it could go on with the value.
fn may_begin_statement(token: &Token) -> bool {
    matches!(
        token,
        Token::LeftBracket
            | Token::LeftParen
            | Token::Unit
            | Token::Minus
            | Token::UnaryMinus
            | Token::Pipe
            | Token::Or
    )
}

struct Pass<'a> {
    items: &'a [Item],
    earlier: &'a Earlier,
    /// The functions of this script.
    functions: HashSet<String>,
    /// Its variables outside of all blocks, also those that are declared further down.
    variables: HashSet<String>,
    frames: Vec<Frame>,
    /// Names for the next block that opens at this depth of frames.
    pending: Vec<(usize, Kind, HashSet<String>)>,
    insertions: Vec<Insertion>,
    free: HashSet<String>,
    /// Top-level variables and where their statement has ended.
    lets: Vec<(String, usize, usize)>,
    open_let: Option<String>,
}

impl Pass<'_> {
    fn token(&self, i: usize) -> Option<&Token> {
        self.items.get(i).map(|item| &item.token)
    }

    fn insert(&mut self, i: usize, text: &str) {
        if let Some(item) = self.items.get(i) {
            let (line, column) = (item.line, item.column);
            self.insertions.push(Insertion { line, column, text: text.to_owned() });
        }
    }

    fn run(&mut self) {
        let mut i = 0;
        while i < self.items.len() {
            i = self.step(i);
        }
    }

    /// Handles the token at `i`; returns where to go on.
    fn step(&mut self, i: usize) -> usize {
        let previous = i.checked_sub(1).and_then(|p| self.token(p)).cloned();
        let after_value = previous.as_ref().is_some_and(ends_value);
        match self.items[i].token.clone() {
            Token::Let | Token::Const => self.declaration(i),
            Token::Fn => self.function(i),
            Token::For => self.names_until(i, |token| *token == Token::In, Kind::Block),
            Token::Catch => self.catch(i),
            Token::Pipe if !after_value => self.closure(i),
            Token::Or if !after_value => self.closure_body(i + 1, HashSet::new()),
            Token::LeftParen => {
                // A word of Rhai's own behind a dot is a method: `x.var(dim: 0)`.
                let word = matches!(previous, Some(Token::Reserved(_))) && self.is_member(i - 1);
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
            Token::Identifier(name) => self.identifier(i, &name, previous.as_ref()),
            Token::Reserved(name)
                if matches!(previous, Some(Token::Period | Token::Elvis))
                    && !METHOD_WORDS.contains(&name.as_str())
                    && name.chars().all(|c| c.is_alphanumeric() || c == '_') =>
            {
                self.insert(i, ESCAPE);
                i + 1
            }
            Token::Reserved(name) if name.as_str() == "this" => {
                if self.token(i + 1) == Some(&Token::LeftParen)
                    && !matches!(previous, Some(Token::Period))
                {
                    self.insert(i + 1, &format!(".{CALL}"));
                }
                i + 1
            }
            Token::Custom(_) if self.token(i + 1) == Some(&Token::LeftBrace) => {
                let statement = matches!(
                    previous,
                    None | Some(Token::SemiColon | Token::LeftBrace | Token::RightBrace)
                );
                if statement {
                    self.pending.push((self.frames.len(), Kind::ModeStatement, HashSet::new()));
                }
                i + 1
            }
            _ => i + 1,
        }
    }

    /// Whether the token at `i` stands behind a dot.
    fn is_member(&self, i: usize) -> bool {
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
            self.pending.push((self.frames.len(), Kind::Block, names));
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
        // A named argument: `name:` at the start of an argument of a call.
        if next == Some(Token::Colon)
            && matches!(previous, Some(Token::LeftParen | Token::Comma))
            && let Some(frame) = self.frames.last_mut()
            && frame.kind == Kind::Call
        {
            if !frame.named {
                frame.named = true;
                self.insert(i, "#{");
            }
            return i + 2;
        }
        let in_map_key = next == Some(Token::Colon)
            && self.frames.last().is_some_and(|frame| frame.kind == Kind::Map);
        if member || in_map_key || next == Some(Token::DoubleColon) {
            return i + 1;
        }
        if matches!(next, Some(Token::LeftParen | Token::Unit)) && self.is_called_variable(name) {
            self.insert(i + 1, &format!(".{CALL}"));
        }
        self.note_free(name);
        i + 1
    }

    /// Whether `name(…)` calls a variable here. A function sees its own names and the session's.
    fn is_called_variable(&self, name: &str) -> bool {
        if self.functions.contains(name) {
            return false;
        }
        for frame in self.frames.iter().rev() {
            if frame.names.contains(name) {
                return true;
            }
            if frame.kind == Kind::FunctionBody && self.variables.contains(name) {
                return true;
            }
            if frame.kind == Kind::FunctionBody {
                break;
            }
        }
        self.earlier.variables.contains(name) && !self.earlier.functions.contains(name)
    }

    /// Remembers a name that a function reads and does not declare itself.
    fn note_free(&mut self, name: &str) {
        for frame in self.frames.iter().rev() {
            if frame.names.contains(name) && frame.kind != Kind::FunctionBody {
                return;
            }
            if frame.kind == Kind::FunctionBody {
                if !frame.names.contains(name) {
                    self.free.insert(name.to_owned());
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
