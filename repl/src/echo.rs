//! What the terminal itself shows of keys: `^C` would stand in front of the report of what it has stopped.

use std::io::stdin;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// While one lives, keys such as Ctrl-C leave no mark on the terminal.
pub struct Unmarked(Option<Termios>);

impl Unmarked {
    /// Takes the marks away, where there is a terminal that makes them.
    pub fn keys() -> Unmarked {
        let Ok(before) = tcgetattr(stdin()) else { return Unmarked(None) };
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ECHOCTL);
        let set = tcsetattr(stdin(), OptionalActions::Drain, &now);
        Unmarked(set.ok().map(|()| before))
    }
}

impl Drop for Unmarked {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // The terminal may be gone.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, before);
        }
    }
}
