//! Pages of help that are longer than the screen: shown by the user's pager, as Python's `help` and `man` do.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::cut::fits;
use crate::picture::size;

/// What shows pages where `$PAGER` names nothing.
const PAGER: &str = "less";
/// How `less` behaves where `$LESS` does not say: colours pass, and the page stays on the screen at the end.
const LESS: &str = "RX";

/// Shows a text that is longer than the screen; false where it is not, or where there is no pager.
pub fn page(text: &str) -> bool {
    let size = size();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if dumb || fits(text, size.columns.into(), size.rows.into()) {
        return false;
    }
    let named = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
    let pager = named.unwrap_or_else(|| PAGER.to_owned());
    let mut command = Command::new("sh");
    command.args(["-c", &pager]).stdin(Stdio::piped()).stderr(Stdio::null());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut input) = child.stdin.take() {
        // A pager that is left early reads no further.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().is_ok_and(|status| status.success())
}
