//! What a debugger asks of the engine, and what it is told.

use serde::{Deserialize, Serialize};

use crate::event::Bundle;

/// A question of the debugger, or what a script that stands is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Sets the breakpoints of a file, in place of those before. Answered by [`Told::Lines`].
    Breakpoints {
        /// The file, as [`Request::File`] names it.
        ///
        /// [`Request::File`]: crate::Request::File
        file: String,
        /// The scripts in it; the lines before each are empty, so that lines have the numbers of the file.
        parts: Vec<String>,
        /// Counted from 1.
        lines: Vec<usize>,
    },
    /// The calls under way. Answered by [`Told::Calls`].
    Calls,
    /// The variables of a call or of the session. Answered by [`Told::Reference`].
    Scope {
        /// The call; absent for the session.
        call: Option<usize>,
    },
    /// The session's variables, as far as they are in sight. Answered by [`Told::Values`].
    Variables,
    /// What is behind a reference. Answered by [`Told::Values`].
    Parts {
        /// The reference.
        reference: usize,
        /// Of a list, the first item.
        start: usize,
        /// Of a list, how many items.
        count: Option<usize>,
    },
    /// Evaluates an expression where a script stands. Answered by [`Told::Values`] with one value.
    Evaluate {
        /// The expression.
        code: String,
        /// The call whose variables it sees; absent for the innermost.
        call: Option<usize>,
    },
    /// A variable as the end of a cell would show it. Answered by [`Told::Bundle`].
    Represent {
        /// The variable.
        name: String,
        /// The call that has it; absent for the session.
        call: Option<usize>,
    },
    /// Copies a variable of a call to one of the session. Answered by [`Told::Nothing`].
    Copy {
        /// The variable.
        name: String,
        /// What the session's is called.
        to: String,
        /// The call.
        call: Option<usize>,
    },
    /// Has a script stop at its next statement. Answered by [`Told::Nothing`].
    Pause,
    /// Has a script that stands go on. Answered by [`Told::Nothing`].
    Resume(Resume),
}

/// How a script that stands goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// To the next breakpoint.
    Continue,
    /// To the next statement of this call, or of the one around it.
    Next,
    /// To the next statement, wherever it is.
    Into,
    /// To the next statement behind this call.
    Out,
}

/// Why a script stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A breakpoint was reached.
    Breakpoint,
    /// A step has ended.
    Step,
    /// It was asked to stop.
    Pause,
}

/// An answer to [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It is done.
    Nothing,
    /// It cannot be: why.
    Refused(String),
    /// For each line the line where the script will stop; absent where none is known.
    Lines(Vec<Option<usize>>),
    /// The calls, innermost first.
    Calls(Vec<Call>),
    /// The number by which parts can be asked for, until the script goes on.
    Reference(usize),
    /// Values under their names.
    Values(Vec<Value>),
    /// Representations of one thing.
    Bundle(Bundle),
}

/// A call that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The number by which its variables can be asked for.
    pub id: usize,
    /// What is called; the source's name for a cell itself.
    pub function: String,
    /// The source's name.
    pub source: String,
    /// The file, as [`Request::File`] names it, or the source's name.
    ///
    /// [`Request::File`]: crate::Request::File
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// A value under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The variable's, or the place in what holds it.
    pub name: String,
    /// The type, as scripts see it.
    pub kind: String,
    /// What it is, on one line.
    pub text: String,
    /// By which its parts can be asked for; 0 where it has none.
    pub reference: usize,
    /// How many items it has, where it is a list.
    pub items: Option<usize>,
}
