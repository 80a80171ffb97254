//! `flambeau doc NAME`: a page from the table that serves completion.

use std::sync::mpsc;

use flambeau_protocol::{Configure, Event, Language, Request};

use crate::cli::Shared;
use crate::draw;
use crate::environment::Places;
use crate::problem::{Problem, exit};
use crate::start::start;

/// Prints the page.
///
/// # Errors
/// When nothing has that name, or the engine cannot be asked.
pub fn doc(name: &str, shared: &Shared) -> Result<u8, Problem> {
    let places = Places::around(shared.env.as_deref(), None);
    let (answer, answers) = mpsc::channel();
    let engine = start(&places, Configure::default(), move |event| match event {
        Event::Documentation { text, near, .. } => drop(answer.send(Ok((text, near)))),
        Event::Failed(cause) => drop(answer.send(Err(Problem::EngineFailed(cause)))),
        _ => {}
    })?;
    engine.send(&Request::Doc { id: 1, name: name.to_owned(), language: Language::Rhai });
    let (page, near) =
        answers.recv().unwrap_or_else(|_| Err(Problem::EngineFailed("it is gone".into())))?;
    let Some(page) = page else { return Err(Problem::UnknownName { name: name.to_owned(), near }) };
    draw::write(std::io::stdout().lock(), &format!("{}\n", page.trim_end()));
    Ok(exit::OK)
}
