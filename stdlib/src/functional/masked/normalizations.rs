//! Masked functions that keep the input's shape.

use flambeau_runtime::Result;
use flambeau_runtime::script::Args;
use rhai::Dynamic;

use super::reductions::{norm_identity, vector_norm};
use super::{Identity, arg, dimension, filled, op, to};

/// `cumsum` and `cumprod`.
pub(super) fn cumulative(args: &Args<'_>, name: &str, identity: Identity) -> Result<Dynamic> {
    let (ctx, input, mask) = (args.ctx(), args.tensor(0)?, args.opt_tensor(3)?);
    let dim = dimension(args, 1, &input)?;
    let dtype = args.opt_dtype(2)?.unwrap_or(input.dtype());
    let filled = filled(ctx, &input, mask.as_ref(), identity)?;
    let options = [("dtype", Dynamic::from(dtype))];
    Ok(arg(&op(ctx, name, [arg(&filled), dim.into()], options)?))
}

/// `softmax` and `log_softmax` of the input, or of its negative.
pub(super) fn soft(args: &Args<'_>, name: &str, negative: bool) -> Result<Dynamic> {
    let (ctx, input, mask) = (args.ctx(), args.tensor(0)?, args.opt_tensor(3)?);
    let dim = dimension(args, 1, &input)?;
    let dtype = args.opt_dtype(2)?.unwrap_or(input.dtype());
    let identity = if negative { Identity::Highest } else { Identity::Lowest };
    let mut filled = filled(ctx, &input, mask.as_ref(), identity)?;
    if negative {
        filled = op(ctx, "neg", [arg(&filled)], [])?;
    }
    Ok(arg(&op(ctx, name, [arg(&filled), dim.into(), Dynamic::from(dtype)], [])?))
}

pub(super) fn normalize(args: &mut Args<'_>) -> Result<Dynamic> {
    let (ctx, input, order) = (args.ctx(), args.tensor(0)?, args.float(1)?);
    let (dim, eps) = (dimension(args, 2, &input)?, args.float(3)?);
    let dtype = args.opt_dtype(4)?.unwrap_or(input.dtype());
    let mask = args.opt_tensor(5)?;
    let measured = filled(ctx, &input, mask.as_ref(), norm_identity(order))?;
    let norm = vector_norm(ctx, &measured, order, &[dim], true, dtype)?;
    let divisor = op(ctx, "clamp_min", [arg(&norm), eps.into()], [])?;
    let filled = filled(ctx, &input, mask.as_ref(), Identity::Zero)?;
    Ok(arg(&op(ctx, "div", [arg(&filled), arg(&divisor)], [])?))
}

pub(super) fn logaddexp(args: &mut Args<'_>) -> Result<Dynamic> {
    let (ctx, input, other) = (args.ctx(), args.tensor(0)?, args.tensor(1)?);
    let dtype = args.opt_dtype(2)?.unwrap_or(input.dtype());
    let a = filled(ctx, &input, args.opt_tensor(3)?.as_ref(), Identity::Lowest)?;
    let b = filled(ctx, &other, args.opt_tensor(4)?.as_ref(), Identity::Lowest)?;
    Ok(arg(&to(ctx, &op(ctx, "logaddexp", [arg(&a), arg(&b)], [])?, dtype)?))
}
