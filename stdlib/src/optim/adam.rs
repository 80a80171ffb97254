//! Adam (Kingma & Ba, 2014), AMSGrad (Reddi et al., 2018) and AdamW (Loshchilov & Hutter, 2017).

use flambeau_runtime::torch::NativeArgument as Arg;
use flambeau_runtime::{Error, Result};

use super::algorithm::{Algorithm, Work, betas, not_negative};
use super::foreach::{self, Lazy};
use super::values::Values;

/// `optim.Adam` and `optim.AdamW`.
pub(crate) struct Adam {
    /// Whether this is `AdamW`, which decays the weights themselves.
    pub decoupled: bool,
}

const MEAN: usize = 0;
const SQUARE: usize = 1;
const MOST: usize = 2;

impl Algorithm for Adam {
    fn name(&self) -> &'static str {
        if self.decoupled { "AdamW" } else { "Adam" }
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    }

    fn kernel(&self) -> (bool, bool) {
        (true, true)
    }

    fn check(&self, values: &Values) -> Result<()> {
        not_negative(values, "lr", "learning rate")?;
        not_negative(values, "eps", "epsilon value")?;
        betas(values)?;
        not_negative(values, "weight_decay", "weight_decay value")?;
        if values.bool("fused")? && values.bool("foreach")? {
            return Err(Error::value("`fused` and `foreach` cannot be `True` together."));
        }
        Ok(())
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        static ADAM: Lazy = Lazy::new("_fused_adam_", "");
        static ADAMW: Lazy = Lazy::new("_fused_adamw_", "");
        let (lr, (beta1, beta2)) = (values.float("lr")?, values.pair("betas")?);
        let (eps, decay) = (values.float("eps")?, values.float("weight_decay")?);
        let (amsgrad, maximize) = (values.bool("amsgrad")?, values.bool("maximize")?);
        let decoupled = self.decoupled || values.bool("decoupled_weight_decay")?;
        work.zeros(MEAN)?;
        work.zeros(SQUARE)?;
        if amsgrad {
            work.zeros(MOST)?;
        }
        let bucket = &mut *work.bucket;
        bucket.advance()?;
        let (means, squares) = (bucket.slot(MEAN), bucket.slot(SQUARE));
        if bucket.fused {
            let operator = if decoupled { &ADAMW } else { &ADAM };
            operator.call(&[
                Arg::Tensors(&bucket.params),
                Arg::Tensors(&bucket.grads),
                Arg::Tensors(means),
                Arg::Tensors(squares),
                Arg::Tensors(if amsgrad { bucket.slot(MOST) } else { &[] }),
                Arg::Tensors(&bucket.step_tensors),
                Arg::Float(lr),
                Arg::Float(beta1),
                Arg::Float(beta2),
                Arg::Float(decay),
                Arg::Float(eps),
                Arg::Bool(amsgrad),
                Arg::Bool(maximize),
            ])?;
            return Ok(());
        }
        if decoupled && decay != 0.0 {
            foreach::mul_scalar_(&bucket.params, 1.0 - lr * decay)?;
        }
        let added = if decoupled { 0.0 } else { decay };
        let own = foreach::decayed(&bucket.params, &bucket.grads, maximize, added)?;
        let grads = own.as_deref().unwrap_or(&bucket.grads);
        foreach::lerp_(means, grads, 1.0 - beta1)?;
        foreach::mul_scalar_(squares, beta2)?;
        foreach::addcmul_(squares, grads, grads, 1.0 - beta2)?;
        let roots = match amsgrad {
            true => {
                foreach::maximum_(bucket.slot(MOST), squares)?;
                foreach::sqrt(bucket.slot(MOST))?
            }
            false => foreach::sqrt(squares)?,
        };
        foreach::div_scalars_(&roots, &bucket.by_step(|t| (1.0 - beta2.powf(t)).powf(0.5)))?;
        foreach::add_scalar_(&roots, eps)?;
        let sizes = bucket.by_step(|t| -(lr / (1.0 - beta1.powf(t))));
        foreach::addcdiv_scalars_(&bucket.params, means, &roots, &sizes)
    }
}
