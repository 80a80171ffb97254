//! The prompt: reads cells, has them evaluated in one session, shows what they come to.

mod call;
mod colors;
mod completion;
mod continuation;
mod editor;
mod mode;
mod remote;
mod scan;
mod scan_python;
mod scan_script;
pub mod terminal;

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use flambeau_protocol::{Done, ErrorReport, Event, Language};

use crate::cli::{Color, Shared};
use crate::commands::{Asked, Evaluated, Flow, Front, Step, execute, steps};
use crate::draw::{self, Screen};
use crate::echo::Unmarked;
use crate::environment::{Places, search};
use crate::extension;
use crate::pager;
use crate::picture::size;
use crate::problem::{Problem, exit};
use crate::settings::{self, When};
use crate::signal::Interrupts;
use crate::source::Source;

pub use continuation::{indentation, is_open, is_wrong, question};
pub use mode::prompt as head;

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
        behind: None,
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

/// The state of the prompt: what commands work on.
pub struct Prompt<'a> {
    remote: Rc<Remote>,
    screen: Arc<Screen>,
    shared: &'a Shared,
    mode: Mode,
    /// What the command under way is to read code as, where its cell says so.
    behind: Option<Language>,
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
            let front: &mut dyn Front = self;
            front.run_source(source)?;
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
            let flow = if let Some(question) = continuation::question(trimmed) {
                self.answer(&question);
                Flow::On
            } else if self.mode.language() == Language::Python && is_farewell(trimmed) {
                Flow::Quit
            } else {
                self.execute(&cell)?
            };
            for cell in self.later.drain(..) {
                keyboard.remember(&cell);
            }
            if let Flow::Quit = flow {
                return Ok(exit::OK);
            }
        }
    }

    /// Does what a cell says: commands one by one, all else as a cell.
    fn execute(&mut self, cell: &str) -> Result<Flow, Problem> {
        let language = self.mode.language();
        let steps = steps(cell, language);
        if !steps.iter().any(|step| matches!(step, Step::Command { .. })) {
            self.evaluate(language, cell)?;
            return Ok(Flow::On);
        }
        for step in steps {
            match step {
                Step::Code(part) => {
                    let done = self.evaluate(part.language, part.code.trim_start_matches('\n'))?;
                    if done.error.is_some() {
                        break;
                    }
                }
                Step::Command { name, argument, language } => {
                    self.behind = Some(language);
                    let flow = execute(self, &name, &argument);
                    self.behind = None;
                    if let Flow::Quit = flow? {
                        return Ok(Flow::Quit);
                    }
                }
            }
        }
        Ok(Flow::On)
    }

    /// Answers `name?` and `name??`.
    fn answer(&mut self, question: &Question<'_>) {
        let front: &mut dyn Front = self;
        front.document(question.name);
        if question.source
            && let Some(text) = front.source(question.name)
        {
            front.say(&format!("\n{}", text.trim_end()));
        }
    }
}

impl Front for Prompt<'_> {
    fn ask(&mut self, request: Asked<'_>) -> Option<Event> {
        self.remote.ask(request)
    }

    fn run(&mut self, request: Asked<'_>) -> Result<Option<Event>, Problem> {
        self.remote.run(request)
    }

    fn evaluate(&mut self, language: Language, code: &str) -> Result<Done, Problem> {
        let number = self.number;
        self.number += 1;
        let front: &mut dyn Front = self;
        let done = front.evaluate_parts(&format!("cell {number}"), code, Some(number), language)?;
        self.show(&done);
        let succeeded = done.error.is_none();
        self.cells.push(Evaluated { number, code: code.to_owned(), language, succeeded });
        Ok(done)
    }

    fn show(&mut self, done: &Done) {
        self.screen.finish();
        if let Some(bundle) = &done.result {
            let text = self.screen.shown(bundle, Some(ALL));
            self.say(text.trim_end_matches('\n'));
        }
        if let Some(error) = &done.error {
            self.report(error);
        }
    }

    fn report(&mut self, error: &ErrorReport) {
        self.screen.fresh_line();
        self.screen.report(error);
    }

    fn say(&mut self, text: &str) {
        self.screen.fresh_line();
        draw::write(std::io::stdout().lock(), &format!("{text}\n"));
    }

    fn complain(&mut self, text: &str) {
        self.screen.fresh_line();
        draw::write(std::io::stderr().lock(), &format!("{text}\n"));
    }

    fn page(&mut self, text: &str) {
        if !pager::page(text) {
            self.say(text);
        }
    }

    fn put(&mut self, text: String) {
        self.initial = text;
    }

    fn cells(&self) -> &[Evaluated] {
        &self.cells
    }

    fn language(&self) -> Language {
        self.behind.unwrap_or_else(|| self.mode.language())
    }

    fn width(&self) -> Option<usize> {
        Some(size().columns.into())
    }

    fn shared(&self) -> &Shared {
        self.shared
    }

    fn was_interrupted(&self) -> bool {
        self.remote.was_interrupted()
    }

    fn forget_interrupts(&self) {
        self.remote.forget_interrupts();
    }
}
