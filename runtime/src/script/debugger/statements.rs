//! Where the statements of a source begin: what a breakpoint can be at and what a step goes to.

use std::collections::{BTreeSet, HashMap};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::script::sugar::{Desugared, ERROR_OF, SHARE};

/// A statement, by the place where the user wrote its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// Whether something is called in it, so that other statements may run within it.
    pub calls: bool,
}

/// The statements of a source, those of its functions and closures among them.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// By the position at which the interpreter tells of them.
    told_at: HashMap<Position, Statement>,
    lines: BTreeSet<usize>,
}

impl Statements {
    /// The statements that a user wrote. Those that were made on the way are none.
    pub(super) fn of(ast: &AST, desugared: &Desugared) -> Statements {
        let mut found = Statements::default();
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            if let Some(ASTNode::Stmt(statement)) = path.last() {
                found.add(statement, desugared);
            }
            true
        });
        found
    }

    fn add(&mut self, statement: &Stmt, desugared: &Desugared) {
        let told_at = match statement {
            Stmt::Noop(..) | Stmt::Block(..) | Stmt::Share(..) => return,
            // Of these the interpreter tells by their expression; a block's statements are told of themselves.
            Stmt::Expr(expression) if matches!(**expression, Expr::Stmt(..)) => return,
            Stmt::Expr(expression) => expression.position(),
            other => other.position(),
        };
        if told_at.is_none() || is_made(statement, desugared) {
            return;
        }
        let (mut begin, mut calls) = (told_at, false);
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
            let Some(node) = path.last() else { return true };
            let position = node.position();
            if !position.is_none() && position < begin {
                begin = position;
            }
            calls |= match node {
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                | ASTNode::Stmt(Stmt::FnCall(call, _)) => call.op_token.is_none(),
                // Iterators may be closures.
                ASTNode::Stmt(Stmt::For(..)) => true,
                _ => false,
            };
            true
        });
        let begin = desugared.original(begin);
        if let (Some(line), Some(column)) = (begin.line(), begin.position()) {
            self.told_at.insert(told_at, Statement { line, column, calls });
            self.lines.insert(line);
        }
    }

    /// The statement of which the interpreter tells at a position.
    pub(super) fn told_at(&self, position: Position) -> Option<Statement> {
        self.told_at.get(&position).copied()
    }

    /// The first line from `line` on in which a statement begins.
    pub(super) fn line_from(&self, line: usize) -> Option<usize> {
        self.lines.range(line..).next().copied()
    }
}

/// Whether a statement was made by the sugar or by the parser.
fn is_made(statement: &Stmt, desugared: &Desugared) -> bool {
    let of_call = |call: &FnCallExpr| {
        // A closure takes what it captures in a statement of its own.
        let captures = matches!(call.args.first(), Some(Expr::DynamicConstant(..)));
        call.name == SHARE || (call.name == "curry" && captures)
    };
    match statement {
        Stmt::FnCall(call, _) => of_call(call),
        Stmt::Assignment(assignment) => {
            matches!(&assignment.1.rhs, Expr::FnCall(call, _) if call.name == ERROR_OF)
        }
        Stmt::Expr(expression) => match &**expression {
            Expr::FnCall(call, _) => of_call(call),
            Expr::Variable(.., position) => is_made_closure(*position, desugared),
            _ => false,
        },
        _ => false,
    }
}

/// Whether the sugar has made a closure of the variable at a position, to share or to hold it.
fn is_made_closure(position: Position, desugared: &Desugared) -> bool {
    let (Some(line), Some(column)) = (position.line(), position.position()) else { return false };
    let text = desugared.text.split('\n').nth(line - 1).unwrap_or_default();
    let before: String = text.chars().take(column - 1).collect();
    before.ends_with("|| ") && desugared.follows_insertion(line, column)
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::*;

    fn lines(code: &str) -> Vec<usize> {
        let ast = Engine::new().compile(code).expect("a script");
        Statements::of(&ast, &Desugared::plain(code)).lines.into_iter().collect()
    }

    #[test]
    fn statements_begin_where_their_first_word_stands() {
        assert_eq!(lines("let x = [1,\n 2];\n\nx\n  .len()\n  .max(3)"), [1, 4]);
        assert_eq!(lines("let a = 1;\na =\n 2;\na\n + a\n + 1"), [1, 2, 4]);
    }

    #[test]
    fn blocks_functions_and_closures_have_their_own() {
        let code = "fn f(x) {\n  let y = x;\n  y\n}\nif f(1) > 0 {\n  print(1);\n} else {\n  \
                    print(2);\n}\nlet g = |x| {\n  x + 1\n};";
        assert_eq!(lines(code), [2, 3, 5, 6, 8, 10, 11]);
    }

    #[test]
    fn what_a_closure_captures_is_no_statement() {
        assert_eq!(lines("let x = 1;\nlet f =\n  || x;\nf"), [1, 2, 3, 4]);
        let code = "let x = 1; let f = || x;";
        let ast = Engine::new().compile(code).expect("a script");
        // Both declarations, and the expression of the closure.
        assert_eq!(Statements::of(&ast, &Desugared::plain(code)).told_at.len(), 3);
    }

    #[test]
    fn a_line_without_a_statement_leads_to_the_next() {
        let code = "// nothing\n\nlet x = 1;\n}";
        let ast = Engine::new().compile(&code[..code.len() - 1]).expect("a script");
        let found = Statements::of(&ast, &Desugared::plain(code));
        assert_eq!(found.line_from(1), Some(3));
        assert_eq!(found.line_from(4), None);
    }
}
