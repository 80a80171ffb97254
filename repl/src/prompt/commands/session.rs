//! Commands that ask the session, or about it.

use flambeau_protocol::{Event, Language, Request};

use crate::examine;
use crate::problem::Problem;

use super::super::{Prompt, mode};
use super::{Flow, size};

/// `:doc NAME`
pub fn doc(prompt: &mut Prompt<'_>, name: &str) -> Result<Flow, Problem> {
    prompt.document(name);
    Ok(Flow::On)
}

/// `:source NAME`
pub fn source(prompt: &mut Prompt<'_>, name: &str) -> Result<Flow, Problem> {
    match prompt.remote.source(name, prompt.mode.language()).text {
        Some(text) => prompt.say(text.trim_end()),
        None => prompt.complain(&format!("no definition of '{name}' is known")),
    }
    Ok(Flow::On)
}

/// `:vars`
pub fn vars(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    let found = prompt.remote.ask(
        |id| Request::Variables { id },
        |event, id| match event {
            Event::Variables { id: of, items } if of == id => Some(items),
            _ => None,
        },
    );
    let Some(variables) = found else {
        prompt.complain("the engine does not answer");
        return Ok(Flow::On);
    };
    if variables.is_empty() {
        prompt.say("no variables");
        return Ok(Flow::On);
    }
    let names = variables.iter().map(|variable| variable.name.chars().count()).max().unwrap_or(0);
    let kinds = variables.iter().map(|variable| variable.kind.chars().count()).max().unwrap_or(0);
    let lines = variables.iter().map(|variable| {
        let bytes = variable.bytes.map(|bytes| format!("  {}", size(bytes))).unwrap_or_default();
        let (name, kind, detail) = (&variable.name, &variable.kind, &variable.detail);
        format!("{name:names$}  {kind:kinds$}  {detail}{bytes}").trim_end().to_owned()
    });
    prompt.say(&lines.collect::<Vec<_>>().join("\n"));
    Ok(Flow::On)
}

/// `:type EXPR`
pub fn type_of(prompt: &mut Prompt<'_>, code: &str) -> Result<Flow, Problem> {
    let language = prompt.mode.language();
    let code = code.trim_end_matches(';');
    let code = match language {
        Language::Rhai => format!("type_of({code})"),
        Language::Python => format!("type({code})"),
    };
    let done = prompt.remote.evaluate("<type>", &code, None, language)?;
    prompt.show(&done);
    Ok(Flow::On)
}

/// `:history [COUNT]`
pub fn history(prompt: &mut Prompt<'_>, count: &str) -> Result<Flow, Problem> {
    let count = match count.parse::<usize>() {
        _ if count.is_empty() => prompt.cells.len(),
        Ok(count) => count,
        Err(_) => {
            prompt.complain(&format!("'{count}' is no number of cells"));
            return Ok(Flow::On);
        }
    };
    let skipped = prompt.cells.len().saturating_sub(count);
    for cell in &prompt.cells[skipped..] {
        let head = mode::prompt(cell.number, cell.language);
        let further = format!("\n{}", " ".repeat(head.len()));
        prompt.say(&format!("{head}{}", cell.code.trim_end().replace('\n', &further)));
    }
    Ok(Flow::On)
}

/// `:seed NUMBER`
pub fn seed(prompt: &mut Prompt<'_>, number: &str) -> Result<Flow, Problem> {
    match number.parse::<i64>() {
        Ok(number) => {
            let code = format!("torch.manual_seed({number});");
            let done = prompt.remote.evaluate("<seed>", &code, None, Language::Rhai)?;
            prompt.show(&done);
        }
        Err(_) => prompt.complain(&format!("'{number}' is no integer")),
    }
    Ok(Flow::On)
}

/// `:env`
pub fn env(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    if let Err(problem) = examine::examine(prompt.shared) {
        prompt.complain(&problem.to_string());
    }
    Ok(Flow::On)
}

/// `:reset`
pub fn reset(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    prompt.ask_done(|id| Request::Reset { id });
    Ok(Flow::On)
}
