//! The line editor: what keys do, what is shown while typing.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use flambeau_protocol::{Language, Signature};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, EditMode, Editor,
    Event, EventContext, EventHandler, ExternalPrinter, Helper, InputMode, KeyCode, KeyEvent,
    Modifiers, Movement, RepeatCount, Result,
};

use super::call;
use super::colors;
use super::completion;
use super::continuation::{INDENT, indentation, is_open, outdent};
use super::mode::Mode;
use super::remote::Remote;
use crate::commands;
use crate::draw::Screen;
use crate::history::Entries;
use crate::picture::size;
use crate::settings;

/// What came from the keyboard.
pub enum Input {
    /// A cell.
    Cell(String),
    /// Ctrl-C: the line is given up.
    Cleared,
    /// Ctrl-D, or the terminal is gone.
    End,
}

/// Reads cells.
pub struct Keyboard {
    editor: Editor<Assistant, Entries>,
    screen: Arc<Screen>,
}

impl Keyboard {
    /// Makes the editor.
    ///
    /// # Errors
    /// What the terminal refuses.
    pub fn new(
        remote: Rc<Remote>,
        mode: &Mode,
        settings: &settings::Editor,
        screen: Arc<Screen>,
    ) -> Result<Keyboard> {
        let color = if screen.is_colored() { ColorMode::Forced } else { ColorMode::Disabled };
        let config = Config::builder()
            .max_history_size(settings.history)?
            .history_ignore_dups(true)?
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .color_mode(color)
            .edit_mode(match settings.mode {
                settings::EditMode::Emacs => EditMode::Emacs,
                settings::EditMode::Vi => EditMode::Vi,
            })
            .build();
        let mut editor = Editor::with_history(config.clone(), Entries::open(&config)?)?;
        editor.set_helper(Some(Assistant {
            remote,
            mode: mode.clone(),
            history: settings.hints.then(HistoryHinter::new),
            submitted: Cell::new(false),
            active: RefCell::default(),
            below: Cell::default(),
        }));
        let key = |code| Event::from(KeyEvent(code, Modifiers::NONE));
        bind(&mut editor, key(KeyCode::Enter), Enter(mode.clone()));
        bind(&mut editor, key(KeyCode::Tab), Tab);
        bind(&mut editor, key(KeyCode::Backspace), Backspace(mode.clone()));
        for bracket in [')', ']', '}'] {
            bind(&mut editor, key(KeyCode::Char(bracket)), Closing(bracket, mode.clone()));
        }
        // A terminal that cannot go back to the line has nothing drawn above it.
        if let Ok(mut printer) = editor.create_external_printer() {
            screen.print_above(Box::new(move |text| printer.print(text).is_ok()));
        }
        Ok(Keyboard { editor, screen })
    }

    /// Waits for a cell; `initial` stands there already.
    pub fn read(&mut self, prompt: &str, initial: &str) -> Input {
        if let Some(helper) = self.editor.helper() {
            helper.submitted.set(false);
        }
        let editor = &mut self.editor;
        let read = || editor.readline_with_initial(prompt, (initial, ""));
        match self.screen.while_typing(read) {
            Ok(cell) => Input::Cell(cell),
            Err(ReadlineError::Interrupted) => {
                // The signature of the call that was typed stands there still.
                let rows = self.editor.helper().map_or(0, |helper| helper.below.take());
                self.screen.clear_above(rows);
                Input::Cleared
            }
            // Bytes that are no text, such as of a picture: the line is given up.
            Err(ReadlineError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                Input::Cleared
            }
            Err(ReadlineError::Signal(_)) => Input::Cleared,
            Err(_) => Input::End,
        }
    }

    /// Keeps a cell for later.
    pub fn remember(&mut self, cell: &str) {
        // What goes wrong is told by `trouble`.
        let _ = self.editor.add_history_entry(cell.trim_end());
    }

    /// What is wrong with the history since the last time this was asked.
    pub fn trouble(&mut self) -> Option<String> {
        self.editor.history_mut().trouble()
    }
}

fn bind(
    editor: &mut Editor<Assistant, Entries>,
    event: Event,
    handler: impl ConditionalEventHandler + 'static,
) {
    editor.bind_sequence(event, EventHandler::Conditional(Box::new(handler)));
}

/// Whether keys are commands of vi and no text.
fn is_command_mode(ctx: &EventContext) -> bool {
    ctx.input_mode() == InputMode::Command
}

/// Ends a cell that is complete, and breaks the line of one that is not.
struct Enter(Mode);

impl ConditionalEventHandler for Enter {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let (text, at) = (ctx.line(), ctx.pos());
        let in_last_line = !text[at..].contains('\n');
        if in_last_line && !is_open(text, &self.0.span_at(text, text.len())) {
            return Some(Cmd::AcceptLine);
        }
        let span = self.0.span_at(text, at);
        let before = text.get(span.range.start..at).unwrap_or("");
        let indent = " ".repeat(indentation(before, span.language));
        Some(Cmd::Insert(1, format!("\n{indent}")))
    }
}

/// Indents where nothing stands before the cursor, and completes elsewhere.
struct Tab;

impl ConditionalEventHandler for Tab {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        if is_command_mode(ctx) {
            return None;
        }
        let before = &ctx.line()[..ctx.pos()];
        let line = before.rsplit('\n').next().unwrap_or("");
        let blank = line.trim().is_empty();
        blank.then(|| Cmd::Insert(1, " ".repeat(INDENT - line.len() % INDENT)))
    }
}

/// A bracket that goes back to where its partner is.
struct Closing(char, Mode);

impl ConditionalEventHandler for Closing {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        // In Python the depth of a line says more than its brackets.
        let in_python = self.1.span_at(ctx.line(), ctx.pos()).language == Language::Python;
        if in_python || is_command_mode(ctx) {
            return None;
        }
        let left = outdent(&ctx.line()[..ctx.pos()])?;
        let line = format!("{}{}", " ".repeat(left), self.0);
        Some(Cmd::Replace(Movement::BeginningOfLine, Some(line)))
    }
}

/// Takes a whole level of indentation away in Python.
struct Backspace(Mode);

impl ConditionalEventHandler for Backspace {
    fn handle(&self, _: &Event, count: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let before = &ctx.line()[..ctx.pos()];
        let (_, line) = before.rsplit_once('\n')?;
        let in_python = self.0.span_at(ctx.line(), ctx.pos()).language == Language::Python;
        let blank = !line.is_empty() && line.bytes().all(|byte| byte == b' ');
        (in_python && blank && count == 1 && !is_command_mode(ctx)).then(|| {
            let left = (line.len() - 1) / INDENT * INDENT;
            Cmd::Replace(Movement::BeginningOfLine, Some(" ".repeat(left)))
        })
    }
}

/// What helps while typing.
struct Assistant {
    remote: Rc<Remote>,
    mode: Mode,
    history: Option<HistoryHinter>,
    /// Whether the cell is drawn for the last time.
    submitted: Cell<bool>,
    /// Where in the hint the argument stands that is typed.
    active: RefCell<Option<Range<usize>>>,
    /// How many rows the hint has below the line.
    below: Cell<usize>,
}

impl Assistant {
    /// The call around the cursor.
    fn call(&self, line: &str, pos: usize) -> Option<Signature> {
        let span = self.mode.span_at(line, pos);
        let at = pos.checked_sub(span.range.start)?;
        self.remote.signature(&line[span.range], at)
    }
}

impl Helper for Assistant {}

impl Validator for Assistant {
    fn validate(&self, ctx: &mut ValidationContext) -> Result<ValidationResult> {
        let cell = ctx.input();
        Ok(if is_open(cell, &self.mode.span_at(cell, cell.len())) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        let cursor = (!self.submitted.get()).then_some(pos);
        colors::cell(line, cursor, self.mode.language())
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(colors::prompt(prompt))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(colors::hint(hint, self.active.borrow().clone()))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.submitted.set(kind == CmdKind::ForcedRefresh);
        true
    }
}

/// The rest of an earlier cell that began alike, and the call around the cursor below it.
struct Shown {
    rest: Option<String>,
    shown: String,
}

impl Hint for Shown {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.rest.as_deref()
    }
}

impl Hinter for Assistant {
    type Hint = Shown;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<Shown> {
        let one_line = !line.contains('\n');
        let history = self.history.as_ref().filter(|_| one_line);
        let rest = history.and_then(|history| history.hint(line, pos, ctx));
        let rest = rest.filter(|rest| !rest.is_empty());
        let mut shown = match &rest {
            Some(rest) => match rest.split_once('\n') {
                Some((first, _)) => format!("{first} …"),
                None => rest.clone(),
            },
            None => String::new(),
        };
        self.active.replace(None);
        self.below.set(0);
        let in_call = line[..pos].contains('(') && commands::is_command(line).is_none();
        if let Some(call) = in_call.then(|| self.call(line, pos)).flatten() {
            let below = call::below(&call, size().columns.into());
            shown.push('\n');
            let start = shown.len();
            shown.push_str(&below.text);
            let active = below.active.map(|range| start + range.start..start + range.end);
            self.active.replace(active);
            self.below.set(below.text.lines().count());
        }
        (!shown.is_empty()).then_some(Shown { rest, shown })
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        Ok(completion::complete(&self.remote, &self.mode, line, pos))
    }
}
