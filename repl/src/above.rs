//! Text that comes while a cell is typed: drawn above the line, by a thread that the editor may keep waiting.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Draws whole lines above the line that is typed, or says by `false` that it cannot.
pub type Printer = Box<dyn FnMut(String) -> bool + Send>;

/// The text that waits, and whether a cell is typed.
#[derive(Default)]
struct Waiting {
    /// Until the thread takes it.
    printer: Option<Printer>,
    /// Whether there has been one.
    prints: bool,
    typing: bool,
    text: String,
}

/// Where text goes while a cell is typed.
#[derive(Clone, Default)]
pub struct Above {
    waiting: Arc<(Mutex<Waiting>, Condvar)>,
}

impl Above {
    /// Starts the thread that hands text to a printer. No thread begins while libtorch is loaded, so this one is
    /// started before that.
    ///
    /// # Errors
    /// What the system says when it has no thread to give.
    pub fn start() -> std::io::Result<Above> {
        let above = Above::default();
        let waiting = above.waiting.clone();
        std::thread::Builder::new().name("flambeau above".to_owned()).spawn(move || {
            let mut printer = None;
            loop {
                let lock = waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
                let idle = |now: &mut Waiting| !(now.typing && now.text.contains('\n'));
                let woken = waiting.1.wait_while(lock, idle);
                let mut now = woken.unwrap_or_else(PoisonError::into_inner);
                let lines = whole_lines(&mut now.text);
                printer = now.printer.take().or(printer);
                drop(now);
                if !printer.as_mut().is_some_and(|print| print(lines)) {
                    return;
                }
            }
        })?;
        Ok(above)
    }

    /// What draws; without it text is not taken.
    pub fn print_by(&self, printer: Printer) {
        let mut now = self.lock();
        now.printer = Some(printer);
        now.prints = true;
    }

    /// A cell is typed from now on.
    pub fn begin(&self) {
        let mut now = self.lock();
        now.typing = now.prints;
    }

    /// The cell has been typed. Gives what still waits.
    pub fn end(&self) -> String {
        let mut now = self.lock();
        now.typing = false;
        std::mem::take(&mut now.text)
    }

    /// Whether a cell is typed.
    pub fn is_typing(&self) -> bool {
        self.lock().typing
    }

    /// Takes a text while a cell is typed; gives it back otherwise.
    pub fn take(&self, text: String) -> Option<String> {
        let mut now = self.lock();
        if !now.typing {
            return Some(text);
        }
        now.text.push_str(&text);
        self.waiting.1.notify_one();
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes out the lines that have ended. Of each, only what a terminal would be left with: a progress bar that
/// goes back to the beginning of its line shows its last state.
fn whole_lines(text: &mut String) -> String {
    let Some(end) = text.rfind('\n') else { return String::new() };
    let rest = text.split_off(end + 1);
    let ended = std::mem::replace(text, rest);
    let mut lines = String::with_capacity(ended.len());
    for line in ended.lines() {
        let line = line.trim_end_matches('\r');
        lines.push_str(line.rsplit('\r').next().unwrap_or(line));
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn only_lines_that_have_ended_are_drawn() {
        let (drawn, lines) = mpsc::channel();
        let above = Above::start().expect("a thread");
        above.begin();
        assert_eq!(above.take("early\n".to_owned()), Some("early\n".to_owned()));
        above.print_by(Box::new(move |text| drawn.send(text).is_ok()));
        assert_eq!(above.take("now\n".to_owned()), Some("now\n".to_owned()));
        above.begin();
        assert_eq!(above.take("one\ntw".to_owned()), None);
        assert_eq!(lines.recv().expect("a line"), "one\n");
        assert_eq!(above.end(), "tw");
        assert_eq!(above.take("o\n".to_owned()), Some("o\n".to_owned()));
    }

    #[test]
    fn a_bar_that_goes_back_leaves_its_last_state() {
        let mut text = "\r 10%\r 90%\r100%\nnext\r\nope".to_owned();
        assert_eq!(whole_lines(&mut text), "100%\nnext\n");
        assert_eq!(text, "ope");
    }
}
