//! What commands work on: a session, and the place where the user reads. The prompt is one, a notebook's cell another.

use flambeau_protocol::{Completion, Done, ErrorReport, Event, Language, OperatorTime, Request};

use crate::cells::{name_of_part, parts};
use crate::cli::Shared;
use crate::problem::Problem;
use crate::source::Source;

/// A request, once its number is known.
pub type Asked<'a> = Box<dyn FnOnce(u64) -> Request + 'a>;

/// A cell that was evaluated.
#[derive(Clone)]
pub struct Evaluated {
    pub number: u64,
    pub code: String,
    /// What it is written in up to its first mark.
    pub language: Language,
    pub succeeded: bool,
}

/// What documentation there is of a name.
pub struct Page {
    pub text: Option<String>,
    pub near: Option<String>,
}

/// A session and its user.
pub trait Front {
    /// Sends a request that is answered soon; `None` where that did not happen.
    fn ask(&mut self, request: Asked<'_>) -> Option<Event>;

    /// Sends a request that may take as long as it likes; `None` where it was stopped before it began.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    fn run(&mut self, request: Asked<'_>) -> Result<Option<Event>, Problem>;

    /// Evaluates code as a cell and shows what it comes to.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    fn evaluate(&mut self, language: Language, code: &str) -> Result<Done, Problem>;

    /// Shows what an evaluation came to.
    fn show(&mut self, done: &Done);

    /// Shows an error.
    fn report(&mut self, error: &ErrorReport);

    /// Says a line.
    fn say(&mut self, text: &str);

    /// Says what went wrong with what the command itself should have done.
    fn complain(&mut self, text: &str);

    /// Shows a text that may be long.
    fn page(&mut self, text: &str);

    /// Has a text stand where the next cell is written.
    fn put(&mut self, text: String);

    /// The cells of this session.
    fn cells(&self) -> &[Evaluated];

    /// What code behind a command is written in.
    fn language(&self) -> Language;

    /// How many columns there are, where that is known.
    fn width(&self) -> Option<usize>;

    /// What the program was begun with.
    fn shared(&self) -> &Shared;

    /// Whether the user has asked to stop since something was last evaluated.
    fn was_interrupted(&self) -> bool;

    /// What was asked before counts no more.
    fn forget_interrupts(&self);
}

impl dyn Front + '_ {
    /// Evaluates code that is no cell of its own.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    pub fn evaluate_named(
        &mut self,
        name: &str,
        code: &str,
        keep: Option<u64>,
        language: Language,
    ) -> Result<Done, Problem> {
        let width = self.width();
        let (source_name, code) = (name.to_owned(), code.to_owned());
        let request = |id| Request::Evaluate { id, source_name, code, keep, language, width };
        Ok(match self.run(Box::new(request))? {
            Some(Event::Done(done)) => done,
            _ => interrupted(),
        })
    }

    /// Evaluates a text part by part, up to the first that fails.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    pub fn evaluate_parts(
        &mut self,
        name: &str,
        text: &str,
        keep: Option<u64>,
        language: Language,
    ) -> Result<Done, Problem> {
        let mut last = Done::default();
        let mut seconds = 0.0;
        for (i, part) in parts(text, language).into_iter().enumerate() {
            let name = name_of_part(name, i);
            last = self.evaluate_named(&name, &part.code, keep, part.language)?;
            seconds += last.seconds;
            if last.error.is_some() {
                break;
            }
        }
        Ok(Done { seconds, ..last })
    }

    /// Evaluates code and tells what operators of torch took.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    pub fn profile(
        &mut self,
        code: &str,
        language: Language,
        shapes: bool,
    ) -> Result<(Done, Vec<OperatorTime>), Problem> {
        let (source_name, code) = ("<prof>".to_owned(), code.to_owned());
        let request = |id| Request::Profile { id, source_name, code, language, shapes };
        Ok(match self.run(Box::new(request))? {
            Some(Event::Profiled { done, operators }) => (done, operators),
            _ => (interrupted(), Vec::new()),
        })
    }

    /// Evaluates a file in the session; whether it was stopped.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    pub fn run_source(&mut self, source: Source) -> Result<bool, Problem> {
        let (name, language) = (source.name.clone(), source.language());
        match source.text() {
            Ok(code) => {
                let done = self.evaluate_parts(&name, &code, None, language)?;
                let stopped = done.error.as_ref().is_some_and(ErrorReport::is_interrupt);
                self.show(&Done { result: None, ..done });
                Ok(stopped)
            }
            Err(error) => {
                self.report(&error);
                Ok(false)
            }
        }
    }

    /// Sends a request that is done soon, and shows what it comes to; whether anything was to be shown.
    pub fn ask_done(&mut self, request: impl FnOnce(u64) -> Request) -> bool {
        let Some(Event::Done(done)) = self.ask(Box::new(request)) else {
            self.complain("the engine does not answer");
            return true;
        };
        self.show(&done);
        done.result.is_some() || done.error.is_some()
    }

    /// What is answered with words.
    pub fn words(&mut self, request: impl FnOnce(u64) -> Request) -> Vec<Completion> {
        match self.ask(Box::new(request)) {
            Some(Event::Completions { items, .. }) => items,
            _ => Vec::new(),
        }
    }

    /// How what has a name is defined.
    pub fn source(&mut self, name: &str) -> Option<String> {
        let (name, language) = (name.to_owned(), self.language());
        self.documented(|id| Request::Source { id, name, language }).text
    }

    /// Shows what is known of a name.
    pub fn document(&mut self, name: &str) {
        let (asked, language) = (name.to_owned(), self.language());
        let page = self.documented(|id| Request::Doc { id, name: asked, language });
        match page.text {
            Some(text) => self.page(text.trim_end()),
            None => {
                let near = page.near;
                self.complain(&Problem::UnknownName { name: name.to_owned(), near }.to_string());
            }
        }
    }

    fn documented(&mut self, request: impl FnOnce(u64) -> Request) -> Page {
        match self.ask(Box::new(request)) {
            Some(Event::Documentation { text, near, .. }) => Page { text, near },
            _ => Page { text: None, near: None },
        }
    }
}

/// How an evaluation ended that did not begin.
fn interrupted() -> Done {
    let message = "interrupted before it began";
    let error = ErrorReport::without_place(ErrorReport::INTERRUPT, message);
    Done { error: Some(error), ..Done::default() }
}
