//! `DataLoader`: batches of a dataset, epoch by epoch.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Context, Items, Object, convert};
use flambeau_runtime::torch::{Device, Generator, Tensor};
use rhai::{Array, Dynamic, Map};

use super::collate::collate;
use super::dataset::{Dataset, Kind};
use super::native::Native;
use super::prefetch::Prefetch;
use super::sampler::{
    BatchIter, Indices, Order, Sampler, batch_count, batches, index_list, random_seed,
};

/// A loader; a clone is the same one.
#[derive(Clone)]
pub struct DataLoader(Rc<Config>);

/// Where a loader is in an epoch.
#[derive(Clone)]
struct Position {
    /// The state of the generator when the epoch began: it says the order.
    start: Tensor,
    /// Batches that were handed out.
    batches: usize,
}

/// The batches of one epoch. What it has handed out is known to its loader until it ends.
struct Epoch {
    config: Rc<Config>,
    number: u64,
    items: Items,
}

impl Iterator for Epoch {
    type Item = Result<Dynamic>;

    fn next(&mut self) -> Option<Result<Dynamic>> {
        let item = self.items.next();
        if self.config.epochs.get() == self.number {
            match (&mut *self.config.position.borrow_mut(), &item) {
                (Some(position), Some(_)) => position.batches += 1,
                (position, None) => *position = None,
                (None, _) => {}
            }
        }
        item
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        if self.config.epochs.get() == self.number {
            *self.config.position.borrow_mut() = None;
        }
    }
}

/// Where lists of indices come from.
enum Batching {
    /// `batch_size=None`: samples one by one.
    None,
    /// Lists of `size` indices.
    Size { size: usize, drop_last: bool },
    /// A `batch_sampler`.
    Given(Dynamic),
}

struct Config {
    dataset: Dataset,
    sampler: Indices,
    batching: Batching,
    shuffle: bool,
    workers: usize,
    prefetch_factor: usize,
    collate: Option<Dynamic>,
    pin_memory: bool,
    generator: Option<Generator>,
    /// Epochs that were begun.
    epochs: Cell<u64>,
    /// Where the last of them is; nowhere between two.
    position: RefCell<Option<Position>>,
    /// Where the next one begins, for a loader that goes on.
    goes_on: RefCell<Option<Position>>,
}

/// Positions of the arguments in the schema of `data.DataLoader`.
mod argument {
    pub const DATASET: usize = 0;
    pub const BATCH_SIZE: usize = 1;
    pub const SHUFFLE: usize = 2;
    pub const SAMPLER: usize = 3;
    pub const BATCH_SAMPLER: usize = 4;
    pub const NUM_WORKERS: usize = 5;
    pub const COLLATE_FN: usize = 6;
    pub const PIN_MEMORY: usize = 7;
    pub const DROP_LAST: usize = 8;
    pub const GENERATOR: usize = 9;
    pub const SEED: usize = 10;
    pub const PREFETCH_FACTOR: usize = 11;
}

impl DataLoader {
    /// Makes a loader from the arguments of `data.DataLoader`.
    pub(crate) fn from_args(args: &mut Args<'_>) -> Result<Dynamic> {
        use argument::*;
        let dataset = Dataset::from_value(args.get(DATASET))?;
        let shuffle = args.opt_bool(SHUFFLE)?.unwrap_or(false);
        let drop_last = args.bool(DROP_LAST)?;
        let generator = generator_of(args, GENERATOR, SEED)?;
        if shuffle && !args.is_none(SAMPLER) {
            return Err(Error::value("sampler option is mutually exclusive with shuffle"));
        }
        let batching = if !args.is_none(BATCH_SAMPLER) {
            if args.opt_int(BATCH_SIZE)? != Some(1)
                || shuffle
                || !args.is_none(SAMPLER)
                || drop_last
            {
                return Err(Error::value(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, \
                     and drop_last",
                ));
            }
            Batching::Given(args.get(BATCH_SAMPLER).clone())
        } else {
            match args.opt_int(BATCH_SIZE)? {
                Some(size) => Batching::Size { size: batch_size(size)?, drop_last },
                None if drop_last => {
                    return Err(Error::value(
                        "batch_size=None option disables auto-batching and is mutually exclusive with \
                         drop_last",
                    ));
                }
                None => Batching::None,
            }
        };
        let sampler = if !args.is_none(SAMPLER) {
            Indices::from_value(args.get(SAMPLER), args.ctx())?
        } else if shuffle {
            let (dataset, generator) = (dataset.clone(), generator.clone());
            let order = Order::Random { dataset, replacement: false, samples: None, generator };
            Indices::Sampler(Sampler::new(order)?)
        } else {
            Indices::Sampler(Sampler::new(Order::Sequential(dataset.clone()))?)
        };
        let count = |i: usize, least: i64| -> Result<usize> {
            let value = args.int(i)?;
            let fits = (least..=1024).contains(&value);
            fits.then_some(value as usize)
                .ok_or_else(|| args.mismatch(i, &format!("a number from {least} to 1024")))
        };
        let (workers, prefetch_factor) = (count(NUM_WORKERS, 0)?, count(PREFETCH_FACTOR, 1)?);
        let collate =
            if args.is_none(COLLATE_FN) { None } else { Some(args.callable(COLLATE_FN)?) };
        let pin_memory = args.bool(PIN_MEMORY)?;
        Ok(Dynamic::from(DataLoader(Rc::new(Config {
            dataset,
            sampler,
            batching,
            shuffle,
            workers,
            prefetch_factor,
            collate,
            pin_memory,
            generator,
            epochs: Cell::new(0),
            position: RefCell::default(),
            goes_on: RefCell::default(),
        }))))
    }

    /// How many batches an epoch has; `None` where only the sampler's closure knows.
    fn len(&self) -> Option<usize> {
        let config = &self.0;
        match &config.batching {
            Batching::None => config.sampler.len(),
            Batching::Size { size, drop_last } => {
                Some(batch_count(config.sampler.len()?, *size, *drop_last))
            }
            Batching::Given(value) => match value.read_lock::<Sampler>() {
                Some(sampler) => Some(sampler.len()),
                None => convert::items(value).map(|items| items.len()),
            },
        }
    }

    /// The lists of indices of one epoch.
    fn order(&self) -> Result<BatchIter> {
        let config = &self.0;
        match &config.batching {
            Batching::None => Ok(batches(config.sampler.iter(), 1, false)),
            Batching::Size { size, drop_last } => {
                Ok(batches(config.sampler.iter(), *size, *drop_last))
            }
            Batching::Given(value) => {
                if let Some(lists) = value.read_lock::<Sampler>().and_then(|s| s.batches()) {
                    return Ok(lists);
                }
                let lists = match convert::items(value) {
                    Some(lists) => lists,
                    None => Context::current(|ctx| {
                        let lists = ctx.call(value, Vec::new())?;
                        convert::items(&lists).ok_or_else(|| {
                            Error::type_("batch_sampler must give an array of lists of indices")
                        })
                    })?,
                };
                Ok(Box::new(lists.into_iter().map(|list| index_list(&list))))
            }
        }
    }

    /// Begins an epoch, or goes on with one that was loaded.
    fn epoch(&self) -> Result<Items> {
        let config = self.0.clone();
        let generator = match &config.generator {
            Some(generator) => generator.clone(),
            None => Generator::default_of(Device::CPU)?,
        };
        let goes_on = config.goes_on.borrow_mut().take();
        let items = match &goes_on {
            None => {
                let start = Tensor::from(generator.state()?);
                *config.position.borrow_mut() = Some(Position { start, batches: 0 });
                self.batches(0)?
            }
            Some(position) => {
                let now = generator.state()?;
                generator.set_state(&position.start)?;
                let items = self.batches(position.batches);
                // Others draw from it too. Threads have drawn ahead, and will again.
                if config.generator.is_none() || config.workers == 0 {
                    generator.set_state(&now)?;
                }
                *config.position.borrow_mut() = Some(position.clone());
                items?
            }
        };
        let number = config.epochs.get() + 1;
        config.epochs.set(number);
        Ok(Box::new(Epoch { config, number, items }))
    }

    /// Where it is, to be saved; between two epochs only the state of its generator, where it has one.
    ///
    /// # Errors
    /// What libtorch raises.
    pub(crate) fn state_dict(&self) -> Result<Map> {
        let mut state = Map::new();
        // What was loaded and not begun is still where it is.
        let position = self.0.goes_on.borrow().clone().or_else(|| self.0.position.borrow().clone());
        if let Some(Position { start, batches }) = position {
            state.insert("start".into(), Dynamic::from(start));
            state.insert("batches".into(), Dynamic::from_int(batches as i64));
        }
        if let Some(generator) = &self.0.generator {
            state.insert("generator".into(), Dynamic::from(Tensor::from(generator.state()?)));
        }
        Ok(state)
    }

    /// Has the next epoch go on where [`DataLoader::state_dict`] says.
    ///
    /// # Errors
    /// A `ValueError` for a map that it did not give.
    pub(crate) fn load_state_dict(&self, state: &Map) -> Result<()> {
        let position = match (state.get("start").and_then(convert::tensor), state.get("batches")) {
            (None, None) => None,
            (Some(start), Some(batches)) => {
                let batches = convert::int(batches).and_then(|n| usize::try_from(n).ok());
                batches.map(|batches| Position { start, batches })
            }
            _ => {
                return Err(Error::value("this is no state of a DataLoader")
                    .help("take it from loader.state_dict()"));
            }
        };
        if let (Some(generator), Some(state)) =
            (&self.0.generator, state.get("generator").and_then(convert::tensor))
        {
            generator.set_state(&state)?;
        }
        *self.0.goes_on.borrow_mut() = position;
        Ok(())
    }

    /// The batches of an epoch behind the first `skipped`.
    fn batches(&self, skipped: usize) -> Result<Items> {
        let config = self.0.clone();
        // PyTorch draws a base seed for its workers at the start of every epoch. The number is not
        // needed here, but the draw is, or the shuffles would differ from Python's.
        random_seed(config.generator.as_ref())?;
        let mut order = self.order()?;
        for _ in 0..skipped {
            // Drawn, and nothing is fetched.
            let Some(indices) = order.next() else { break };
            indices?;
        }
        let pin = config.pin_memory && tch::Cuda::is_available();
        let native = match (&config.batching, &config.collate) {
            (Batching::Size { .. } | Batching::Given(_), None) => Native::of(&config.dataset),
            _ => None,
        };
        let Some(native) = native else {
            return Ok(Box::new(
                order.map(move |indices| Context::current(|ctx| config.batch(&indices?, ctx))),
            ));
        };
        // The rows of one tensor are a tensor; several tensors are an array, as in Python.
        let bare = is_rows(&config.dataset);
        let finish = move |batch: Result<Vec<tch::Tensor>>| -> Result<Dynamic> {
            let mut batch: Vec<Tensor> = batch?.into_iter().map(Tensor::from).collect();
            if pin {
                for tensor in &mut batch {
                    *tensor = tensor.f_pin_memory(tch::Device::Cuda(0))?.into();
                }
            }
            match bare {
                true => {
                    batch.pop().map(Dynamic::from).ok_or_else(|| Error::value("an empty batch"))
                }
                false => Ok(convert::from_tensors(batch)),
            }
        };
        Ok(if config.workers > 0 {
            let ahead = config.prefetch_factor;
            Box::new(Prefetch::new(&native, order, config.workers, ahead)?.map(finish))
        } else {
            Box::new(order.map(move |indices| finish(native.batch(&indices?))))
        })
    }
}

impl Config {
    /// A batch whose samples come from closures or need one to be put together.
    fn batch(&self, indices: &[i64], ctx: &Context<'_>) -> Result<Dynamic> {
        let get = |&i| {
            // A batch may be the whole data.
            ctx.check()?;
            self.dataset.get(i, ctx)
        };
        let samples = indices.iter().map(get).collect::<Result<Array>>()?;
        match (&self.batching, &self.collate) {
            (Batching::None, collate) => {
                let sample = samples.into_iter().next().unwrap_or_default();
                collate.as_ref().map_or(Ok(sample.clone()), |f| ctx.call(f, vec![sample]))
            }
            (_, Some(function)) => ctx.call(function, vec![Dynamic::from_array(samples)]),
            (_, None) => collate(&samples, ctx),
        }
    }
}

/// Whether samples are rows of one tensor, also below subsets.
fn is_rows(dataset: &Dataset) -> bool {
    match dataset.kind() {
        Kind::Rows(_) => true,
        Kind::Subset { dataset, .. } => is_rows(dataset),
        Kind::Concat { datasets, .. } => datasets.iter().all(is_rows),
        _ => false,
    }
}

/// The size of a batch, checked.
pub(crate) fn batch_size(size: i64) -> Result<usize> {
    usize::try_from(size).ok().filter(|&size| size > 0).ok_or_else(|| {
        Error::value(format!(
            "batch_size should be a positive integer value, but got batch_size={size}"
        ))
    })
}

/// The generator at `i`, or one that starts from the seed at `seed`; `None` for torch's default
/// one.
pub(crate) fn generator_of(args: &Args<'_>, i: usize, seed: usize) -> Result<Option<Generator>> {
    match (args.opt_generator(i)?, args.opt_int(seed)?) {
        (Some(_), Some(_)) => Err(Error::value("give either a generator or a seed, not both")),
        (generator, None) => Ok(generator),
        (None, Some(seed)) => {
            let generator = Generator::new(Device::CPU)?;
            generator.manual_seed(seed as u64)?;
            Ok(Some(generator))
        }
    }
}

impl Object for DataLoader {
    const TYPE: &'static str = "DataLoader";

    fn display(&self) -> String {
        let config = &self.0;
        let batches = self.len().map_or(String::new(), |n| format!("{n} batches of "));
        let size = match &config.batching {
            Batching::Size { size, .. } => format!("batch_size={size}"),
            Batching::None => "batch_size=None".to_owned(),
            Batching::Given(_) => "batch_sampler".to_owned(),
        };
        let shuffle = if config.shuffle { ", shuffle=true" } else { "" };
        format!("DataLoader({batches}{}, {size}{shuffle})", config.dataset.display())
    }

    fn attribute(&self, name: &str, _: &Context<'_>) -> Result<Option<Dynamic>> {
        let config = &self.0;
        Ok(Some(match name {
            "dataset" => Dynamic::from(config.dataset.clone()),
            "batch_size" => match config.batching {
                Batching::Size { size, .. } => Dynamic::from_int(size as i64),
                _ => Dynamic::UNIT,
            },
            "drop_last" => match config.batching {
                Batching::Size { drop_last, .. } => drop_last.into(),
                _ => false.into(),
            },
            "num_workers" => Dynamic::from_int(config.workers as i64),
            "prefetch_factor" => Dynamic::from_int(config.prefetch_factor as i64),
            "pin_memory" => config.pin_memory.into(),
            "generator" => config.generator.clone().map_or(Dynamic::UNIT, Dynamic::from),
            "sampler" => match &config.sampler {
                Indices::Sampler(sampler) => Dynamic::from(sampler.clone()),
                Indices::List(list) => convert::from_ints(list),
                Indices::Closure(closure) => closure.clone(),
            },
            "batch_sampler" => match &config.batching {
                Batching::Given(value) => value.clone(),
                _ => Dynamic::UNIT,
            },
            _ => return Ok(None),
        }))
    }

    fn attributes(&self) -> Vec<String> {
        const NAMES: &[&str] = &[
            "dataset",
            "batch_size",
            "drop_last",
            "num_workers",
            "prefetch_factor",
            "pin_memory",
            "generator",
            "sampler",
            "batch_sampler",
        ];
        NAMES.iter().map(|name| (*name).to_owned()).collect()
    }

    fn length(&self) -> Option<usize> {
        self.len()
    }

    fn iterate(&self) -> Option<Result<Items>> {
        Some(self.epoch())
    }
}
