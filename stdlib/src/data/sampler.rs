//! In which order a loader takes the samples. The draws are those of PyTorch, one by one, so a seed
//! gives the order that it gives in Python.
//!
//! Source: <https://docs.pytorch.org/docs/2.11/data.html#data-loading-order-and-sampler>.

use std::rc::Rc;

use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Context, Items, Object, convert};
use flambeau_runtime::torch::{Device, Generator, Tensor};
use rhai::{Dynamic, FnPtr, Map};

use super::dataset::Dataset;

/// A sampler; a clone is the same one.
#[derive(Clone)]
pub struct Sampler(Rc<Order>);

/// How samples are chosen.
pub(crate) enum Order {
    /// 0, 1, 2, …
    Sequential(Dataset),
    /// A permutation, or draws with replacement.
    Random {
        dataset: Dataset,
        replacement: bool,
        samples: Option<usize>,
        generator: Option<Generator>,
    },
    /// A permutation of given indices.
    Subset { indices: Vec<i64>, generator: Option<Generator> },
    /// Draws by weight.
    Weighted { weights: Tensor, samples: usize, replacement: bool, generator: Option<Generator> },
    /// Lists of indices from another sampler.
    Batches { sampler: Indices, size: usize, drop_last: bool },
}

/// Where a loader gets indices from: a sampler, a list, or a closure that gives a list per epoch.
#[derive(Clone)]
pub(crate) enum Indices {
    Sampler(Sampler),
    List(Rc<Vec<i64>>),
    Closure(Dynamic),
}

/// Indices, drawn as they are asked for.
pub(crate) type IndexIter = Box<dyn Iterator<Item = Result<i64>>>;
/// Lists of indices, drawn as they are asked for.
pub(crate) type BatchIter = Box<dyn Iterator<Item = Result<Vec<i64>>>>;

impl Indices {
    /// A sampler, a list or tensor of indices, or a closure that returns one.
    pub fn from_value(value: &Dynamic, ctx: &Context<'_>) -> Result<Indices> {
        if let Some(sampler) = value.read_lock::<Sampler>() {
            return Ok(Indices::Sampler(sampler.clone()));
        }
        if value.is::<FnPtr>() || ctx.is_callable(value) {
            return Ok(Indices::Closure(value.clone()));
        }
        index_list(value).map(|list| Indices::List(Rc::new(list)))
    }

    /// How many indices an epoch has, where that is known before.
    pub fn len(&self) -> Option<usize> {
        match self {
            Indices::Sampler(sampler) => Some(sampler.len()),
            Indices::List(list) => Some(list.len()),
            Indices::Closure(_) => None,
        }
    }

    /// The indices of one epoch.
    pub fn iter(&self) -> IndexIter {
        match self {
            Indices::Sampler(sampler) => sampler.indices(),
            Indices::List(list) => {
                let list = list.clone();
                Box::new((0..list.len()).map(move |i| Ok(list[i])))
            }
            Indices::Closure(closure) => {
                let closure = closure.clone();
                chunks(std::iter::once_with(move || {
                    Context::current(|ctx| index_list(&ctx.call(&closure, Vec::new())?))
                }))
            }
        }
    }
}

/// The integers of an array, range or tensor.
pub(crate) fn index_list(value: &Dynamic) -> Result<Vec<i64>> {
    if let Some(tensor) = convert::tensor(value) {
        return Ok(Vec::<i64>::try_from(&tensor.f_to_kind(tch::Kind::Int64)?.f_flatten(0, -1)?)?);
    }
    convert::ints(value).ok_or_else(|| {
        Error::type_(format!(
            "expected indices (an array, a range or a tensor of integers), not a {}",
            convert::type_name(value)
        ))
    })
}

fn chunks(lists: impl Iterator<Item = Result<Vec<i64>>> + 'static) -> IndexIter {
    Box::new(lists.flat_map(|list| match list {
        Ok(list) => list.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    }))
}

impl Sampler {
    pub(crate) fn new(order: Order) -> Result<Sampler> {
        if let Order::Random { dataset, samples, .. } = &order
            && samples.unwrap_or(dataset.len()) == 0
        {
            return Err(Error::value(
                "num_samples should be a positive integer value, but got num_samples=0",
            )
            .help("the dataset is empty"));
        }
        Ok(Sampler(Rc::new(order)))
    }

    /// The lists that a `BatchSampler` gives; `None` for the others.
    pub(crate) fn batches(&self) -> Option<BatchIter> {
        match &*self.0 {
            Order::Batches { sampler, size, drop_last } => {
                Some(batches(sampler.iter(), *size, *drop_last))
            }
            _ => None,
        }
    }

    /// How many indices (or lists of them) an epoch has.
    pub(crate) fn len(&self) -> usize {
        match &*self.0 {
            Order::Sequential(dataset) => dataset.len(),
            Order::Random { dataset, samples, .. } => samples.unwrap_or(dataset.len()),
            Order::Subset { indices, .. } => indices.len(),
            Order::Weighted { samples, .. } => *samples,
            Order::Batches { sampler, size, drop_last } => {
                batch_count(sampler.len().unwrap_or(0), *size, *drop_last)
            }
        }
    }

    /// The indices of one epoch; random numbers are drawn when they are needed, as in PyTorch.
    fn indices(&self) -> IndexIter {
        match &*self.0 {
            Order::Sequential(dataset) => Box::new((0..dataset.len() as i64).map(Ok)),
            Order::Random { dataset, replacement, samples, generator } => {
                let n = dataset.len();
                random(n, samples.unwrap_or(n), *replacement, generator.clone())
            }
            Order::Subset { indices, generator } => {
                let (indices, generator) = (indices.clone(), generator.clone());
                chunks(std::iter::once_with(move || {
                    let order = permutation(indices.len(), generator.as_ref())?;
                    Ok(order.into_iter().map(|i| indices[i as usize]).collect())
                }))
            }
            Order::Weighted { weights, samples, replacement, generator } => {
                let (weights, generator) = (weights.clone(), generator.clone());
                let (samples, replacement) = (*samples as i64, *replacement);
                chunks(std::iter::once_with(move || {
                    let args = vec![
                        Dynamic::from(weights.clone()),
                        Dynamic::from_int(samples),
                        Dynamic::from_bool(replacement),
                    ];
                    draw("multinomial", args, generator.as_ref())
                }))
            }
            Order::Batches { .. } => Box::new(std::iter::once_with(|| {
                Err(Error::type_(
                    "a BatchSampler gives lists: pass it as batch_sampler, not sampler",
                ))
            })),
        }
    }
}

/// `RandomSampler.__iter__`.
fn random(n: usize, samples: usize, replacement: bool, generator: Option<Generator>) -> IndexIter {
    // With replacement PyTorch draws 32 at a time; without, whole permutations, the last one cut.
    let size = if replacement { 32 } else { n.max(1) };
    let (whole, rest) = (samples / size, samples % size);
    let mut own = generator;
    chunks((0..=whole).map(move |k| {
        let generator = match &own {
            Some(generator) => generator.clone(),
            None => own.insert(seeded_by_default()?).clone(),
        };
        if replacement {
            let count = if k < whole { size } else { rest };
            let shape = convert::from_ints(&[count as i64]);
            return draw("randint", vec![Dynamic::from_int(n as i64), shape], Some(&generator));
        }
        let mut order = permutation(n, Some(&generator))?;
        if k == whole {
            order.truncate(rest);
        }
        Ok(order)
    }))
}

/// A generator whose seed is drawn from torch's default one.
fn seeded_by_default() -> Result<Generator> {
    let generator = Generator::new(Device::CPU)?;
    generator.manual_seed(random_seed(None)? as u64)?;
    Ok(generator)
}

/// `torch.empty((), dtype=torch.int64).random_(generator=generator).item()`.
pub(crate) fn random_seed(generator: Option<&Generator>) -> Result<i64> {
    let empty = tch::Tensor::f_zeros([], (tch::Kind::Int64, tch::Device::Cpu))?;
    let seed = draw("random_", vec![Dynamic::from(Tensor::from(empty))], generator)?;
    seed.first().copied().ok_or_else(|| Error::new(Kind::Runtime, "no seed was drawn"))
}

/// `torch.randperm(n, generator=generator)`.
pub(crate) fn permutation(n: usize, generator: Option<&Generator>) -> Result<Vec<i64>> {
    draw("randperm", vec![Dynamic::from_int(n as i64)], generator)
}

/// The integers that a random operator draws.
fn draw(name: &str, mut args: Vec<Dynamic>, generator: Option<&Generator>) -> Result<Vec<i64>> {
    if let Some(generator) = generator {
        let mut keywords = Map::new();
        keywords.insert("generator".into(), Dynamic::from(generator.clone()));
        args.push(keywords.into());
    }
    Context::current(|ctx| index_list(&ctx.op(name, args)?))
}

/// Groups indices, drawing each when it is needed.
pub(crate) fn batches(mut indices: IndexIter, size: usize, drop_last: bool) -> BatchIter {
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let mut batch = Vec::with_capacity(size.min(1 << 16));
        while batch.len() < size {
            match indices.next() {
                Some(Ok(index)) => batch.push(index),
                Some(Err(error)) => {
                    ended = true;
                    return Some(Err(error));
                }
                None => {
                    ended = true;
                    break;
                }
            }
        }
        let usable = !batch.is_empty() && (batch.len() == size || !drop_last);
        usable.then_some(Ok(batch))
    }))
}

/// How many batches `samples` make.
pub(crate) fn batch_count(samples: usize, size: usize, drop_last: bool) -> usize {
    if drop_last { samples / size } else { samples.div_ceil(size) }
}

impl Object for Sampler {
    const TYPE: &'static str = "Sampler";

    fn display(&self) -> String {
        let name = match &*self.0 {
            Order::Sequential(_) => "SequentialSampler",
            Order::Random { .. } => "RandomSampler",
            Order::Subset { .. } => "SubsetRandomSampler",
            Order::Weighted { .. } => "WeightedRandomSampler",
            Order::Batches { .. } => "BatchSampler",
        };
        format!("{name}({})", self.len())
    }

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }

    fn iterate(&self) -> Option<Result<Items>> {
        Some(Ok(match self.batches() {
            Some(batches) => Box::new(batches.map(|batch| Ok(convert::from_ints(&batch?)))),
            None => Box::new(self.indices().map(|index| Ok(Dynamic::from_int(index?)))),
        }))
    }
}
