//! Masked reductions: sums, extremes, norms and statistics.

use flambeau_runtime::script::{Args, Context};
use flambeau_runtime::torch::{Dtype, Tensor, sizes};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::{Identity, arg, broadcast_mask, dimension, dimensions, filled, ints, op, to};

/// What every reduction is asked for.
struct Reduction<'a> {
    ctx: &'a Context<'a>,
    input: Tensor,
    dims: Vec<i64>,
    keepdim: bool,
    dtype: Option<Dtype>,
    mask: Option<Tensor>,
}

impl<'a> Reduction<'a> {
    /// Reads the input, its dimensions from argument `dim`, and `keepdim`, `dtype` and `mask` from argument
    /// `from` on.
    fn new(args: &Args<'a>, dim: usize, from: usize) -> Result<Reduction<'a>> {
        let input = args.tensor(0)?;
        Ok(Reduction {
            ctx: args.ctx(),
            dims: dimensions(args, dim, &input)?,
            keepdim: args.opt_bool(from)?.unwrap_or(false),
            dtype: args.opt_dtype(from + 1)?,
            mask: args.opt_tensor(from + 2)?,
            input,
        })
    }

    fn filled(&self, identity: Identity) -> Result<Tensor> {
        filled(self.ctx, &self.input, self.mask.as_ref(), identity)
    }

    /// `torch.NAME` of a tensor over the dimensions.
    fn over(&self, name: &str, tensor: &Tensor) -> Result<Tensor> {
        op(self.ctx, name, [arg(tensor), ints(&self.dims), self.keepdim.into()], [])
    }

    /// `name` over the elements of the mask, in the dtype that is asked for or the input's own.
    fn extreme(&self, name: &str, identity: Identity) -> Result<Dynamic> {
        let reduced = self.over(name, &self.filled(identity)?)?;
        Ok(arg(&to(self.ctx, &reduced, self.dtype.unwrap_or(self.input.dtype()))?))
    }

    /// The sum of `tensor`, which has the input's shape, over the elements of the mask.
    fn sum_of(&self, tensor: &Tensor, keepdim: bool, dtype: Dtype) -> Result<Tensor> {
        let filled = filled(self.ctx, tensor, self.mask.as_ref(), Identity::Zero)?;
        let options = [("dtype", Dynamic::from(dtype))];
        op(self.ctx, "sum", [arg(&filled), ints(&self.dims), keepdim.into()], options)
    }

    /// How many elements there are for each result.
    fn count(&self, keepdim: bool) -> Result<Tensor> {
        let ones = match &self.mask {
            Some(mask) => broadcast_mask(self.ctx, &self.input, mask)?,
            None => {
                let options = [
                    ("dtype", Dynamic::from(Dtype::INT64)),
                    ("device", Dynamic::from(self.input.device_of())),
                ];
                op(self.ctx, "ones", [ints(&sizes(&self.input))], options)?
            }
        };
        op(self.ctx, "sum", [arg(&ones), ints(&self.dims), keepdim.into()], [])
    }
}

/// The dtype in which sums and products of `dtype` are made.
fn summed(dtype: Dtype) -> Dtype {
    match dtype {
        Dtype::UINT8 | Dtype::BOOL | Dtype::INT8 | Dtype::INT16 | Dtype::INT32 => Dtype::INT64,
        other => other,
    }
}

fn is_inexact(dtype: Dtype) -> bool {
    dtype.is_floating_point() || dtype.is_complex()
}

pub(super) fn sum(args: &mut Args<'_>) -> Result<Dynamic> {
    let r = Reduction::new(args, 1, 2)?;
    let dtype = r.dtype.unwrap_or_else(|| summed(r.input.dtype()));
    Ok(arg(&r.sum_of(&r.input, r.keepdim, dtype)?))
}

pub(super) fn prod(args: &mut Args<'_>) -> Result<Dynamic> {
    let r = Reduction::new(args, 1, 2)?;
    let dtype = r.dtype.unwrap_or_else(|| summed(r.input.dtype()));
    let mut product = to(r.ctx, &r.filled(Identity::One)?, dtype)?;
    // `prod` takes one dimension; from the last on, the numbers of the others stay.
    for &dim in r.dims.iter().rev() {
        product = op(r.ctx, "prod", [arg(&product), dim.into(), r.keepdim.into()], [])?;
    }
    Ok(arg(&product))
}

pub(super) fn amax(args: &mut Args<'_>) -> Result<Dynamic> {
    Reduction::new(args, 1, 2)?.extreme("amax", Identity::Lowest)
}

pub(super) fn amin(args: &mut Args<'_>) -> Result<Dynamic> {
    Reduction::new(args, 1, 2)?.extreme("amin", Identity::Highest)
}

pub(super) fn logsumexp(args: &mut Args<'_>) -> Result<Dynamic> {
    Reduction::new(args, 1, 2)?.extreme("logsumexp", Identity::Lowest)
}

/// `argmax` and `argmin`, which take one dimension or none.
pub(super) fn argument(args: &Args<'_>, name: &str, identity: Identity) -> Result<Dynamic> {
    let (ctx, input, mask) = (args.ctx(), args.tensor(0)?, args.opt_tensor(4)?);
    let keepdim = args.opt_bool(2)?.unwrap_or(false);
    let dtype = args.opt_dtype(3)?.unwrap_or(input.dtype());
    let filled = filled(ctx, &input, mask.as_ref(), identity)?;
    let found = op(ctx, name, [arg(&filled), args.get(1).clone(), keepdim.into()], [])?;
    Ok(arg(&to(ctx, &found, dtype)?))
}

pub(super) fn mean(args: &mut Args<'_>) -> Result<Dynamic> {
    let r = Reduction::new(args, 1, 2)?;
    let dtype = r.dtype.unwrap_or(r.input.dtype());
    if !is_inexact(dtype) {
        return Err(Error::value(format!(
            "mean(): the result must be of a floating point or complex dtype, not {dtype}"
        ))
        .help("give dtype: torch.float32"));
    }
    let total = r.sum_of(&r.input, r.keepdim, dtype)?;
    Ok(arg(&op(r.ctx, "div", [arg(&total), arg(&r.count(r.keepdim)?)], [])?))
}

pub(super) fn median(args: &mut Args<'_>) -> Result<Dynamic> {
    let (ctx, given, mask) = (args.ctx(), args.tensor(0)?, args.opt_tensor(4)?);
    let dtype = args.opt_dtype(3)?.unwrap_or(given.dtype());
    let (dim, keepdim) = (dimension(args, 1, &given)?, args.bool(2)?);
    let is_float = given.dtype().is_floating_point();
    let input = if is_float { given } else { to(ctx, &given, Dtype::FLOAT32)? };
    let filled = filled(ctx, &input, mask.as_ref(), Identity::NotANumber)?;
    let (median, _) = filled.f_nanmedian_dim(dim, keepdim)?;
    if !is_float && bool::try_from(median.f_isnan()?.f_any()?)? {
        return Err(Error::value(
            "masked median expects no fully masked out rows if dtype is not floating point",
        ));
    }
    let median = Tensor::from(median);
    Ok(arg(&if is_float { median } else { to(ctx, &median, dtype)? }))
}

/// The norm of the elements of the mask, as `norm` and `normalize` need it.
pub(super) fn vector_norm(
    ctx: &Context<'_>,
    filled: &Tensor,
    order: f64,
    dims: &[i64],
    keepdim: bool,
    dtype: Dtype,
) -> Result<Tensor> {
    let options = [("dtype", Dynamic::from(dtype))];
    let values = [arg(filled), order.into(), ints(dims), keepdim.into()];
    op(ctx, "linalg_vector_norm", values, options)
}

/// What the norm of this order leaves out.
pub(super) fn norm_identity(order: f64) -> Identity {
    if order == f64::NEG_INFINITY { Identity::Highest } else { Identity::Zero }
}

pub(super) fn norm(args: &mut Args<'_>) -> Result<Dynamic> {
    let order = args.opt_float(1)?.unwrap_or(2.0);
    let r = Reduction::new(args, 2, 3)?;
    let filled = r.filled(norm_identity(order))?;
    let dtype = r.dtype.unwrap_or(r.input.dtype());
    Ok(arg(&vector_norm(r.ctx, &filled, order, &r.dims, r.keepdim, dtype)?))
}

/// The variance: argument 2 is `unbiased`, 3 `correction`.
pub(super) fn variance(args: &Args<'_>) -> Result<Tensor> {
    let correction = match (args.opt_bool(2)?, args.opt_float(3)?) {
        (Some(_), Some(_)) => {
            return Err(Error::value("Only one of unbiased and correction may be given"));
        }
        (Some(unbiased), None) => f64::from(u8::from(unbiased)),
        (None, correction) => correction.unwrap_or(1.0),
    };
    let r = Reduction::new(args, 1, 4)?;
    let own = r.input.dtype();
    let dtype = r.dtype.unwrap_or(if is_inexact(own) { own } else { Dtype::FLOAT32 });
    let inner = if is_inexact(dtype) { dtype } else { Dtype::FLOAT32 };
    let (ctx, count) = (r.ctx, r.count(true)?);
    let total = r.sum_of(&r.input, true, dtype)?;
    let mean = op(ctx, "div", [arg(&total), arg(&count)], [])?;
    let off = op(ctx, "sub", [arg(&r.input), arg(&mean)], [])?;
    let conjugate = op(ctx, "conj", [arg(&off)], [])?;
    let squared = op(ctx, "mul", [arg(&off), arg(&conjugate)], [])?;
    let total = r.sum_of(&squared, r.keepdim, inner)?;
    let mut count = op(ctx, "reshape", [arg(&count), ints(&sizes(&total))], [])?;
    if correction != 0.0 {
        let real = match inner {
            Dtype::COMPLEX64 => Dtype::FLOAT32,
            Dtype::COMPLEX128 => Dtype::FLOAT64,
            other => other,
        };
        let less = op(ctx, "sub", [arg(&to(ctx, &count, real)?), correction.into()], [])?;
        count = op(ctx, "clamp_min", [arg(&less), 0.into()], [])?;
    }
    to(ctx, &op(ctx, "div", [arg(&total), arg(&count)], [])?, dtype)
}
