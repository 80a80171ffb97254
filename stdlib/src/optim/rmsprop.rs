//! RMSprop (Hinton, 2012) and Adadelta (Zeiler, 2012): scaling by running squares.

use flambeau_runtime::{Error, Result};

use super::algorithm::{Algorithm, Work, not_negative};
use super::foreach;
use super::values::Values;

/// `optim.RMSprop`.
pub(crate) struct RmsProp;

const SQUARE: usize = 0;
const BUFFER: usize = 1;
const MEAN: usize = 2;

impl Algorithm for RmsProp {
    fn name(&self) -> &'static str {
        "RMSprop"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["square_avg", "momentum_buffer", "grad_avg"]
    }

    fn check(&self, values: &Values) -> Result<()> {
        not_negative(values, "lr", "learning rate")?;
        not_negative(values, "eps", "epsilon value")?;
        not_negative(values, "momentum", "momentum value")?;
        not_negative(values, "weight_decay", "weight_decay value")?;
        not_negative(values, "alpha", "alpha value").map(drop)
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        let (lr, alpha, eps) = (values.float("lr")?, values.float("alpha")?, values.float("eps")?);
        let (decay, momentum) = (values.float("weight_decay")?, values.float("momentum")?);
        let (centered, maximize) = (values.bool("centered")?, values.bool("maximize")?);
        work.zeros(SQUARE)?;
        if momentum > 0.0 {
            work.zeros(BUFFER)?;
        }
        if centered {
            work.zeros(MEAN)?;
        }
        let bucket = &mut *work.bucket;
        bucket.advance()?;
        let own = foreach::decayed(&bucket.params, &bucket.grads, maximize, decay)?;
        let grads = own.as_deref().unwrap_or(&bucket.grads);
        let squares = bucket.slot(SQUARE);
        foreach::mul_scalar_(squares, alpha)?;
        foreach::addcmul_(squares, grads, grads, 1.0 - alpha)?;
        let roots = match centered {
            true => {
                let means = bucket.slot(MEAN);
                foreach::lerp_(means, grads, 1.0 - alpha)?;
                let variances = foreach::addcmul(squares, means, means, -1.0)?;
                foreach::sqrt_(&variances)?;
                variances
            }
            false => foreach::sqrt(squares)?,
        };
        foreach::add_scalar_(&roots, eps)?;
        if momentum > 0.0 {
            let buffers = bucket.slot(BUFFER);
            foreach::mul_scalar_(buffers, momentum)?;
            foreach::addcdiv_(buffers, grads, &roots, 1.0)?;
            return foreach::add_(&bucket.params, buffers, -lr);
        }
        foreach::addcdiv_(&bucket.params, grads, &roots, -lr)
    }
}

/// `optim.Adadelta`.
pub(crate) struct Adadelta;

const DELTA: usize = 1;

impl Algorithm for Adadelta {
    fn name(&self) -> &'static str {
        "Adadelta"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["square_avg", "acc_delta"]
    }

    fn check(&self, values: &Values) -> Result<()> {
        not_negative(values, "lr", "learning rate")?;
        let rho = values.float("rho")?;
        if !(0.0..=1.0).contains(&rho) {
            return Err(Error::value(format!("Invalid rho value: {rho}")));
        }
        not_negative(values, "eps", "epsilon value")?;
        not_negative(values, "weight_decay", "weight_decay value").map(drop)
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        let (lr, rho, eps) = (values.float("lr")?, values.float("rho")?, values.float("eps")?);
        let (decay, maximize) = (values.float("weight_decay")?, values.bool("maximize")?);
        work.zeros(SQUARE)?;
        work.zeros(DELTA)?;
        let bucket = &mut *work.bucket;
        bucket.advance()?;
        let own = foreach::decayed(&bucket.params, &bucket.grads, maximize, decay)?;
        let grads = own.as_deref().unwrap_or(&bucket.grads);
        let (squares, sums) = (bucket.slot(SQUARE), bucket.slot(DELTA));
        foreach::mul_scalar_(squares, rho)?;
        foreach::addcmul_(squares, grads, grads, 1.0 - rho)?;
        let roots = foreach::add_scalar(squares, eps)?;
        foreach::sqrt_(&roots)?;
        let deltas = foreach::add_scalar(sums, eps)?;
        foreach::sqrt_(&deltas)?;
        foreach::div_(&deltas, &roots)?;
        foreach::mul_(&deltas, grads)?;
        foreach::mul_scalar_(sums, rho)?;
        foreach::addcmul_(sums, &deltas, &deltas, 1.0 - rho)?;
        foreach::add_(&bucket.params, &deltas, -lr)
    }
}
