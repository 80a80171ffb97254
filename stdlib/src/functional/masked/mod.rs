//! `torch.masked`: reductions and normalisations that leave out the elements where a mask is false. Dense
//! tensors only. Source: <https://pytorch.org/docs/stable/masked.html>.

mod functions;
mod normalizations;
mod reductions;

use flambeau_runtime::script::{Args, Context};
use flambeau_runtime::torch::{Dtype, Tensor, sizes};
use flambeau_runtime::{Error, Kind, Result};
use rhai::{Array, Dynamic, Map};

use super::common::tensor_of;

pub(crate) use functions::FUNCTIONS;

/// What stands where the mask is false: it changes nothing in the operation.
#[derive(Clone, Copy)]
enum Identity {
    Zero,
    One,
    Lowest,
    Highest,
    NotANumber,
}

impl Identity {
    /// The identity as an element of this dtype.
    fn value(self, dtype: Dtype) -> Result<Dynamic> {
        let none = || {
            let message = format!("no element of {dtype} is below and none above all others");
            Err(Error::new(Kind::NotImplemented, message))
        };
        let bounds = match dtype {
            Dtype::UINT8 => Some((0, i64::from(u8::MAX))),
            Dtype::INT8 => Some((i64::from(i8::MIN), i64::from(i8::MAX))),
            Dtype::INT16 => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
            Dtype::INT32 => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            Dtype::INT64 => Some((i64::MIN, i64::MAX)),
            _ => None,
        };
        Ok(match (self, bounds) {
            (Identity::Zero, _) => 0.into(),
            (Identity::One, _) => 1.into(),
            (Identity::NotANumber, _) => f64::NAN.into(),
            (Identity::Lowest, Some((least, _))) => least.into(),
            (Identity::Highest, Some((_, most))) => most.into(),
            (Identity::Lowest, None) if dtype.is_floating_point() => f64::NEG_INFINITY.into(),
            (Identity::Highest, None) if dtype.is_floating_point() => f64::INFINITY.into(),
            _ => return none(),
        })
    }
}

/// `torch.NAME(values, options)` where it gives one tensor.
fn op<const N: usize, const M: usize>(
    ctx: &Context<'_>,
    name: &str,
    values: [Dynamic; N],
    options: [(&str, Dynamic); M],
) -> Result<Tensor> {
    let mut values = values.to_vec();
    if M > 0 {
        let options = options.into_iter().map(|(name, value)| (name.into(), value));
        values.push(Dynamic::from_map(options.collect::<Map>()));
    }
    tensor_of(&ctx.op(name, values)?)
}

/// A tensor as an argument of [`op`].
fn arg(tensor: &Tensor) -> Dynamic {
    Dynamic::from(tensor.clone())
}

/// Integers as an argument of [`op`].
fn ints(list: &[i64]) -> Dynamic {
    Dynamic::from_array(list.iter().copied().map(Dynamic::from_int).collect::<Array>())
}

/// The tensor in another dtype.
fn to(ctx: &Context<'_>, tensor: &Tensor, dtype: Dtype) -> Result<Tensor> {
    op(ctx, "to", [arg(tensor), Dynamic::from(dtype)], [])
}

/// The mask as one bool per element of the input.
///
/// # Errors
/// An `IndexError` where it has more dimensions than the input.
fn broadcast_mask(ctx: &Context<'_>, input: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let (size, own) = (sizes(input), sizes(mask));
    if own == size {
        return to(ctx, mask, Dtype::BOOL);
    }
    if own.len() > size.len() {
        return Err(Error::index(format!(
            "a mask of {} dimensions does not broadcast to an input of {}",
            own.len(),
            size.len()
        )));
    }
    to(ctx, &op(ctx, "broadcast_to", [arg(mask), ints(&size)], [])?, Dtype::BOOL)
}

/// The input with the identity where the mask is false; the input itself where no mask is given.
fn filled(
    ctx: &Context<'_>,
    input: &Tensor,
    mask: Option<&Tensor>,
    identity: Identity,
) -> Result<Tensor> {
    let Some(mask) = mask else { return Ok(input.clone()) };
    let mask = broadcast_mask(ctx, input, mask)?;
    let options =
        [("dtype", Dynamic::from(input.dtype())), ("device", Dynamic::from(input.device_of()))];
    let identity = op(ctx, "full", [ints(&[]), identity.value(input.dtype())?], options)?;
    op(ctx, "where", [arg(&mask), arg(input), arg(&identity)], [])
}

/// The dimensions that argument `i` names, counted from the front and in order; all where it names none.
///
/// # Errors
/// An `IndexError` for one that the input does not have, a `RuntimeError` for one that is named twice.
fn dimensions(args: &Args<'_>, i: usize, input: &Tensor) -> Result<Vec<i64>> {
    let count = sizes(input).len() as i64;
    let Some(named) = args.opt_ints(i)?.filter(|named| !named.is_empty()) else {
        return Ok((0..count).collect());
    };
    let count = count.max(1);
    let mut found = Vec::new();
    for dim in named {
        if dim >= count || dim < -count {
            return Err(Error::index(format!(
                "Dimension out of range (expected to be in range of [{}, {}], but got {dim})",
                -count,
                count - 1
            )));
        }
        let dim = dim.rem_euclid(count);
        if found.contains(&dim) {
            return Err(Error::new(
                Kind::Runtime,
                format!("dim={dim} appears multiple times in the list of dims"),
            ));
        }
        found.push(dim);
    }
    found.sort_unstable();
    Ok(found)
}

/// The one dimension that argument `i` names.
fn dimension(args: &Args<'_>, i: usize, input: &Tensor) -> Result<i64> {
    args.int(i)?;
    Ok(dimensions(args, i, input)?.first().copied().unwrap_or(0))
}
