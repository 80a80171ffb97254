//! Adagrad (Duchi et al., 2011).

use std::cell::Cell;
use std::rc::Rc;

use flambeau_runtime::torch::NativeArgument as Arg;
use flambeau_runtime::torch::sizes;
use flambeau_runtime::{Error, Result};
use tch::Tensor;

use super::algorithm::{Algorithm, Work, not_negative};
use super::foreach::{self, Lazy};
use super::lists::{ParamState, StepCount};
use super::values::Values;
use crate::functional::common::device;
use crate::functional::numbers::{WithNumber, number_tensor};

/// `optim.Adagrad`.
pub(crate) struct Adagrad;

const SUM: usize = 0;

impl Algorithm for Adagrad {
    fn name(&self) -> &'static str {
        "Adagrad"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn kernel(&self) -> (bool, bool) {
        (true, false)
    }

    fn check(&self, values: &Values) -> Result<()> {
        not_negative(values, "lr", "learning rate")?;
        not_negative(values, "lr_decay", "lr_decay value")?;
        not_negative(values, "weight_decay", "weight_decay value")?;
        not_negative(values, "initial_accumulator_value", "initial_accumulator_value value")?;
        not_negative(values, "eps", "epsilon value")?;
        if values.bool("fused")? && values.bool("foreach")? {
            return Err(Error::value("`fused` and `foreach` cannot be `True` together."));
        }
        Ok(())
    }

    fn prime(&self, values: &Values, work: &mut Work<'_>) -> Result<bool> {
        let start = values.float("initial_accumulator_value")?;
        work.bucket
            .ensure(work.states, SUM, |_, param| param.f_detach()?.full_like_number(start))?;
        Ok(true)
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        static FUSED: Lazy = Lazy::new("_fused_adagrad_", "");
        let (lr, lr_decay) = (values.float("lr")?, values.float("lr_decay")?);
        let (eps, decay) = (values.float("eps")?, values.float("weight_decay")?);
        let maximize = values.bool("maximize")?;
        self.prime(values, work)?;
        let bucket = &mut *work.bucket;
        bucket.advance()?;
        let sums = bucket.slot(SUM);
        if bucket.fused {
            FUSED.call(&[
                Arg::Tensors(&bucket.params),
                Arg::Tensors(&bucket.grads),
                Arg::Tensors(sums),
                Arg::Tensors(&bucket.step_tensors),
                Arg::Float(lr),
                Arg::Float(lr_decay),
                Arg::Float(decay),
                Arg::Float(eps),
                Arg::Bool(maximize),
            ])?;
            return Ok(());
        }
        let own = foreach::decayed(&bucket.params, &bucket.grads, maximize, decay)?;
        let grads = own.as_deref().unwrap_or(&bucket.grads);
        foreach::addcmul_(sums, grads, grads, 1.0)?;
        let roots = foreach::sqrt(sums)?;
        foreach::add_scalar_(&roots, eps)?;
        let sizes = bucket.by_step(|t| -(lr / (1.0 + (t - 1.0) * lr_decay)));
        foreach::addcdiv_scalars_(&bucket.params, grads, &roots, &sizes)
    }

    fn update_sparse(
        &self,
        values: &Values,
        param: &Tensor,
        grad: &Tensor,
        state: &mut ParamState,
    ) -> Result<()> {
        if values.float("weight_decay")? != 0.0 {
            return Err(Error::value(
                "weight_decay option is not compatible with sparse gradients",
            ));
        }
        let count = match &state.step {
            Some(count) if Rc::strong_count(count) == 1 => count.clone(),
            shared => {
                let value = shared.as_ref().map_or(0.0, |count| count.value.get());
                let tensor = number_tensor(value, tch::Kind::Float, tch::Device::Cpu)?;
                Rc::new(StepCount { tensor, value: Cell::new(value) })
            }
        };
        let _ = count.tensor.add_number_(1.0)?;
        count.value.set(count.value.get() + 1.0);
        let step = count.value.get();
        state.step = Some(count);
        if state.slots.is_empty() {
            let start = values.float("initial_accumulator_value")?;
            state.slots.push(Some(param.f_detach()?.full_like_number(start)?));
        }
        let Some(sum) = &state.slots[SUM] else { return Ok(()) };
        let grad = if values.bool("maximize")? { grad.f_neg()? } else { grad.shallow_clone() };
        let grad = grad.f_coalesce()?;
        let (indices, elements) = (grad.f_internal_indices()?, grad.f_internal_values()?);
        let sparse = |values: &Tensor| -> Result<Tensor> {
            let size = sizes(&grad);
            let options = (values.f_kind()?, device(values)?);
            Ok(Tensor::f_sparse_coo_tensor_indices_size(
                &indices,
                values,
                size.as_slice(),
                options,
                false,
            )?)
        };
        foreach::add_one_(sum, &sparse(&elements.pow_number(2)?)?, 1.0)?;
        let root = sum.f_sparse_mask(&grad)?.f_internal_values()?.f_sqrt()?;
        let root = root.add_number(values.float("eps")?)?;
        let rate = values.float("lr")? / (1.0 + (step - 1.0) * values.float("lr_decay")?);
        foreach::add_one_(param, &sparse(&elements.f_div(&root)?)?, -rate)
    }
}
