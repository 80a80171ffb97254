//! What a prompt or a notebook asks of a session besides evaluating: earlier values, variables on one line
//! each, completion, a fresh start.

use rhai::{Array, Dynamic};

use super::Session;
use crate::script::complete::{self, Completion, Names, Signature};
use crate::script::dispatch::type_of;
use crate::script::display::{kind, summary};
use crate::script::report::Report;
use crate::script::sugar::{LAST, LAST_BUT_ONE, ends_silently};
use crate::script::{convert, doc};
use crate::torch::{Tensor, numel};

/// The values of the cells, by number.
pub(super) const OUT: &str = "Out";

/// The texts of the cells, by number.
pub(super) const IN: &str = "In";

/// A variable, described on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The type, as scripts see it.
    pub kind: String,
    /// Dtype, shape and device of a tensor, the length of a list, the beginning of another value.
    pub detail: String,
    /// The bytes that a tensor's elements take.
    pub bytes: Option<u64>,
}

impl Session {
    /// Keeps the value of cell `number` as `Out[number]` and `_`; what was `_` becomes `__`. Nothing is kept of `()`.
    pub fn keep(&mut self, number: usize, value: &Dynamic) {
        if value.is_unit() {
            return;
        }
        let before = self.get(LAST).unwrap_or_default();
        let mut cells = self.get(OUT).and_then(|out| out.try_cast::<Array>()).unwrap_or_default();
        if cells.len() <= number {
            cells.resize(number + 1, Dynamic::UNIT);
        }
        cells[number] = value.clone();
        for (name, value) in
            [(LAST_BUT_ONE, before), (LAST, value.clone()), (OUT, Dynamic::from_array(cells))]
        {
            // These names are words.
            let _ = self.set(name, value);
        }
    }

    /// Evaluates a cell of a prompt or a notebook; its value is `()` where it ends with a `;`.
    ///
    /// # Errors
    /// As [`Session::evaluate`].
    pub fn evaluate_cell(
        &mut self,
        source: &str,
        code: &str,
    ) -> std::result::Result<Dynamic, Box<Report>> {
        let value = self.evaluate(source, code)?;
        let silent = !value.is_unit() && ends_silently(&self.home.engine(), code);
        Ok(if silent { Dynamic::UNIT } else { value })
    }

    /// Keeps the text of cell `number` as `In[number]`.
    pub fn keep_input(&mut self, number: usize, code: &str) {
        let cells = self.get(IN).and_then(|cells| cells.try_cast::<Array>());
        let mut cells = cells.unwrap_or_default();
        if cells.len() <= number {
            cells.resize(number + 1, Dynamic::from(String::new()));
        }
        cells[number] = Dynamic::from(code.to_owned());
        // The name is a word.
        let _ = self.set(IN, Dynamic::from_array(cells));
    }

    /// The user's variables, oldest first.
    pub fn describe(&self) -> Vec<Variable> {
        let variables = self.variables().into_iter();
        let variables = variables.filter(|(name, _)| !is_kept(name));
        variables.map(|(name, value)| self.describe_value(name, &value)).collect()
    }

    fn describe_value(&self, name: String, value: &Dynamic) -> Variable {
        let bytes = value.read_lock::<Tensor>().map(|tensor| {
            let bytes = numel(&tensor.tch()) * tensor.dtype().itemsize();
            bytes as u64
        });
        let detail = self.home.enter(|_, state| summary(value, state));
        Variable { name, kind: kind(value), detail, bytes }
    }

    /// Where the word at the cursor begins, in bytes, and what may stand there, best first. No code of a script
    /// runs for it; Python's `dir()` of an object may.
    pub fn complete(&self, code: &str, cursor: usize) -> (usize, Vec<Completion>) {
        let mut variables = self.variables();
        variables.retain(|(name, _)| [IN, OUT].contains(&name.as_str()) || !is_kept(name));
        self.home.enter(|_, state| {
            complete::complete(&Names { state, variables: &variables }, code, cursor)
        })
    }

    /// The signature of the call around the cursor and a line of help; nothing is evaluated for it.
    pub fn signature(&self, code: &str, cursor: usize) -> Option<Signature> {
        let variables = self.variables();
        self.home.enter(|_, state| {
            complete::signature(&Names { state, variables: &variables }, code, cursor)
        })
    }

    /// How something is defined: the text of a script's function, the schemas of an operator, the signature of what
    /// is written in Rust; `None` where nothing has that name or its definition is not known.
    pub fn source(&self, name: &str) -> Option<String> {
        if let Some((first, rest)) = name.trim().split_once('.')
            && let Some(value) = self.get(first)
        {
            let of = type_of(&value, &self.state);
            return doc::source(&self.home.engine(), &self.state, &format!("{of}.{rest}"));
        }
        doc::source(&self.home.engine(), &self.state, name)
    }

    /// What all of `words` are found in, by name or by description: names first.
    pub fn apropos(&self, words: &str) -> Vec<Completion> {
        doc::apropos(&self.state, words)
    }

    /// Takes all variables and functions of scripts out of the session.
    pub fn reset(&mut self) {
        self.scope.clear();
        self.state.debugging.clear();
        self.state.globals.borrow_mut().clear();
        self.state.forget_functions();
        self.earlier = Default::default();
        self.modules.clear();
        let again = || super::new_engine(&self.state, &self.imports);
        self.home.change_engine(again, |engine| *engine = again());
    }

    /// The documentation of a variable, or of a method by way of one: `x.sum`.
    pub(super) fn doc_of_variable(&self, name: &str) -> Option<String> {
        let (first, rest) = match name.trim().split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name.trim(), None),
        };
        let value = self.get(first)?;
        match rest {
            Some(rest) => {
                let of = type_of(&value, &self.state);
                doc::doc(&self.state, &format!("{of}.{rest}"))
            }
            None => {
                let kind = convert::type_name(&value);
                Some(format!("{first}: {kind}\n\n{}\n", self.display(&value)))
            }
        }
    }
}

/// Whether a variable is one that the session keeps by itself.
pub(crate) fn is_kept(name: &str) -> bool {
    [LAST, LAST_BUT_ONE, OUT, IN].contains(&name)
}
