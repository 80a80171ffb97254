//! Draws what the engine says: text on the two streams, progress bars, pictures.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use flambeau_protocol::{Bundle, ErrorReport, Event, plain_text};

use crate::above::{Above, Printer};
use crate::cli::Color;
use crate::cut::cut;
use crate::picture::{Pictures, size};
use crate::progress::{self, Bars, Lines};
use crate::signal;

/// The terminal, or what stands in its place.
pub struct Screen {
    colored: bool,
    progress: Mutex<Drawing>,
    /// Whether the last line that was written has not ended.
    within_line: AtomicBool,
    /// Where text goes while a cell is typed, behind a prompt that can draw it.
    above: OnceLock<Above>,
    /// How pictures are shown, behind a prompt.
    pictures: OnceLock<Pictures>,
}

/// How progress is shown on standard error.
enum Drawing {
    /// Bars that move, on a terminal.
    Bars(Bars),
    /// A line from time to time, in a file or a pipe.
    Lines(Lines),
}

impl Screen {
    /// The screen of this process.
    pub fn new(color: Color) -> Self {
        let terminal = io::stderr().is_terminal();
        let drawing = if terminal && !is_dumb() {
            Drawing::Bars(Bars::default())
        } else {
            Drawing::Lines(Lines::default())
        };
        Screen {
            colored: is_colored(color, terminal),
            progress: Mutex::new(drawing),
            within_line: AtomicBool::new(false),
            above: OnceLock::new(),
            pictures: OnceLock::new(),
        }
    }

    /// Makes ready for text that comes while a cell is typed.
    pub fn expect_typing(&self) {
        // Without a thread it is written as it comes.
        if let Ok(above) = Above::start() {
            let _ = self.above.set(above);
        }
    }

    /// Has text that comes while a cell is typed drawn by `printer`.
    pub fn print_above(&self, printer: Printer) {
        if let Some(above) = self.above.get() {
            above.print_by(printer);
        }
    }

    /// Has pictures shown, and not only told of.
    pub fn show_pictures(&self) {
        self.pictures.get_or_init(|| Pictures::new(self.colored));
    }

    /// The text that shows a bundle: its picture where it has one and pictures are shown, and its text. Of text
    /// that is longer than the screen the beginning, where `all` is what shows all of it.
    pub fn shown(&self, bundle: &Bundle, all: Option<&str>) -> String {
        let plain = plain_text(bundle).trim_end_matches('\n');
        let mut text = self.pictures.get().and_then(|p| p.draw(bundle)).unwrap_or_default();
        let size = size();
        match all {
            Some(all) => text.push_str(&cut(plain, size.columns.into(), size.rows.into(), all)),
            None => text.push_str(plain),
        }
        text.push('\n');
        text
    }

    /// Reads a cell with `read`; what comes meanwhile is drawn above it.
    pub fn while_typing<R>(&self, read: impl FnOnce() -> R) -> R {
        let Some(above) = self.above.get() else { return read() };
        above.begin();
        let cell = read();
        let rest = above.end();
        if !rest.is_empty() {
            self.draw(Event::Stdout(rest));
        }
        cell
    }

    /// Whether there are colours.
    pub fn is_colored(&self) -> bool {
        self.colored
    }

    /// Takes the last rows away. Only a terminal that can do that has had a hint drawn in them.
    pub fn clear_above(&self, rows: usize) {
        if rows > 0 {
            write(std::io::stdout().lock(), &format!("\x1b[{rows}A\x1b[J"));
        }
    }

    /// Ends the line that a script has left open, for a prompt.
    pub fn fresh_line(&self) {
        if self.within_line.swap(false, Ordering::SeqCst) {
            write(io::stdout().lock(), "\n");
        }
    }

    /// The user has ended a line by typing; one that was not seen is ended here.
    pub fn line_was_ended(&self, unseen: bool) {
        if unseen {
            write(io::stdout().lock(), "\n");
        }
        self.within_line.store(false, Ordering::SeqCst);
    }

    /// Draws one event. Text is written through, so that nothing is lost should the process die.
    pub fn draw(&self, event: Event) {
        let event = match event {
            Event::Display(shown) => Event::Stdout(self.shown(&shown.data, None)),
            // As IPython does: only the line that is not ended can be taken back.
            Event::Clear { .. } if io::stdout().is_terminal() && !is_dumb() => {
                Event::Stdout("\r\x1b[2K".to_owned())
            }
            event => event,
        };
        let Some(event) = self.above_the_line(event) else { return };
        let mut drawing = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::Stdout(text) | Event::Stderr(text) = &event
            && !text.is_empty()
        {
            let open = !text.ends_with('\n') && !text.ends_with("\x1b[2K");
            self.within_line.store(open, Ordering::SeqCst);
        }
        match event {
            Event::Stdout(text) => drawing.aside(|| write(io::stdout().lock(), &text)),
            Event::Stderr(text) => drawing.aside(|| write(io::stderr().lock(), &text)),
            Event::Progress(bar) => match &mut *drawing {
                Drawing::Bars(bars) => bars.update(&bar),
                Drawing::Lines(lines) => {
                    if let Some(line) = lines.update(&bar) {
                        write(io::stderr().lock(), &line);
                    }
                }
            },
            // Answers to requests are for whoever asked.
            _ => {}
        }
    }

    /// Draws an event above the line that is typed, if one is; else gives it back.
    fn above_the_line(&self, event: Event) -> Option<Event> {
        let Some(above) = self.above.get() else { return Some(event) };
        match event {
            Event::Stdout(text) => above.take(text).map(Event::Stdout),
            // Into a file it goes as ever.
            Event::Stderr(text) if io::stderr().is_terminal() => {
                above.take(text).map(Event::Stderr)
            }
            // A bar that moves would fight with the line.
            Event::Progress(bar) if above.is_typing() => {
                let line = bar.finished.then(|| format!("{}\n", progress::line(&bar)));
                line.and_then(|line| above.take(line)).map(Event::Stderr)
            }
            event => Some(event),
        }
    }

    /// Shows what went wrong.
    pub fn report(&self, error: &ErrorReport) {
        let text = if self.colored { &error.coloured } else { &error.plain };
        let mut drawing = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        drawing.aside(|| write(io::stderr().lock(), &format!("{}\n", text.trim_end())));
    }

    /// Takes down the bars that still stand.
    pub fn finish(&self) {
        if let Drawing::Bars(bars) =
            &mut *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
        {
            bars.finish();
        }
    }
}

impl Drawing {
    /// Runs `write` while no bar is in the way.
    fn aside(&mut self, write: impl FnOnce()) {
        match self {
            Drawing::Bars(bars) => bars.aside(write),
            Drawing::Lines(_) => write(),
        }
    }
}

/// Writes and flushes.
pub fn write(mut stream: impl Write, text: &str) {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => signal::broken_pipe(),
        Err(error) => {
            // Standard error may be what failed; there is nobody else to tell.
            let _ = writeln!(io::stderr(), "flambeau: cannot write the output: {error}");
            std::process::exit(1);
        }
    }
}

/// Whether errors are coloured; <https://no-color.org> for the variable.
fn is_colored(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            terminal && !refused && !is_dumb()
        }
    }
}

/// Whether the terminal can do no more than print.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
