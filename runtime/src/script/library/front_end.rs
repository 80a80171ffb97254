//! What a script says to, and asks of, whoever sits in front: values shown as the end of a cell shows them, shown anew,
//! and taken away; a line that is typed.

use std::sync::atomic::{AtomicU64, Ordering};

use rhai::{Dynamic, ImmutableString};

use crate::error::{Error, Result};
use crate::script::display::represent;
use crate::script::event::{Event, Shown};
use crate::script::function::{Args, Function};
use crate::script::input;

/// The number of the next value that gets a name by itself.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn show(args: &Args<'_>, id: Option<String>, update: bool) {
    let data = represent(args.get(0), args.ctx().state());
    if data.is_empty() {
        return;
    }
    args.ctx().emit(Event::Display(Shown { data, metadata: None, id, update }));
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "display(Any value, *, Any? display_id=None) -> Any",
        doc: "Shows a value as the end of a cell does: an array of maps with equal keys as a table, a module as a \
              tree with its parameters, a picture where the front end can show one. `print` shows plain text. With \
              a display_id, a text or `true` for a new one, update_display can put something else in its place; \
              the id is what comes back then.",
        example: "display([#{name: \"Ada\", age: 36}, #{name: \"Alan\", age: 41}]);",
        call: |args| {
            let id = match args.get(1) {
                id if id.is_unit() || matches!(id.as_bool(), Ok(false)) => None,
                id if matches!(id.as_bool(), Ok(true)) => {
                    // Of this process: a notebook keeps what an earlier one has shown.
                    let number = NEXT.fetch_add(1, Ordering::Relaxed);
                    Some(format!("flambeau-{}-{number}", std::process::id()))
                }
                _ => Some(args.opt_str(1)?.ok_or_else(|| args.mismatch(1, "a text or true"))?),
            };
            show(args, id.clone(), false);
            Ok(id.map_or(Dynamic::UNIT, |id| Dynamic::from(ImmutableString::from(id))))
        },
    },
    Function {
        schema: "update_display(Any value, str display_id) -> None",
        doc: "Shows a value in the place of what `display` has shown with that display_id. A terminal shows it once \
              more.",
        example: "let id = display(\"begun\", display_id: true);\nupdate_display(\"done\", id);",
        call: |args| {
            let id = args.str(1)?;
            if id.is_empty() {
                return Err(Error::value("update_display() needs the id that display() gave"));
            }
            show(args, Some(id.to_string()), true);
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "clear_output(bool wait=False) -> None",
        doc: "Takes away what the cell has shown and printed so far, in a notebook; with `wait` only when something \
              else is shown, so that it does not flicker. On a terminal it empties the line.",
        example: "clear_output();",
        call: |args| {
            let wait = args.bool(0)?;
            args.ctx().emit(Event::Clear { wait });
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "input(str prompt='', *, bool secret=False) -> str",
        doc: "Shows the prompt and gives the line that the user types, without its end. With `secret` it is not seen \
              while it is typed. A NotImplementedError where nobody can be asked, an IoError at the end of standard \
              input.",
        example: "if args.contains(\"ask\") { print(`Hello, ${input(\"Your name: \")}`); }",
        call: |args| {
            let (prompt, secret) = (args.str(0)?, args.bool(1)?);
            let line: Result<String> = input::ask(args.ctx().state(), &prompt, secret);
            Ok(Dynamic::from(ImmutableString::from(line?)))
        },
    },
];
