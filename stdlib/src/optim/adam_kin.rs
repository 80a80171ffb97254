//! Kin of Adam: Adamax (Kingma & Ba, 2014), NAdam (Dozat, 2016), RAdam (Liu et al., 2019).

use flambeau_runtime::Result;
use tch::Tensor;

use super::algorithm::{Algorithm, Work, betas, not_negative};
use super::foreach;
use super::lists::Bucket;
use super::values::Values;
use crate::functional::numbers::WithNumber;

/// `optim.Adamax`.
pub(crate) struct Adamax;
/// `optim.NAdam`.
pub(crate) struct NAdam;
/// `optim.RAdam`.
pub(crate) struct RAdam;

const MEAN: usize = 0;
const SQUARE: usize = 1;
const PRODUCT: usize = 2;

fn check(values: &Values) -> Result<()> {
    not_negative(values, "lr", "learning rate")?;
    not_negative(values, "eps", "epsilon value")?;
    betas(values)?;
    not_negative(values, "weight_decay", "weight_decay value").map(drop)
}

/// The gradients after weight decay, which `decoupled` decay gives to the parameters instead.
fn decayed(bucket: &Bucket, values: &Values, lr: f64) -> Result<Option<Vec<Tensor>>> {
    let (decay, maximize) = (values.float("weight_decay")?, values.bool("maximize")?);
    let decoupled = values.bool("decoupled_weight_decay")?;
    if decoupled && decay != 0.0 {
        foreach::mul_scalar_(&bucket.params, 1.0 - lr * decay)?;
    }
    let added = if decoupled { 0.0 } else { decay };
    foreach::decayed(&bucket.params, &bucket.grads, maximize, added)
}

impl Algorithm for Adamax {
    fn name(&self) -> &'static str {
        "Adamax"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_inf"]
    }

    fn check(&self, values: &Values) -> Result<()> {
        check(values)
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        let (lr, (beta1, beta2)) = (values.float("lr")?, values.pair("betas")?);
        let eps = values.float("eps")?;
        work.zeros(MEAN)?;
        work.zeros(SQUARE)?;
        let bucket = &mut *work.bucket;
        bucket.advance()?;
        let own = decayed(bucket, values, lr)?;
        let grads = own.as_deref().unwrap_or(&bucket.grads);
        let (means, most) = (bucket.slot(MEAN), bucket.slot(SQUARE));
        foreach::lerp_(means, grads, 1.0 - beta1)?;
        foreach::mul_scalar_(most, beta2)?;
        let magnitudes = foreach::abs(grads)?;
        foreach::add_scalar_(&magnitudes, eps)?;
        foreach::maximum_(most, &magnitudes)?;
        let sizes = bucket.by_step(|t| -(lr / (1.0 - beta1.powf(t))));
        foreach::addcdiv_scalars_(&bucket.params, means, most, &sizes)
    }
}

impl Algorithm for NAdam {
    fn name(&self) -> &'static str {
        "NAdam"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq", "mu_product"]
    }

    fn check(&self, values: &Values) -> Result<()> {
        check(values)?;
        not_negative(values, "momentum_decay", "momentum_decay value").map(drop)
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        let (lr, (beta1, beta2)) = (values.float("lr")?, values.pair("betas")?);
        let (eps, psi) = (values.float("eps")?, values.float("momentum_decay")?);
        work.zeros(MEAN)?;
        work.zeros(SQUARE)?;
        work.bucket.ensure(work.states, PRODUCT, |_, _| {
            Ok(Tensor::f_ones([0i64; 0], (tch::Kind::Float, tch::Device::Cpu))?)
        })?;
        let bucket = &mut *work.bucket;
        bucket.advance()?;
        let own = decayed(bucket, values, lr)?;
        let grads = own.as_deref().unwrap_or(&bucket.grads);
        let (means, squares) = (bucket.slot(MEAN), bucket.slot(SQUARE));
        let mu = |t: f64| beta1 * (1.0 - 0.5 * 0.96f64.powf(t * psi));
        let (mut of_grads, mut of_means) = (Vec::new(), Vec::new());
        for (t, product) in bucket.steps().zip(bucket.slot(PRODUCT)) {
            let (now, next) = (mu(t), mu(t + 1.0));
            let _ = product.mul_number_(now)?;
            let product = product.f_double_value(&[])?;
            of_grads.push(-lr * (1.0 - now) / (1.0 - product));
            of_means.push(-lr * next / (1.0 - product * next));
        }
        foreach::lerp_(means, grads, 1.0 - beta1)?;
        foreach::mul_scalar_(squares, beta2)?;
        foreach::addcmul_(squares, grads, grads, 1.0 - beta2)?;
        let roots = foreach::div_scalars(squares, &bucket.by_step(|t| 1.0 - beta2.powf(t)))?;
        foreach::sqrt_(&roots)?;
        foreach::add_scalar_(&roots, eps)?;
        foreach::addcdiv_scalars_(&bucket.params, grads, &roots, &of_grads)?;
        foreach::addcdiv_scalars_(&bucket.params, means, &roots, &of_means)
    }
}

impl Algorithm for RAdam {
    fn name(&self) -> &'static str {
        "RAdam"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq"]
    }

    fn check(&self, values: &Values) -> Result<()> {
        check(values)
    }

    fn update(&self, values: &Values, work: &mut Work<'_>) -> Result<()> {
        let (lr, (beta1, beta2)) = (values.float("lr")?, values.pair("betas")?);
        let eps = values.float("eps")?;
        work.zeros(MEAN)?;
        work.zeros(SQUARE)?;
        let bucket = &mut *work.bucket;
        bucket.advance()?;
        let own = decayed(bucket, values, lr)?;
        let grads = own.as_deref().unwrap_or(&bucket.grads);
        let (means, squares) = (bucket.slot(MEAN), bucket.slot(SQUARE));
        foreach::lerp_(means, grads, 1.0 - beta1)?;
        foreach::mul_scalar_(squares, beta2)?;
        foreach::addcmul_(squares, grads, grads, 1.0 - beta2)?;
        let moves = foreach::div_scalars(means, &bucket.by_step(|t| 1.0 - beta1.powf(t)))?;
        foreach::mul_scalar_(&moves, lr)?;
        // Where the variance is known well enough, the step adapts to it; else it is plain momentum.
        let most = 2.0 / (1.0 - beta2) - 1.0;
        let length = |t: f64| most - 2.0 * t * beta2.powf(t) / (1.0 - beta2.powf(t));
        for (i, t) in bucket.steps().enumerate() {
            let rho = length(t);
            if rho <= 5.0 {
                continue;
            }
            let rect =
                ((rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho)).powf(0.5);
            let root = squares[i].f_sqrt()?.add_number_(eps)?;
            let scale = (1.0 - beta2.powf(t)).powf(0.5);
            let adaptive = root.f_reciprocal()?.mul_number(scale)?;
            let _ = moves[i].shallow_clone().f_mul_(&adaptive)?.mul_number_(rect)?;
        }
        foreach::add_(&bucket.params, &moves, -1.0)
    }
}
