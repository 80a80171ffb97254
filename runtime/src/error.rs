//! The one error type of the runtime: a kind that scripts can test, a message without C++ frames,
//! and what the user can do about it.

use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Position};

/// `Result` of everything that a script can make fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as scripts see it in `e.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An unknown operator, function, attribute or variable.
    Name,
    /// Arguments that fit no signature.
    Type,
    /// Shapes that do not fit together.
    Shape,
    /// An index out of range.
    Index,
    /// A key that a map, module or state dict does not have.
    Key,
    /// An argument of the right type with a value that cannot be.
    Value,
    /// Tensors or modules on the wrong device, or a device that is not there.
    Device,
    /// An allocation that the machine cannot serve.
    OutOfMemory,
    /// A file that is missing, unreadable or malformed.
    Io,
    /// Something that the sandbox denies.
    Permission,
    /// A limit of time, memory, operations or depth was reached.
    Limit,
    /// The script's text is no script.
    Syntax,
    /// Numbers that cannot be: division by zero, overflow.
    Arithmetic,
    /// A feature that this build or libtorch does not have.
    NotImplemented,
    /// The user pressed Ctrl-C.
    Interrupt,
    /// The run was ended before the script's end because no more of it is wanted.
    Ended,
    /// A value thrown by the script.
    Thrown,
    /// Whatever else libtorch reports.
    Runtime,
}

impl Kind {
    /// The name that scripts and people see, such as `ShapeError`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Name => "NameError",
            Kind::Type => "TypeError",
            Kind::Shape => "ShapeError",
            Kind::Index => "IndexError",
            Kind::Key => "KeyError",
            Kind::Value => "ValueError",
            Kind::Device => "DeviceError",
            Kind::OutOfMemory => "OutOfMemoryError",
            Kind::Io => "IoError",
            Kind::Permission => "PermissionError",
            Kind::Limit => "LimitError",
            Kind::Syntax => "SyntaxError",
            Kind::Arithmetic => "ArithmeticError",
            Kind::NotImplemented => "NotImplementedError",
            Kind::Interrupt => "KeyboardInterrupt",
            Kind::Ended => "RunEnded",
            Kind::Thrown => "Thrown",
            Kind::Runtime => "RuntimeError",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One call on the way to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's name; empty for what stands outside of all functions.
    pub function: String,
    /// Where that was: the source's name, and the line.
    pub source: String,
    /// Line, counted from 1; 0 where unknown.
    pub line: usize,
    /// What stands in that line, where the report does not show it anyway.
    pub text: Option<String>,
}

/// An exception of another language, as it was raised there.
#[derive(Debug)]
pub struct Foreign {
    /// The name of its class, such as `ZeroDivisionError`: what scripts see as the kind.
    pub class: String,
    /// The exception itself.
    pub object: Dynamic,
    /// Whether it only stands for an error of a script that the other language called.
    pub of_script: bool,
}

/// An error as a script's `catch` or the report below it sees it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {message}", self.kind_name())]
pub struct Error {
    /// What went wrong.
    pub kind: Kind,
    /// One sentence or more, without C++ frames.
    pub message: String,
    /// What the user can do, where something is known.
    pub help: Option<String>,
    /// The values of the failing call that matter, such as `self: float32[2, 3]`.
    pub operands: Vec<String>,
    /// Where the script failed; `Position::NONE` until the engine fills it in.
    pub position: Position,
    /// The value that a script threw, for [`Kind::Thrown`].
    pub value: Option<Dynamic>,
    /// The way to the place where native code or another language called back into the script; most errors have
    /// none.
    pub trace: Option<Box<Trace>>,
    /// The exception of another language that this is.
    pub foreign: Option<Rc<Foreign>>,
}

/// The way of an error through calls that Rhai's own report does not hold.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The name of the source that the error's position is in.
    pub source: Option<String>,
    /// Calls below the one that reports the error, outermost first.
    pub calls: Vec<Call>,
    /// Below these, the calls of another language and of scripts that it called, down to the place of the
    /// error.
    pub frames: Vec<Frame>,
    /// Whether `frames` lead on from the error's position, as those of a worker do, and not to it.
    pub below: bool,
}

/// One call on the way to an error.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function's name, as Rhai has it.
    pub function: String,
    /// The name of the source that `position` is in, where it is known.
    pub source: Option<String>,
    /// Where the function was called.
    pub position: Position,
}

impl Error {
    /// An error of `kind` with its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
            help: None,
            operands: Vec::new(),
            position: Position::NONE,
            value: None,
            trace: None,
            foreign: None,
        }
    }

    /// What scripts see as the kind: that of ours, or the class of another language's exception.
    pub fn kind_name(&self) -> &str {
        self.foreign.as_ref().map_or(self.kind.name(), |foreign| &foreign.class)
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A `NameError`.
    pub fn name(message: impl Into<String>) -> Self {
        Error::new(Kind::Name, message)
    }

    /// A `TypeError`.
    pub fn type_(message: impl Into<String>) -> Self {
        Error::new(Kind::Type, message)
    }

    /// A `ValueError`.
    pub fn value(message: impl Into<String>) -> Self {
        Error::new(Kind::Value, message)
    }

    /// A `ShapeError`.
    pub fn shape(message: impl Into<String>) -> Self {
        Error::new(Kind::Shape, message)
    }

    /// An `IndexError`.
    pub fn index(message: impl Into<String>) -> Self {
        Error::new(Kind::Index, message)
    }

    /// A `KeyError`.
    pub fn key(message: impl Into<String>) -> Self {
        Error::new(Kind::Key, message)
    }

    /// An `IoError` that names the path.
    pub fn io(path: impl AsRef<std::path::Path>, cause: impl fmt::Display) -> Self {
        Error::new(Kind::Io, format!("{}: {cause}", path.as_ref().display()))
    }
}
