//! What a session tells its front end while a cell runs.

use serde::{Deserialize, Serialize};

/// One message from the session; the front end decides how it looks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event", content = "data")]
pub enum Event {
    /// Text for standard output, as it is.
    Stdout(String),
    /// Text for standard error, as it is.
    Stderr(String),
    /// A progress bar begins, moves or ends.
    Progress(Progress),
    /// Something to show, by MIME type: text as it is, other data in base64.
    Display(super::Bundle),
}

/// The state of one progress bar.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Which bar.
    pub id: u64,
    /// Its label.
    pub desc: String,
    /// Steps done.
    pub done: u64,
    /// Steps in all, where known.
    pub total: Option<u64>,
    /// What stands behind the bar, such as `loss=0.31`.
    pub postfix: String,
    /// Seconds since it began.
    pub seconds: f64,
    /// Whether it has ended.
    pub finished: bool,
}
