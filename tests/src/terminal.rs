//! The real program in a terminal: keys go in, and what the screen shows comes out.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;

use crate::processes::computed;
use crate::{program, repository, svg};

/// A watchdog, not a measure: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many lines that have left the screen are kept.
const SCROLLBACK: usize = 2000;

/// Interrupts.
pub const CTRL_C: &str = "\x03";
/// Leaves the prompt.
pub const CTRL_D: &str = "\x04";
/// Searches the history.
pub const CTRL_R: &str = "\x12";
/// Takes away what stands before the cursor.
pub const CTRL_U: &str = "\x15";
/// The key Esc.
pub const ESCAPE: &str = "\x1b";
/// The arrow to the left.
pub const LEFT: &str = "\x1b[D";
/// The arrow up.
pub const UP: &str = "\x1b[A";

/// A home directory with nothing in it.
///
/// # Panics
/// When there is no temporary folder to be had.
pub fn home() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The program without arguments, at its first prompt.
pub fn start(home: &TempDir) -> Terminal {
    let terminal = Start::new(&[], home.path()).start();
    terminal.see_prompt(1);
    terminal
}

/// What the program has written so far.
struct Shown {
    screen: vt100::Parser,
    /// The bytes themselves.
    raw: Vec<u8>,
    ended: bool,
}

/// The program in a terminal of 24 lines and 100 columns.
pub struct Terminal {
    shown: Arc<(Mutex<Shown>, Condvar)>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

/// How the program is started.
pub struct Start {
    command: CommandBuilder,
    rows: u16,
    columns: u16,
}

impl Start {
    /// With these arguments and with `home` as the home directory.
    pub fn new(arguments: &[&str], home: &std::path::Path) -> Start {
        let mut command = CommandBuilder::new(program());
        command.args(arguments);
        command.cwd(repository());
        for name in ["VIRTUAL_ENV", "NO_COLOR", "LD_LIBRARY_PATH", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "VISUAL", "EDITOR"] {
            command.env_remove(name);
        }
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        Start { command, rows: 24, columns: 100 }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Start {
        self.command.env(name, value);
        self
    }

    /// Takes an environment variable away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Start {
        self.command.env_remove(name);
        self
    }

    /// Makes the terminal so wide.
    #[must_use]
    pub fn wide(mut self, columns: u16) -> Start {
        self.columns = columns;
        self
    }

    /// Gives the terminal so many lines.
    #[must_use]
    pub fn tall(mut self, rows: u16) -> Start {
        self.rows = rows;
        self
    }

    /// Starts the program.
    ///
    /// # Panics
    /// When there is no terminal to be had.
    pub fn start(self) -> Terminal {
        let size = PtySize { rows: self.rows, cols: self.columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let child = pair.slave.spawn_command(self.command).expect("the program starts");
        let some = |count| NonZero::new(count).expect("a terminal has lines and columns");
        let screen = vt100::Parser::new(some(size.rows), some(size.cols), SCROLLBACK);
        let shown = Shown { screen, raw: Vec::new(), ended: false };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let mut output = pair.master.try_clone_reader().expect("a terminal");
        let keys = pair.master.take_writer().expect("a terminal");
        std::thread::spawn({
            let shown = shown.clone();
            move || {
                let mut buffer = [0; 4096];
                loop {
                    // The end of a terminal is an error of reading.
                    let count = output.read(&mut buffer).unwrap_or(0);
                    let mut now = shown.0.lock().expect("no panic while it is held");
                    now.screen.process(&buffer[..count]);
                    now.raw.extend_from_slice(&buffer[..count]);
                    now.ended = count == 0;
                    shown.1.notify_all();
                    if count == 0 {
                        break;
                    }
                }
            }
        });
        Terminal { shown, keys, child, master: pair.master }
    }
}

impl Terminal {
    /// Presses keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &str) {
        self.send(keys.as_bytes());
    }

    /// Sends bytes that need not be text.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn send(&mut self, bytes: &[u8]) {
        self.keys.write_all(bytes).expect("a terminal");
        self.keys.flush().expect("a terminal");
    }

    /// Makes the terminal so large.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let some = |count| NonZero::new(count).expect("a terminal has lines and columns");
        let mut shown = self.shown.0.lock().expect("no panic while it is held");
        shown.screen.screen_mut().set_size(some(rows), some(columns));
        drop(shown);
        self.master.resize(size).expect("a terminal");
    }

    /// The column of the cursor, from 0.
    ///
    /// # Panics
    /// When the reader has panicked.
    pub fn column(&self) -> u16 {
        let shown = self.shown.0.lock().expect("no panic while it is held");
        shown.screen.screen().cursor_position().1
    }

    /// Pastes a text as terminals do that tell of it.
    pub fn paste(&mut self, text: &str) {
        self.press(&format!("\x1b[200~{}\x1b[201~", text.replace('\n', "\r")));
    }

    /// What is on the screen now.
    ///
    /// # Panics
    /// When the reader has panicked.
    pub fn screen(&self) -> String {
        self.shown.0.lock().expect("no panic while it is held").screen.screen().contents()
    }

    /// The screen as SVG; `label` says what is to be seen.
    ///
    /// # Panics
    /// When the reader has panicked.
    pub fn svg(&self, label: &str) -> String {
        let shown = self.shown.0.lock().expect("no panic while it is held");
        svg::svg(shown.screen.screen(), label)
    }

    /// Everything that was written, with its escape sequences.
    ///
    /// # Panics
    /// When the reader has panicked.
    pub fn raw(&self) -> String {
        let shown = self.shown.0.lock().expect("no panic while it is held");
        String::from_utf8_lossy(&shown.raw).into_owned()
    }

    /// Waits until the screen is as wanted.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        let mut shown = self.shown.0.lock().expect("no panic while it is held");
        loop {
            let now = shown.screen.screen().contents();
            if is_so(&now) {
                return;
            }
            let left = PATIENCE.saturating_sub(begin.elapsed());
            if shown.ended || left.is_zero() {
                drop(shown);
                panic!("no {what} on the screen:\n{now}");
            }
            shown = self.shown.1.wait_timeout(shown, left).expect("no panic while it is held").0;
        }
    }

    /// Waits until the program has computed for so many seconds more.
    ///
    /// # Panics
    /// When it does nothing.
    pub fn wait_for_work(&self, seconds: f64) {
        let pid = self.child.process_id().expect("a process");
        let (begin, known) = (Instant::now(), computed(pid));
        while computed(pid) < known + seconds {
            assert!(begin.elapsed() < PATIENCE, "the program does nothing:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the screen shows this text.
    pub fn see(&self, text: &str) {
        self.wait(text, |screen| screen.contains(text));
    }

    /// Waits for the prompt of this cell, with nothing typed behind it.
    pub fn see_prompt(&self, number: usize) {
        self.see_last(&format!("[{number}]>"));
    }

    /// Waits for the prompt of this cell in Python.
    pub fn see_python_prompt(&self, number: usize) {
        self.see_last(&format!("[{number}] py>"));
    }

    /// Waits until nothing stands behind this prompt.
    fn see_last(&self, prompt: &str) {
        self.wait(prompt, |screen| {
            screen.trim_end().lines().last().is_some_and(|line| line.trim_end() == prompt)
        });
    }

    /// Evaluates a cell and waits for the next prompt.
    pub fn enter(&mut self, cell: &str, next: usize) {
        self.press(&format!("{cell}\r"));
        self.see_prompt(next);
    }

    /// Evaluates a cell in Python and waits for the next prompt.
    pub fn enter_python(&mut self, cell: &str, next: usize) {
        self.press(&format!("{cell}\r"));
        self.see_python_prompt(next);
    }

    /// Waits for the program's end and gives its exit code.
    ///
    /// # Panics
    /// When it goes on for too long.
    pub fn end(&mut self) -> u32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.exit_code();
            }
            if begin.elapsed() > PATIENCE {
                self.child.kill().expect("a child");
                panic!("still running, with on the screen:\n{}", self.screen());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Has ended already, where the test came to its end.
        let _ = self.child.kill();
    }
}
