//! One session: evaluates cells, keeps their variables and functions, displays values.

mod cells;
mod debugged;
mod foreign;
mod memory;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use rhai::grain::{Compiler, Vm};
use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Module, Position, Scope,
    Shared, Stmt,
};

use super::debugger::{self, DebugClient};
use super::display::{self, Bundle};
use super::engine;
use super::errors;
use super::event::{Event, Output};
use super::front_end::FrontEnd;
use super::function::{Function, Library};
use super::hints;
use super::input::Input;
use super::interrupt::Interrupt;
use super::isolate::Tie;
use super::limits::Limits;
use super::missing::is_word;
use super::modules::{Imports, Resolver};
use super::permissions::Permissions;
use super::report::Report;
use super::state::State;
use super::sugar::{self, Desugared, Earlier};
use super::turn::Home;
use crate::error::{Error, Frame, Kind};

pub use cells::Variable;
pub(crate) use cells::is_kept;
pub use memory::{CudaMemory, Held, Memory};

/// What a session is made of.
pub struct Options {
    /// What scripts can use besides the operators of libtorch.
    pub libraries: Vec<Library>,
    /// What the sandbox allows; everything by default.
    pub permissions: Permissions,
    /// Limits of an evaluation; none by default.
    pub limits: Limits,
    /// What `args` is in scripts.
    pub args: Vec<String>,
    /// Where `import "file"` looks; the current folder by default.
    pub script_dir: Option<PathBuf>,
    /// Gets everything that a cell prints and shows.
    pub output: Output,
    /// The way to the user, for `input`; by default nobody can be asked.
    pub input: Option<Arc<dyn Input>>,
    /// Whether the front end shows HTML: values then have it beside their text.
    pub notebook: bool,
    /// Who debugs scripts; by default nobody does.
    pub debugger: Option<Arc<dyn DebugClient>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            libraries: Vec::new(),
            permissions: Permissions::default(),
            limits: Limits::default(),
            args: Vec::new(),
            script_dir: None,
            output: Arc::new(|event| {
                if let Event::Stdout(text) = event {
                    use std::io::Write;
                    // Nobody is left to tell when standard output is gone.
                    let _ = std::io::stdout().write_all(text.as_bytes());
                }
            }),
            input: None,
            notebook: false,
            debugger: None,
        }
    }
}

/// An engine for a session.
fn new_engine(state: &Rc<State>, imports: &Rc<Imports>) -> Engine {
    let mut engine = engine::new(state);
    engine.set_module_resolver(Resolver(imports.clone()));
    if state.debugging.is_registered() {
        debugger::register(&mut engine, state);
    }
    engine
}

/// Runs a compiled cell: in the bytecode VM where it lowers whole, else, or to be debugged, by walking the tree.
fn execute(
    engine: &Engine,
    state: &State,
    scope: &mut Scope<'_>,
    ast: &AST,
) -> Result<Dynamic, Box<EvalAltResult>> {
    if state.debugging.is_registered() {
        return engine.eval_ast_with_scope::<Dynamic>(scope, ast);
    }
    let program = Compiler::new().compile(ast);
    if program.residual_count() > 0 || (!scope.is_empty() && counts_items(ast)) {
        return engine.eval_ast_with_scope::<Dynamic>(scope, ast);
    }
    // With callbacks: closures go to native code all the time.
    Vm::new(engine).eval_with_callbacks(scope, &program.into_shared())
}

/// Whether a script has `for (item, count) in …` outside of functions. The VM of Rhai 1.27 stores the
/// count in the wrong variable where the scope holds variables of earlier cells.
fn counts_items(ast: &AST) -> bool {
    let mut found = false;
    for statement in ast.statements() {
        statement.walk(&mut Vec::new(), &mut |path| {
            found |= matches!(path.last(), Some(ASTNode::Stmt(Stmt::For(parts, _))) if parts.1.is_some());
            !found
        });
    }
    found
}

/// A script without what it does in its first `lines` lines, but for its imports.
fn without_statements(ast: &AST, source: &str, lines: usize) -> AST {
    let kept = ast.statements().iter().filter(|statement| {
        matches!(statement, Stmt::Import(..))
            || statement.position().line().is_some_and(|line| line > lines)
    });
    AST::new_with_source(kept.cloned(), ast.shared_lib().clone(), source)
}

/// A session: an engine with its variables. Only one thread at a time may use it, with its turn
/// ([`Session::home`]).
pub struct Session {
    home: Arc<Home>,
    state: Rc<State>,
    /// What the engine was given, for the next one.
    modules: Vec<Shared<Module>>,
    scope: Scope<'static>,
    earlier: Earlier,
    imports: Rc<Imports>,
}

impl Session {
    /// A session with an empty scope.
    pub fn new(mut options: Options) -> Session {
        let mut all = super::library::libraries();
        all.append(&mut options.libraries);
        Session::with_all(options, all, Tie::default())
    }

    /// A session with these libraries and no others.
    pub(super) fn with_all(options: Options, all: Vec<Library>, tie: Tie) -> Session {
        let Options {
            libraries: _,
            permissions,
            limits,
            args,
            script_dir,
            output,
            input,
            notebook,
            debugger,
        } = options;
        let front_end = FrontEnd { output, input, notebook, debugger };
        crate::torch::shim::use_small_blocks();
        if let Some(bytes) = limits.memory.filter(|_| !tie.is_isolate) {
            crate::memory::start();
            crate::torch::limit_memory(Some(bytes));
        }
        let around = (script_dir, args);
        let state = Rc::new(State::new(all, around, permissions, limits, front_end, tie));
        let imports = Imports::new(state.clone());
        Session {
            home: Home::new(new_engine(&state, &imports), state.clone()),
            state,
            modules: Vec::new(),
            scope: Scope::new(),
            earlier: Earlier::default(),
            imports,
        }
    }

    /// The handle that stops an evaluation from elsewhere.
    pub fn interrupt_handle(&self) -> Interrupt {
        self.state.interrupt()
    }

    /// Evaluates a cell; variables and functions stay for the next one.
    ///
    /// # Errors
    /// A [`Report`] of the error that ended the cell. What the cell did before stays.
    pub fn evaluate(&mut self, source: &str, code: &str) -> Result<Dynamic, Box<Report>> {
        self.evaluate_parts(source, code, "", false)
    }

    /// Evaluates `code` and then `more`, which stands on lines of its own; of `code` only functions and imports where
    /// that is all that counts.
    ///
    /// # Errors
    /// As [`Session::evaluate`].
    pub(super) fn evaluate_parts(
        &mut self,
        source: &str,
        code: &str,
        more: &str,
        definitions_only: bool,
    ) -> Result<Dynamic, Box<Report>> {
        let home = self.home.clone();
        let _turn = home.turn();
        if let Some(at) = code.find('\0') {
            return Err(self.refuse(source, code, at, "a script must not contain a NUL character"));
        }
        self.prepare_debugger();
        self.earlier.variables = self.scope.iter().map(|(name, ..)| name.to_owned()).collect();
        self.state.set_variables(&self.earlier.variables);
        let engine = home.engine();
        let whole = match more {
            "" => Cow::Borrowed(code),
            more => Cow::Owned(format!("{code}\n;{more}")),
        };
        let desugared = sugar::desugar(&engine, &whole, &self.earlier);
        let texts = (code.to_owned(), desugared.clone());
        self.state.sources.borrow_mut().insert(source.to_owned(), texts);
        source.clone_into(&mut self.state.source.borrow_mut());
        self.state.debugging.renew(source);
        let mut ast = match engine.compile(&desugared.text) {
            Ok(ast) => ast,
            Err(error) => {
                let raised = EvalAltResult::ErrorParsing(*error.0, error.1);
                return Err(Box::new(self.report(&raised, source)));
            }
        };
        ast.set_source(source);
        if definitions_only {
            ast = without_statements(&ast, source, code.split('\n').count());
        }
        self.earlier.read.extend(desugared.free.iter().cloned());
        self.earlier.captured.extend(desugared.captured.iter().cloned());
        self.share_globals();
        self.adopt(engine, &ast, &desugared);
        let state = self.state.clone();
        let evaluation = state.begin();
        let outcome = home.enter(|engine, state| execute(engine, state, &mut self.scope, &ast));
        // What came during its last operation counts too.
        let _ = state.check();
        // Why it was stopped is told also where a script caught that.
        let stopped = evaluation.end();
        self.take_copied();
        match (outcome, stopped) {
            (Err(error), Some(_)) if !error.is_catchable() => {
                Err(Box::new(self.report(&error, source)))
            }
            (_, Some(why)) => {
                Err(Box::new(self.report(&errors::to_rhai(why, Position::NONE), source)))
            }
            (outcome, None) => outcome.map_err(|error| Box::new(self.report(&error, source))),
        }
    }

    /// Registers what a cell mentions, and its functions and closures, which can then be called after it
    /// has ended: by later cells, by hooks.
    fn adopt(&mut self, engine: Rc<Engine>, ast: &AST, desugared: &Desugared) {
        let imported = self.imports.read_ahead(&engine, ast);
        drop(engine);
        self.state.learn_functions(ast);
        if let Some(source) = ast.source().filter(|_| ast.has_functions()) {
            let mut defining = self.state.defining.borrow_mut();
            defining.retain(|known| known != source);
            defining.push(source.to_owned());
        }
        let known = self.modules.len();
        for ast in imported.iter().chain([ast]) {
            let module = engine::functions_for(&self.state, engine::mentioned(ast));
            // Every module of the engine is asked for every name that is looked up: none without a function.
            if !module.is_empty() {
                self.modules.push(module.into());
            }
        }
        // Closures of imported files too, which their functions may return.
        let closures = imported.iter().map(|ast| {
            ast.clone_functions_only_filtered(|_, _, _, name, _| name.starts_with("anon$"))
        });
        for ast in closures.chain([ast.clone()]).filter(AST::has_functions) {
            self.modules.push(ast.shared_lib().clone());
        }
        let (old, new) = self.modules.split_at(known);
        let add = |engine: &mut Engine, modules: &[Shared<Module>]| {
            modules.iter().for_each(|module| {
                engine.register_global_module(module.clone());
            });
        };
        let again = || {
            let mut engine = new_engine(&self.state, &self.imports);
            add(&mut engine, old);
            engine
        };
        self.home.change_engine(again, |engine| add(engine, new));
        // Of a variable and a function of one name, the younger one is called.
        self.earlier.functions.retain(|name| !desugared.variables.contains(name));
        self.earlier
            .functions
            .extend(ast.iter_functions().map(|function| function.name.to_owned()));
    }

    /// Makes variables of earlier cells, which functions read, shared with them.
    fn share_globals(&mut self) {
        for name in &self.earlier.read {
            if let Some(value) = self.scope.get_mut(name) {
                if !value.is_shared() {
                    *value = std::mem::take(value).into_shared();
                }
                let cell = value.clone();
                self.state.globals.borrow_mut().insert(ImmutableString::from(name.as_str()), cell);
            }
        }
    }

    fn report(&self, raised: &EvalAltResult, source: &str) -> Report {
        // Names that were perhaps meant are looked up in the session that evaluates.
        let mut report = self.home.enter(|_, state| {
            Report::new(raised, source, &|name, position| state.place(name, position))
        });
        if let EvalAltResult::ErrorParsing(kind, _) = errors::innermost(raised) {
            let Report { text, line, column, .. } = &report;
            report.error.help = hints::syntax(&self.home.engine(), kind, text, *line, *column);
        }
        report
    }

    fn refuse(&self, source: &str, code: &str, at: usize, message: &str) -> Box<Report> {
        let before = &code[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let mut error = Error::new(Kind::Syntax, message);
        error.position = Position::new(line.min(65_535) as u16, column.min(65_535) as u16);
        Box::new(Report {
            error,
            source: source.to_owned(),
            text: code.to_owned(),
            line,
            column,
            calls: Vec::new(),
            frames: vec![Frame {
                function: String::new(),
                source: source.to_owned(),
                line,
                text: code.lines().nth(line - 1).map(str::to_owned),
            }],
        })
    }

    /// What `print` shows of a value.
    pub fn display(&self, value: &Dynamic) -> String {
        self.home.enter(|_, state| display::display(value, state))
    }

    /// What the end of a cell shows of a value, by MIME type: `text/plain` always, and what else it has. Lines of
    /// text are at most [`Session::set_width`] wide where that can be.
    pub fn represent(&self, value: &Dynamic) -> Bundle {
        self.home.enter(|_, state| display::represent(value, state))
    }

    /// How many columns there are for what the end of a cell shows.
    pub fn width(&self) -> usize {
        self.home.enter(|_, state| state.width.get())
    }

    /// Says how many columns there are for what the end of a cell shows.
    pub fn set_width(&self, width: usize) {
        self.home.enter(|_, state| state.width.set(width));
    }

    /// The variables of the session: names and values, oldest first, shadowed ones left out.
    pub fn variables(&self) -> Vec<(String, Dynamic)> {
        let mut seen = HashSet::new();
        let mut found: Vec<(String, Dynamic)> = Vec::new();
        let oldest_first: Vec<_> = self.scope.iter().collect();
        for (name, _, value) in oldest_first.into_iter().rev() {
            if seen.insert(name.to_owned()) {
                found.push((name.to_owned(), value));
            }
        }
        found.reverse();
        found
    }

    /// Sets a variable of the session, also where functions and closures share it.
    ///
    /// # Errors
    /// A `ValueError` for a name that scripts could not write.
    pub fn set(&mut self, name: &str, value: Dynamic) -> crate::error::Result<()> {
        if !is_word(name) {
            return Err(Error::value(format!("'{name}' cannot be the name of a variable")));
        }
        // Also where closures and functions share it; a constant is declared anew.
        let variable = self.scope.get_mut(name);
        if let Some(mut variable) = variable.and_then(|old| old.write_lock::<Dynamic>()) {
            *variable = value;
            return Ok(());
        }
        self.scope.push_dynamic(name.to_owned(), value);
        // Of a variable and a function of one name, the younger one is called.
        self.earlier.functions.remove(name);
        Ok(())
    }

    /// Takes a variable out of the session; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.state.globals.borrow_mut().remove(name);
        self.state.debugging.clear();
        self.scope.remove::<Dynamic>(name).is_some()
    }

    /// A function that a script has defined.
    pub fn function(&self, name: &str) -> Option<Dynamic> {
        let known = self.earlier.functions.contains(name);
        known.then(|| FnPtr::new(name).ok().map(Dynamic::from)).flatten()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<Dynamic> {
        self.scope.get_value::<Dynamic>(name)
    }

    /// Signature, description and example of anything that has a name.
    ///
    /// # Errors
    /// The nearest name that is known, where there is one.
    pub fn doc(&self, name: &str) -> Result<String, Option<String>> {
        if let Some(text) = self.doc_of_variable(name) {
            return Ok(text);
        }
        super::doc::doc(&self.state, name).ok_or_else(|| super::doc::near(&self.state, name))
    }

    /// Everything that the libraries declare, by signature: what tests of examples go through.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions: Vec<Function> =
            self.state.functions.values().map(|declared| declared.function).collect();
        functions.sort_by_key(|function| function.schema);
        functions
    }

    /// Where its values live: what another thread needs to use the session.
    pub fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// The state that native functions share.
    pub fn state(&self) -> &Rc<State> {
        &self.state
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What hooks hold keeps the state, but nothing runs on.
        self.state.end_isolates();
        self.state.forget_extensions();
    }
}
