//! A session that is debugged.

use rhai::Engine;

use super::{Session, new_engine};
use crate::script::debugger::Inspection;

impl Session {
    /// Answers what the client of the debugger wants to know while nothing runs.
    pub fn serve_debugger(&mut self) {
        let home = self.home.clone();
        let _turn = home.turn();
        home.enter(|engine, state| {
            if let Some(client) = state.debugging.client() {
                // There is nothing to go on with.
                client.serve(&mut Inspection::of(state.clone(), engine, &mut self.scope));
            }
        });
        self.take_copied();
    }

    /// Says what the client of the debugger calls a source: breakpoints are set by that.
    pub fn set_file(&self, source: &str, file: &str) {
        self.home.enter(|_, state| state.debugging.set_file(source, file));
    }

    /// Registers the debugger with the engine where a client has come since, and takes it out where the last one has
    /// gone.
    pub(super) fn prepare_debugger(&mut self) {
        if !self.state.debugging.has_changed() {
            return;
        }
        let again = || {
            let mut engine = new_engine(&self.state, &self.imports);
            for module in &self.modules {
                engine.register_global_module(module.clone());
            }
            engine
        };
        self.home.change_engine(again, |engine: &mut Engine| *engine = again());
    }

    /// Sets the variables that the client has copied meanwhile.
    pub(super) fn take_copied(&mut self) {
        for (name, value) in self.state.debugging.take_copied() {
            // That they are words was looked at when they were copied.
            let _ = self.set(&name, value);
        }
    }
}
