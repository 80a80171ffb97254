//! What a module asks of its tensors beyond operators: identity, leaves, data and gradients.

use flambeau_runtime::torch::{self, Tensor, sizes};
use std::collections::HashMap;

use flambeau_runtime::error::Result;

/// Whether both are handles to one tensor: the same elements of the same storage, and as leaves
/// alike. (Two leaves that were made to share all their memory count as one.)
pub(crate) fn same(a: &Tensor, b: &Tensor) -> bool {
    a.requires_grad() == b.requires_grad() && a.f_is_set_to(b).unwrap_or(false)
}

/// Tensors that were met already, for walks that list each once.
#[derive(Default)]
pub(crate) struct Seen(HashMap<Vec<i64>, Vec<Tensor>>);

impl Seen {
    /// Notes the tensor; `false` where it was met before.
    pub fn insert(&mut self, tensor: &Tensor) -> bool {
        // Only tensors of one shape can be one tensor.
        let alike = self.0.entry(sizes(tensor)).or_default();
        if alike.iter().any(|met| same(met, tensor)) {
            return false;
        }
        alike.push(tensor.clone());
        true
    }
}

/// Whether no operator with a graph made it.
pub(crate) fn is_leaf(tensor: &Tensor) -> bool {
    tensor.f_is_leaf().unwrap_or(false)
}

/// A leaf with the same data, as `nn.Parameter(data, requires_grad)` makes it.
///
/// # Errors
/// What libtorch reports, as for an integer tensor that should require gradients.
pub(crate) fn parameter(data: &Tensor, requires_grad: bool) -> Result<Tensor> {
    let mut leaf = data.f_detach()?;
    if requires_grad {
        leaf = leaf.f_requires_grad_(true)?;
    }
    Ok(Tensor::from(leaf).into_parameter())
}

/// `tensor.data = data`: the same tensor with other contents, so that optimisers keep hold of it.
///
/// # Errors
/// What libtorch reports where the two do not fit.
pub(crate) fn set_data(tensor: &Tensor, data: &Tensor) -> Result<()> {
    tensor.tch().f_set_data(data)?;
    Ok(())
}

/// `tensor.grad`, where there is one.
///
/// # Errors
/// What libtorch reports.
pub(crate) fn grad(tensor: &Tensor) -> Result<Option<Tensor>> {
    let grad = tensor.f_grad()?;
    Ok(grad.defined().then(|| grad.into()))
}

/// `tensor.grad = grad`; `None` clears it.
///
/// # Errors
/// What libtorch reports where the two do not fit.
pub(crate) fn set_grad(tensor: &Tensor, grad: Option<&Tensor>) -> Result<()> {
    torch::set_grad(tensor, grad.map(AsRef::as_ref))
}
