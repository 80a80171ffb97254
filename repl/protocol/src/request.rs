//! What a front end asks of the engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::debug::Ask;
use crate::event::Comm;

/// What a cell is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// The language of scripts.
    #[default]
    Rhai,
    /// Python, with the session's variables by their names.
    Python,
}

/// One message to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request")]
pub enum Request {
    /// The first message: who runs what, within which limits. Answered by [`Event::Ready`].
    ///
    /// [`Event::Ready`]: crate::Event::Ready
    Configure(Configure),
    /// Runs a script or a cell. Answered by [`Event::Done`].
    ///
    /// [`Event::Done`]: crate::Event::Done
    Evaluate {
        /// Comes back in the answer.
        id: u64,
        /// What tracebacks call it: a path, or a name such as `<stdin>` or `cell 3`.
        source_name: String,
        /// The script.
        code: String,
        /// Keeps the value as `Out[keep]` and `_`, for the cells of a prompt or a notebook.
        keep: Option<u64>,
        /// What the code is written in.
        #[serde(default)]
        language: Language,
        /// How many columns there are for what is shown; 80 if absent.
        width: Option<usize>,
    },
    /// Asks for the session's variables. Answered by [`Event::Variables`].
    ///
    /// [`Event::Variables`]: crate::Event::Variables
    Variables {
        /// Comes back in the answer.
        id: u64,
    },
    /// As `Evaluate`, with torch's own profiler at work. Answered by [`Event::Profiled`].
    ///
    /// [`Event::Profiled`]: crate::Event::Profiled
    Profile {
        /// Comes back in the answer.
        id: u64,
        /// What tracebacks call it.
        source_name: String,
        /// What is measured.
        code: String,
        /// What the code is written in.
        language: Language,
        /// Whether calls with other shapes are counted apart.
        shapes: bool,
    },
    /// Takes variables out of the session. Answered by [`Event::Done`], with an error for the names that it does not
    /// have.
    ///
    /// [`Event::Done`]: crate::Event::Done
    Remove {
        /// Comes back in the answer.
        id: u64,
        /// The variables.
        names: Vec<String>,
    },
    /// Asks what the session's tensors take. Answered by [`Event::Memory`].
    ///
    /// [`Event::Memory`]: crate::Event::Memory
    Memory {
        /// Comes back in the answer.
        id: u64,
    },
    /// Asks for the last error again, with all calls that led to it. Answered by [`Event::Done`], without an error where
    /// there was none.
    ///
    /// [`Event::Done`]: crate::Event::Done
    Traceback {
        /// Comes back in the answer.
        id: u64,
    },
    /// Searches names and descriptions. Answered by [`Event::Completions`].
    ///
    /// [`Event::Completions`]: crate::Event::Completions
    Apropos {
        /// Comes back in the answer.
        id: u64,
        /// All of them must be found.
        words: String,
    },
    /// Takes all variables and functions out of the session. Answered by [`Event::Done`].
    ///
    /// [`Event::Done`]: crate::Event::Done
    Reset {
        /// Comes back in the answer.
        id: u64,
    },
    /// Asks for the documentation of a function, operator or type by its dotted name. Answered by
    /// [`Event::Documentation`].
    ///
    /// [`Event::Documentation`]: crate::Event::Documentation
    Doc {
        /// Comes back in the answer.
        id: u64,
        /// Such as `torch.linalg.svd` or `nn.Linear`.
        name: String,
        /// Whose names are meant.
        #[serde(default)]
        language: Language,
    },
    /// Asks how something is defined: the text of a script's function, of an object of Python, the schemas of an
    /// operator. Answered by [`Event::Documentation`].
    ///
    /// [`Event::Documentation`]: crate::Event::Documentation
    Source {
        /// Comes back in the answer.
        id: u64,
        /// The name.
        name: String,
        /// Whose names are meant.
        #[serde(default)]
        language: Language,
    },
    /// Asks what may follow the text before the cursor. Answered by [`Event::Completions`].
    ///
    /// [`Event::Completions`]: crate::Event::Completions
    Complete {
        /// Comes back in the answer.
        id: u64,
        /// The cell as it stands.
        code: String,
        /// Where the cursor is in `code`, in bytes.
        cursor: usize,
        /// What the code is written in.
        #[serde(default)]
        language: Language,
    },
    /// Asks for the call around the cursor. Answered by [`Event::Signature`].
    ///
    /// [`Event::Signature`]: crate::Event::Signature
    Signature {
        /// Comes back in the answer.
        id: u64,
        /// The cell as it stands.
        code: String,
        /// Where the cursor is in `code`, in bytes.
        cursor: usize,
    },
    /// What the user says to [`Event::Question`]. Does not wait in line; nothing answers it.
    ///
    /// [`Event::Question`]: crate::Event::Question
    Answer {
        /// The question's.
        id: u64,
        /// What was said.
        answer: Answer,
    },
    /// The front end has something to say over a channel; what it leads to runs as an evaluation. Answered by
    /// [`Event::Done`].
    ///
    /// [`Event::Done`]: crate::Event::Done
    Comm {
        /// Comes back in the answer.
        id: u64,
        /// The message.
        comm: Comm,
        /// Jupyter's message as it came, but for its buffers: a JSON object.
        message: String,
    },
    /// Says what the requests behind it serve: the header of a message of Jupyter's, as JSON. Nothing answers it.
    Parent {
        /// The header.
        header: String,
    },
    /// A debugger has come or gone: cells evaluated from now on stop at breakpoints or do not, and a script that stands
    /// goes on when it has gone. Does not wait in line; nothing answers it.
    Attach {
        /// Whether there is one.
        attached: bool,
    },
    /// A question of the debugger. Does not wait in line where a script stands. Answered by [`Event::Debug`].
    ///
    /// [`Event::Debug`]: crate::Event::Debug
    Debug {
        /// Comes back in the answer.
        id: u64,
        /// The question.
        ask: Ask,
    },
    /// Says what the debugger calls the source of a request behind this one. Nothing answers it.
    File {
        /// The source.
        source_name: String,
        /// The name of the file that the debugger knows.
        file: String,
    },
    /// `Evaluate` of Python, `Comm` or `Parent`, done beside what the session does, in a lane of its own: a thread, which does
    /// one after the other. What it says comes as [`Event::Beside`].
    ///
    /// [`Event::Beside`]: crate::Event::Beside
    Beside {
        /// Which lane; it is there from its first request on.
        lane: u64,
        /// What is to be done.
        work: Box<Request>,
    },
    /// Ends a lane once it has done what it was asked. Nothing answers it.
    EndLane {
        /// Which.
        lane: u64,
    },
    /// Stops what runs and what waits, as Ctrl-C does. In one process `flambeau_engine_interrupt` does
    /// the same at once; this is for transports that only carry messages.
    Interrupt,
    /// Ends the session after what was asked before. Answered by [`Event::Stopped`].
    ///
    /// [`Event::Stopped`]: crate::Event::Stopped
    Shutdown,
}

/// What the user says to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A line, without its end.
    Line(String),
    /// There is no more to be read.
    End,
    /// Nobody can be asked.
    Refused,
}

/// What the engine must know before the first cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Configure {
    /// The torch that was found, such as `2.11.0+cu130`.
    pub torch_version: String,
    /// The environment's folder, where one was found.
    pub environment: Option<PathBuf>,
    /// The environment's interpreter, by whose place Python finds its packages.
    pub python: Option<PathBuf>,
    /// The arguments after the script's own name.
    pub args: Vec<String>,
    /// Where relative imports start; the working directory if absent.
    pub script_dir: Option<PathBuf>,
    /// What the script may reach.
    pub permissions: Permissions,
    /// When the script is ended.
    pub limits: Limits,
    /// How many threads an operator may use; as many as libtorch takes if absent.
    #[serde(default)]
    pub threads: Option<usize>,
    /// Where the script's run is recorded; absent where it is not.
    #[serde(default)]
    pub experiment: Option<Box<Experiment>>,
    /// Whether the front end is a notebook: values are shown with HTML, and Python finds what it expects there, such
    /// as channels for widgets.
    pub notebook: bool,
}

/// How the run of a script is recorded: what `params`, `log`, `checkpoint` and their like work on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// The run's folder, which is there.
    pub folder: PathBuf,
    /// The script.
    pub script: PathBuf,
    /// What is given for parameters: a JSON object; absent where the script's arguments are that.
    pub params: Option<String>,
    /// Whether the script is only to say which parameters it has, and ends where it does.
    pub declares: bool,
    /// How many checkpoints stay.
    pub keep: usize,
    /// Whether records are not shown as they are logged.
    pub quiet: bool,
    /// Who leads the run, where somebody does.
    pub leader: Option<Leader>,
}

/// Who leads a run: is told when it has come to a rung of successive halving, and may ask it to end at its next
/// checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leader {
    /// The socket at which it listens.
    pub socket: PathBuf,
    /// The trial's number there.
    pub trial: i64,
    /// The metric that counts; absent where nothing is compared.
    pub metric: Option<String>,
    /// The steps at which it is told the metric.
    pub rungs: Vec<i64>,
}

/// What a script may reach outside the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Whether files, processes, environment, Python and custom CUDA code are denied, but for what the
    /// other fields allow. When false the other fields mean nothing.
    pub sandbox: bool,
    /// Files and folders that may be read, with all that is below them.
    pub allow_read: Vec<PathBuf>,
    /// Files and folders that may be written, with all that is below them.
    pub allow_write: Vec<PathBuf>,
    /// Whether Python may be used; whoever has Python has everything.
    pub allow_python: bool,
}

/// Limits that end a script with a `LimitError`; absent means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds of wall clock for one evaluation.
    pub max_seconds: Option<f64>,
    /// Bytes that tensors and script values may hold together.
    pub max_memory: Option<u64>,
    /// Operations of the script's own code.
    pub max_operations: Option<u64>,
}
