//! libtorch's operators over lists of tensors, under short names.
//!
//! Every function takes lists of equal length; those that end in `_` write into the first.

use flambeau_runtime::Result;
use flambeau_runtime::torch::NativeArgument as Arg;
use tch::Tensor;

pub(crate) use crate::functional::common::{Lazy, copy};

/// `xs + alpha * ys`.
pub(crate) fn add(xs: &[Tensor], ys: &[Tensor], alpha: f64) -> Result<Vec<Tensor>> {
    static OP: Lazy = Lazy::new("_foreach_add", "List");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(ys), Arg::Float(alpha)])
}

/// `xs += alpha * ys`.
pub(crate) fn add_(xs: &[Tensor], ys: &[Tensor], alpha: f64) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_add_", "List");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(ys), Arg::Float(alpha)]).map(drop)
}

/// `xs + number`.
pub(crate) fn add_scalar(xs: &[Tensor], number: f64) -> Result<Vec<Tensor>> {
    static OP: Lazy = Lazy::new("_foreach_add", "Scalar");
    OP.call(&[Arg::Tensors(xs), Arg::Float(number)])
}

/// `xs += number`.
pub(crate) fn add_scalar_(xs: &[Tensor], number: f64) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_add_", "Scalar");
    OP.call(&[Arg::Tensors(xs), Arg::Float(number)]).map(drop)
}

/// `xs *= number`.
pub(crate) fn mul_scalar_(xs: &[Tensor], number: f64) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_mul_", "Scalar");
    OP.call(&[Arg::Tensors(xs), Arg::Float(number)]).map(drop)
}

/// `xs *= ys`.
pub(crate) fn mul_(xs: &[Tensor], ys: &[Tensor]) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_mul_", "List");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(ys)]).map(drop)
}

/// `xs /= ys`.
pub(crate) fn div_(xs: &[Tensor], ys: &[Tensor]) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_div_", "List");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(ys)]).map(drop)
}

/// `xs[i] / numbers[i]`.
pub(crate) fn div_scalars(xs: &[Tensor], numbers: &[f64]) -> Result<Vec<Tensor>> {
    static OP: Lazy = Lazy::new("_foreach_div", "ScalarList");
    OP.call(&[Arg::Tensors(xs), Arg::Scalars(numbers)])
}

/// `xs[i] /= numbers[i]`.
pub(crate) fn div_scalars_(xs: &[Tensor], numbers: &[f64]) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_div_", "ScalarList");
    OP.call(&[Arg::Tensors(xs), Arg::Scalars(numbers)]).map(drop)
}

/// `-xs`.
pub(crate) fn neg(xs: &[Tensor]) -> Result<Vec<Tensor>> {
    static OP: Lazy = Lazy::new("_foreach_neg", "");
    OP.call(&[Arg::Tensors(xs)])
}

/// `|xs|`.
pub(crate) fn abs(xs: &[Tensor]) -> Result<Vec<Tensor>> {
    static OP: Lazy = Lazy::new("_foreach_abs", "");
    OP.call(&[Arg::Tensors(xs)])
}

/// The square roots.
pub(crate) fn sqrt(xs: &[Tensor]) -> Result<Vec<Tensor>> {
    static OP: Lazy = Lazy::new("_foreach_sqrt", "");
    OP.call(&[Arg::Tensors(xs)])
}

/// The square roots, in place.
pub(crate) fn sqrt_(xs: &[Tensor]) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_sqrt_", "");
    OP.call(&[Arg::Tensors(xs)]).map(drop)
}

/// The greater of each pair of elements, in place.
pub(crate) fn maximum_(xs: &[Tensor], ys: &[Tensor]) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_maximum_", "List");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(ys)]).map(drop)
}

/// `xs += weight * (ys - xs)`.
pub(crate) fn lerp_(xs: &[Tensor], ys: &[Tensor], weight: f64) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_lerp_", "Scalar");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(ys), Arg::Float(weight)]).map(drop)
}

/// `xs + number * a * b`.
pub(crate) fn addcmul(
    xs: &[Tensor],
    a: &[Tensor],
    b: &[Tensor],
    number: f64,
) -> Result<Vec<Tensor>> {
    static OP: Lazy = Lazy::new("_foreach_addcmul", "Scalar");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(a), Arg::Tensors(b), Arg::Float(number)])
}

/// `xs += number * a * b`.
pub(crate) fn addcmul_(xs: &[Tensor], a: &[Tensor], b: &[Tensor], number: f64) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_addcmul_", "Scalar");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(a), Arg::Tensors(b), Arg::Float(number)]).map(drop)
}

/// `xs += number * a / b`.
pub(crate) fn addcdiv_(xs: &[Tensor], a: &[Tensor], b: &[Tensor], number: f64) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_addcdiv_", "Scalar");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(a), Arg::Tensors(b), Arg::Float(number)]).map(drop)
}

/// `xs[i] += numbers[i] * a[i] / b[i]`.
pub(crate) fn addcdiv_scalars_(
    xs: &[Tensor],
    a: &[Tensor],
    b: &[Tensor],
    numbers: &[f64],
) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_addcdiv_", "ScalarList");
    OP.call(&[Arg::Tensors(xs), Arg::Tensors(a), Arg::Tensors(b), Arg::Scalars(numbers)]).map(drop)
}

/// Zeros, in place.
pub(crate) fn zero_(xs: &[Tensor]) -> Result<()> {
    static OP: Lazy = Lazy::new("_foreach_zero_", "");
    OP.call(&[Arg::Tensors(xs)]).map(drop)
}

/// `x += alpha * y` for one tensor; `y` may be sparse.
pub(crate) fn add_one_(x: &Tensor, y: &Tensor, alpha: f64) -> Result<()> {
    static OP: Lazy = Lazy::new("add_", "Tensor");
    OP.call(&[Arg::Tensor(x), Arg::Tensor(y), Arg::Float(alpha)]).map(drop)
}

/// The gradients that an algorithm sees: negated to maximise, with the decay that is added to them.
/// `None` where they are the gradients as they are.
pub(crate) fn decayed(
    params: &[Tensor],
    grads: &[Tensor],
    maximize: bool,
    decay: f64,
) -> Result<Option<Vec<Tensor>>> {
    let negated = if maximize { Some(neg(grads)?) } else { None };
    if decay == 0.0 {
        return Ok(negated);
    }
    add(negated.as_deref().unwrap_or(grads), params, decay).map(Some)
}
