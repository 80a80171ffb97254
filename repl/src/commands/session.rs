//! Commands that ask the session, or about it.

use flambeau_protocol::{Event, Language, Request};

use crate::examine;
use crate::problem::Problem;
use crate::prompt::head;

use super::{Front, size};

/// `:doc NAME`
pub fn doc(front: &mut dyn Front, name: &str) -> Result<(), Problem> {
    front.document(name);
    Ok(())
}

/// `:source NAME`
pub fn source(front: &mut dyn Front, name: &str) -> Result<(), Problem> {
    match front.source(name) {
        Some(text) => front.say(text.trim_end()),
        None => front.complain(&format!("no definition of '{name}' is known")),
    }
    Ok(())
}

/// `:vars`
pub fn vars(front: &mut dyn Front, _: &str) -> Result<(), Problem> {
    let Some(Event::Variables { items: variables, .. }) =
        front.ask(Box::new(|id| Request::Variables { id }))
    else {
        front.complain("the engine does not answer");
        return Ok(());
    };
    if variables.is_empty() {
        front.say("no variables");
        return Ok(());
    }
    let names = variables.iter().map(|variable| variable.name.chars().count()).max().unwrap_or(0);
    let kinds = variables.iter().map(|variable| variable.kind.chars().count()).max().unwrap_or(0);
    let lines = variables.iter().map(|variable| {
        let bytes = variable.bytes.map(|bytes| format!("  {}", size(bytes))).unwrap_or_default();
        let (name, kind, detail) = (&variable.name, &variable.kind, &variable.detail);
        format!("{name:names$}  {kind:kinds$}  {detail}{bytes}").trim_end().to_owned()
    });
    front.say(&lines.collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// `:type EXPR`
pub fn type_of(front: &mut dyn Front, code: &str) -> Result<(), Problem> {
    let language = front.language();
    let code = code.trim_end_matches(';');
    let code = match language {
        Language::Rhai => format!("type_of({code})"),
        Language::Python => format!("type({code})"),
    };
    let done = front.evaluate_named("<type>", &code, None, language)?;
    front.show(&done);
    Ok(())
}

/// `:history [COUNT]`
pub fn history(front: &mut dyn Front, count: &str) -> Result<(), Problem> {
    let count = match count.parse::<usize>() {
        _ if count.is_empty() => front.cells().len(),
        Ok(count) => count,
        Err(_) => {
            front.complain(&format!("'{count}' is no number of cells"));
            return Ok(());
        }
    };
    let skipped = front.cells().len().saturating_sub(count);
    let cells = front.cells()[skipped..].iter().map(|cell| {
        let head = head(cell.number, cell.language);
        let further = format!("\n{}", " ".repeat(head.len()));
        format!("{head}{}", cell.code.trim_end().replace('\n', &further))
    });
    let cells = cells.collect::<Vec<_>>().join("\n");
    if !cells.is_empty() {
        front.say(&cells);
    }
    Ok(())
}

/// `:seed NUMBER`
pub fn seed(front: &mut dyn Front, number: &str) -> Result<(), Problem> {
    match number.parse::<i64>() {
        Ok(number) => {
            let code = format!("torch.manual_seed({number});");
            let done = front.evaluate_named("<seed>", &code, None, Language::Rhai)?;
            front.show(&done);
        }
        Err(_) => front.complain(&format!("'{number}' is no integer")),
    }
    Ok(())
}

/// `:env`
pub fn env(front: &mut dyn Front, _: &str) -> Result<(), Problem> {
    if let Err(problem) = examine::examine(front.shared()) {
        front.complain(&problem.to_string());
    }
    Ok(())
}

/// `:reset`
pub fn reset(front: &mut dyn Front, _: &str) -> Result<(), Problem> {
    front.ask_done(|id| Request::Reset { id });
    Ok(())
}

/// `:py CODE`
pub fn py(front: &mut dyn Front, code: &str) -> Result<(), Problem> {
    front.evaluate(Language::Python, code)?;
    Ok(())
}
