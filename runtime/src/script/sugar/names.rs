//! What a name means where it stands, and what closures and functions read from outside.

use rhai::Token;

use super::pass::{Kind, Pass};
use super::tokens::is_assignment;

impl Pass<'_> {
    /// Whether a method and its arguments stand at `i`. A function of a script may be one: it needs the
    /// variable itself as `this`.
    pub(super) fn is_method_call(&self, i: usize) -> bool {
        let method = match self.token(i) {
            Some(Token::Identifier(name)) => {
                !self.functions.contains(name.as_str())
                    && !self.earlier.functions.contains(name.as_str())
            }
            Some(Token::Reserved(_)) => true,
            _ => false,
        };
        method && matches!(self.token(i + 1), Some(Token::LeftParen | Token::Unit))
    }

    /// Whether a variable is in Rhai's own scope here, not one that a function reads from the session.
    pub(super) fn is_own_variable(&self, name: &str) -> bool {
        for frame in self.frames.iter().rev() {
            if frame.names.contains(name) {
                return true;
            }
            if frame.kind == Kind::FunctionBody {
                return false;
            }
        }
        self.earlier.variables.contains(name)
    }

    /// Whether the chain of members, calls and indices that begins at `i` is assigned to.
    pub(super) fn is_assigned(&self, i: usize) -> bool {
        let mut depth = 0usize;
        for (j, item) in self.items.iter().enumerate().skip(i + 1) {
            match &item.token {
                Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::MapStart => {
                    depth += 1;
                }
                Token::RightParen | Token::RightBracket | Token::RightBrace if depth > 0 => {
                    depth -= 1;
                }
                _ if depth > 0 => {}
                Token::Period | Token::Unit => {}
                Token::Identifier(_) | Token::Reserved(_) if self.is_member(j) => {}
                token => return is_assignment(token),
            }
        }
        false
    }

    /// Remembers a variable that a closure reads from outside.
    pub(super) fn note_captured(&mut self, name: &str) {
        let mut outside = false;
        let mut found = false;
        for frame in self.frames.iter().rev() {
            if frame.names.contains(name) {
                found = true;
                break;
            }
            outside |= matches!(frame.kind, Kind::ClosureBody | Kind::ClosureExpression);
            if frame.kind == Kind::FunctionBody {
                return;
            }
        }
        if outside && (found || self.earlier.variables.contains(name)) {
            self.captured.insert(name.to_owned());
        }
    }

    /// Whether `name(…)` calls a variable here. A function sees its own names and the session's.
    pub(super) fn is_called_variable(&self, name: &str) -> bool {
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
    pub(super) fn note_free(&mut self, name: &str) {
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
