//! Stochastic gradient descent with momentum (Sutskever et al., 2013).

use flambeau_runtime::torch::NativeArgument as Arg;
use flambeau_runtime::{Error, Result};
use tch::Tensor;

use super::algorithm::{Algorithm, Work, not_negative};
use super::foreach::{self, Lazy};
use super::lists::ParamState;
use super::values::Values;
use crate::functional::numbers::WithNumber;

/// `optim.SGD`.
pub(crate) struct Sgd;

const BUFFER: usize = 0;

impl Algorithm for Sgd {
    fn name(&self) -> &'static str {
        "SGD"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum_buffer"]
    }

    fn counts(&self) -> bool {
        false
    }

    fn kernel(&self) -> (bool, bool) {
        (true, true)
    }

    fn check(&self, values: &Values) -> Result<()> {
        not_negative(values, "lr", "learning rate")?;
        let momentum = not_negative(values, "momentum", "momentum value")?;
        not_negative(values, "weight_decay", "weight_decay value")?;
        if values.bool("nesterov")? && (momentum <= 0.0 || values.float("dampening")? != 0.0) {
            return Err(Error::value("Nesterov momentum requires a momentum and zero dampening"));
        }
        Ok(())
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        static FUSED: Lazy = Lazy::new("_fused_sgd_", "");
        let (lr, momentum) = (values.float("lr")?, values.float("momentum")?);
        let (dampening, decay) = (values.float("dampening")?, values.float("weight_decay")?);
        let (nesterov, maximize) = (values.bool("nesterov")?, values.bool("maximize")?);
        let Work { bucket, states } = work;
        // Lists that are there were made with their buffers.
        let (mut first, mut mixed) = (false, false);
        if momentum != 0.0 && bucket.slots[BUFFER].is_none() {
            let known = bucket.members.iter().filter(|&&m| has_buffer(&states[m])).count();
            first = known == 0;
            mixed = known != 0 && known != bucket.members.len();
        }
        // The kernel starts all buffers or none.
        if bucket.fused && !mixed {
            if momentum != 0.0 {
                bucket
                    .ensure(states, BUFFER, |_, param| Ok(param.f_detach()?.f_empty_like()?))?;
            }
            let buffers = if momentum == 0.0 { &[] } else { bucket.slot(BUFFER) };
            FUSED.call(&[
                Arg::Tensors(&bucket.params),
                Arg::Tensors(&bucket.grads),
                Arg::Tensors(buffers),
                Arg::Float(decay),
                Arg::Float(momentum),
                Arg::Float(lr),
                Arg::Float(dampening),
                Arg::Bool(nesterov),
                Arg::Bool(maximize),
                Arg::Bool(first),
            ])?;
            return Ok(());
        }
        let mut own = foreach::decayed(&bucket.params, &bucket.grads, maximize, decay)?;
        if momentum == 0.0 {
            return foreach::add_(&bucket.params, own.as_ref().unwrap_or(&bucket.grads), -lr);
        }
        let grads: Vec<Tensor> =
            own.as_ref().unwrap_or(&bucket.grads).iter().map(Tensor::shallow_clone).collect();
        let started: Vec<bool> = bucket.members.iter().map(|&m| has_buffer(&states[m])).collect();
        bucket.ensure(states, BUFFER, |i, _| foreach::copy(&grads[i].f_detach()?))?;
        let buffers = bucket.slot(BUFFER);
        // A buffer that was just made from the gradient is not updated with it again.
        let chosen = |list: &[Tensor]| -> Vec<Tensor> {
            list.iter()
                .zip(&started)
                .filter(|(_, on)| **on)
                .map(|(t, _)| t.shallow_clone())
                .collect()
        };
        if started.iter().all(|on| *on) {
            foreach::mul_scalar_(buffers, momentum)?;
            foreach::add_(buffers, &grads, 1.0 - dampening)?;
        } else if started.iter().any(|on| *on) {
            foreach::mul_scalar_(&chosen(buffers), momentum)?;
            foreach::add_(&chosen(buffers), &chosen(&grads), 1.0 - dampening)?;
        }
        if nesterov {
            let ahead = match own.take() {
                Some(own) => {
                    foreach::add_(&own, buffers, momentum)?;
                    own
                }
                None => foreach::add(&grads, buffers, momentum)?,
            };
            return foreach::add_(&bucket.params, &ahead, -lr);
        }
        foreach::add_(&bucket.params, buffers, -lr)
    }

    fn update_sparse(
        &self,
        values: &Values,
        param: &Tensor,
        grad: &Tensor,
        state: &mut ParamState,
    ) -> Result<()> {
        let (lr, momentum) = (values.float("lr")?, values.float("momentum")?);
        let decay = values.float("weight_decay")?;
        let mut grad = if values.bool("maximize")? { grad.f_neg()? } else { grad.shallow_clone() };
        if decay != 0.0 {
            grad = grad.f_add(&param.mul_number(decay)?)?;
        }
        if momentum != 0.0 {
            if state.slots.is_empty() {
                state.slots.push(None);
            }
            match &mut state.slots[BUFFER] {
                Some(buffer) => {
                    let _ = buffer.mul_number_(momentum)?;
                    foreach::add_one_(buffer, &grad, 1.0 - values.float("dampening")?)?;
                }
                slot => *slot = Some(foreach::copy(&grad.f_detach()?)?),
            }
            if let Some(buffer) = &state.slots[BUFFER] {
                grad = match values.bool("nesterov")? {
                    true => grad.f_add(&buffer.mul_number(momentum)?)?,
                    false => buffer.shallow_clone(),
                };
            }
        }
        foreach::add_one_(param, &grad, -lr)
    }
}

fn has_buffer(state: &ParamState) -> bool {
    state.slots.get(BUFFER).is_some_and(Option::is_some)
}
