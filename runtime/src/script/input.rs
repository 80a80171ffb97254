//! Questions to the user: `input` of scripts and of Python.

use std::time::Duration;

use super::state::State;
use super::turn;
use crate::error::{Error, Kind, Result};

/// How often is looked whether the evaluation was stopped while the user types.
const LOOK: Duration = Duration::from_millis(10);

/// What the user says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A line, without its end.
    Line(String),
    /// There is no more to be read.
    End,
    /// Nobody can be asked.
    Refused,
}

/// The way to the user: whoever runs the session has it.
pub trait Input: Send + Sync {
    /// Puts a question; its number. What is typed is not seen where it is `secret`.
    fn ask(&self, prompt: &str, secret: bool) -> u64;

    /// The answer to a question, if it comes within `patience`.
    fn answer(&self, question: u64, patience: Duration) -> Option<Answer>;
}

/// Asks the user for a line. Ctrl-C and limits end the wait.
///
/// # Errors
/// A `NotImplementedError` where nobody can be asked, an `IoError` where there is no more to be read, and why the
/// evaluation is stopped.
pub(crate) fn ask(state: &State, prompt: &str, secret: bool) -> Result<String> {
    let refused = || {
        Error::new(Kind::NotImplemented, "input() was called, but nobody can be asked here").help(
            "give the value as an argument, or run the code in a front end that asks questions",
        )
    };
    let Some(input) = &state.input else { return Err(refused()) };
    let question = input.ask(prompt, secret);
    loop {
        state.check()?;
        match turn::outside(|| input.answer(question, LOOK)) {
            Some(Answer::Line(line)) => return Ok(line),
            Some(Answer::End) => {
                return Err(Error::new(Kind::Io, "input() has reached the end of standard input"));
            }
            Some(Answer::Refused) => return Err(refused()),
            None => {}
        }
    }
}
