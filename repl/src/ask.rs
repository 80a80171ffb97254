//! Questions of a script at a terminal: the line that the user types, or the next one of a file or a pipe.

use std::io::{self, IsTerminal};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use flambeau_protocol::{Answer, Event, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::draw::Screen;
use crate::engine::Engine;

/// How often is looked whether the evaluation has ended meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// The next event that is no question; questions are put to the user. `None` when no more come.
pub fn next(events: &Receiver<Event>, engine: &Engine, screen: &Screen) -> Option<Event> {
    let mut event = events.recv().ok()?;
    loop {
        let Event::Question { id, prompt, secret } = event else { return Some(event) };
        // Before anybody can see that an answer is wanted: what is typed from then on is one, and not shown.
        let quiet = secret.then(Quiet::begin);
        screen.draw(Event::Stdout(prompt));
        let mut meanwhile = None;
        let answer = read_line(|| {
            meanwhile = events.try_recv().ok();
            meanwhile.is_some()
        });
        drop(quiet);
        if io::stdin().is_terminal() && answer.is_some() {
            screen.line_was_ended(secret);
        }
        if let Some(answer) = answer {
            engine.send(&Request::Answer { id, answer });
        }
        event = match meanwhile {
            Some(event) => event,
            None => events.recv().ok()?,
        };
    }
}

/// A line of standard input; `None` once it is not wanted any more. It is read byte by byte, so that what stands behind
/// it is left to whoever reads next.
fn read_line(mut is_over: impl FnMut() -> bool) -> Option<Answer> {
    let input = io::stdin();
    let patience = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    let mut line = Vec::new();
    loop {
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        // A signal ends the wait as well.
        if !matches!(poll(&mut ready, Some(&patience)), Ok(1..)) {
            if is_over() {
                return None;
            }
            continue;
        }
        let mut byte = [0];
        match rustix::io::read(&input, &mut byte) {
            Ok(1) if byte == *b"\n" => break,
            Ok(1) => line.extend(byte),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            _ if line.is_empty() => return Some(Answer::End),
            _ => break,
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some(Answer::Line(String::from_utf8_lossy(&line).into_owned()))
}

/// While one lives, the terminal does not show what is typed.
struct Quiet(Option<Termios>);

impl Quiet {
    fn begin() -> Quiet {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            // Where that fails it is seen, as in any program.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &quiet);
        }
        Quiet(before)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
