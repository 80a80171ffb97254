//! What a native function may ask of the session that runs it.

use std::path::PathBuf;
use std::rc::Rc;

use rhai::{Dynamic, FnPtr, NativeCallContext, Position};

use super::dispatch;
use super::display::Bundle;
use super::errors;
use super::event::Event;
use super::modules;
use super::report;
use super::state::State;
use super::turn;
use crate::error::{Error, Frame, Result};

/// The session as a native function sees it.
pub struct Context<'a> {
    pub(crate) native: &'a NativeCallContext<'a>,
    pub(crate) state: Rc<State>,
}

/// The state of the session that evaluates on this thread.
pub(crate) fn active_state() -> Option<Rc<State>> {
    turn::active(|_, state| state.clone())
}

impl<'a> Context<'a> {
    pub(crate) fn new(native: &'a NativeCallContext<'a>, state: Rc<State>) -> Self {
        Context { native, state }
    }

    /// Runs `f` with the context of the evaluation that is under way on this thread. For code that
    /// is reached without a context: iterators, autograd hooks.
    ///
    /// # Errors
    /// A `RuntimeError` where no script runs on this thread.
    pub fn current<R>(f: impl FnOnce(&Context<'_>) -> Result<R>) -> Result<R> {
        turn::active(|engine, state| {
            let global = engine.new_global_runtime_state();
            let native =
                NativeCallContext::new_with_all_fields(engine, "", None, &global, Position::NONE);
            f(&Context::new(&native, state.clone()))
        })
        .unwrap_or_else(|| Err(turn::nobody()))
    }

    /// Calls a closure, a function or a callable object.
    pub fn call(&self, callable: &Dynamic, args: Vec<Dynamic>) -> Result<Dynamic> {
        dispatch::call_value(callable, args, self)
    }

    /// [`Context::call`] for another language: of an error, the script's calls that led to it are put into
    /// `frames`, outermost first.
    ///
    /// # Errors
    /// What the call raises.
    pub fn call_traced(
        &self,
        callable: &Dynamic,
        mut args: Vec<Dynamic>,
        frames: &mut Vec<Frame>,
    ) -> Result<Dynamic> {
        let Some(function) = callable.read_lock::<FnPtr>().map(|function| function.clone()) else {
            return self.call(callable, args);
        };
        function.call_raw(self.native, None, &mut args[..]).map_err(|raised| {
            let mut error = errors::from_rhai(&raised);
            *frames = self.take_trace(&mut error, function.fn_name());
            error
        })
    }

    /// The script's calls that led to an error, outermost first, taken out of it: from now on another language has
    /// them. `function` is what that language called.
    pub fn take_trace(&self, error: &mut Error, function: &str) -> Vec<Frame> {
        let source = self.state.source.borrow().clone();
        let place = |name: &str, position: Position| self.state.place(name, position);
        let frames = report::trace(error, function, &source, &place);
        if let Some(trace) = &mut error.trace {
            trace.calls.clear();
        }
        frames
    }

    /// `receiver.name(args)`, as a script would write it.
    ///
    /// # Errors
    /// A `NameError` where it has no such method; what the call raises.
    pub fn call_method(
        &self,
        receiver: &Dynamic,
        name: &str,
        args: Vec<Dynamic>,
    ) -> Result<Dynamic> {
        let mut all = vec![receiver.clone()];
        all.extend(args);
        let mut all: Vec<&mut Dynamic> = all.iter_mut().collect();
        dispatch::call_name(name, &mut all, self)
    }

    /// Whether a value has a method of this name, as far as that is known without asking another language.
    pub fn has_method(&self, value: &Dynamic, name: &str) -> bool {
        let type_name = dispatch::type_of(value, &self.state);
        self.state.functions.contains_key(&format!("{type_name}.{name}"))
    }

    /// Whether a value is of the type that scripts see by this name.
    pub fn is_of_type(&self, value: &Dynamic, name: &str) -> bool {
        dispatch::type_of(value, &self.state) == name
    }

    /// Whether there is a function of this dotted name.
    pub fn has_function(&self, name: &str) -> bool {
        self.state.functions.contains_key(name)
    }

    /// Calls a closure with `this` bound.
    pub fn call_with_this(
        &self,
        function: &FnPtr,
        this: &mut Dynamic,
        mut args: Vec<Dynamic>,
    ) -> Result<Dynamic> {
        function
            .call_raw(self.native, Some(this), &mut args[..])
            .map_err(|error| errors::from_rhai(&error))
    }

    /// Whether `value(…)` makes sense.
    pub fn is_callable(&self, value: &Dynamic) -> bool {
        dispatch::is_callable(value, &self.state)
    }

    /// `torch.NAME(args)`: an operator of libtorch by its short name, arguments as a script gives
    /// them; a trailing map holds keyword arguments.
    pub fn op(&self, name: &str, args: Vec<Dynamic>) -> Result<Dynamic> {
        dispatch::call_operator("aten", name, args)
    }

    /// A function of the library by its dotted name, such as `torch.nn.functional.relu`.
    pub fn function(&self, name: &str, args: Vec<Dynamic>) -> Result<Dynamic> {
        dispatch::call_function(name, args, self)
    }

    /// Shows `text` as `print` does, without a newline of its own.
    pub fn print(&self, text: &str) {
        self.state.emit(Event::Stdout(text.to_owned()));
    }

    /// Tells the front end something: progress, a picture, …
    pub fn emit(&self, event: Event) {
        self.state.emit(event);
    }

    /// Resolves a path that the script wants to read and asks the sandbox.
    ///
    /// # Errors
    /// A `PermissionError` that names the option to allow it.
    pub fn readable(&self, path: &str) -> Result<PathBuf> {
        self.state.permissions.readable(path)
    }

    /// A script's file by the name that a script gives it, as `import` finds it: the file, the name that reports give it
    /// and its text.
    ///
    /// # Errors
    /// A `PermissionError` that names the option to allow it, an `IoError` where it cannot be read.
    pub fn script_file(&self, path: &str) -> Result<(PathBuf, String, String)> {
        let file = modules::file(&self.state, self.native.call_source(), path)?;
        let (name, text) = modules::read(&file)?;
        Ok((file, name, text))
    }

    /// Resolves a path that the script wants to write and asks the sandbox.
    ///
    /// # Errors
    /// A `PermissionError` that names the option to allow it.
    pub fn writable(&self, path: &str) -> Result<PathBuf> {
        self.state.permissions.writable(path)
    }

    /// An error when the user pressed Ctrl-C or a limit was reached: for loops in native code.
    pub fn check(&self) -> Result<()> {
        self.state.check()
    }

    /// What `print` would show of `value`.
    pub fn display(&self, value: &Dynamic) -> String {
        super::display::display(value, &self.state)
    }

    /// What the end of a cell shows of a value, by MIME type.
    pub fn represent(&self, value: &Dynamic) -> Bundle {
        super::display::represent(value, &self.state)
    }

    /// Whether the script wrote this call behind a dot, as a method: Rhai itself makes no difference.
    pub(crate) fn called_behind_a_dot(&self) -> bool {
        let position = self.native.call_position();
        let source = self.native.call_source().unwrap_or_default();
        let sources = self.state.sources.borrow();
        let (Some(line), Some(column)) = (position.line(), position.position()) else {
            return true;
        };
        let Some((_, desugared)) = sources.get(source) else { return true };
        let lines = desugared.text.split('\n').take(line);
        let mut before: String = lines.enumerate().fold(String::new(), |mut text, (i, part)| {
            match i + 1 == line {
                true => text.extend(part.chars().take(column.saturating_sub(1))),
                false => text.push_str(part),
            }
            text.push('\n');
            text
        });
        before.truncate(before.trim_end().len());
        before.ends_with('.') && !before.ends_with("..")
    }

    /// The session's shared state.
    pub fn state(&self) -> &Rc<State> {
        &self.state
    }

    /// Where the script called.
    pub fn position(&self) -> Position {
        self.native.call_position()
    }
}
