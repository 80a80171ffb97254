//! Questions to the user: they leave as events, and the answers come past the line of requests, because the session's
//! thread waits for them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use flambeau_protocol::Event;
use flambeau_runtime::script::{Answer, Input};

use crate::handle::Sink;

/// The answer to the last question, and its number.
#[derive(Default)]
pub struct Answers {
    last: Mutex<(u64, Option<Answer>)>,
    came: Condvar,
}

impl Answers {
    /// An answer has come; one to an earlier question says nothing any more.
    pub fn put(&self, question: u64, answer: Answer) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == question {
            last.1 = Some(answer);
            self.came.notify_all();
        }
    }
}

/// The way to the user by messages.
pub struct Questions {
    pub answers: Arc<Answers>,
    pub sink: Sink,
}

impl Input for Questions {
    fn ask(&self, prompt: &str, secret: bool) -> u64 {
        let id = {
            let mut last = self.answers.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = (last.0 + 1, None);
            last.0
        };
        self.sink.emit(&Event::Question { id, prompt: prompt.to_owned(), secret });
        id
    }

    fn answer(&self, question: u64, patience: Duration) -> Option<Answer> {
        let last = self.answers.last.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |last: &mut (u64, Option<Answer>)| last.0 == question && last.1.is_none();
        let waited = self.answers.came.wait_timeout_while(last, patience, waits);
        let (mut last, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // Two threads of Python's may ask: who came first has lost the user.
        if last.0 != question {
            return Some(Answer::Refused);
        }
        last.1.take()
    }
}
