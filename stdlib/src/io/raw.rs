//! Elements as bytes: what file formats hold, apart from libtorch, so that readers can be tested
//! without it.

use flambeau_runtime::error::Result;
use flambeau_runtime::script::Context;
use flambeau_runtime::torch::{self, Dtype, Tensor, sizes};
use rhai::Dynamic;

/// A dense tensor as bytes: native byte order, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RawTensor {
    /// The element type.
    pub dtype: Dtype,
    /// Sizes of the dimensions.
    pub shape: Vec<i64>,
    /// `shape` product times `dtype.itemsize()` bytes.
    pub bytes: Vec<u8>,
}

/// The number of elements of `shape`; `None` where it does not fit or a size is negative.
pub(crate) fn elements(shape: &[i64]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &size| n.checked_mul(usize::try_from(size).ok()?))
}

/// The bytes that `shape` elements of `dtype` take; `None` where that does not fit.
pub(crate) fn byte_len(dtype: Dtype, shape: &[i64]) -> Option<usize> {
    elements(shape)?.checked_mul(dtype.itemsize())
}

impl RawTensor {
    /// Copies a tensor's elements to the host.
    pub fn of(tensor: &Tensor) -> Result<RawTensor> {
        // Conjugate and negative views are resolved, or the bytes would be those of the base.
        let plain = tensor.f_detach()?.f_resolve_conj()?.f_resolve_neg()?;
        Ok(RawTensor { dtype: tensor.dtype(), shape: sizes(tensor), bytes: torch::bytes(&plain)? })
    }

    /// A new tensor on the CPU with these elements.
    pub fn into_tensor(mut self, ctx: &Context<'_>) -> Result<Tensor> {
        if self.dtype == Dtype::BOOL {
            // A byte other than 0 and 1 is no bool to libtorch.
            self.bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
        let flat = tch::Tensor::f_from_slice(&self.bytes)?;
        drop(self.bytes);
        let typed =
            ctx.op("view", vec![Dynamic::from(Tensor::from(flat)), Dynamic::from(self.dtype)])?;
        let typed = typed.try_cast::<Tensor>().ok_or_else(|| {
            flambeau_runtime::error::Error::type_(format!(
                "{} cannot be made from bytes",
                self.dtype
            ))
        })?;
        Ok(typed.f_view(&self.shape[..])?.into())
    }
}

/// Exchanges little and big endian in place; `width` is the size of one number in bytes.
pub(crate) fn swap_bytes(bytes: &mut [u8], width: usize) {
    if width > 1 {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
}

/// Row-major bytes from column-major ones.
pub(crate) fn from_column_major(bytes: &[u8], shape: &[i64], itemsize: usize) -> Vec<u8> {
    let sizes: Vec<usize> = shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
    if sizes.len() < 2 || bytes.is_empty() {
        return bytes.to_vec();
    }
    let mut strides = vec![1; sizes.len()];
    for i in 1..sizes.len() {
        strides[i] = strides[i - 1] * sizes[i - 1];
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = vec![0; sizes.len()];
    let mut source = 0;
    for _ in 0..bytes.len() / itemsize {
        out.extend_from_slice(&bytes[source * itemsize..(source + 1) * itemsize]);
        for i in (0..sizes.len()).rev() {
            index[i] += 1;
            source += strides[i];
            if index[i] < sizes[i] {
                break;
            }
            source -= strides[i] * sizes[i];
            index[i] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_major_becomes_row_major() {
        // [[1, 2, 3], [4, 5, 6]] column by column.
        assert_eq!(from_column_major(&[1, 4, 2, 5, 3, 6], &[2, 3], 1), [1, 2, 3, 4, 5, 6]);
        let wide = from_column_major(&[1, 0, 3, 0, 2, 0, 4, 0], &[2, 2], 2);
        assert_eq!(wide, [1, 0, 2, 0, 3, 0, 4, 0]);
        // x[i, j, k] = 4 i + 2 j + k.
        assert_eq!(
            from_column_major(&[0, 4, 2, 6, 1, 5, 3, 7], &[2, 2, 2], 1),
            [0, 1, 2, 3, 4, 5, 6, 7]
        );
    }

    #[test]
    fn sizes_that_cannot_be_have_no_length() {
        assert_eq!(elements(&[]), Some(1));
        assert_eq!(elements(&[3, 0]), Some(0));
        assert_eq!(elements(&[i64::MAX, 4]), None);
        assert_eq!(elements(&[-1]), None);
        assert_eq!(byte_len(Dtype::FLOAT32, &[2, 3]), Some(24));
    }
}
