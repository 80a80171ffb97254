//! Commands that change the language.

use flambeau_protocol::Language;

use crate::problem::Problem;

use super::super::Prompt;
use super::Flow;

/// `:python`
pub fn python(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    prompt.mode.set(match prompt.mode.language() {
        Language::Rhai => Language::Python,
        Language::Python => Language::Rhai,
    });
    Ok(Flow::On)
}

/// `:rhai`
pub fn rhai(prompt: &mut Prompt<'_>, _: &str) -> Result<Flow, Problem> {
    prompt.mode.set(Language::Rhai);
    Ok(Flow::On)
}

/// `:py CODE`
pub fn py(prompt: &mut Prompt<'_>, code: &str) -> Result<Flow, Problem> {
    prompt.evaluate_in(Language::Python, code)?;
    Ok(Flow::On)
}
