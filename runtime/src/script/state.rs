//! What a session shares with the native functions that it calls: the library's index, output,
//! permissions, limits, the interrupt flag and the top-level names that functions read.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rhai::{AST, Dynamic, ImmutableString, Position};

use super::debugger::Debugging;
use super::event::{Event, Output};
use super::front_end::FrontEnd;
use super::function::{Constant, Declared, Library, ObjectType, Property};
use super::input::Input;
use super::interrupt::Interrupt;
use super::isolate::{Running, Tie};
use super::limits::Limits;
use super::permissions::Permissions;
use super::sugar::Desugared;
use super::turn::{self, Floor};
use super::write_back::WriteBacks;
use crate::error::{Error, Kind, Result};
use crate::torch::{PrintOptions, Schema};

/// Second names of namespaces, and the names that scripts find without a prefix.
const NAMESPACE_ALIASES: &[(&str, &str)] = &[
    ("F", "torch.nn.functional"),
    ("torch.nn.functional", "torch.nn.functional"),
    ("nn.functional", "torch.nn.functional"),
    ("torch.nn", "nn"),
    ("torch.optim", "optim"),
    ("torch.utils.data", "data"),
    ("torch.random", "torch"),
    ("torch.functional", "torch"),
];

/// Namespaces that have operators but perhaps no declared function.
const OPERATOR_NAMESPACES: &[&str] = &[
    "torch",
    "torch.linalg",
    "torch.fft",
    "torch.special",
    "torch.sparse",
    "torch.nested",
    "torch.nn.functional",
    "torch.ops",
    "torch.utils",
    "torch.autograd",
    "torch.cuda",
    "torch.backends",
];

/// Shared by the session and everything it calls on its thread.
pub struct State {
    pub(crate) functions: HashMap<String, Rc<Declared>>,
    pub(crate) properties: HashMap<&'static str, Property>,
    pub(crate) constants: HashMap<&'static str, Constant>,
    pub(crate) types: HashMap<TypeId, ObjectType>,
    namespaces: HashSet<String>,
    /// The cells of top-level variables that functions read.
    pub(crate) globals: RefCell<HashMap<ImmutableString, Dynamic>>,
    /// What `args` is.
    pub(crate) args: Vec<String>,
    /// What it was made of: for sessions beside it.
    pub(crate) libraries: Vec<Library>,
    /// Where scripts that are no file look for others.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) output: Output,
    /// The way to the user.
    pub(crate) input: Option<Arc<dyn Input>>,
    /// Whether the front end shows HTML.
    pub(crate) notebook: bool,
    pub(crate) debugging: Debugging,
    /// What the sandbox allows.
    pub permissions: Permissions,
    pub(crate) limits: Limits,
    stop: Interrupt,
    /// Whether another session started this one.
    pub(crate) is_isolate: bool,
    /// The sessions that this one has started.
    pub(crate) isolates: RefCell<Vec<Arc<Running>>>,
    /// What a library keeps for this session, by its type.
    extensions: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
    floor: Arc<Floor>,
    /// Why the evaluation stops. Once it does, it does whatever a script catches on the way.
    stopped: RefCell<Option<Error>>,
    /// Evaluations under way: closures that Python calls are evaluations too.
    evaluations: Cell<usize>,
    /// Operations of the evaluation so far, with those of sessions that it has started; counted where they are limited.
    pub(crate) operations: Arc<AtomicU64>,
    deadline: Cell<Option<Instant>>,
    /// How tensors are printed.
    pub print_options: RefCell<PrintOptions>,
    /// How wide a line may be that the end of a cell shows.
    pub width: Cell<usize>,
    pub(crate) write_backs: WriteBacks,
    /// Names and arities that the engine has registered for scripts.
    registered: RefCell<HashSet<(String, usize)>>,
    /// Whether a script assigns to a property of this name.
    assigned: RefCell<HashMap<String, Rc<Cell<bool>>>>,
    /// What names without a prefix mean, once asked.
    names: RefCell<HashMap<String, Option<Dynamic>>>,
    /// What was evaluated and imported, by name: as written, and without its sugar.
    pub(crate) sources: RefCell<HashMap<String, (String, Desugared)>>,
    /// The name of what is evaluated.
    pub(crate) source: RefCell<String>,
    /// The parameters of the scripts' functions and closures, by name.
    signatures: RefCell<HashMap<String, Vec<Vec<String>>>>,
    /// The names of the sources in which the scripts' functions were last defined, by their names.
    definitions: RefCell<HashMap<String, String>>,
    /// The names of evaluated sources that define functions, oldest first.
    pub(crate) defining: RefCell<Vec<String>>,
    /// The session's variables when the evaluation began.
    variables: RefCell<Vec<String>>,
}

/// Columns of a terminal of which nothing is known.
const WIDTH: usize = 80;

impl State {
    pub(crate) fn new(
        libraries: Vec<Library>,
        (folder, args): (Option<PathBuf>, Vec<String>),
        permissions: Permissions,
        limits: Limits,
        FrontEnd { output, input, notebook, debugger }: FrontEnd,
        tie: Tie,
    ) -> State {
        let mut state = State {
            functions: HashMap::new(),
            properties: HashMap::new(),
            constants: HashMap::new(),
            types: HashMap::new(),
            namespaces: OPERATOR_NAMESPACES.iter().map(|name| (*name).to_owned()).collect(),
            globals: RefCell::default(),
            args,
            libraries: Vec::new(),
            folder,
            output,
            input,
            notebook,
            debugging: Debugging::new(debugger),
            permissions,
            limits,
            stop: tie.stop,
            is_isolate: tie.is_isolate,
            isolates: RefCell::default(),
            extensions: RefCell::default(),
            floor: Arc::default(),
            stopped: RefCell::default(),
            evaluations: Cell::new(0),
            operations: tie.operations,
            deadline: Cell::new(None),
            width: Cell::new(WIDTH),
            print_options: RefCell::default(),
            write_backs: WriteBacks::default(),
            registered: RefCell::default(),
            assigned: RefCell::default(),
            names: RefCell::default(),
            sources: RefCell::default(),
            source: RefCell::default(),
            signatures: RefCell::default(),
            definitions: RefCell::default(),
            defining: RefCell::default(),
            variables: RefCell::default(),
        };
        for library in &libraries {
            for make in library.types {
                let object = make();
                state.types.insert((object.id)(), object);
            }
        }
        let type_names: HashSet<&str> = state
            .types
            .values()
            .map(|object| object.name)
            .chain(super::dispatch::BUILT_IN_TYPES.iter().copied())
            .collect();
        for library in &libraries {
            for function in library.functions {
                // The name alone is needed now; the schema is read on first use.
                let name = function.schema.split('(').next().unwrap_or("").trim();
                state.add_namespace_of(name, &type_names);
                state.functions.insert(name.to_owned(), Rc::new(Declared::new(*function)));
            }
            for property in library.properties {
                state.properties.insert(property.name, *property);
            }
            for constant in library.constants {
                state.add_namespace_of(constant.name, &type_names);
                state.constants.insert(constant.name, *constant);
            }
        }
        state.libraries = libraries;
        state
    }

    /// Makes every dotted prefix of `name` a namespace, unless it is a type.
    fn add_namespace_of(&mut self, name: &str, types: &HashSet<&str>) {
        let mut rest = name;
        while let Some((prefix, _)) = rest.rsplit_once('.') {
            if !types.contains(prefix) {
                self.namespaces.insert(prefix.to_owned());
            }
            rest = prefix;
        }
    }

    /// The namespace that `name` means, by its canonical name.
    pub(crate) fn namespace(&self, name: &str) -> Option<String> {
        let canonical = canonical(name);
        if self.namespaces.contains(&canonical) {
            return Some(canonical);
        }
        let operators = canonical.strip_prefix("torch.ops.")?;
        let known = match operators.split_once('.') {
            // `torch.ops.aten.add` holds the operator's overloads.
            Some((library, name)) => crate::torch::operator(library, name).is_some(),
            None => crate::torch::namespaces().iter().any(|known| known == operators),
        };
        known.then_some(canonical)
    }

    /// All names directly under a namespace: functions, constants and namespaces.
    pub(crate) fn names_under(&self, namespace: &str) -> Vec<String> {
        let prefix = format!("{namespace}.");
        let mut names: Vec<String> = self
            .functions
            .keys()
            .map(String::as_str)
            .chain(self.constants.keys().copied())
            .chain(self.namespaces.iter().map(String::as_str))
            .filter_map(|name| name.strip_prefix(&prefix))
            .filter(|rest| !rest.contains('.'))
            .map(str::to_owned)
            .collect();
        names.extend(super::dispatch::operator_names_under(namespace));
        names.sort();
        names.dedup();
        names
    }

    /// Names that scripts can use without a prefix.
    pub(crate) fn top_level_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .namespaces
            .iter()
            .chain(self.functions.keys())
            .filter(|name| !name.contains('.'))
            .cloned()
            .collect();
        names.push("F".to_owned());
        names.sort();
        names
    }

    /// Remembers that the engine has `name` with `arity` arguments; whether that is new.
    pub(crate) fn register(&self, name: &str, arity: usize) -> bool {
        self.registered.borrow_mut().insert((name.to_owned(), arity))
    }

    /// Whether the engine has `name` with `arity` arguments.
    pub(crate) fn is_registered(&self, name: &str, arity: usize) -> bool {
        self.registered.borrow().contains(&(name.to_owned(), arity))
    }

    /// The flag that a script assigns to a property of this name.
    pub(crate) fn assigned(&self, name: &str) -> Rc<Cell<bool>> {
        self.assigned.borrow_mut().entry(name.to_owned()).or_default().clone()
    }

    /// Remembers the functions and closures of a script.
    pub(crate) fn learn_functions(&self, ast: &AST) {
        let mut signatures = self.signatures.borrow_mut();
        for function in ast.iter_functions() {
            if let Some(source) = ast.source() {
                let mut definitions = self.definitions.borrow_mut();
                definitions.insert(function.name.to_owned(), source.to_owned());
            }
            let names = function.params.iter().map(|name| (*name).to_owned()).collect();
            let known = signatures.entry(function.name.to_owned()).or_default();
            if !known.contains(&names) {
                known.push(names);
            }
        }
    }

    /// The parameters of the scripts' functions of this name, one list for each.
    pub(crate) fn signatures(&self, name: &str) -> Vec<Vec<String>> {
        self.signatures.borrow().get(name).cloned().unwrap_or_default()
    }

    /// The source in which a script's function was last defined.
    pub(crate) fn definition(&self, name: &str) -> Option<String> {
        self.definitions.borrow().get(name).cloned()
    }

    /// Forgets the scripts' functions, and what was registered with an engine that is gone.
    pub(crate) fn forget_functions(&self) {
        self.signatures.borrow_mut().clear();
        self.definitions.borrow_mut().clear();
        self.defining.borrow_mut().clear();
        self.registered.borrow_mut().clear();
    }

    /// The names of the scripts' functions.
    pub(crate) fn script_functions(&self) -> Vec<String> {
        let signatures = self.signatures.borrow();
        signatures.keys().filter(|name| !name.contains('$')).cloned().collect()
    }

    /// Remembers the session's variables.
    pub(crate) fn set_variables(&self, names: &HashSet<String>) {
        *self.variables.borrow_mut() = names.iter().cloned().collect();
    }

    /// The session's variables when the evaluation began.
    pub(crate) fn variables(&self) -> Vec<String> {
        self.variables.borrow().clone()
    }

    /// All words of all scripts.
    pub(crate) fn words(&self) -> BTreeSet<String> {
        let sources = self.sources.borrow();
        let texts = sources
            .values()
            .flat_map(|(text, _)| text.split(|c: char| !(c.is_alphanumeric() || c == '_')));
        texts
            .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
            .map(str::to_owned)
            .collect()
    }

    /// What a name without a prefix means.
    pub(crate) fn resolve_name(self: &Rc<Self>, name: &str) -> Option<Dynamic> {
        if let Some(known) = self.names.borrow().get(name) {
            return known.clone();
        }
        let value = super::dispatch::top_level(self, name);
        self.names.borrow_mut().insert(name.to_owned(), value.clone());
        value
    }

    /// The text of a source, and what the user wrote at a position of it.
    pub(crate) fn place(&self, name: &str, position: Position) -> Option<(String, Position)> {
        let sources = self.sources.borrow();
        let (text, desugared) = sources.get(name)?;
        Some((text.clone(), desugared.original(position)))
    }

    /// Whether a limit is set that must be looked at from time to time.
    pub(crate) fn check_due(&self) -> bool {
        self.limits.seconds.is_some() || self.limits.memory.is_some()
    }

    /// What `args` is in scripts.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// What takes the session's events, on any thread.
    pub fn output(&self) -> Output {
        self.output.clone()
    }

    /// Lets go of what libraries keep for this session.
    pub(crate) fn forget_extensions(&self) {
        drop(self.extensions.take());
        if self.is_isolate {
            // Whoever waits for this session is to see that it holds no channel any more.
            drop(self.globals.take());
        }
    }

    /// Hands an event to the front end.
    pub(crate) fn emit(&self, event: Event) {
        (self.output)(event);
    }

    /// Whether the front end is a notebook, which shows HTML.
    pub fn is_notebook(&self) -> bool {
        self.notebook
    }

    /// The handle that stops an evaluation.
    pub fn interrupt(&self) -> Interrupt {
        self.stop.clone()
    }

    /// Runs `run` as an evaluation, or as part of the one that is under way.
    ///
    /// # Errors
    /// What `run` reports; why the evaluation was stopped, also where the script caught that.
    pub fn evaluation<R>(&self, run: impl FnOnce() -> Result<R>) -> Result<R> {
        let evaluation = self.begin();
        let outcome = run();
        match evaluation.end() {
            Some(why) => outcome.and(Err(why)),
            None => outcome,
        }
    }

    /// Whether one is under way.
    pub fn is_evaluating(&self) -> bool {
        self.evaluations.get() > 0
    }

    /// Begins an evaluation; the outermost one starts the clock.
    pub(crate) fn begin(&self) -> Evaluation<'_> {
        let depth = self.evaluations.get();
        self.evaluations.set(depth + 1);
        if depth > 0 {
            return Evaluation(self);
        }
        self.debugging.clear();
        self.stop.set_evaluating(true);
        if !self.is_isolate {
            self.operations.store(0, Ordering::Relaxed);
        }
        self.deadline.set(
            self.limits
                .seconds
                .and_then(|seconds| Instant::now().checked_add(Duration::from_secs_f64(seconds))),
        );
        Evaluation(self)
    }

    /// Whether somebody asked for something: one relaxed load, for every operation of a script.
    pub(crate) fn is_asked(&self) -> bool {
        self.stop.is_asked()
    }

    /// Whether somebody asked to stop.
    pub(crate) fn stop_requested(&self) -> bool {
        self.stop.is_stopping()
    }

    /// Where the stack of the thread that evaluates ends for scripts.
    pub(crate) fn floor(&self) -> Arc<Floor> {
        self.floor.clone()
    }

    /// Whether calls are nested as deep as the thread's stack allows.
    pub(crate) fn is_too_deep(&self) -> bool {
        turn::is_short(&self.floor)
    }

    /// Whether the time is up.
    pub(crate) fn time_is_up(&self) -> bool {
        self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// An error when the user pressed Ctrl-C or a limit was reached.
    pub(crate) fn check(&self) -> Result<()> {
        self.stop.follow().map_err(|error| self.stop_with(error))?;
        if self.stop_requested() {
            let why = self.stopped.borrow().clone();
            return Err(
                why.unwrap_or_else(|| self.stop_with(Error::new(Kind::Interrupt, "interrupted")))
            );
        }
        if self.time_is_up() {
            return Err(self.stop_with(self.limits.time_error()));
        }
        if let Some(limit) = self.limits.memory
            && crate::memory::used() > limit
        {
            return Err(self.stop_with(self.limits.memory_error()));
        }
        Ok(())
    }

    /// Counts an operation.
    ///
    /// # Errors
    /// A `LimitError` behind the last one that is allowed.
    pub(crate) fn count_operation(&self) -> Result<()> {
        let Some(limit) = self.limits.operations else { return Ok(()) };
        let count = self.operations.fetch_add(1, Ordering::Relaxed) + 1;
        if count > limit { Err(self.stop_with(self.limits.operations_error())) } else { Ok(()) }
    }

    /// Stops the evaluation for good: Rhai's own functions that call closures, such as `map`, hand on what
    /// these raise in a form that a script could catch.
    pub fn stop_with(&self, error: Error) -> Error {
        self.stopped.borrow_mut().get_or_insert_with(|| error.clone());
        self.stop.stop();
        self.stop_isolates();
        error
    }

    /// What a library keeps for this session; `make` makes it at first.
    pub fn extension<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let known = self.extensions.borrow().get(&TypeId::of::<T>()).cloned();
        if let Some(known) = known.and_then(|known| known.downcast::<T>().ok()) {
            return known;
        }
        let made = Rc::new(make());
        self.extensions.borrow_mut().insert(TypeId::of::<T>(), made.clone());
        made
    }
}

/// An evaluation under way.
pub(crate) struct Evaluation<'a>(&'a State);

impl Evaluation<'_> {
    /// Ends it: why the outermost one was stopped, if it was.
    pub(crate) fn end(self) -> Option<Error> {
        if self.0.evaluations.get() > 1 {
            return None;
        }
        let why = self.0.stopped.borrow_mut().take();
        if why.is_some() {
            self.0.stop.clear();
        }
        why
    }
}

impl Drop for Evaluation<'_> {
    fn drop(&mut self) {
        let depth = self.0.evaluations.get() - 1;
        self.0.evaluations.set(depth);
        if depth == 0 {
            self.0.debugging.clear();
            self.0.stop.set_evaluating(false);
        }
    }
}

/// The name by which a namespace or a name in it is declared.
pub(crate) fn canonical(name: &str) -> String {
    let mut name = name.to_owned();
    // Longest prefix first; an alias may lead to another.
    for _ in 0..3 {
        let hit = NAMESPACE_ALIASES
            .iter()
            .filter(|(alias, target)| {
                alias != target
                    && (name == *alias
                        || name.strip_prefix(alias).is_some_and(|rest| rest.starts_with('.')))
            })
            .max_by_key(|(alias, _)| alias.len());
        if name == "torch.nn.functional" || name.starts_with("torch.nn.functional.") {
            break;
        }
        match hit {
            Some((alias, target)) => name = format!("{target}{}", &name[alias.len()..]),
            None => break,
        }
    }
    name
}

impl Declared {
    pub(crate) fn new(function: super::function::Function) -> Declared {
        Declared { function, schema: std::cell::OnceCell::new() }
    }

    /// The schema, read on first use. A text that is no schema is a fault of the library that a test
    /// finds; it then takes any arguments.
    pub(crate) fn schema(&self) -> &Rc<Schema> {
        self.schema.get_or_init(|| {
            Rc::new(Schema::parse(self.function.schema).unwrap_or_else(|_| Schema {
                name: self.function.schema.to_owned(),
                overload: String::new(),
                arguments: Vec::new(),
                returns: Vec::new(),
            }))
        })
    }
}
