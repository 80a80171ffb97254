//! What an optimiser's update rule is: its state's names, its checks, and one step over lists.

use flambeau_runtime::{Error, Result};
use tch::Tensor;

use super::lists::{Bucket, ParamState};
use super::values::Values;

/// One step's work: parameters of one device and dtype with their gradients and state.
pub(crate) struct Work<'a> {
    pub bucket: &'a mut Bucket,
    pub states: &'a mut [ParamState],
}

impl Work<'_> {
    /// Makes sure that `slot` holds zeros of the parameters' shapes at first.
    pub(crate) fn zeros(&mut self, slot: usize) -> Result<()> {
        self.bucket.zeros(self.states, slot)
    }
}

/// An update rule. The step's formulas are those of PyTorch's `_single_tensor_*` functions, over lists.
pub(crate) trait Algorithm {
    /// PyTorch's class name.
    fn name(&self) -> &'static str;

    /// The names of the state tensors of a parameter, besides `step`.
    fn slots(&self) -> &'static [&'static str];

    /// Whether the state has a `step`.
    fn counts(&self) -> bool {
        true
    }

    /// Whether there is a fused kernel on the CPU and on CUDA.
    fn kernel(&self) -> (bool, bool) {
        (false, false)
    }

    /// Refuses settings that make no sense.
    fn check(&self, values: &Values) -> Result<()>;

    /// Makes state that PyTorch makes before the first step.
    fn prime(&self, _values: &Values, _work: &mut Work<'_>) -> Result<bool> {
        Ok(false)
    }

    /// One step. Gradients are recorded by nobody while it runs.
    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()>;

    /// One step of one parameter whose gradient is sparse.
    fn update_sparse(
        &self,
        _values: &Values,
        _param: &Tensor,
        _grad: &Tensor,
        _state: &mut ParamState,
    ) -> Result<()> {
        Err(Error::value(format!("{} does not support sparse gradients", self.name()))
            .help("use SGD or Adagrad, or an embedding with sparse: false"))
    }
}

/// Refuses a value below zero (or NaN), in PyTorch's words.
pub(crate) fn not_negative(values: &Values, name: &str, what: &str) -> Result<f64> {
    let value = values.float(name)?;
    if value >= 0.0 {
        return Ok(value);
    }
    let value = super::values::python_float(value);
    Err(Error::value(format!("Invalid {what}: {value}")))
}

/// Refuses betas outside [0, 1).
pub(crate) fn betas(values: &Values) -> Result<(f64, f64)> {
    let (beta1, beta2) = values.pair("betas")?;
    for (i, beta) in [beta1, beta2].into_iter().enumerate() {
        if !(0.0..1.0).contains(&beta) {
            let beta = super::values::python_float(beta);
            return Err(Error::value(format!("Invalid beta parameter at index {i}: {beta}")));
        }
    }
    Ok((beta1, beta2))
}
