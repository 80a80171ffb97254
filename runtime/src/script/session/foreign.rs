//! Cells in another language: they run as evaluations of the session, with its limits and its Ctrl-C, and what
//! goes wrong in them is reported as it is of scripts.

use rhai::{Dynamic, Position};

use super::Session;
use super::cells::{IN, OUT};
use crate::error::{Error, Kind, Result};
use crate::script::errors;
use crate::script::report::Report;
use crate::script::sugar::{Desugared, LAST, LAST_BUT_ONE};

/// Names by which cells in another language know what the session keeps by itself.
const KEPT: &[(&str, &str)] = &[("_", LAST), ("__", LAST_BUT_ONE), (OUT, OUT), (IN, IN)];

impl Session {
    /// Runs `run` as the evaluation of a cell in another language. An error that has a position is at that place of
    /// `code`; without one it is where its frames say.
    ///
    /// # Errors
    /// A [`Report`] of what `run` failed with.
    pub fn evaluate_foreign<R>(
        &mut self,
        source: &str,
        code: &str,
        run: impl FnOnce(&mut Session) -> Result<R>,
    ) -> std::result::Result<R, Box<Report>> {
        let home = self.home.clone();
        let _turn = home.turn();
        self.prepare_debugger();
        let plain = Desugared::plain(code);
        self.state.sources.borrow_mut().insert(source.to_owned(), (code.to_owned(), plain));
        source.clone_into(&mut self.state.source.borrow_mut());
        // Functions of scripts that the cell calls read what the last cell left.
        self.share_globals();
        let state = self.state.clone();
        let evaluation = state.begin();
        let outcome = home.with(|| run(self));
        let stopped = evaluation.end();
        self.take_copied();
        let error = match (outcome, stopped) {
            (Ok(value), None) => return Ok(value),
            (Err(error), None) => error,
            // It may know where it was stopped.
            (Err(error), Some(_))
                if matches!(error.kind, Kind::Interrupt | Kind::Limit | Kind::Ended) =>
            {
                error
            }
            (_, Some(why)) => why,
        };
        Err(Box::new(self.report_foreign(error, source)))
    }

    /// The report of an error that is at no place of a cell.
    pub fn failed(&self, source: &str, error: Error) -> Box<Report> {
        Box::new(self.report_foreign(error, source))
    }

    fn report_foreign(&self, mut error: Error, source: &str) -> Report {
        let own = error.foreign.as_ref().is_some_and(|foreign| !foreign.of_script);
        // Its frames lead there already.
        let place = std::mem::replace(&mut error.position, Position::NONE);
        let place = if own { place } else { Position::NONE };
        let mut report = self.report(&errors::to_rhai(error, Position::NONE), source);
        if let (Some(line), column) = (place.line(), place.position().unwrap_or(1)) {
            let text = self.state.place(source, Position::NONE).map(|(text, _)| text);
            report.put_at(source, &text.unwrap_or_default(), (line, column));
        }
        report
    }

    /// The value that another language knows by `name`: of a variable, of a script's function, or `_`, `__`, `Out`.
    pub fn named(&self, name: &str) -> Option<Dynamic> {
        let kept = KEPT.iter().find(|(theirs, _)| *theirs == name);
        self.get(kept.map_or(name, |(_, ours)| ours)).or_else(|| self.function(name))
    }

    /// All names that [`Session::named`] knows.
    pub fn names(&self) -> Vec<String> {
        let kept = |name: &str| KEPT.iter().any(|(_, ours)| *ours == name);
        let mut names: Vec<String> =
            self.variables().into_iter().map(|(name, _)| name).filter(|n| !kept(n)).collect();
        names.extend(self.earlier.functions.iter().filter(|name| !name.contains('$')).cloned());
        names.extend(KEPT.iter().filter(|(_, ours)| self.get(ours).is_some()).map(|k| k.0.into()));
        names
    }

    /// Takes over what another language has bound to a name. What the session itself keeps stays, and a module
    /// does not take the place of a namespace: `import math` is for the other language.
    ///
    /// # Errors
    /// As [`Session::set`].
    pub fn adopt_named(&mut self, name: &str, value: Dynamic, is_module: bool) -> Result<bool> {
        let kept = KEPT.iter().any(|(theirs, ours)| *theirs == name || *ours == name);
        let namespace = is_module && self.state.namespace(name).is_some();
        if kept || (namespace && self.get(name).is_none()) {
            return Ok(false);
        }
        self.set(name, value)?;
        Ok(true)
    }
}
