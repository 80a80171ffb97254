//! The commands of the prompt and of notebooks: one declaration each, from which help and completion come.

mod asking;
mod files;
mod front;
mod outside;
mod session;
mod steps;
mod timing;

use crate::problem::Problem;
use crate::prompt::{Prompt, terminal};

pub use front::{Asked, Evaluated, Front};
pub use outside::{ended, modified};
pub use steps::{Step, beginning, is_command, steps};

/// What follows a command.
pub enum Flow {
    /// The next prompt.
    On,
    /// The end of the session.
    Quit,
}

/// Does a command's work with what stands behind its name.
enum Run {
    Anywhere(fn(&mut dyn Front, &str) -> Result<(), Problem>),
    /// Only at the prompt.
    Terminal(fn(&mut Prompt<'_>, &str) -> Result<Flow, Problem>),
}

/// A command.
pub struct Command {
    /// `:name ARGUMENT`; what may be left out stands in brackets.
    pub signature: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// A line that works.
    pub example: &'static str,
    run: Run,
}

impl Command {
    /// Its name without the colon.
    pub fn name(&self) -> &'static str {
        let end = self.signature.find(' ').unwrap_or(self.signature.len());
        &self.signature[1..end]
    }

    /// Whether it does nothing without an argument.
    fn wants_argument(&self) -> bool {
        self.signature.contains(' ') && !self.signature.contains('[')
    }
}

/// All commands, as help lists them.
pub const ALL: &[Command] = &[
    Command {
        signature: ":help [COMMAND]",
        description: "List the commands, or tell more of one.",
        example: ":help timeit",
        run: Run::Anywhere(help),
    },
    Command {
        signature: ":doc NAME",
        description: "Show signature, description and example of a name; NAME? does the same.",
        example: ":doc torch.linalg.svd",
        run: Run::Anywhere(session::doc),
    },
    Command {
        signature: ":apropos WORDS",
        description: "Search names and descriptions of functions, operators and commands.",
        example: ":apropos singular value",
        run: Run::Anywhere(asking::apropos),
    },
    Command {
        signature: ":vars",
        description: "List the variables: name, type, what they hold, bytes of tensors.",
        example: ":vars",
        run: Run::Anywhere(session::vars),
    },
    Command {
        signature: ":del NAME…",
        description: "Take variables out of the session.",
        example: ":del x y",
        run: Run::Anywhere(asking::del),
    },
    Command {
        signature: ":mem",
        description: "Show what tensors of variables, the process and CUDA's allocator hold.",
        example: ":mem",
        run: Run::Anywhere(asking::mem),
    },
    Command {
        signature: ":type EXPR",
        description: "Evaluate an expression and show the type of its value.",
        example: ":type torch.ones([2])",
        run: Run::Anywhere(session::type_of),
    },
    Command {
        signature: ":time EXPR",
        description: "Evaluate an expression and show how long that took.",
        example: ":time torch.rand([100, 100]).inverse().sum()",
        run: Run::Anywhere(timing::time),
    },
    Command {
        signature: ":timeit EXPR",
        description: "Evaluate an expression many times: mean, standard deviation and best of 7 runs.",
        example: ":timeit torch.ones([100]).sum()",
        run: Run::Anywhere(timing::timeit),
    },
    Command {
        signature: ":prof EXPR",
        description: "Evaluate an expression and list what operators of torch took; \
                      --shapes before it counts shapes apart.",
        example: ":prof torch.rand([100, 100]).inverse().sum()",
        run: Run::Anywhere(asking::prof),
    },
    Command {
        signature: ":bt",
        description: "Show the last error again, with all calls that led to it.",
        example: ":bt",
        run: Run::Anywhere(asking::bt),
    },
    Command {
        signature: ":source NAME",
        description: "Show how a function, operator or Python object is defined; NAME?? shows both.",
        example: ":source torch.addmm",
        run: Run::Anywhere(session::source),
    },
    Command {
        signature: ":python",
        description: "Take cells in Python from now on, with the same variables, or no longer.",
        example: ":python",
        run: Run::Terminal(terminal::python),
    },
    Command {
        signature: ":rhai",
        description: "Take cells in Rhai again.",
        example: ":rhai",
        run: Run::Terminal(terminal::rhai),
    },
    Command {
        signature: ":py CODE",
        description: "Evaluate one line of Python; a cell whose first line is %%python is Python too.",
        example: ":py [i * i for i in range(4)]",
        run: Run::Anywhere(session::py),
    },
    Command {
        signature: ":run FILE",
        description: "Run a script in this session.",
        example: ":run train.rhai",
        run: Run::Anywhere(files::run),
    },
    Command {
        signature: ":watch FILE",
        description: "Run a script in this session, and again whenever it changes, until Ctrl-C.",
        example: ":watch train.rhai",
        run: Run::Anywhere(outside::watch),
    },
    Command {
        signature: ":edit [CELL]",
        description: "Open the last cell, or the one of that number, in $VISUAL or $EDITOR; run what is saved.",
        example: ":edit 3",
        run: Run::Terminal(terminal::edit),
    },
    Command {
        signature: ":load FILE",
        description: "Put the text of a file at the prompt, to be edited and run.",
        example: ":load train.rhai",
        run: Run::Anywhere(files::load),
    },
    Command {
        signature: ":save FILE",
        description: "Write the cells of this session that ran without an error into a new script.",
        example: ":save session.rhai",
        run: Run::Anywhere(files::save),
    },
    Command {
        signature: ":history [COUNT]",
        description: "List the cells of this session, or the last of them.",
        example: ":history 10",
        run: Run::Anywhere(session::history),
    },
    Command {
        signature: ":device [DEVICE]",
        description: "Show the device of new tensors, or set it.",
        example: ":device cpu",
        run: Run::Anywhere(asking::device),
    },
    Command {
        signature: ":seed NUMBER",
        description: "Seed torch's random numbers.",
        example: ":seed 0",
        run: Run::Anywhere(session::seed),
    },
    Command {
        signature: ":cd [FOLDER]",
        description: "Go to another working directory, without a folder to the home directory.",
        example: ":cd ..",
        run: Run::Anywhere(files::cd),
    },
    Command {
        signature: ":sh CODE",
        description: "Run a shell command; Ctrl-C ends that and not the session.",
        example: ":sh ls -l",
        run: Run::Anywhere(outside::sh),
    },
    Command {
        signature: ":config",
        description: "Show where the settings are; the file is written with all defaults if there is none.",
        example: ":config",
        run: Run::Anywhere(files::config),
    },
    Command {
        signature: ":env",
        description: "Show which Python and which torch are used, and why.",
        example: ":env",
        run: Run::Anywhere(session::env),
    },
    Command {
        signature: ":reset",
        description: "Take all variables and functions out of the session.",
        example: ":reset",
        run: Run::Anywhere(session::reset),
    },
    Command {
        signature: ":quit",
        description: "Leave, as Ctrl-D does.",
        example: ":quit",
        run: Run::Terminal(|_, _| Ok(Flow::Quit)),
    },
];

/// Bytes in the largest unit, powers of 1024, that leaves at least one.
pub fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// A command by its name, or by what IPython calls it.
pub fn find(name: &str) -> Option<&'static Command> {
    let name = match name {
        "who" | "whos" => "vars",
        "prun" => "prof",
        "hist" => "history",
        "xdel" => "del",
        "exit" => "quit",
        "system" | "sx" => "sh",
        name => name,
    };
    ALL.iter().find(|command| command.name() == name)
}

/// The command that a name and an argument call, or what is wrong with them.
fn called(name: &str, argument: &str) -> Result<&'static Command, String> {
    match find(name) {
        Some(command) if command.wants_argument() && argument.is_empty() => {
            Err(format!("it is {}, such as {}", command.signature, command.example))
        }
        Some(command) => Ok(command),
        None => Err(format!("there is no command ':{name}'; :help lists them")),
    }
}

/// Executes a command at the prompt.
///
/// # Errors
/// When the engine is gone.
pub fn execute(prompt: &mut Prompt<'_>, name: &str, argument: &str) -> Result<Flow, Problem> {
    match called(name, argument).map(|command| &command.run) {
        Ok(Run::Anywhere(run)) => run(prompt, argument).map(|()| Flow::On),
        Ok(Run::Terminal(run)) => run(prompt, argument),
        Err(wrong) => {
            prompt.complain(&wrong);
            Ok(Flow::On)
        }
    }
}

/// Executes a command of a notebook.
///
/// # Errors
/// When the engine is gone.
pub fn execute_in_notebook(
    front: &mut dyn Front,
    name: &str,
    argument: &str,
) -> Result<(), Problem> {
    match called(name, argument).map(|command| &command.run) {
        Ok(Run::Anywhere(run)) => return run(front, argument),
        Ok(Run::Terminal(_)) => {
            front.complain(&format!("':{name}' is for the prompt of a terminal"));
        }
        Err(wrong) => front.complain(&wrong),
    }
    Ok(())
}

/// `:help`
fn help(front: &mut dyn Front, argument: &str) -> Result<(), Problem> {
    let name = argument.trim_start_matches([':', '%']);
    if let Some(command) = find(name) {
        let Command { signature, description, example, .. } = command;
        front.say(&format!("{signature}\n\n{description}\n\nExample:\n    {example}"));
    } else if name.is_empty() {
        let widest = ALL.iter().map(|command| command.signature.len()).max().unwrap_or(0);
        let lines = ALL.iter().map(|Command { signature, description, .. }| {
            format!("{signature:widest$}  {description}")
        });
        let commands = lines.collect::<Vec<_>>().join("\n");
        front.say(&format!("{commands}\n\n{KEYS}"));
    } else {
        front.document(name);
    }
    Ok(())
}

const KEYS: &str = "\
Tab completes, NAME? shows help, the right arrow takes the suggestion of an earlier cell, Ctrl-R searches them.
_ is the last value, __ the one before, Out[3] that of cell 3.
Ctrl-C clears the line or stops what runs, Ctrl-D leaves.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
    }

    #[test]
    fn every_example_is_of_its_command() {
        for command in ALL {
            let name = command.name();
            let example = command.example.strip_prefix(&format!(":{name}"));
            let argument = example.expect(command.signature).trim();
            assert!(!command.wants_argument() || !argument.is_empty(), ":{name}");
            assert!(command.description.ends_with('.'), ":{name}");
            assert_eq!(ALL.iter().filter(|other| other.name() == name).count(), 1, ":{name}");
        }
    }
}
