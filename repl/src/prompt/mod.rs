//! The prompt: reads cells, has them evaluated in one session, shows what they come to.

mod call;
mod colors;
mod commands;
mod completion;
mod continuation;
mod editor;
mod mode;
mod remote;
mod scan;
mod scan_python;
mod scan_script;

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use flambeau_protocol::{Done, ErrorReport, Event, Language, Request};

use crate::cells::{name_of_part, parts};
use crate::cli::{Color, Shared};
use crate::draw::{self, Screen};
use crate::echo::Unmarked;
use crate::environment::{Places, search};
use crate::extension;
use crate::pager;
use crate::problem::{Problem, exit};
use crate::settings::{self, When};
use crate::signal::Interrupts;
use crate::source::Source;

use commands::Flow;
pub use continuation::{indentation, is_open, is_wrong, question};

use continuation::Question;
use editor::{Input, Keyboard};
use mode::Mode;
use remote::Remote;

/// Runs `file` where one is given, then shows the prompt until the user leaves; says what the program ends
/// with.
///
/// # Errors
/// Whatever keeps the session from being begun.
pub fn prompt(file: Option<&Path>, startup: bool, shared: &Shared) -> Result<u8, Problem> {
    let broken = |error: std::io::Error| Problem::EngineFailed(error.to_string());
    let interrupts = Interrupts::watch_session().map_err(broken)?;
    let file = file.map(Source::read).transpose()?;
    let script_dir = file.as_ref().map(|source| source.folder.clone());
    let places = Places::around(shared.env.as_deref(), script_dir.as_deref());
    // What is wrong with the environment is told before anything is typed.
    let environment = search(&places).result?;
    if environment.python.library().is_none() {
        extension::move_in(&environment)?;
    }
    let (settings, mistake) = settings::read();
    let screen = Arc::new(Screen::new(match (shared.color, settings.display.color) {
        (Color::Auto, When::Always) => Color::Always,
        (Color::Auto, When::Never) => Color::Never,
        (color, _) => color,
    }));
    colors::choose(settings.display.theme);
    let _unmarked = Unmarked::keys();
    let first = settings.display.code();
    screen.expect_typing();
    let remote = Remote::start(shared.env.clone(), script_dir, first, screen.clone(), interrupts);
    let remote = Rc::new(remote.map_err(broken)?);
    let mode = Mode::default();
    let keyboard = Keyboard::new(remote.clone(), &mode, &settings.editor, screen.clone());
    let keyboard = keyboard.map_err(|error| Problem::EngineFailed(error.to_string()))?;
    screen.show_pictures();
    let mut prompt = Prompt {
        remote,
        screen,
        shared,
        mode,
        cells: Vec::new(),
        number: 1,
        initial: String::new(),
        later: Vec::new(),
    };
    draw::write(
        std::io::stdout().lock(),
        &format!(
            "Flambeau {} with torch {}; :help shows commands, Ctrl-D leaves\n",
            env!("CARGO_PKG_VERSION"),
            environment.torch_version
        ),
    );
    if let Some(mistake) = mistake {
        prompt.complain(&mistake);
    }
    let begin = settings::startup().filter(|_| startup && settings.session.startup);
    let begin = begin.map(|path| Source::read(&path)).transpose();
    let outcome = match begin {
        Ok(begin) => prompt.run(begin.into_iter().chain(file), keyboard),
        Err(problem) => {
            prompt.complain(&problem.to_string());
            prompt.run(file, keyboard)
        }
    };
    prompt.remote.end();
    outcome
}

/// What shows a result to its end.
const ALL: &str = "print(_)";

/// Whether a cell says what leaves Python's own prompt.
fn is_farewell(cell: &str) -> bool {
    matches!(cell, "exit" | "exit()" | "quit" | "quit()")
}

/// A cell that was evaluated.
struct Evaluated {
    number: u64,
    code: String,
    /// What it is written in up to its first mark.
    language: Language,
    succeeded: bool,
}

/// The state of the prompt: what commands work on.
struct Prompt<'a> {
    remote: Rc<Remote>,
    screen: Arc<Screen>,
    shared: &'a Shared,
    mode: Mode,
    cells: Vec<Evaluated>,
    /// The next cell's.
    number: u64,
    /// What stands at the next prompt already.
    initial: String,
    /// Cells that were not typed at the prompt, for its history.
    later: Vec<String>,
}

impl Prompt<'_> {
    fn run(
        &mut self,
        files: impl IntoIterator<Item = Source>,
        mut keyboard: Keyboard,
    ) -> Result<u8, Problem> {
        for source in files {
            self.run_source(source)?;
        }
        loop {
            self.screen.fresh_line();
            if let Some(trouble) = keyboard.trouble() {
                self.complain(&trouble);
            }
            let initial = std::mem::take(&mut self.initial);
            let cell =
                match keyboard.read(&mode::prompt(self.number, self.mode.language()), &initial) {
                    Input::Cell(cell) if cell.trim().is_empty() => continue,
                    Input::Cell(cell) => cell,
                    Input::Cleared => continue,
                    Input::End => return Ok(exit::OK),
                };
            keyboard.remember(&cell);
            let trimmed = cell.trim();
            let flow = if let Some(command) = trimmed.strip_prefix(':') {
                commands::execute(self, command)?
            } else if let Some(question) = continuation::question(trimmed) {
                self.answer(&question);
                Flow::On
            } else if self.mode.language() == Language::Python && is_farewell(trimmed) {
                Flow::Quit
            } else {
                self.evaluate(&cell)?;
                Flow::On
            };
            for cell in self.later.drain(..) {
                keyboard.remember(&cell);
            }
            if let Flow::Quit = flow {
                return Ok(exit::OK);
            }
        }
    }

    /// Evaluates a cell in the prompt's language and shows what it comes to.
    fn evaluate(&mut self, code: &str) -> Result<Done, Problem> {
        self.evaluate_in(self.mode.language(), code)
    }

    /// Evaluates a cell that is in `language` up to its first mark, and shows what it comes to.
    fn evaluate_in(&mut self, language: Language, code: &str) -> Result<Done, Problem> {
        let number = self.number;
        self.number += 1;
        let done = self.evaluate_parts(&format!("cell {number}"), code, Some(number), language)?;
        self.show(&done);
        let succeeded = done.error.is_none();
        self.cells.push(Evaluated { number, code: code.to_owned(), language, succeeded });
        Ok(done)
    }

    /// Evaluates a text part by part, up to the first that fails.
    fn evaluate_parts(
        &self,
        name: &str,
        text: &str,
        keep: Option<u64>,
        language: Language,
    ) -> Result<Done, Problem> {
        let mut last = Done::default();
        let mut seconds = 0.0;
        for (i, part) in parts(text, language).into_iter().enumerate() {
            let name = name_of_part(name, i);
            last = self.remote.evaluate(&name, &part.code, keep, part.language)?;
            seconds += last.seconds;
            if last.error.is_some() {
                break;
            }
        }
        Ok(Done { seconds, ..last })
    }

    /// Evaluates a file in the session; whether Ctrl-C has stopped it.
    fn run_source(&mut self, source: Source) -> Result<bool, Problem> {
        let (name, language) = (source.name.clone(), source.language());
        match source.text() {
            Ok(code) => {
                let done = self.evaluate_parts(&name, &code, None, language)?;
                let stopped = done.error.as_ref().is_some_and(ErrorReport::is_interrupt);
                self.show(&Done { result: None, ..done });
                Ok(stopped)
            }
            Err(error) => {
                self.screen.report(&error);
                Ok(false)
            }
        }
    }

    /// Sends a request that is done soon, and shows what it comes to; whether anything was to be shown.
    fn ask_done(&self, request: impl FnOnce(u64) -> Request) -> bool {
        let done = self.remote.ask(request, |event, id| match event {
            Event::Done(done) if done.id == id => Some(done),
            _ => None,
        });
        let Some(done) = done else {
            self.complain("the engine does not answer");
            return true;
        };
        self.show(&done);
        done.result.is_some() || done.error.is_some()
    }

    fn show(&self, done: &Done) {
        self.screen.finish();
        if let Some(bundle) = &done.result {
            self.say(self.screen.shown(bundle, Some(ALL)).trim_end_matches('\n'));
        }
        if let Some(error) = &done.error {
            self.screen.fresh_line();
            self.screen.report(error);
        }
    }

    /// Answers `name?` and `name??`.
    fn answer(&self, question: &Question<'_>) {
        self.document(question.name);
        if question.source
            && let Some(text) = self.remote.source(question.name, self.mode.language()).text
        {
            self.say(&format!("\n{}", text.trim_end()));
        }
    }

    /// Shows what is known of a name.
    fn document(&self, name: &str) {
        let page = self.remote.doc(name, self.mode.language());
        match page.text {
            Some(text) if pager::page(text.trim_end()) => {}
            Some(text) => self.say(text.trim_end()),
            None => {
                let near = page.near;
                self.complain(&Problem::UnknownName { name: name.to_owned(), near }.to_string());
            }
        }
    }

    /// Prints a line for the user.
    fn say(&self, text: &str) {
        self.screen.fresh_line();
        draw::write(std::io::stdout().lock(), &format!("{text}\n"));
    }

    /// Prints what went wrong with what the prompt itself should have done.
    fn complain(&self, text: &str) {
        self.screen.fresh_line();
        draw::write(std::io::stderr().lock(), &format!("{text}\n"));
    }
}
