//! Commands among the lines of a cell: `:name ARGUMENT` is a cell by itself; `%name ARGUMENT`, as in IPython, a line
//! of one, and `%%name` takes the whole cell behind it as its argument.

use flambeau_protocol::Language;

use crate::cells::{self, Part, spans};

use super::{ALL, Command, find};

/// What a cell does, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Code is evaluated.
    Code(Part),
    /// A command is executed.
    Command {
        name: String,
        argument: String,
        /// What code in the argument is written in.
        language: Language,
    },
}

/// Name and argument of a command that a text consists of.
fn whole(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let named = text.strip_prefix(':').filter(|rest| rest.starts_with(char::is_alphabetic));
    let named = named.or_else(|| {
        let rest = text.strip_prefix("%%")?;
        (cells::mark(text.lines().next()?).is_none() && rest.starts_with(char::is_alphabetic))
            .then_some(rest)
    });
    Some(split(named?))
}

/// Name and argument of the command that a line is.
fn line(line: &str) -> Option<(&str, &str)> {
    let (name, argument) = split(line.strip_prefix('%')?);
    // Else it is the rest of a division.
    find(name).map(|_| (name, argument))
}

fn split(text: &str) -> (&str, &str) {
    let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (name, argument.trim())
}

/// Whether a cell is a command from its first line on, and how far it goes: to its last line where it begins with `%%`.
pub fn is_command(cell: &str) -> Option<bool> {
    let trimmed = cell.trim_start();
    if trimmed.starts_with("%%") {
        whole(trimmed).map(|_| true)
    } else {
        (trimmed.starts_with(':') || trimmed.lines().next().and_then(line).is_some())
            .then_some(false)
    }
}

/// The commands that may stand at the cursor: where the name begins, and which; `None` where none is meant.
pub fn beginning(cell: &str, cursor: usize) -> Option<(usize, Vec<&'static Command>)> {
    let before = &cell[..cursor];
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let typed = &before[line..];
    let name = typed.trim_start_matches('%');
    let name = match typed.len() - name.len() {
        1 | 2 => name,
        _ if before[..line].trim().is_empty() => typed.strip_prefix(':')?,
        _ => return None,
    };
    if name.contains(|c: char| !c.is_alphanumeric()) {
        return None;
    }
    let commands = ALL.iter().filter(|command| command.name().starts_with(name));
    Some((cursor - name.len(), commands.collect()))
}

/// The steps of a cell that begins in `first`.
pub fn steps(cell: &str, first: Language) -> Vec<Step> {
    let body = &cell[cells::options(cell)..];
    if let Some((name, argument)) = whole(body) {
        return vec![command(name, argument, first)];
    }
    let mut steps = Vec::new();
    for span in spans(cell, first) {
        let mut begin = span.range.start;
        let mut at = begin;
        let text = &cell[span.range.clone()];
        let lines: &mut dyn Iterator<Item = &str> = if text.contains('%') {
            &mut text.split_inclusive('\n')
        } else {
            &mut std::iter::once(text)
        };
        for next in lines {
            if let Some((name, argument)) = line(next) {
                steps.extend(code(cell, begin, at, span.language));
                steps.push(command(name, argument, span.language));
                begin = at + next.len();
            }
            at += next.len();
        }
        steps.extend(code(cell, begin, at, span.language));
    }
    steps
}

fn command(name: &str, argument: &str, language: Language) -> Step {
    Step::Command { name: name.to_owned(), argument: argument.to_owned(), language }
}

fn code(cell: &str, begin: usize, end: usize, language: Language) -> Option<Step> {
    let filled = !cell[begin..end].trim().is_empty();
    filled.then(|| Step::Code(cells::part(cell, begin..end, language)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cell: &str) -> Vec<String> {
        let shown = |step| match step {
            Step::Code(part) => format!("{:?} {:?}", part.language, part.code),
            Step::Command { name, argument, language } => {
                format!("{language:?} {name}({argument:?})")
            }
        };
        steps(cell, Language::Rhai).into_iter().map(shown).collect()
    }

    #[test]
    fn a_cell_may_be_one_command() {
        assert_eq!(of(":time f(\n1)"), ["Rhai time(\"f(\\n1)\")"]);
        assert_eq!(of("%%time\nlet x = 1;\n%who"), ["Rhai time(\"let x = 1;\\n%who\")"]);
        assert_eq!(of("#| echo: false\n:vars"), ["Rhai vars(\"\")"]);
        assert_eq!(of("%%nothing x"), ["Rhai nothing(\"x\")"]);
    }

    #[test]
    fn commands_may_stand_between_lines() {
        assert_eq!(
            of("let x = 1;\n%time x + 1\n%%python\ny = 2\n%timeit y\ny"),
            [
                "Rhai \"let x = 1;\\n\"",
                "Rhai time(\"x + 1\")",
                "Python \"\\n\\n\\ny = 2\\n\"",
                "Python timeit(\"y\")",
                "Python \"\\n\\n\\n\\n\\ny\"",
            ]
        );
    }

    #[test]
    fn what_divides_is_no_command() {
        for cell in ["5\n% 3", "x\n%y", "%time_of_day", "::", ":"] {
            assert_eq!(of(cell).len(), 1, "{cell}");
            assert!(matches!(steps(cell, Language::Rhai)[0], Step::Code(_)), "{cell}");
        }
    }
}
