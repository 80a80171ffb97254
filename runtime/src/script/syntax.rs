//! Blocks with a mode, `no_grad { }`, `enable_grad { }`, `inference_mode { }`, and with an object that
//! begins and ends them: `with OBJECT as NAME { }`.

use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, Expression, ImmutableString};

use super::context::Context;
use super::convert;
use super::dispatch;
use super::errors::{from_rhai, to_rhai};
use super::function::ObjectType;
use super::sugar::{MODES, WITH};
use crate::error::{Error, Result};
use crate::torch::autograd::{Mode, ModeGuard};

/// Registers the blocks, and `@` as matrix multiplication.
pub(crate) fn register(engine: &mut Engine) {
    let modes = [Mode::NoGrad, Mode::EnableGrad, Mode::Inference];
    for (word, mode) in MODES.into_iter().zip(modes) {
        let run = move |ctx: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
                        inputs: &[Expression<'_>]| {
            let _guard = ModeGuard::enter(mode);
            ctx.eval_expression_tree(&inputs[0])
        };
        // The words are fixed and valid, so registration cannot fail.
        let _ = engine.register_custom_syntax([word, "$block$"], false, run);
    }
    engine.register_custom_syntax_with_state_raw(
        WITH,
        |symbols, next, _| Ok(next_symbol(symbols, next)),
        true,
        |ctx, inputs, _| with_block(ctx, inputs),
    );
    // As tightly as `*`, as in Python.
    let _ = engine.register_custom_operator("@", 180);
}

/// What must follow in `with EXPR { }` or `with EXPR as NAME { }`.
fn next_symbol(symbols: &[ImmutableString], next: &str) -> Option<ImmutableString> {
    match (symbols.len(), next) {
        (1, _) => Some("$expr$".into()),
        (2, "as") => Some("as".into()),
        (3, _) if symbols[2] == "as" => Some("$ident$".into()),
        (2 | 4, _) => Some("$block$".into()),
        _ => None,
    }
}

/// Runs a block between the beginning and the end of an object.
fn with_block(
    ctx: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    inputs: &[Expression<'_>],
) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
    let (Some(manager), Some(block)) = (inputs.first(), inputs.last()) else {
        return Ok(Dynamic::UNIT);
    };
    let position = manager.position();
    let raise = |error: Error| to_rhai(error, position);
    let manager = ctx.eval_expression_tree(manager)?;
    let object = object_type(&manager).map_err(raise)?;
    let value = (object.enter)(&manager).map_err(raise)?;
    let before = ctx.scope().len();
    if let [_, name, _] = inputs
        && let Some(name) = name.get_string_value()
    {
        ctx.scope_mut().push_dynamic(name, value);
    }
    let outcome = ctx.eval_expression_tree(block);
    ctx.scope_mut().rewind(before);
    match outcome {
        Err(raised) if !leaves(&raised) => {
            let error = from_rhai(&raised);
            let over = (object.exit)(&manager, Some(&error)).map_err(raise)?;
            if over && raised.is_catchable() { Ok(Dynamic::UNIT) } else { Err(raised) }
        }
        outcome => {
            (object.exit)(&manager, None).map_err(raise)?;
            outcome
        }
    }
}

/// Whether this is no error but the way in which `return`, `break` and `continue` leave a block.
fn leaves(raised: &EvalAltResult) -> bool {
    matches!(raised, EvalAltResult::LoopBreak(..) | EvalAltResult::Return(..))
}

fn object_type(value: &Dynamic) -> Result<ObjectType> {
    Context::current(|ctx| {
        dispatch::object_type(value, ctx.state()).copied().ok_or_else(|| {
            let found = convert::type_name(value);
            Error::type_(format!("a {found} is nothing to use with 'with'"))
        })
    })
}
