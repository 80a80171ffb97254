//! What a session tells its front end while a cell runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Takes what a session tells, from any of its threads.
pub type Output = Arc<dyn Fn(Event) + Send + Sync>;

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
    /// Something to show.
    Display(Shown),
    /// What was shown so far is to go; with `wait` only when something else is shown.
    Clear {
        /// Whether it stays until then.
        wait: bool,
    },
    /// A message of Python's over a channel to the front end.
    Comm(Comm),
}

/// Something to show.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    /// By MIME type: text as it is, other data in base64.
    pub data: super::Bundle,
    /// More about the data, by MIME type: a JSON object.
    pub metadata: Option<String>,
    /// By which it can be shown anew.
    pub id: Option<String>,
    /// Whether it takes the place of what was shown with that `id`.
    pub update: bool,
}

impl From<super::Bundle> for Shown {
    fn from(data: super::Bundle) -> Shown {
        Shown { data, ..Shown::default() }
    }
}

/// A message over a channel between Python and the front end: a comm of Jupyter's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Comm {
    /// `comm_open`, `comm_msg` or `comm_close`.
    pub kind: String,
    /// Which channel.
    pub id: String,
    /// Who is to answer at the other end, where it is opened.
    pub target: Option<String>,
    /// What is said: a JSON object.
    pub data: String,
    /// More about it: a JSON object.
    pub metadata: String,
    /// Bytes that belong to it, in base64.
    pub buffers: Vec<String>,
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
