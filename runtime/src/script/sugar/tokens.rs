//! Rhai's own tokens, and what stands where.

use std::collections::HashSet;

use rhai::{Engine, LexError, Token};

use super::{METHOD_WORDS, MODES};

/// A token and where it stands, from 1.
pub(super) struct Item {
    pub(super) token: Token,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// All tokens with their positions; what follows an error of the lexer is left to the parser.
pub(super) fn tokens(engine: &Engine, source: &str) -> Vec<Item> {
    let (stream, control) = engine.lex(std::slice::from_ref(&source));
    let mut items: Vec<Item> = Vec::new();
    // Depth of braces at which each open interpolation began.
    let mut interpolations: Vec<usize> = Vec::new();
    let mut depth = 0;
    for (token, position) in stream {
        match &token {
            // No name of Rhai's, and one of a session: the value of the last cell but one.
            Token::LexError(error) if matches!(&**error, LexError::MalformedIdentifier(name) if name == "__") =>
                {}
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

/// Whether the last word of a script is a `;`, behind which a value is not meant to be seen.
pub(crate) fn ends_silently(engine: &Engine, source: &str) -> bool {
    tokens(engine, source).last().is_some_and(|item| item.token == Token::SemiColon)
}

pub(super) fn name_of(token: &Token) -> Option<&str> {
    match token {
        Token::Identifier(name) => Some(name),
        _ => None,
    }
}

/// Whether a token can end a value, so that what follows is an operator or a call.
pub(super) fn ends_value(token: &Token) -> bool {
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
            | Token::Underscore
            | Token::LexError(_)
    ) || matches!(token, Token::Reserved(name) | Token::Custom(name) if name.as_str() == "this")
}

/// Whether a token ends a call or an index, whose value a `(` then calls. (`()` is one token.)
pub(super) fn ends_call(token: Option<&Token>) -> bool {
    matches!(token, Some(Token::RightParen | Token::RightBracket | Token::Unit))
}

pub(super) fn is_assignment(token: &Token) -> bool {
    matches!(
        token,
        Token::Equals
            | Token::PlusAssign
            | Token::MinusAssign
            | Token::MultiplyAssign
            | Token::DivideAssign
            | Token::ModuloAssign
            | Token::PowerOfAssign
            | Token::LeftShiftAssign
            | Token::RightShiftAssign
            | Token::AndAssign
            | Token::OrAssign
            | Token::XOrAssign
    )
}

/// Whether Rhai would not take a token for a name behind a dot, although it is a word.
pub(super) fn is_word_of_rhai(token: &Token) -> bool {
    match token {
        Token::Identifier(word) => MODES.contains(&word.as_str()),
        Token::Reserved(word) | Token::Custom(word) if METHOD_WORDS.contains(&word.as_str()) => {
            false
        }
        token => is_any_word_of_rhai(token),
    }
}

/// Whether a token is a word that Rhai keeps for itself.
pub(super) fn is_any_word_of_rhai(token: &Token) -> bool {
    match token {
        Token::Reserved(word) | Token::Custom(word) => {
            word.chars().all(|c| c.is_alphanumeric() || c == '_')
        }
        token => token.is_standard_keyword(),
    }
}

/// Whether what follows `previous` is a statement of its own.
pub(super) fn begins_statement(previous: &Option<Token>) -> bool {
    matches!(previous, None | Some(Token::SemiColon | Token::LeftBrace | Token::RightBrace))
}

/// Whether a token behind `no_grad { }` begins a statement although it could go on with the value.
pub(super) fn may_begin_statement(token: &Token) -> bool {
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

/// The names of all `let` and `const` outside of brackets and braces.
pub(super) fn top_level_variables(items: &[Item]) -> HashSet<String> {
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
