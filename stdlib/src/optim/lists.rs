//! What an optimiser remembers about its parameters, and the lists that its operators take.
//!
//! The lists are prepared once and kept while the same parameters have gradients; only the list of
//! gradients is new in every step, because a backward pass makes new ones.

use std::cell::Cell;
use std::rc::Rc;

use flambeau_runtime::{Error, Result};
use tch::Tensor;

use crate::functional::common::device;
use crate::functional::numbers::{WithNumber, number_tensor};

/// A step count that parameters share while they are stepped together. PyTorch keeps one tensor per
/// parameter; the fused kernels only read it, so that one increment does for all.
pub(crate) struct StepCount {
    pub tensor: Tensor,
    pub value: Cell<f64>,
}

/// What is remembered about one parameter.
#[derive(Default)]
pub(crate) struct ParamState {
    pub step: Option<Rc<StepCount>>,
    /// By the algorithm's slots: `exp_avg` and so on.
    pub slots: Vec<Option<Tensor>>,
}

impl ParamState {
    pub(crate) fn is_empty(&self) -> bool {
        self.step.is_none() && self.slots.iter().all(Option::is_none)
    }
}

/// How the operators of one step are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Choice {
    /// `Some(true)`: the fused kernel or an error; `None`: the fused kernel where it can be used.
    pub fused: Option<bool>,
    /// Whether step counts live beside the parameters.
    pub capturable: bool,
    /// Whether the algorithm counts steps.
    pub counts: bool,
    /// Whether it has a fused kernel on the CPU and on CUDA.
    pub kernel: (bool, bool),
}

/// Parameters of one device and dtype, with their gradients and state, in lists of equal length.
pub(crate) struct Bucket {
    /// Places in the group.
    pub members: Vec<usize>,
    pub params: Vec<Tensor>,
    /// Filled before and emptied after each step: a gradient that is held is copied by backward.
    pub grads: Vec<Tensor>,
    /// By slot; `None` until the algorithm first asks for it.
    pub slots: Vec<Option<Vec<Tensor>>>,
    /// One tensor per parameter, for the fused kernels.
    pub step_tensors: Vec<Tensor>,
    /// One place in `counts` per parameter.
    pub count_of: Vec<usize>,
    pub counts: Vec<Rc<StepCount>>,
    pub fused: bool,
    pub complex: bool,
}

/// A complex tensor as pairs of numbers, which is what the algorithms compute with.
pub(crate) fn real(tensor: &Tensor, complex: bool) -> Result<Tensor> {
    Ok(if complex { tensor.f_view_as_real()? } else { tensor.shallow_clone() })
}

/// Groups the parameters at `places` by device and dtype.
pub(crate) fn prepare(
    params: &[flambeau_runtime::torch::Tensor],
    states: &mut [ParamState],
    places: &[usize],
    slots: usize,
    choice: Choice,
) -> Result<Vec<Bucket>> {
    let mut keys: Vec<(tch::Device, tch::Kind)> = Vec::new();
    let mut buckets: Vec<Bucket> = Vec::new();
    for &place in places {
        let param = &params[place];
        // Only a tensor with storage can be set to itself.
        if !param.f_is_set_to(param).unwrap_or(false) {
            return Err(Error::value("optimizer can only step dense tensors")
                .help(format!("parameter {place} is {}", param.describe())));
        }
        let key = (device(param)?, param.f_kind()?);
        let i = match keys.iter().position(|known| *known == key) {
            Some(i) => i,
            None => {
                keys.push(key);
                buckets.push(Bucket {
                    members: Vec::new(),
                    params: Vec::new(),
                    grads: Vec::new(),
                    slots: (0..slots).map(|_| None).collect(),
                    step_tensors: Vec::new(),
                    count_of: Vec::new(),
                    counts: Vec::new(),
                    fused: false,
                    complex: param.is_complex(),
                });
                buckets.len() - 1
            }
        };
        buckets[i].members.push(place);
        let view = real(param, buckets[i].complex)?;
        buckets[i].params.push(view);
    }
    for (bucket, (device, kind)) in buckets.iter_mut().zip(keys) {
        bucket.fused = choose(bucket, device, kind, choice)?;
        if choice.counts {
            share_counts(bucket, states, device, choice)?;
        }
    }
    Ok(buckets)
}

/// Whether the fused kernel serves this bucket.
fn choose(bucket: &Bucket, device: tch::Device, kind: tch::Kind, choice: Choice) -> Result<bool> {
    use tch::Kind;
    let (cpu, cuda) = choice.kernel;
    let floating = matches!(kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16);
    let supported = floating
        && match device {
            tch::Device::Cpu => cpu,
            tch::Device::Cuda(_) => cuda,
            _ => false,
        };
    if choice.fused == Some(true) && !supported {
        return Err(Error::value(format!(
            "`fused=True` requires all the params to be floating point Tensors of supported devices, \
             found {} on {}",
            flambeau_runtime::torch::Dtype::from(kind),
            flambeau_runtime::torch::Device::from(device)
        ))
        .help("leave `fused` out to use the fused kernel only where it is supported"));
    }
    // The kernels walk memory from start to end: other layouts would pair wrong elements.
    let dense = bucket.params.iter().all(Tensor::is_contiguous);
    Ok(choice.fused != Some(false) && supported && dense)
}

/// Gives parameters that have made the same number of steps one count of their own.
fn share_counts(
    bucket: &mut Bucket,
    states: &mut [ParamState],
    device: tch::Device,
    choice: Choice,
) -> Result<()> {
    let wide = !bucket.fused
        && flambeau_runtime::torch::default_dtype() == flambeau_runtime::torch::Dtype::FLOAT64;
    let kind = if wide { tch::Kind::Double } else { tch::Kind::Float };
    let place = if bucket.fused || choice.capturable { device } else { tch::Device::Cpu };
    for &member in &bucket.members {
        let value = states[member].step.as_ref().map_or(0.0, |count| count.value.get());
        let known = bucket.counts.iter().position(|count| count.value.get() == value);
        let i = match known {
            Some(i) => i,
            None => {
                let tensor = number_tensor(value, kind, place)?;
                bucket.counts.push(Rc::new(StepCount { tensor, value: Cell::new(value) }));
                bucket.counts.len() - 1
            }
        };
        bucket.count_of.push(i);
        bucket.step_tensors.push(bucket.counts[i].tensor.shallow_clone());
        states[member].step = Some(bucket.counts[i].clone());
    }
    Ok(())
}

impl Bucket {
    /// Makes sure that every parameter has `slot`; `init` makes it from the parameter's place in the
    /// lists and the parameter itself (complex ones as pairs of numbers).
    pub(crate) fn ensure(
        &mut self,
        states: &mut [ParamState],
        slot: usize,
        init: impl Fn(usize, &Tensor) -> Result<Tensor>,
    ) -> Result<()> {
        if self.slots[slot].is_some() {
            return Ok(());
        }
        let mut list = Vec::with_capacity(self.members.len());
        for (i, &member) in self.members.iter().enumerate() {
            let slots = &mut states[member].slots;
            if slots.len() <= slot {
                slots.resize_with(slot + 1, || None);
            }
            let paired = self.complex;
            let view = match &slots[slot] {
                // A number beside the parameter, such as `mu_product`, is real.
                Some(tensor) => real(tensor, paired && tensor.is_complex())?,
                None => {
                    let view = init(i, &self.params[i])?;
                    let own = match paired && view.dim() > 0 {
                        true => view.f_view_as_complex()?,
                        false => view.shallow_clone(),
                    };
                    slots[slot] = Some(own);
                    view
                }
            };
            list.push(view);
        }
        self.slots[slot] = Some(list);
        Ok(())
    }

    /// Zeros of the parameters' shapes in `slot`.
    pub(crate) fn zeros(&mut self, states: &mut [ParamState], slot: usize) -> Result<()> {
        self.ensure(states, slot, |_, param| Ok(param.f_detach()?.f_zeros_like()?))
    }

    /// The tensors of `slot`; empty before [`Bucket::ensure`].
    pub(crate) fn slot(&self, slot: usize) -> &[Tensor] {
        self.slots[slot].as_deref().unwrap_or_default()
    }

    /// Adds one to every step count.
    pub(crate) fn advance(&mut self) -> Result<()> {
        for count in &self.counts {
            let _ = count.tensor.add_number_(1.0)?;
            count.value.set(count.value.get() + 1.0);
        }
        Ok(())
    }

    /// The steps made, one number per parameter.
    pub(crate) fn steps(&self) -> impl Iterator<Item = f64> {
        self.count_of.iter().map(|&i| self.counts[i].value.get())
    }

    /// One number per parameter, from its steps.
    pub(crate) fn by_step(&self, number: impl Fn(f64) -> f64) -> Vec<f64> {
        self.steps().map(number).collect()
    }
}
