//! The debugger: stops scripts at breakpoints and steps, and shows what they hold.
//!
//! Rhai calls back before every statement and expression while a debugger is registered with the engine. That costs
//! speed, so a session registers one only while a client is attached, and cells are then walked as a tree: the
//! bytecode VM tells of nothing but statements, and of those that it hands to the tree walker twice. Where to stop is
//! decided here and not by Rhai, whose own breakpoints are copied with every call of a closure by native code.
//!
//! A script that stands waits inside of that callback. What the client asks meanwhile is answered there, with the
//! values themselves.

mod frames;
mod inspection;
mod statements;
mod values;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::debugger::{DebuggerCommand, DebuggerEvent};
use rhai::{ASTNode, Dynamic, Engine, EvalAltResult, EvalContext, Position, Stmt};

use super::errors::to_rhai;
use super::state::State;
use super::turn;
use frames::Frames;
use statements::{Statement, Statements};
use values::References;

pub use inspection::{Call, Inspection};
pub use values::Inspected;

/// How often is looked whether the evaluation was stopped while a script stands.
const LOOK: Duration = Duration::from_millis(10);

/// How a script that stands goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// To the next breakpoint.
    Continue,
    /// To the next statement of this call, or of the one around it.
    Next,
    /// To the next statement, wherever it is.
    Into,
    /// To the next statement behind this call.
    Out,
}

/// Why a script stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A breakpoint was reached.
    Breakpoint,
    /// A step has ended.
    Step,
    /// It was asked to stop.
    Pause,
}

/// Who debugs a session. It is asked on the session's thread, but for what it says of itself.
pub trait DebugClient: Send + Sync {
    /// Whether scripts are to stop.
    fn is_attached(&self) -> bool;

    /// Whether it wants to know something; asked before every statement of a script.
    fn has_asked(&self) -> bool;

    /// Waits until it wants to know something, no longer than `patience`.
    fn wait(&self, patience: Duration);

    /// Answers what it wants to know, and how the script that stands is to go on, where that is said.
    fn serve(&self, inspection: &mut Inspection<'_, '_>) -> Option<Resume>;

    /// A script stands now.
    fn stopped(&self, reason: Reason);

    /// It does not any more.
    fn resumed(&self);
}

/// Where a script is to stop besides its breakpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Nowhere.
    None,
    /// At the next statement, because of a step or a request.
    Any(Reason),
    /// At the next statement that is inside of no more calls than this.
    Within(usize),
}

/// What a session keeps for its debugger.
pub(crate) struct Debugging {
    client: Option<Arc<dyn DebugClient>>,
    /// Whether the engine calls back.
    registered: Cell<bool>,
    /// Whether what runs is the client's own code, or runs beside a script that stands.
    quiet: Cell<bool>,
    goal: Cell<Goal>,
    frames: RefCell<Frames>,
    sources: RefCell<HashMap<String, Rc<Statements>>>,
    /// What the client calls sources, by their names.
    files: RefCell<HashMap<String, String>>,
    /// Lines by file.
    breakpoints: RefCell<HashMap<String, BTreeSet<usize>>>,
    references: RefCell<References>,
    /// What the client has copied to the session's variables, which a cell under way holds.
    copied: RefCell<Vec<(String, Dynamic)>>,
}

impl Debugging {
    pub(crate) fn new(client: Option<Arc<dyn DebugClient>>) -> Debugging {
        Debugging {
            client,
            registered: Cell::new(false),
            quiet: Cell::new(false),
            goal: Cell::new(Goal::None),
            frames: RefCell::default(),
            sources: RefCell::default(),
            files: RefCell::default(),
            breakpoints: RefCell::default(),
            references: RefCell::default(),
            copied: RefCell::default(),
        }
    }

    /// Who debugs.
    pub(crate) fn client(&self) -> Option<Arc<dyn DebugClient>> {
        self.client.clone()
    }

    /// Whether engines of the session have the debugger registered.
    pub(crate) fn is_registered(&self) -> bool {
        self.registered.get()
    }

    /// Whether that is no longer as the client wants it; from now on it is.
    pub(crate) fn has_changed(&self) -> bool {
        let wanted = self.client.as_ref().is_some_and(|client| client.is_attached());
        self.registered.replace(wanted) != wanted
    }

    /// Says what the client calls a source.
    pub(crate) fn set_file(&self, source: &str, file: &str) {
        self.files.borrow_mut().insert(source.to_owned(), file.to_owned());
    }

    /// A source of this name is about to be evaluated.
    pub(crate) fn renew(&self, source: &str) {
        self.sources.borrow_mut().remove(source);
    }

    /// An evaluation begins or has ended: nothing of what it held stays here.
    pub(crate) fn clear(&self) {
        if self.client.is_some() {
            self.goal.set(Goal::None);
            let frames = std::mem::take(&mut *self.frames.borrow_mut());
            // Dropping values may run anything.
            drop(frames);
            self.forget_references();
        }
    }

    /// What was told of by numbers is out of date.
    fn forget_references(&self) {
        let values = self.references.borrow_mut().take();
        drop(values);
    }

    /// What the client has copied to the session's variables meanwhile.
    pub(crate) fn take_copied(&self) -> Vec<(String, Dynamic)> {
        std::mem::take(&mut *self.copied.borrow_mut())
    }

    /// What the client calls a source; files that were imported have their own names.
    fn file(&self, source: &str) -> String {
        self.files.borrow().get(source).cloned().unwrap_or_else(|| source.to_owned())
    }

    /// The statement of which the interpreter tells at a position of a source.
    fn statement(
        &self,
        engine: &Engine,
        state: &State,
        source: &str,
        position: Position,
    ) -> Option<Statement> {
        if let Some(known) = self.sources.borrow().get(source) {
            return known.told_at(position);
        }
        let (_, desugared) = state.sources.borrow().get(source).cloned()?;
        let ast = engine.compile(&desugared.text).ok()?;
        let found = Rc::new(Statements::of(&ast, &desugared));
        self.sources.borrow_mut().insert(source.to_owned(), found.clone());
        found.told_at(position)
    }

    fn has_breakpoint(&self, source: &str, line: usize) -> bool {
        let breakpoints = self.breakpoints.borrow();
        let files = self.files.borrow();
        let file = files.get(source).map_or(source, String::as_str);
        breakpoints.get(file).is_some_and(|lines| lines.contains(&line))
    }

    /// Why to stop at a statement; `begins` where its line does.
    fn why(&self, source: &str, at: Statement, depth: usize, begins: bool) -> Option<Reason> {
        if begins && self.has_breakpoint(source, at.line) {
            return Some(Reason::Breakpoint);
        }
        match self.goal.get() {
            Goal::Any(reason) => Some(reason),
            Goal::Within(limit) if depth <= limit => Some(Reason::Step),
            Goal::None | Goal::Within(_) => None,
        }
    }

    /// Whether the script may stop before it has ended.
    fn may_stop(&self) -> bool {
        self.goal.get() != Goal::None || !self.breakpoints.borrow().is_empty()
    }
}

/// As long as this is there no statement is stopped at.
struct Quiet<'a>(&'a State, bool);

impl Quiet<'_> {
    fn begin(state: &State) -> Quiet<'_> {
        Quiet(state, state.debugging.quiet.replace(true))
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.0.debugging.quiet.set(self.1);
    }
}

/// Has the engine call back before statements.
pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    let (begun, told) = (state.clone(), state.clone());
    // Volatile, says Rhai; its version is pinned.
    #[allow(deprecated)]
    engine.register_debugger(
        move |_, mut debugger| {
            // Native code has come back with an evaluation of its own.
            let base = begun.debugging.frames.borrow().base();
            debugger.set_state(i64::try_from(base).unwrap_or(i64::MAX));
            debugger
        },
        move |context, event, node, source, position| {
            on_node(&told, context, event, node, source, position)
        },
    );
}

/// Takes what the interpreter tells. It must be answered with a step into, or Rhai falls silent.
fn on_node(
    state: &Rc<State>,
    mut context: EvalContext<'_, '_, '_, '_, '_, '_>,
    event: DebuggerEvent<'_>,
    node: ASTNode<'_>,
    source: Option<&str>,
    position: Position,
) -> Result<DebuggerCommand, Box<EvalAltResult>> {
    let debugging = &state.debugging;
    let Some(client) = debugging.client.as_ref().filter(|client| client.is_attached()) else {
        return Ok(DebuggerCommand::Continue);
    };
    let (Some(source), Some(debugger)) = (source, context.debugger()) else {
        return Ok(DebuggerCommand::StepInto);
    };
    if debugging.quiet.get() {
        return Ok(DebuggerCommand::StepInto);
    }
    let calls = debugger.call_stack();
    let base = debugger.state().as_int().ok().and_then(|base| usize::try_from(base).ok());
    let depth = base.unwrap_or_default() + calls.len();
    match event {
        DebuggerEvent::FunctionExitWithValue(_) | DebuggerEvent::FunctionExitWithError(_) => {
            let over = debugging.frames.borrow_mut().left(depth);
            drop(over);
            return Ok(DebuggerCommand::StepInto);
        }
        DebuggerEvent::End => return Ok(DebuggerCommand::StepInto),
        _ if matches!(node, ASTNode::Stmt(Stmt::Noop(_))) => return Ok(DebuggerCommand::StepInto),
        _ => {}
    }
    let Some(at) = debugging.statement(context.engine(), state, source, position) else {
        return Ok(DebuggerCommand::StepInto);
    };
    let function = calls.last().map(|call| call.fn_name.clone());
    let (begins, over) =
        debugging.frames.borrow_mut().reached(depth, function.as_deref(), source, at);
    drop(over);
    if client.has_asked() {
        // Nobody stands: there is nothing to go on with.
        client.serve(&mut Inspection::within(state, &mut context, false));
    }
    if let Some(reason) = debugging.why(source, at, depth, begins) {
        stand(state, &**client, &mut context, reason, depth)
            .map_err(|error| to_rhai(error, position))?;
    }
    if at.calls && debugging.may_stop() {
        let variables = frames::noted(context.scope());
        if let Some(frame) = debugging.frames.borrow_mut().0.last_mut() {
            frame.variables = Some(variables);
        }
    }
    Ok(DebuggerCommand::StepInto)
}

/// Waits at a statement, and answers what the client asks, until it says how to go on.
///
/// # Errors
/// Why the evaluation is stopped.
fn stand(
    state: &Rc<State>,
    client: &dyn DebugClient,
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    reason: Reason,
    depth: usize,
) -> crate::error::Result<()> {
    let debugging = &state.debugging;
    debugging.goal.set(Goal::None);
    // Other threads may call closures meanwhile; one script that stands is enough.
    let _quiet = Quiet::begin(state);
    client.stopped(reason);
    let resume = loop {
        if let Err(error) = state.check() {
            client.resumed();
            return Err(error);
        }
        if !client.is_attached() {
            break Resume::Continue;
        }
        if client.has_asked() {
            let resume = client.serve(&mut Inspection::within(state, context, true));
            if let Some(resume) = resume {
                break resume;
            }
        } else {
            turn::outside(|| client.wait(LOOK));
        }
    };
    debugging.forget_references();
    debugging.goal.set(match resume {
        Resume::Continue => Goal::None,
        Resume::Next => Goal::Within(depth),
        Resume::Into => Goal::Any(Reason::Step),
        // Outside of everything the cell runs to its end.
        Resume::Out => depth.checked_sub(1).map_or(Goal::None, Goal::Within),
    });
    client.resumed();
    Ok(())
}
