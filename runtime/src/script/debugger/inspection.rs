//! What a client may ask of a session: while a script stands, of its calls; else of the session's variables.

use std::collections::BTreeSet;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalContext, Scope};

use super::frames::{Variables, seen};
use super::statements::Statements;
use super::values::Inspected;
use super::{Goal, Reason};
use crate::error::{Error, Kind, Result};
use crate::script::display::{self, Bundle};
use crate::script::errors;
use crate::script::missing::is_word;
use crate::script::state::State;
use crate::script::sugar::{self, Earlier};

/// A call that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The number by which its variables can be asked for: 1 is the outermost.
    pub id: usize,
    /// What is called; the source's name for the cell itself.
    pub function: String,
    /// The name of the source.
    pub source: String,
    /// What the client calls the source, where it has said so.
    pub file: String,
    /// The statement under way; both counted from 1.
    pub line: usize,
    /// In characters.
    pub column: usize,
}

/// A session as a client of the debugger sees it.
pub struct Inspection<'a, 's> {
    state: Rc<State>,
    engine: &'a Engine,
    /// Of the innermost call, or of the session where nothing runs.
    scope: &'a mut Scope<'s>,
    this: Option<Dynamic>,
    stands: bool,
}

impl<'a, 's> Inspection<'a, 's> {
    /// Of a session where nothing runs.
    pub(crate) fn of(state: Rc<State>, engine: &'a Engine, scope: &'a mut Scope<'s>) -> Self {
        Inspection { state, engine, scope, this: None, stands: false }
    }

    /// Of a script that has come to a statement.
    pub(super) fn within(
        state: &Rc<State>,
        context: &'a mut EvalContext<'_, '_, 's, '_, '_, '_>,
        stands: bool,
    ) -> Self {
        let this = context.this_ptr().map(Dynamic::flatten_clone);
        let engine = context.engine();
        Inspection { state: state.clone(), engine, scope: context.scope_mut(), this, stands }
    }

    /// Whether a script stands.
    pub fn stands(&self) -> bool {
        self.stands
    }

    /// The calls that are under way, innermost first.
    pub fn calls(&self) -> Vec<Call> {
        let frames = self.state.debugging.frames.borrow();
        let call = |(i, frame): (usize, &super::frames::Frame)| Call {
            id: i + 1,
            function: match frame.function.starts_with("anon$") {
                true => "closure".to_owned(),
                false => frame.function.clone(),
            },
            source: frame.source.clone(),
            file: self.state.debugging.file(&frame.source),
            line: frame.at.line,
            column: frame.at.column,
        };
        frames.0.iter().enumerate().map(call).rev().collect()
    }

    /// The variables of a call; without one, those of the session, as far as they are in sight.
    fn variables(&self, call: Option<usize>) -> Result<Variables> {
        let frames = self.state.debugging.frames.borrow();
        let call = call.unwrap_or(usize::from(!frames.0.is_empty()));
        if call == frames.0.len() {
            let this = self.this.clone().map(|this| ("this".to_owned(), this));
            let found = this.into_iter().chain(seen(self.scope));
            return Ok(found.map(|(name, value)| (name, Some(value))).collect());
        }
        match call.checked_sub(1).and_then(|i| frames.0.get(i)) {
            Some(frame) => Ok(frame.variables.clone().unwrap_or_default()),
            None => Err(Error::index(format!("there is no call {call} under way"))),
        }
    }

    fn value(&self, name: &str, call: Option<usize>) -> Result<Dynamic> {
        let variables = self.variables(call)?;
        let found = variables.into_iter().find(|(known, _)| known == name);
        let missing = || Error::new(Kind::Name, format!("there is no variable '{name}'"));
        found.and_then(|(_, value)| value).map(|value| value.flatten()).ok_or_else(missing)
    }

    /// The variables of a call; without one, those of the session.
    ///
    /// # Errors
    /// An `IndexError` where there is no such call.
    pub fn inspect(&self, call: Option<usize>) -> Result<Vec<Inspected>> {
        let variables = self.variables(call)?;
        let mut references = self.state.debugging.references.borrow_mut();
        Ok(references.listed(&variables, &self.state))
    }

    /// The number by which the variables of a call can be asked for, as parts.
    ///
    /// # Errors
    /// As [`Inspection::inspect`].
    pub fn reference(&self, call: Option<usize>) -> Result<usize> {
        let variables = self.variables(call)?;
        Ok(self.state.debugging.references.borrow_mut().of_variables(variables))
    }

    /// What is behind a number: the parts of a value or the variables of a call; of a list, `count` items from
    /// `start` on.
    ///
    /// # Errors
    /// An `IndexError` where the script has gone on since the number was given.
    pub fn parts(
        &self,
        reference: usize,
        start: usize,
        count: Option<usize>,
    ) -> Result<Vec<Inspected>> {
        let mut references = self.state.debugging.references.borrow_mut();
        let found = references.parts(reference, (start, count), &self.state);
        found.ok_or_else(|| Error::index(format!("nothing is known by the number {reference}")))
    }

    /// A variable as the end of a cell would show it.
    ///
    /// # Errors
    /// A `NameError` where there is none of that name.
    pub fn represent(&self, name: &str, call: Option<usize>) -> Result<Bundle> {
        Ok(display::represent(&self.value(name, call)?, &self.state))
    }

    /// Evaluates an expression where a script stands, with the variables of a call. Only in the innermost call an assignment to one of them
    /// stays.
    ///
    /// # Errors
    /// What the expression raises; a `ValueError` where no script stands.
    pub fn evaluate(&mut self, code: &str, call: Option<usize>) -> Result<Inspected> {
        if !self.stands {
            return Err(Error::value("no script stands that an expression could be evaluated in"));
        }
        let innermost = self.state.debugging.frames.borrow().0.len();
        let call = call.unwrap_or(innermost);
        let variables = self.variables(Some(call))?;
        let earlier = Earlier {
            variables: variables.iter().map(|(name, _)| name.clone()).collect(),
            functions: self.state.script_functions().into_iter().collect(),
            ..Earlier::default()
        };
        let desugared = sugar::desugar(self.engine, code, &earlier);
        let raised = |error: &rhai::EvalAltResult| errors::from_rhai(error);
        let ast = self.engine.compile(&desugared.text).map_err(|error| raised(&error.into()))?;
        let outcome = if call == innermost {
            let before = self.scope.len();
            let outcome = self.engine.eval_ast_with_scope::<Dynamic>(self.scope, &ast);
            self.scope.rewind(before);
            outcome
        } else {
            let mut scope = Scope::new();
            for (name, value) in variables {
                if let Some(value) = value {
                    scope.push_dynamic(name, value);
                }
            }
            self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast)
        };
        let value = outcome.map_err(|error| raised(&error))?;
        let mut references = self.state.debugging.references.borrow_mut();
        Ok(references.inspected(code.to_owned(), &value, &self.state))
    }

    /// Copies a variable of a call to one of the session, at the latest when the cell under way has ended.
    ///
    /// # Errors
    /// A `NameError` where there is none of that name, a `ValueError` where the new name is no word.
    pub fn copy(&self, name: &str, to: &str, call: Option<usize>) -> Result<()> {
        if !is_word(to) {
            return Err(Error::value(format!("'{to}' cannot be the name of a variable")));
        }
        let value = self.value(name, call)?;
        self.state.debugging.copied.borrow_mut().push((to.to_owned(), value));
        Ok(())
    }

    /// Sets the breakpoints of a file, in place of those before. `parts` are the scripts in it. A line without a
    /// statement means the next one that has one: the lines meant, `None` where none is known. Such a line is kept as
    /// it is: the file may be evaluated when it has been read or changed.
    pub fn set_breakpoints(
        &self,
        file: &str,
        parts: &[String],
        lines: &[usize],
    ) -> Vec<Option<usize>> {
        let earlier = Earlier {
            variables: self.state.variables().into_iter().collect(),
            ..Earlier::default()
        };
        let statements = |part: &String| {
            let desugared = sugar::desugar(self.engine, part, &earlier);
            let ast = self.engine.compile(&desugared.text).ok()?;
            Some(Statements::of(&ast, &desugared))
        };
        let parts: Vec<Statements> = parts.iter().filter_map(statements).collect();
        let meant = |line: &usize| parts.iter().filter_map(|part| part.line_from(*line)).min();
        let meant: Vec<Option<usize>> = lines.iter().map(meant).collect();
        let lines: BTreeSet<usize> =
            lines.iter().zip(&meant).map(|(line, meant)| meant.unwrap_or(*line)).collect();
        let mut breakpoints = self.state.debugging.breakpoints.borrow_mut();
        match lines.is_empty() {
            true => breakpoints.remove(file),
            false => breakpoints.insert(file.to_owned(), lines),
        };
        meant
    }

    /// Has the script that runs stop at its next statement.
    pub fn pause(&self) {
        self.state.debugging.goal.set(Goal::Any(Reason::Pause));
    }
}
