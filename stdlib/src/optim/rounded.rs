//! Numbers that round as PyTorch's do: a Python float keeps 64 bits, an element of a float32 tensor 32,
//! and a result with such an element has 32. L-BFGS mixes both, and its decisions hang on them.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

use flambeau_runtime::Result;

/// A Python float, or the one element of a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounded {
    pub value: f64,
    /// Whether this is an element of a float32 tensor.
    pub single: bool,
}

impl Rounded {
    /// A Python float.
    pub(crate) fn float(value: f64) -> Self {
        Rounded { value, single: false }
    }

    fn with(
        self,
        other: Rounded,
        single: impl Fn(f32, f32) -> f32,
        double: impl Fn(f64, f64) -> f64,
    ) -> Rounded {
        if self.single || other.single {
            let value = single(self.value as f32, other.value as f32);
            Rounded { value: f64::from(value), single: true }
        } else {
            Rounded::float(double(self.value, other.value))
        }
    }

    pub(crate) fn abs(self) -> Self {
        Rounded { value: self.value.abs(), ..self }
    }

    /// The square root; an element's by libtorch, whose vector library does not round to nearest.
    pub(crate) fn sqrt(self) -> Result<Self> {
        if !self.single {
            return Ok(Rounded::float(self.value.sqrt()));
        }
        let root = tch::Tensor::from(self.value as f32).f_sqrt()?.f_double_value(&[])?;
        Ok(Rounded { value: root, single: true })
    }

    /// Python's `max`: the first of equals.
    pub(crate) fn max(self, other: Rounded) -> Self {
        if other > self { other } else { self }
    }

    /// Python's `min`: the first of equals.
    pub(crate) fn min(self, other: Rounded) -> Self {
        if other < self { other } else { self }
    }
}

impl Add for Rounded {
    type Output = Rounded;
    fn add(self, other: Rounded) -> Rounded {
        self.with(other, |a, b| a + b, |a, b| a + b)
    }
}

impl Sub for Rounded {
    type Output = Rounded;
    fn sub(self, other: Rounded) -> Rounded {
        self.with(other, |a, b| a - b, |a, b| a - b)
    }
}

impl Mul for Rounded {
    type Output = Rounded;
    fn mul(self, other: Rounded) -> Rounded {
        self.with(other, |a, b| a * b, |a, b| a * b)
    }
}

impl Div for Rounded {
    type Output = Rounded;
    fn div(self, other: Rounded) -> Rounded {
        if !self.single && other.single {
            // A number over a tensor is the tensor's reciprocal times the number.
            return self.with(other, |a, b| b.recip() * a, |a, b| a / b);
        }
        self.with(other, |a, b| a / b, |a, b| a / b)
    }
}

impl Neg for Rounded {
    type Output = Rounded;
    fn neg(self) -> Rounded {
        Rounded { value: -self.value, ..self }
    }
}

impl Mul<Rounded> for f64 {
    type Output = Rounded;
    fn mul(self, other: Rounded) -> Rounded {
        Rounded::float(self) * other
    }
}

impl PartialEq for Rounded {
    fn eq(&self, other: &Rounded) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Rounded {
    fn partial_cmp(&self, other: &Rounded) -> Option<Ordering> {
        if self.single || other.single {
            (self.value as f32).partial_cmp(&(other.value as f32))
        } else {
            self.value.partial_cmp(&other.value)
        }
    }
}

impl PartialEq<f64> for Rounded {
    fn eq(&self, other: &f64) -> bool {
        *self == Rounded::float(*other)
    }
}

impl PartialOrd<f64> for Rounded {
    fn partial_cmp(&self, other: &f64) -> Option<Ordering> {
        self.partial_cmp(&Rounded::float(*other))
    }
}

#[cfg(test)]
mod tests {
    use super::Rounded;

    #[test]
    fn a_float32_element_rounds_what_it_touches() {
        let third = Rounded { value: f64::from(1.0f32 / 3.0), single: true };
        let sum = Rounded::float(1e-9) + third;
        assert!(sum.single);
        assert_eq!(sum.value, third.value);
        assert!((Rounded::float(1.0) + Rounded::float(1e-9)).value > 1.0);
    }
}
