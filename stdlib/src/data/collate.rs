//! From samples to a batch, as `torch.utils.data.default_collate` does it.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, Function, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Array, Dynamic, Map};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "data.default_collate(Any[] batch) -> Any",
        doc: "Makes one batch of a list of samples: tensors are stacked in a new first dimension, \
              floats become a float64 tensor, integers an int64 tensor, bools a bool tensor, \
              texts stay a list; arrays and maps are collated item by item.",
        example: "data.default_collate([#{x: torch.ones([2]), y: 1}, #{x: torch.zeros([2]), y: \
                  2}])",
        call: |args| collate(&samples(args.get(0))?, args.ctx()),
    },
    Function {
        schema: "data.default_convert(Any data) -> Any",
        doc: "What a DataLoader without batches does with a sample: nothing, it is handed on.",
        example: "data.default_convert([1, 2])",
        call: |args| Ok(args.take(0)),
    },
];

fn samples(value: &Dynamic) -> Result<Array> {
    convert::items(value).ok_or_else(|| {
        Error::type_(format!(
            "default_collate() takes an array of samples, not a {}",
            convert::type_name(value)
        ))
    })
}

/// One batch of samples; the first one tells the kind.
///
/// # Errors
/// A `TypeError` for samples that are no data, a `RuntimeError` for lists of different lengths, a
/// `ShapeError` for tensors of different shapes.
pub(crate) fn collate(batch: &[Dynamic], ctx: &Context<'_>) -> Result<Dynamic> {
    let Some(first) = batch.first() else {
        return Err(Error::value("default_collate(): the batch is empty"));
    };
    if first.is::<Tensor>() {
        let tensors = batch.iter().map(|sample| required(sample, convert::tensor, "Tensor"));
        let tensors = tensors.collect::<Result<Vec<_>>>()?;
        let tensors: Vec<&tch::Tensor> = tensors.iter().map(AsRef::as_ref).collect();
        return Ok(Dynamic::from(Tensor::from(tch::Tensor::f_stack(&tensors, 0)?)));
    }
    if first.is_float() {
        let values = batch.iter().map(|sample| required(sample, convert::float, "number"));
        let values = values.collect::<Result<Vec<f64>>>()?;
        return Ok(Dynamic::from(Tensor::from(tch::Tensor::f_from_slice(&values)?)));
    }
    if first.is_int() || first.is_bool() {
        return ctx.function("torch.tensor", vec![Dynamic::from_array(batch.to_vec())]);
    }
    if first.is_string() {
        return Ok(Dynamic::from_array(batch.to_vec()));
    }
    if let Some(keys) = first.read_lock::<Map>() {
        let mut map = Map::new();
        for key in keys.keys() {
            let column = batch.iter().map(|sample| {
                let value = sample.read_lock::<Map>().and_then(|map| map.get(key).cloned());
                value.ok_or_else(|| {
                    Error::key(format!("default_collate(): a sample has no '{key}'"))
                })
            });
            map.insert(key.clone(), collate(&column.collect::<Result<Array>>()?, ctx)?);
        }
        return Ok(map.into());
    }
    if convert::items(first).is_some() {
        let rows = batch.iter().map(|sample| required(sample, convert::items, "array"));
        let rows = rows.collect::<Result<Vec<Array>>>()?;
        if rows.iter().any(|row| row.len() != rows[0].len()) {
            return Err(Error::value("each element in list of batch should be of equal size"));
        }
        let column =
            |i: usize| collate(&rows.iter().map(|row| row[i].clone()).collect::<Array>(), ctx);
        return (0..rows[0].len()).map(column).collect::<Result<Array>>().map(Dynamic::from_array);
    }
    if ctx.tensor(first)?.is_some() {
        let tensors = batch.iter().map(|sample| {
            let tensor = ctx.tensor(sample)?.map(Dynamic::from);
            required(&tensor.unwrap_or_else(|| sample.clone()), convert::tensor, "Tensor")
        });
        let tensors = tensors.map(|tensor| tensor.map(Dynamic::from)).collect::<Result<Array>>()?;
        return collate(&tensors, ctx);
    }
    Err(Error::type_(format!(
        "default_collate: batch must contain tensors, numbers, texts, maps or arrays; found {}",
        convert::type_name(first)
    ))
    .help("give the loader a function that makes the batch: collate_fn: |samples| …"))
}

fn required<T>(
    sample: &Dynamic,
    convert: impl Fn(&Dynamic) -> Option<T>,
    expected: &str,
) -> Result<T> {
    convert(sample).ok_or_else(|| {
        Error::type_(format!(
            "default_collate: the samples of a batch differ: a {expected} and a {}",
            convert::type_name(sample)
        ))
    })
}
