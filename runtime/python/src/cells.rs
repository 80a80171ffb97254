//! Cells in Python: they see the session's variables by their names, and what they bind is the session's
//! afterwards.
//!
//! A name has two owners, the session and `__main__`, and belongs to the one that has bound it last. Before a cell
//! its names go to `__main__`, after it what was bound comes back. Only names that some cell has mentioned go over:
//! a session with large arrays does not pay for a cell that does not look at them. Arrays and maps are lists and
//! dicts there, copies that go back when Python has changed them; a list that Python made stays its object.

use std::collections::{HashMap, HashSet};

use flambeau_runtime::Result;
use flambeau_runtime::script::{Bundle, Completion, Complex, Report, Session, convert, matching};
use flambeau_runtime::torch::Tensor;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};
use rhai::{Array, Blob, Dynamic, ImmutableString, Map, Position};

use crate::errors::Attempt;
use crate::interpreter::{self, outside, with};
use crate::object::PyObject;
use crate::{from_python, to_python};

/// What a cell has come to: the value, and what shows it.
pub struct Outcome {
    /// For scripts.
    pub value: Dynamic,
    /// As the object shows itself in Python.
    pub bundle: Bundle,
    /// More about its representations, by MIME type: a JSON object.
    pub metadata: Option<String>,
}

/// What cells in Python share with a session.
#[derive(Default)]
pub struct Cells {
    /// What has gone over: the value of the session, and the object that it is in Python.
    shared: HashMap<String, (Dynamic, Py<PyAny>)>,
    mentioned: HashSet<String>,
    /// Whether some cell may have meant any name.
    all: bool,
    /// What is made of `cells.py`.
    module: Option<Py<PyModule>>,
}

impl Cells {
    /// Evaluates a cell. Its value is that of the expression at its end, if there is one and it is not `None`.
    ///
    /// # Errors
    /// A report of the exception that ended it. What the cell did before stays.
    pub fn evaluate(
        &mut self,
        session: &mut Session,
        source: &str,
        code: &str,
    ) -> std::result::Result<Option<Outcome>, Box<Report>> {
        session.evaluate_foreign(source, code, |session| {
            let mut place = None;
            let outcome = with(|py| {
                let outcome = self.run(py, session, source, code);
                if let Err(crate::errors::Failure::Python(error)) = &outcome {
                    // With its traceback, which Python before 3.12 keeps beside the exception.
                    let error = error.clone_ref(py).into_value(py);
                    let found = self.helper(py, "place")?.call1((error, source))?;
                    place = found.extract::<Option<(usize, usize)>>()?;
                }
                outcome
            });
            outcome.map_err(|mut error| {
                let own = error.foreign.as_ref().is_none_or(|foreign| !foreign.of_script);
                if let Some((line, column)) = place.filter(|_| own) {
                    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
                    error.position = Position::new(short(line), short(column));
                }
                error
            })
        })
    }

    fn run(
        &mut self,
        py: Python<'_>,
        session: &mut Session,
        source: &str,
        code: &str,
    ) -> Attempt<Option<Outcome>> {
        let compile = self.helper(py, "compile_cell")?;
        let cell = outside(py, || compile.call1((code, source)))?;
        let names: HashSet<String> = cell.getattr("names")?.extract()?;
        let reflective: HashSet<String> = self.helper(py, "REFLECTIVE")?.extract()?;
        self.all |= !names.is_disjoint(&reflective);
        self.mentioned.extend(names);
        let run = self.helper(py, "run_cell")?;
        let value = self.with_names(py, session, || run.call1((cell,)))?;
        if value.is_none() {
            return Ok(None);
        }
        let represent = interpreter::helper(py, "represent_fully")?;
        let width = session.width();
        let (bundle, metadata) = outside(py, || represent.call1((&value, width)))?.extract()?;
        Ok(Some(Outcome { value: value_of(&value)?, bundle, metadata }))
    }

    /// Runs Python code that sees the session's names, and has the session hold what that binds.
    pub(crate) fn with_names<'py>(
        &mut self,
        py: Python<'py>,
        session: &mut Session,
        run: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> Attempt<Bound<'py, PyAny>> {
        let main = main(py)?;
        self.share(&main, session)?;
        let before = main.copy()?;
        let outcome = outside(py, run);
        self.take(session, &before)?;
        Ok(outcome?)
    }

    /// Has `__main__` hold what the session has bound since the last time.
    fn share(&mut self, main: &Bound<'_, PyDict>, session: &mut Session) -> Attempt<()> {
        let py = main.py();
        let names = session.names();
        let known: HashSet<&str> = names.iter().map(String::as_str).collect();
        let gone: Vec<String> =
            self.shared.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
        for name in gone {
            let Some((_, object)) = self.shared.remove(&name) else { continue };
            if main.get_item(&name)?.is_some_and(|now| now.is(&object)) {
                main.del_item(&name)?;
            }
        }
        for name in &names {
            if !self.all && !self.mentioned.contains(name) {
                continue;
            }
            let Some(value) = session.named(name) else { continue };
            let value = value.flatten_clone();
            let theirs = main.get_item(name)?;
            if let Some((old, object)) = self.shared.get(name)
                && same(old, &value)
                && let Some(theirs) = theirs
            {
                // Bound by Python code that was no cell, where it is another object.
                if !theirs.is(object) {
                    self.adopt(session, name, &theirs)?;
                }
                continue;
            }
            let object = to_python::object(py, &value)?;
            main.set_item(name, &object)?;
            self.shared.insert(name.clone(), (value, object.unbind()));
        }
        Ok(())
    }

    /// Has the session hold what a cell has bound, and what it has changed in place.
    fn take(&mut self, session: &mut Session, before: &Bound<'_, PyDict>) -> Attempt<()> {
        let py = before.py();
        let found = self.helper(py, "changed")?.call1((before,))?;
        type Bindings<'py> = Vec<(String, Bound<'py, PyAny>)>;
        let (bound, unbound): (Bindings<'_>, Vec<String>) = found.extract()?;
        for (name, object) in &bound {
            self.adopt(session, name, object)?;
        }
        for name in unbound {
            if self.shared.remove(&name).is_some() {
                session.remove(&name);
            }
        }
        let copies: Vec<String> = self
            .shared
            .iter()
            .filter(|(_, (value, _))| value.is_array() || value.is_map())
            .map(|(name, _)| name.clone())
            .collect();
        for name in copies {
            let Some((old, object)) = self.shared.get(&name) else { continue };
            let object = object.clone_ref(py).into_bound(py);
            let now = from_python::value(&object)?;
            if !same(old, &now) && session.adopt_named(&name, now.clone(), false)? {
                self.shared.insert(name, (now, object.unbind()));
            }
        }
        Ok(())
    }

    pub(crate) fn adopt(
        &mut self,
        session: &mut Session,
        name: &str,
        object: &Bound<'_, PyAny>,
    ) -> Attempt<()> {
        let value = value_of(object)?;
        let is_module = object.is_instance_of::<PyModule>();
        if session.adopt_named(name, value.clone(), is_module)? {
            self.shared.insert(name.to_owned(), (value, object.clone().unbind()));
        }
        Ok(())
    }

    /// What may stand at the cursor, as [`Session::complete`].
    pub fn complete(
        &mut self,
        session: &mut Session,
        code: &str,
        cursor: usize,
    ) -> (usize, Vec<Completion>) {
        let Some(before) = code.get(..cursor) else { return (cursor, Vec::new()) };
        type Item = (String, String, Option<String>);
        let found = self.look(session, before, |cells, py, session| {
            let types = session.names().into_iter().filter_map(|name| {
                let kind = convert::type_name(&session.named(&name)?);
                Some((name, kind))
            });
            let names: Vec<(String, String)> = types.collect();
            let complete = cells.helper(py, "complete")?;
            let found = outside(py, || complete.call1((before, names)))?;
            Ok(found.extract::<(usize, Vec<Item>)>()?)
        });
        let Ok((start, items)) = found else { return (cursor, Vec::new()) };
        let start = before.char_indices().nth(start).map_or(before.len(), |(at, _)| at);
        let items = items.into_iter().map(|(text, kind, detail)| Completion {
            text,
            kind: KINDS.iter().find(|known| **known == kind).copied().unwrap_or("name"),
            detail,
        });
        (start, matching(&before[start..], items.collect(), |item| &item.text))
    }

    /// Signature, documentation and file of what a name means in Python; `None` where nothing has that name.
    pub fn document(&mut self, session: &mut Session, name: &str) -> Option<String> {
        self.ask(session, "document", name)
    }

    /// The text that defines what a name means in Python; `None` where there is none.
    pub fn source(&mut self, session: &mut Session, name: &str) -> Option<String> {
        self.ask(session, "source", name)
    }

    fn ask(&mut self, session: &mut Session, helper: &str, name: &str) -> Option<String> {
        let found = self.look(session, name, |cells, py, _| {
            let helper = cells.helper(py, helper)?;
            Ok(outside(py, || helper.call1((name,)))?.extract::<Option<String>>()?)
        });
        found.ok().flatten()
    }

    /// Takes all names away that Python has.
    ///
    /// # Errors
    /// What their destructors may raise.
    pub fn reset(&mut self, session: &mut Session) -> Result<()> {
        self.shared.clear();
        if self.module.is_none() {
            return Ok(());
        }
        let home = session.home().clone();
        let _turn = home.turn();
        home.with(|| {
            with(|py| {
                let forget = self.helper(py, "forget")?;
                outside(py, || forget.call0())?;
                Ok(())
            })
        })
    }

    /// Runs `look` in Python, with what the names in `text` mean there.
    fn look<R>(
        &mut self,
        session: &mut Session,
        text: &str,
        look: impl FnOnce(&mut Cells, Python<'_>, &mut Session) -> Attempt<R>,
    ) -> Result<R> {
        let line = text.rsplit('\n').next().unwrap_or("");
        self.look_at(session, line, look)
    }

    /// As [`Cells::look`], with what all of `text` means there.
    pub(crate) fn look_at<R>(
        &mut self,
        session: &mut Session,
        text: &str,
        look: impl FnOnce(&mut Cells, Python<'_>, &mut Session) -> Attempt<R>,
    ) -> Result<R> {
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        self.mentioned.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        let home = session.home().clone();
        let _turn = home.turn();
        home.with(|| {
            with(|py| {
                self.share(&main(py)?, session)?;
                look(self, py, session)
            })
        })
    }

    /// A function of `cells.py`, which is run when it is first asked for.
    pub(crate) fn helper<'py>(
        &mut self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        if self.module.is_none() {
            let module = PyModule::new(py, "_flambeau_cells")?;
            for shared in ["wait", "keys", "parameters"] {
                module.add(shared, interpreter::helper(py, shared)?)?;
            }
            interpreter::execute(&module, include_str!("cells.py"))?;
            self.module = Some(module.unbind());
        }
        match &self.module {
            Some(module) => module.bind(py).getattr(name),
            None => Err(pyo3::exceptions::PyRuntimeError::new_err("cells.py was not run")),
        }
    }
}

/// What completions are of.
const KINDS: &[&str] = &[
    "variable",
    "function",
    "attribute",
    "method",
    "argument",
    "key",
    "file",
    "keyword",
    "module",
];

/// The names of `__main__`.
pub(crate) fn main(py: Python<'_>) -> Attempt<Bound<'_, PyDict>> {
    Ok(interpreter::helper(py, "main")?.cast_into::<PyDict>().map_err(PyErr::from)?)
}

/// The session's value for what Python code has bound: what can be changed stays the object that it is, a
/// coroutine too, which is nobody's to run.
fn value_of(object: &Bound<'_, PyAny>) -> Attempt<Dynamic> {
    if object.get_type().name()? == "coroutine" {
        return Ok(from_python::kept(object.clone()));
    }
    from_python::attribute(object)
}

/// Whether a value is certainly the one that it was.
fn same(a: &Dynamic, b: &Dynamic) -> bool {
    fn held<T: Clone + 'static>(
        a: &Dynamic,
        b: &Dynamic,
        same: impl Fn(&T, &T) -> bool,
    ) -> Option<bool> {
        let (a, b) = (a.read_lock::<T>()?, b.read_lock::<T>()?);
        Some(same(&a, &b))
    }
    held::<Tensor>(a, b, |a, b| a.identity() == b.identity())
        .or_else(|| held::<i64>(a, b, |a, b| a == b))
        .or_else(|| held::<f64>(a, b, |a, b| a.to_bits() == b.to_bits()))
        .or_else(|| held::<bool>(a, b, |a, b| a == b))
        .or_else(|| held::<char>(a, b, |a, b| a == b))
        .or_else(|| held::<()>(a, b, |(), ()| true))
        .or_else(|| held::<ImmutableString>(a, b, |a, b| a == b))
        .or_else(|| held::<Blob>(a, b, |a, b| a == b))
        .or_else(|| held::<Complex>(a, b, |a, b| (a.re, a.im) == (b.re, b.im)))
        .or_else(|| held::<PyObject>(a, b, PyObject::is))
        .or_else(|| {
            held::<Array>(a, b, |a, b| {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            })
        })
        .or_else(|| {
            held::<Map>(a, b, |a, b| {
                let alike = |((a, x), (b, y)): ((_, _), (_, _))| a == b && same(x, y);
                a.len() == b.len() && a.iter().zip(b).all(alike)
            })
        })
        .unwrap_or(false)
}
