//! Operators between a tensor and a number.
//!
//! tch's own take its `Scalar`, whose destructor panics when the operator fails; these report.

use flambeau_runtime::torch::NativeArgument as Arg;
use flambeau_runtime::{Error, Result};
use tch::Tensor;

use super::common::Lazy;

/// An integer or a float, which differ in the dtype that a result has.
#[derive(Clone, Copy)]
pub(crate) struct Number(Arg<'static>);

impl From<i64> for Number {
    fn from(int: i64) -> Number {
        Number(Arg::Int(int))
    }
}

impl From<f64> for Number {
    fn from(float: f64) -> Number {
        Number(Arg::Float(float))
    }
}

fn one(mut results: Vec<Tensor>) -> Result<Tensor> {
    results.pop().ok_or_else(|| Error::type_("an operator gave no tensor"))
}

fn with(operator: &Lazy, x: &Tensor, number: impl Into<Number>) -> Result<Tensor> {
    one(operator.call(&[Arg::Tensor(x), number.into().0])?)
}

/// A tensor and a number.
pub(crate) trait WithNumber {
    /// `self + number`.
    fn add_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `self += number`.
    fn add_number_(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `self * number`.
    fn mul_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `self *= number`.
    fn mul_number_(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `self / number`.
    fn div_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `number - self`.
    fn rsub_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `self ** number`.
    fn pow_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `max(self, number)`.
    fn clamp_min_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `self = max(self, number)`.
    fn clamp_min_number_(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `min(self, number)`.
    fn clamp_max_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `min(max(self, low), high)`.
    fn clamp_number(&self, low: impl Into<Number>, high: impl Into<Number>) -> Result<Tensor>;
    /// `self = min(max(self, low), high)`.
    fn clamp_number_(&self, low: impl Into<Number>, high: impl Into<Number>) -> Result<Tensor>;
    /// `self != number`.
    fn ne_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `self < number`.
    fn lt_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// Writes `number` into every element.
    fn fill_number_(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// A tensor of the same kind, filled with `number`.
    fn full_like_number(&self, number: impl Into<Number>) -> Result<Tensor>;
    /// `number` where `mask` is true.
    fn masked_fill_number(&self, mask: &Tensor, number: impl Into<Number>) -> Result<Tensor>;
    /// Writes `number` into the slices that `index` names along `dim`.
    fn index_fill_number_(
        &self,
        dim: i64,
        index: &Tensor,
        number: impl Into<Number>,
    ) -> Result<Tensor>;
    /// Writes `number` at the places of `index` along `dim`.
    fn scatter_number_(
        &self,
        dim: i64,
        index: &Tensor,
        number: impl Into<Number>,
    ) -> Result<Tensor>;
}

impl WithNumber for Tensor {
    fn add_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("add", "Scalar");
        with(&OP, self, number)
    }

    fn add_number_(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("add_", "Scalar");
        with(&OP, self, number)
    }

    fn mul_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("mul", "Scalar");
        with(&OP, self, number)
    }

    fn mul_number_(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("mul_", "Scalar");
        with(&OP, self, number)
    }

    fn div_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("div", "Scalar");
        with(&OP, self, number)
    }

    fn rsub_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("rsub", "Scalar");
        with(&OP, self, number)
    }

    fn pow_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("pow", "Tensor_Scalar");
        with(&OP, self, number)
    }

    fn clamp_min_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("clamp_min", "");
        with(&OP, self, number)
    }

    fn clamp_min_number_(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("clamp_min_", "");
        with(&OP, self, number)
    }

    fn clamp_max_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("clamp_max", "");
        with(&OP, self, number)
    }

    fn clamp_number(&self, low: impl Into<Number>, high: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("clamp", "");
        one(OP.call(&[Arg::Tensor(self), low.into().0, high.into().0])?)
    }

    fn clamp_number_(&self, low: impl Into<Number>, high: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("clamp_", "");
        one(OP.call(&[Arg::Tensor(self), low.into().0, high.into().0])?)
    }

    fn ne_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("ne", "Scalar");
        with(&OP, self, number)
    }

    fn lt_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("lt", "Scalar");
        with(&OP, self, number)
    }

    fn fill_number_(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("fill_", "Scalar");
        with(&OP, self, number)
    }

    fn full_like_number(&self, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("full_like", "");
        with(&OP, self, number)
    }

    fn masked_fill_number(&self, mask: &Tensor, number: impl Into<Number>) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("masked_fill", "Scalar");
        one(OP.call(&[Arg::Tensor(self), Arg::Tensor(mask), number.into().0])?)
    }

    fn index_fill_number_(
        &self,
        dim: i64,
        index: &Tensor,
        number: impl Into<Number>,
    ) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("index_fill_", "int_Scalar");
        one(OP.call(&[Arg::Tensor(self), Arg::Int(dim), Arg::Tensor(index), number.into().0])?)
    }

    fn scatter_number_(
        &self,
        dim: i64,
        index: &Tensor,
        number: impl Into<Number>,
    ) -> Result<Tensor> {
        static OP: Lazy = Lazy::new("scatter_", "value");
        one(OP.call(&[Arg::Tensor(self), Arg::Int(dim), Arg::Tensor(index), number.into().0])?)
    }
}

/// `input + a @ b` for batches of matrices.
pub(crate) fn baddbmm(input: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    static OP: Lazy = Lazy::new("baddbmm", "");
    one(OP.call(&[Arg::Tensor(input), Arg::Tensor(a), Arg::Tensor(b)])?)
}

/// A tensor without dimensions.
pub(crate) fn number_tensor(value: f64, kind: tch::Kind, device: tch::Device) -> Result<Tensor> {
    let one = Tensor::f_from_slice(&[value])?.f_reshape([0i64; 0])?;
    Ok(one.f_to_kind(kind)?.f_to_device(device)?)
}
