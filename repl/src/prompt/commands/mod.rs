//! The commands of the prompt: one declaration each, from which help and completion come.

mod asking;
mod files;
mod language;
mod outside;
mod session;
mod timing;

use crate::problem::Problem;

use super::Prompt;

/// What follows a command.
pub enum Flow {
    /// The next prompt.
    On,
    /// The end of the session.
    Quit,
}

/// Does a command's work with what stands behind its name.
type Run = fn(&mut Prompt<'_>, &str) -> Result<Flow, Problem>;

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
        run: help,
    },
    Command {
        signature: ":doc NAME",
        description: "Show signature, description and example of a name; NAME? does the same.",
        example: ":doc torch.linalg.svd",
        run: session::doc,
    },
    Command {
        signature: ":apropos WORDS",
        description: "Search names and descriptions of functions, operators and commands.",
        example: ":apropos singular value",
        run: asking::apropos,
    },
    Command {
        signature: ":vars",
        description: "List the variables: name, type, what they hold, bytes of tensors.",
        example: ":vars",
        run: session::vars,
    },
    Command {
        signature: ":del NAME…",
        description: "Take variables out of the session.",
        example: ":del x y",
        run: asking::del,
    },
    Command {
        signature: ":mem",
        description: "Show what tensors of variables, the process and CUDA's allocator hold.",
        example: ":mem",
        run: asking::mem,
    },
    Command {
        signature: ":type EXPR",
        description: "Evaluate an expression and show the type of its value.",
        example: ":type torch.ones([2])",
        run: session::type_of,
    },
    Command {
        signature: ":time EXPR",
        description: "Evaluate an expression and show how long that took.",
        example: ":time torch.rand([100, 100]).inverse().sum()",
        run: timing::time,
    },
    Command {
        signature: ":timeit EXPR",
        description: "Evaluate an expression many times: mean, standard deviation and best of 7 runs.",
        example: ":timeit torch.ones([100]).sum()",
        run: timing::timeit,
    },
    Command {
        signature: ":prof EXPR",
        description: "Evaluate an expression and list what operators of torch took; \
                      --shapes before it counts shapes apart.",
        example: ":prof torch.rand([100, 100]).inverse().sum()",
        run: asking::prof,
    },
    Command {
        signature: ":bt",
        description: "Show the last error again, with all calls that led to it.",
        example: ":bt",
        run: asking::bt,
    },
    Command {
        signature: ":source NAME",
        description: "Show how a function, operator or Python object is defined; NAME?? shows both.",
        example: ":source torch.addmm",
        run: session::source,
    },
    Command {
        signature: ":python",
        description: "Take cells in Python from now on, with the same variables, or no longer.",
        example: ":python",
        run: language::python,
    },
    Command {
        signature: ":rhai",
        description: "Take cells in Rhai again.",
        example: ":rhai",
        run: language::rhai,
    },
    Command {
        signature: ":py CODE",
        description: "Evaluate one line of Python; a cell whose first line is %%python is Python too.",
        example: ":py [i * i for i in range(4)]",
        run: language::py,
    },
    Command {
        signature: ":run FILE",
        description: "Run a script in this session.",
        example: ":run train.rhai",
        run: files::run,
    },
    Command {
        signature: ":watch FILE",
        description: "Run a script in this session, and again whenever it changes, until Ctrl-C.",
        example: ":watch train.rhai",
        run: outside::watch,
    },
    Command {
        signature: ":edit [CELL]",
        description: "Open the last cell, or the one of that number, in $VISUAL or $EDITOR; run what is saved.",
        example: ":edit 3",
        run: outside::edit,
    },
    Command {
        signature: ":load FILE",
        description: "Put the text of a file at the prompt, to be edited and run.",
        example: ":load train.rhai",
        run: files::load,
    },
    Command {
        signature: ":save FILE",
        description: "Write the cells of this session that ran without an error into a new script.",
        example: ":save session.rhai",
        run: files::save,
    },
    Command {
        signature: ":history [COUNT]",
        description: "List the cells of this session, or the last of them.",
        example: ":history 10",
        run: session::history,
    },
    Command {
        signature: ":device [DEVICE]",
        description: "Show the device of new tensors, or set it.",
        example: ":device cpu",
        run: asking::device,
    },
    Command {
        signature: ":seed NUMBER",
        description: "Seed torch's random numbers.",
        example: ":seed 0",
        run: session::seed,
    },
    Command {
        signature: ":cd [FOLDER]",
        description: "Go to another working directory, without a folder to the home directory.",
        example: ":cd ..",
        run: files::cd,
    },
    Command {
        signature: ":sh CODE",
        description: "Run a shell command; Ctrl-C ends that and not the session.",
        example: ":sh ls -l",
        run: outside::sh,
    },
    Command {
        signature: ":config",
        description: "Show where the settings are; the file is written with all defaults if there is none.",
        example: ":config",
        run: files::config,
    },
    Command {
        signature: ":env",
        description: "Show which Python and which torch are used, and why.",
        example: ":env",
        run: session::env,
    },
    Command {
        signature: ":reset",
        description: "Take all variables and functions out of the session.",
        example: ":reset",
        run: session::reset,
    },
    Command {
        signature: ":quit",
        description: "Leave, as Ctrl-D does.",
        example: ":quit",
        run: |_, _| Ok(Flow::Quit),
    },
];

/// Bytes in the largest unit, powers of 1024, that leaves at least one.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// Executes what stands behind the colon.
///
/// # Errors
/// When the engine is gone.
pub fn execute(prompt: &mut Prompt<'_>, text: &str) -> Result<Flow, Problem> {
    let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let argument = argument.trim();
    match ALL.iter().find(|command| command.name() == name) {
        Some(command) if command.wants_argument() && argument.is_empty() => {
            prompt.complain(&format!("it is {}, such as {}", command.signature, command.example));
            Ok(Flow::On)
        }
        Some(command) => (command.run)(prompt, argument),
        None => {
            prompt.complain(&format!("there is no command ':{name}'; :help lists them"));
            Ok(Flow::On)
        }
    }
}

/// `:help`
fn help(prompt: &mut Prompt<'_>, argument: &str) -> Result<Flow, Problem> {
    let name = argument.trim_start_matches(':');
    if let Some(command) = ALL.iter().find(|command| command.name() == name) {
        let Command { signature, description, example, .. } = command;
        prompt.say(&format!("{signature}\n\n{description}\n\nExample:\n    {example}"));
    } else if name.is_empty() {
        let widest = ALL.iter().map(|command| command.signature.len()).max().unwrap_or(0);
        let lines = ALL.iter().map(|Command { signature, description, .. }| {
            format!("{signature:widest$}  {description}")
        });
        let commands = lines.collect::<Vec<_>>().join("\n");
        prompt.say(&format!("{commands}\n\n{KEYS}"));
    } else {
        prompt.document(name);
    }
    Ok(Flow::On)
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
