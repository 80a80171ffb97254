//! What scripts call under `data` (`torch.utils.data`).

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, convert};
use flambeau_runtime::torch::{Tensor, sizes};
use rhai::{Array, Dynamic};

use super::dataset::{Dataset, Kind};
use super::loader::{DataLoader, batch_size, generator_of};
use super::sampler::{Indices, Order, Sampler, index_list, permutation};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "data.TensorDataset(*Tensor tensors) -> Dataset",
        doc: "A dataset of tensors with one size in the first dimension: sample `i` is the array \
              of all rows `i`. Batches of it are picked by libtorch, without a closure.",
        example: "let x = torch.arange(6).reshape([3, 2]);\n\
                  let dataset = data.TensorDataset(x, torch.tensor([0, 1, 0]));\n\
                  dataset[1]",
        call: |args| {
            let tensors =
                convert::tensors(args.get(0)).ok_or_else(|| args.mismatch(0, "tensors"))?;
            Ok(Dynamic::from(Dataset::from_tensors(tensors)?))
        },
    },
    Function {
        schema: "data.Dataset(int len, Function get) -> Dataset",
        doc: "A dataset of `len` samples; `get(i)` makes sample `i`: a tensor, a number, a text, \
              or an array or map of them.",
        example: "let squares = data.Dataset(len: 10, get: |i| #{x: i, y: i * i});\n\
                  squares[3].y",
        call: |args| {
            let get = args.callable(1)?;
            Ok(Dynamic::from(Dataset::from_closure(args.get(0), get)?))
        },
    },
    Function {
        schema: "data.Subset(Any dataset, Any indices) -> Dataset",
        doc: "The samples of a dataset at `indices` (an array, a range or a tensor of integers).",
        example: "let evens = data.Subset(torch.arange(10), [0, 2, 4]);\n\
                  evens[2]",
        call: |args| {
            let dataset = Dataset::from_value(args.get(0))?;
            let indices = index_list(args.get(1))?;
            let length = dataset.len() as i64;
            if let Some(bad) = indices.iter().find(|&&i| i >= length || i < -length) {
                return Err(Error::index(format!(
                    "Subset(): index {bad} is out of range: the dataset has {length} samples"
                )));
            }
            Ok(Dynamic::from(Dataset::new(Kind::Subset { dataset, indices })))
        },
    },
    Function {
        schema: "data.ConcatDataset(Any[] datasets) -> Dataset",
        doc: "Several datasets one after another.",
        example: "len(data.ConcatDataset([torch.zeros([3, 2]), torch.ones([2, 2])]))",
        call: |args| {
            let datasets = convert::items(args.get(0))
                .ok_or_else(|| args.mismatch(0, "an array of datasets"))?;
            let datasets = datasets.iter().map(Dataset::from_value).collect::<Result<Vec<_>>>()?;
            Ok(Dynamic::from(Dataset::concat(datasets)?))
        },
    },
    Function {
        schema: "data.random_split(Any dataset, Any lengths, Generator? generator=None, *, int? \
                 seed=None) -> Any[]",
        doc: "Splits a dataset at random into subsets of given lengths, or of given fractions \
              that sum to 1. With the same generator or seed the split is PyTorch's.",
        example: "let parts = data.random_split(torch.arange(10), [0.8, 0.2], seed: 0);\n\
                  [len(parts[0]), len(parts[1])]",
        call: random_split,
    },
    Function {
        schema: "data.DataLoader(Any dataset, int? batch_size=1, bool? shuffle=None, Any? \
                 sampler=None, Any? batch_sampler=None, int num_workers=0, Any? collate_fn=None, \
                 bool pin_memory=False, bool drop_last=False, Generator? generator=None, *, int? \
                 seed=None, int prefetch_factor=2, bool persistent_workers=False) -> DataLoader",
        doc: "Batches of a dataset: `for batch in loader` is one epoch, `len(loader)` the number \
              of batches.\n\n\
              Samples of tensors are picked by libtorch, with `num_workers` threads that work \
              ahead by `prefetch_factor` batches each; the batches are the same ones in the same \
              order for any number of workers. Samples of closures are made and collated on the \
              script's own thread. With the same generator (or `torch.manual_seed`) the shuffles \
              are PyTorch's; `seed` starts a generator of the loader's own. `sampler` is a \
              sampler, an array of indices or a closure that gives one per epoch. Threads need no \
              start-up worth keeping, so `persistent_workers` changes nothing; `pin_memory` does \
              where there is a CUDA device.",
        example: "let dataset = data.TensorDataset(torch.arange(10), torch.arange(10) % 2);\n\
                  let loader = data.DataLoader(dataset, batch_size: 4, shuffle: true, seed: 0);\n\
                  for batch in loader { print(batch[0]); }",
        call: DataLoader::from_args,
    },
    Function {
        schema: "DataLoader.state_dict(DataLoader self) -> Map",
        doc: "Where the loader is in its epoch: how many batches were handed out, and the random state \
              that its order came from; and the state of a generator of its own.",
        example: "let loader = data.DataLoader(torch.arange(8), batch_size: 2);\n\
                  for batch in loader { print(loader.state_dict().batches); break; }",
        call: |args| Ok(args.object::<DataLoader>(0)?.state_dict()?.into()),
    },
    Function {
        schema: "DataLoader.load_state_dict(DataLoader self, Map state_dict) -> None",
        doc: "Has the next epoch go on where `state_dict()` says, in the same order, behind the batches that \
              were handed out already.",
        example: "let loader = data.DataLoader(torch.arange(8), batch_size: 2);\n\
                  loader.load_state_dict(loader.state_dict())",
        call: |args| {
            let state = args.map(1)?;
            args.object::<DataLoader>(0)?.load_state_dict(&state)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "data.SequentialSampler(Any data_source) -> Sampler",
        doc: "Samples in their order.",
        example: "data.SequentialSampler(torch.zeros([3]))",
        call: |args| sampler(Order::Sequential(Dataset::from_value(args.get(0))?)),
    },
    Function {
        schema: "data.RandomSampler(Any data_source, bool replacement=False, int? \
                 num_samples=None, Generator? generator=None) -> Sampler",
        doc: "Samples in random order, or drawn with replacement.",
        example: "let draw = data.RandomSampler(torch.zeros([3]), replacement: true, num_samples: \
                  5);\n\
                  len(draw)",
        call: |args| {
            let samples = args.opt_int(2)?.map(num_samples).transpose()?;
            let generator = args.opt_generator(3)?;
            let dataset = Dataset::from_value(args.get(0))?;
            sampler(Order::Random { dataset, replacement: args.bool(1)?, samples, generator })
        },
    },
    Function {
        schema: "data.SubsetRandomSampler(Any indices, Generator? generator=None) -> Sampler",
        doc: "Given indices in random order.",
        example: "len(data.SubsetRandomSampler([3, 5, 7]))",
        call: |args| {
            let indices = index_list(args.get(0))?;
            sampler(Order::Subset { indices, generator: args.opt_generator(1)? })
        },
    },
    Function {
        schema: "data.WeightedRandomSampler(Any weights, int num_samples, bool replacement=True, \
                 Generator? generator=None) -> Sampler",
        doc: "Indices drawn by weight; the weights need not sum to one.",
        example: "len(data.WeightedRandomSampler([0.1, 0.9, 0.4], 5))",
        call: |args| {
            let weights = match args.opt_tensor(0) {
                Ok(Some(weights)) => weights.f_to_kind(tch::Kind::Double)?,
                _ => tch::Tensor::f_from_slice(&args.floats(0)?)?,
            };
            if weights.dim() != 1 {
                return Err(Error::value(format!(
                    "weights should be a 1d sequence but given weights have shape {:?}",
                    sizes(&weights)
                )));
            }
            let weights = Tensor::from(weights);
            let (samples, replacement) = (num_samples(args.int(1)?)?, args.bool(2)?);
            let generator = args.opt_generator(3)?;
            sampler(Order::Weighted { weights, samples, replacement, generator })
        },
    },
    Function {
        schema: "data.BatchSampler(Any sampler, int batch_size, bool drop_last=False) -> Sampler",
        doc: "Lists of indices from another sampler, for `DataLoader(batch_sampler: …)`.",
        example: "let lists = data.BatchSampler(0..10, 3);\n\
                  for list in lists { print(list); }",
        call: |args| {
            let indices = Indices::from_value(args.get(0), args.ctx())?;
            let size = batch_size(args.int(1)?)?;
            sampler(Order::Batches { sampler: indices, size, drop_last: args.bool(2)? })
        },
    },
];

fn sampler(order: Order) -> Result<Dynamic> {
    Ok(Dynamic::from(Sampler::new(order)?))
}

fn num_samples(n: i64) -> Result<usize> {
    usize::try_from(n).ok().filter(|&n| n > 0).ok_or_else(|| {
        Error::value(format!(
            "num_samples should be a positive integer value, but got num_samples={n}"
        ))
    })
}

fn random_split(args: &mut Args<'_>) -> Result<Dynamic> {
    let dataset = Dataset::from_value(args.get(0))?;
    let lengths = args.floats(1)?;
    let total = dataset.len();
    let sizes = split_sizes(total, &lengths)?;
    let generator = generator_of(args, 2, 3)?;
    let order = permutation(total, generator.as_ref())?;
    let mut start = 0;
    let mut parts = Array::new();
    for size in sizes {
        let indices = order[start..start + size].to_vec();
        start += size;
        parts.push(Dynamic::from(Dataset::new(Kind::Subset { dataset: dataset.clone(), indices })));
    }
    Ok(parts.into())
}

/// The sizes of the parts: given ones, or fractions whose remainder goes to the parts in turn.
fn split_sizes(total: usize, lengths: &[f64]) -> Result<Vec<usize>> {
    let sum: f64 = lengths.iter().sum();
    // Python's math.isclose(sum, 1) with its relative tolerance.
    if (sum - 1.0).abs() <= 1e-9 * sum.abs().max(1.0) && sum <= 1.0 {
        let mut sizes = Vec::with_capacity(lengths.len());
        for (i, &fraction) in lengths.iter().enumerate() {
            if !(0.0..=1.0).contains(&fraction) {
                return Err(Error::value(format!("Fraction at index {i} is not between 0 and 1")));
            }
            sizes.push((total as f64 * fraction).floor() as usize);
        }
        let parts = sizes.len();
        let remainder = total.saturating_sub(sizes.iter().sum());
        for i in 0..remainder {
            sizes[i % parts] += 1;
        }
        return Ok(sizes);
    }
    let whole = lengths.iter().all(|n| n.fract() == 0.0 && *n >= 0.0);
    if !whole || sum != total as f64 {
        return Err(Error::value(format!(
            "Sum of input lengths does not equal the length of the input dataset! \
             ({lengths:?} sum to {sum}, the dataset has {total} samples)"
        ))
        .help("give whole lengths that sum to the dataset's, or fractions that sum to 1"));
    }
    Ok(lengths.iter().map(|&n| n as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::split_sizes;

    #[test]
    fn fractions_share_the_remainder_in_turn() {
        assert_eq!(split_sizes(1797, &[0.8, 0.2]).expect("sizes"), [1438, 359]);
        assert_eq!(split_sizes(10, &[0.33, 0.33, 0.34]).expect("sizes"), [4, 3, 3]);
        assert_eq!(split_sizes(10, &[3.0, 7.0]).expect("sizes"), [3, 7]);
        // One part of one sample is both a length and a fraction.
        assert_eq!(split_sizes(5, &[1.0]).expect("sizes"), [5]);
        for bad in [&[3.0, 8.0][..], &[0.5, 0.6], &[-1.0, 2.0], &[]] {
            assert!(split_sizes(10, bad).is_err(), "{bad:?}");
        }
    }
}
