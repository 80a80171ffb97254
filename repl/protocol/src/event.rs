//! What the engine tells its front end.

use serde::{Deserialize, Serialize};

use crate::debug::{Reason, Told};

/// Representations of one thing by MIME type: text as it is, other data in base64.
pub type Bundle = Vec<(String, String)>;

/// The representation of a bundle that there always is, as plain text.
pub fn plain_text(bundle: &Bundle) -> &str {
    let plain = bundle.iter().find(|(mime, _)| mime == "text/plain");
    plain.map_or("", |(_, text)| text)
}

/// One message from the engine; the front end decides how it looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event", content = "data")]
pub enum Event {
    /// The session stands and takes requests.
    Ready,
    /// Text for standard output, as it is.
    Stdout(String),
    /// Text for standard error, as it is.
    Stderr(String),
    /// A progress bar begins, moves or ends.
    Progress(Progress),
    /// Something to show.
    Display(Display),
    /// What was shown so far is to go; with `wait` only when something else is shown.
    Clear {
        /// Whether it stays until then.
        wait: bool,
    },
    /// The user is asked for a line. Answered by [`Request::Answer`], unless the evaluation ends before.
    ///
    /// [`Request::Answer`]: crate::Request::Answer
    Question {
        /// Comes back in the answer.
        id: u64,
        /// What stands before the line.
        prompt: String,
        /// Whether what is typed must not be seen.
        secret: bool,
    },
    /// Code of the session has something to say over a channel to the front end.
    Comm(Comm),
    /// An evaluation has ended.
    Done(Done),
    /// The answer to a request for documentation.
    Documentation {
        /// The request's.
        id: u64,
        /// The page; absent where nothing has that name.
        text: Option<String>,
        /// The nearest name that has one, where that is likely to be meant.
        near: Option<String>,
    },
    /// The answer to a request for completions.
    Completions {
        /// The request's.
        id: u64,
        /// Where the completed word starts in the code, in bytes; it ends at the cursor.
        start: usize,
        /// What may stand there, best first.
        items: Vec<Completion>,
    },
    /// The answer to a request for the call around the cursor.
    Signature {
        /// The request's.
        id: u64,
        /// The call; absent where there is none that is known.
        call: Option<Signature>,
    },
    /// The answer to a request for the variables.
    Variables {
        /// The request's.
        id: u64,
        /// Oldest first.
        items: Vec<Variable>,
    },
    /// The answer to a request to profile.
    Profiled {
        /// How the evaluation ended.
        done: Done,
        /// What each operator took, in no order.
        operators: Vec<OperatorTime>,
    },
    /// The answer to a request for what memory is used for.
    Memory {
        /// The request's.
        id: u64,
        /// The tensors that variables reach, by device.
        devices: Vec<DeviceMemory>,
        /// What the allocators of CUDA hold; absent where there is no CUDA.
        cuda: Option<Vec<CudaMemory>>,
    },
    /// The answer to a question of the debugger.
    Debug {
        /// The request's.
        id: u64,
        /// The answer.
        told: Told,
    },
    /// A script stands, and waits for what the debugger says.
    Halted {
        /// Why.
        reason: Reason,
    },
    /// It goes on, or its evaluation ends.
    Resumed,
    /// Something that a lane says: see [`Request::Beside`].
    ///
    /// [`Request::Beside`]: crate::Request::Beside
    Beside {
        /// Which one.
        lane: u64,
        /// What it says.
        event: Box<Event>,
    },
    /// The engine could not start or cannot go on; no further event follows.
    Failed(String),
    /// The session has ended; no further event follows.
    Stopped,
}

impl Event {
    /// The number of the request that this answers; `None` where it answers none.
    pub fn answers(&self) -> Option<u64> {
        match self {
            Event::Done(done) | Event::Profiled { done, .. } => Some(done.id),
            Event::Beside { event, .. } => event.answers(),
            Event::Documentation { id, .. }
            | Event::Completions { id, .. }
            | Event::Signature { id, .. }
            | Event::Variables { id, .. }
            | Event::Memory { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// Something to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Display {
    /// Its representations.
    pub data: Bundle,
    /// More about them, by MIME type: a JSON object, or nothing.
    pub metadata: Option<String>,
    /// By which it can be shown anew.
    pub id: Option<String>,
    /// Whether it takes the place of what was shown with that `id`.
    pub update: bool,
}

/// A message over a channel between code of the session and code in the front end, as Jupyter's widgets have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comm {
    /// What happens to the channel, in Jupyter's words: `comm_open`, `comm_msg` or `comm_close`.
    pub kind: String,
    /// Which one.
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

/// How an evaluation ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The request's.
    pub id: u64,
    /// The last expression's value, with `text/plain` always; absent for `()` and after an error.
    pub result: Option<Bundle>,
    /// More about its representations, by MIME type: a JSON object, or nothing.
    pub metadata: Option<String>,
    /// What went wrong.
    pub error: Option<ErrorReport>,
    /// How long the evaluation took.
    pub seconds: f64,
}

/// An error, ready to be shown and ready to be tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Such as `ShapeError`; `KeyboardInterrupt` after an interrupt.
    pub kind: String,
    /// One sentence or more.
    pub message: String,
    /// The line where it happened, counted from 1.
    pub line: Option<usize>,
    /// The column where it happened, in characters counted from 1.
    pub column: Option<usize>,
    /// Message, snippet, caret, help and call stack as plain text.
    pub plain: String,
    /// The same with ANSI colours.
    pub coloured: String,
}

impl ErrorReport {
    /// The kind of an evaluation that the user stopped.
    pub const INTERRUPT: &str = "KeyboardInterrupt";

    /// The kind of an evaluation of which whoever leads it wants no more.
    pub const ENDED: &str = "RunEnded";

    /// Whether no more of the evaluation was wanted.
    pub fn is_ended(&self) -> bool {
        self.kind == Self::ENDED
    }

    /// Whether the user stopped the evaluation.
    pub fn is_interrupt(&self) -> bool {
        self.kind == Self::INTERRUPT
    }

    /// A report of `kind` that has no place in a script.
    pub fn without_place(kind: &str, message: &str) -> Self {
        ErrorReport {
            kind: kind.to_owned(),
            message: message.to_owned(),
            plain: format!("{kind}: {message}"),
            coloured: format!("\x1b[1;31m{kind}\x1b[0m: {message}"),
            ..ErrorReport::default()
        }
    }
}

/// The state of one progress bar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// One thing that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// What is inserted in place of the word at the cursor.
    pub text: String,
    /// What it is: `function`, `namespace`, `variable`, `method`, `keyword`, …
    pub kind: String,
    /// Its signature or type, for display beside it.
    pub detail: Option<String>,
}

/// The call around the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Name, arguments and result.
    pub text: String,
    /// Where the argument at the cursor begins and ends in the text, in bytes.
    pub active: Option<(usize, usize)>,
    /// What the call does, in a sentence.
    pub help: Option<String>,
}

/// What the calls of one operator took, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperatorTime {
    /// Such as `aten::mm`.
    pub name: String,
    /// Of its tensors, where they were asked for.
    pub shapes: String,
    /// How often it was called.
    pub calls: u64,
    /// Without the operators that it called.
    pub own: f64,
    /// With them.
    pub total: f64,
    /// On another device than the CPU.
    pub device: f64,
}

/// The tensors on one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceMemory {
    /// Such as `cpu` or `cuda:0`.
    pub device: String,
    /// Tensors, each counted once.
    pub tensors: u64,
    /// Bytes of what they keep; what several share is counted once.
    pub bytes: u64,
}

/// What the allocator of a CUDA device says, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CudaMemory {
    /// The device's index.
    pub index: u32,
    /// What tensors hold now.
    pub allocated: u64,
    /// The most that they held.
    pub peak: u64,
    /// What the allocator has of the device.
    pub reserved: u64,
}

/// A variable of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The type, as scripts see it.
    pub kind: String,
    /// More of it on one line: dtype, shape and device of a tensor, the beginning of another value.
    pub detail: String,
    /// The bytes that a tensor's elements take.
    pub bytes: Option<u64>,
}
