//! Blocks with a mode: `no_grad { }`, `enable_grad { }`, `inference_mode { }`.

use rhai::{Engine, EvalContext, Expression};

use crate::torch::autograd::{Mode, ModeGuard};

/// Registers the blocks, and `@` as matrix multiplication.
pub(crate) fn register(engine: &mut Engine) {
    for (word, mode) in [
        ("no_grad", Mode::NoGrad),
        ("enable_grad", Mode::EnableGrad),
        ("inference_mode", Mode::Inference),
    ] {
        let run = move |ctx: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
                        inputs: &[Expression<'_>]| {
            let _guard = ModeGuard::enter(mode);
            ctx.eval_expression_tree(&inputs[0])
        };
        // The words are fixed and valid, so registration cannot fail.
        let _ = engine.register_custom_syntax([word, "$block$"], false, run);
    }
    // As tightly as `*`, as in Python.
    let _ = engine.register_custom_operator("@", 180);
}
