//! Commands that change the language.

use flambeau_protocol::Language;

use crate::problem::Problem;

use super::Flow;

/// `:python`
pub fn python(front: &mut dyn Front, _: &str) -> Result<Flow, Problem> {
    prompt.mode.set(match front.language() {
        Language::Rhai => Language::Python,
        Language::Python => Language::Rhai,
    });
    Ok(Flow::On)
}

/// `:rhai`
pub fn rhai(front: &mut dyn Front, _: &str) -> Result<Flow, Problem> {
    prompt.mode.set(Language::Rhai);
    Ok(Flow::On)
}

/// `:py CODE`
pub fn py(front: &mut dyn Front, code: &str) -> Result<Flow, Problem> {
    prompt.evaluate_in(Language::Python, code)?;
    Ok(Flow::On)
}
