//! `CyclicLR` (Smith, 2017): a triangle wave between two rates, with momentum the other way.

use flambeau_runtime::script::Context;
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::Progress;
use crate::optim::optimizer::Optimizer;
use crate::optim::values::number;

/// How the height of the wave changes.
#[derive(Clone)]
pub(crate) enum Scale {
    /// Not at all.
    Triangular,
    /// Half of it in every cycle.
    Triangular2,
    /// By a power of gamma.
    ExpRange,
    /// By a closure.
    Own(Dynamic),
}

#[derive(Clone)]
pub(crate) struct Cyclic {
    pub base_lrs: Vec<f64>,
    pub max_lrs: Vec<f64>,
    pub total_size: f64,
    pub step_ratio: f64,
    pub mode: String,
    pub gamma: f64,
    pub scale: Scale,
    /// Whether the scale depends on the cycle, or else on the iteration.
    pub by_cycle: bool,
    /// Least and most momentum of each group, where momentum is cycled.
    pub momentum: Option<(Vec<f64>, Vec<f64>)>,
    /// Whether the momentum is beta1.
    pub use_beta1: bool,
}

/// Writes the momentum of group `i`, or its beta1.
pub(crate) fn set_momentum(
    optimizer: &Optimizer,
    i: usize,
    momentum: f64,
    use_beta1: bool,
) -> Result<()> {
    let groups = optimizer.groups();
    let Some(group) = groups.get(i) else { return Ok(()) };
    let mut data = group.data_mut();
    if use_beta1 {
        let (_, beta2) = data.values.pair("betas")?;
        let betas = [momentum, beta2].map(Dynamic::from_float).to_vec();
        data.values.set("betas", Dynamic::from_array(betas));
    } else {
        data.values.set("momentum", Dynamic::from_float(momentum));
    }
    Ok(())
}

/// Whether the optimiser's momentum is beta1.
///
/// # Errors
/// A `ValueError` for an optimiser without momentum.
pub(crate) fn uses_beta1(optimizer: &Optimizer) -> Result<bool> {
    let defaults = &optimizer.0.defaults;
    if defaults.get("momentum").is_none() && defaults.get("betas").is_none() {
        return Err(Error::value(
            "optimizer must support momentum or beta1 with `cycle_momentum` option enabled",
        )
        .help("give cycle_momentum: false"));
    }
    Ok(defaults.get("betas").is_some())
}

/// Starts the momentum of every group at `most`.
pub(crate) fn start_momentum(
    optimizer: &Optimizer,
    least: &[f64],
    most: &[f64],
    use_beta1: bool,
) -> Result<()> {
    for (i, (least, most)) in least.iter().zip(most).enumerate() {
        set_momentum(optimizer, i, *most, use_beta1)?;
        let groups = optimizer.groups();
        let mut data = groups[i].data_mut();
        data.values.set("max_momentum", Dynamic::from_float(*most));
        data.values.set("base_momentum", Dynamic::from_float(*least));
    }
    Ok(())
}

impl Cyclic {
    fn scale(&self, x: f64, ctx: &Context<'_>) -> Result<f64> {
        match &self.scale {
            Scale::Triangular => Ok(1.0),
            Scale::Triangular2 => Ok(1.0 / 2f64.powf(x - 1.0)),
            Scale::ExpRange => Ok(self.gamma.powf(x)),
            Scale::Own(closure) => {
                // Cycles and iterations are whole numbers.
                let result = ctx.call(closure, vec![Dynamic::from_int(x as i64)])?;
                number(&result).ok_or_else(|| Error::type_("scale_fn must give a number"))
            }
        }
    }

    /// The rates of this iteration; writes the momentum too.
    pub(crate) fn rates(
        &self,
        optimizer: &Optimizer,
        progress: &Progress,
        ctx: &Context<'_>,
    ) -> Result<Vec<f64>> {
        let iteration = progress.last_epoch as f64;
        let cycle = (1.0 + iteration / self.total_size).floor();
        let x = 1.0 + iteration / self.total_size - cycle;
        let height = if x <= self.step_ratio {
            x / self.step_ratio
        } else {
            (x - 1.0) / (self.step_ratio - 1.0)
        };
        let scaled = if self.by_cycle { cycle } else { iteration };
        let mut rates = Vec::with_capacity(self.base_lrs.len());
        for (base, most) in self.base_lrs.iter().zip(&self.max_lrs) {
            let wave = (most - base) * height;
            rates.push(base + wave * self.scale(scaled, ctx)?);
        }
        if let Some((least, most)) = &self.momentum {
            for (i, (least, most)) in least.iter().zip(most).enumerate() {
                let wave = (most - least) * height;
                let momentum = most - wave * self.scale(scaled, ctx)?;
                set_momentum(optimizer, i, momentum, self.use_beta1)?;
            }
        }
        Ok(rates)
    }
}
