//! Map-style datasets: a length, and a sample for every index.
//!
//! Source: <https://docs.pytorch.org/docs/2.11/data.html>.

use flambeau_runtime::torch::{Tensor, sizes};
use std::rc::Rc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, Items, Object, convert};
use rhai::{Array, Dynamic, Map};

/// A dataset; a clone is the same one.
#[derive(Clone)]
pub struct Dataset(Rc<Kind>);

/// What a dataset is made of.
pub(crate) enum Kind {
    /// Sample `i` is the array of all tensors' rows `i`.
    Tensors(Vec<Tensor>),
    /// Sample `i` is the row `i` of one tensor.
    Rows(Tensor),
    /// Sample `i` is what a closure returns for `i`.
    Closure { length: usize, get: Dynamic },
    /// Sample `i` is item `i`.
    Items(Array),
    /// Some samples of another dataset.
    Subset { dataset: Dataset, indices: Vec<i64> },
    /// Datasets one after another, and where each ends.
    Concat { datasets: Vec<Dataset>, ends: Vec<usize> },
}

impl Dataset {
    pub(crate) fn new(kind: Kind) -> Dataset {
        Dataset(Rc::new(kind))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Anything that has a length and items: a dataset, an array, a tensor (its rows), a range, or
    /// a map with `len` and `get`, a
    /// Python object with `__len__` and `__getitem__`.
    pub(crate) fn from_value(value: &Dynamic) -> Result<Dataset> {
        if let Some(dataset) = value.read_lock::<Dataset>() {
            return Ok(dataset.clone());
        }
        if let Some(tensor) = convert::tensor(value) {
            if tensor.dim() == 0 {
                return Err(Error::value("a tensor without dimensions is no dataset"));
            }
            return Ok(Dataset::new(Kind::Rows(tensor)));
        }
        if let Some(items) = convert::items(value) {
            return Ok(Dataset::new(Kind::Items(items)));
        }
        if let Some(map) = value.read_lock::<Map>()
            && let (Some(length), Some(get)) = (map.get("len"), map.get("get"))
        {
            return Dataset::from_closure(length, get.clone());
        }
        let theirs = Context::current(|ctx| {
            Ok(ctx.length(value).map(|length| (length, ctx.attribute(value, "__getitem__"))))
        });
        if let Ok(Some((length, Ok(get)))) = theirs {
            return Ok(Dataset::new(Kind::Closure { length, get }));
        }
        Err(Error::type_(format!("a {} is no dataset", convert::type_name(value))).help(
            "make one with data.TensorDataset(x, y) or data.Dataset(len: n, get: |i| …); \
             arrays and tensors are datasets too",
        ))
    }

    pub(crate) fn from_closure(length: &Dynamic, get: Dynamic) -> Result<Dataset> {
        let length =
            convert::int(length).and_then(|n| usize::try_from(n).ok()).ok_or_else(|| {
                Error::type_(format!(
                    "the length of a dataset must be an integer, 0 or more, not {}",
                    convert::type_name(length)
                ))
            })?;
        Ok(Dataset::new(Kind::Closure { length, get }))
    }

    /// `TensorDataset(*tensors)`: all tensors have one size in the first dimension.
    pub(crate) fn from_tensors(tensors: Vec<Tensor>) -> Result<Dataset> {
        let Some(first) = tensors.first() else {
            return Err(Error::value("TensorDataset() needs at least one tensor"));
        };
        for tensor in &tensors {
            if tensor.dim() == 0 || sizes(tensor)[0] != sizes(first)[0] {
                let shapes: Vec<String> = tensors.iter().map(Tensor::describe).collect();
                return Err(Error::shape(format!(
                    "TensorDataset(): size mismatch between tensors: {}",
                    shapes.join(", ")
                ))
                .help("all tensors need the same size in the first dimension"));
            }
        }
        Ok(Dataset::new(Kind::Tensors(tensors)))
    }

    pub(crate) fn concat(datasets: Vec<Dataset>) -> Result<Dataset> {
        if datasets.is_empty() {
            return Err(Error::value("datasets should not be an empty iterable"));
        }
        let mut end = 0;
        let ends = datasets.iter().map(|dataset| {
            end += dataset.len();
            end
        });
        let ends = ends.collect();
        Ok(Dataset::new(Kind::Concat { datasets, ends }))
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        match self.kind() {
            Kind::Tensors(tensors) => tensors.first().map_or(0, rows),
            Kind::Rows(tensor) => rows(tensor),
            Kind::Closure { length, .. } => *length,
            Kind::Items(items) => items.len(),
            Kind::Subset { indices, .. } => indices.len(),
            Kind::Concat { ends, .. } => ends.last().copied().unwrap_or(0),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sample `index`; negative numbers count from the end.
    ///
    /// # Errors
    /// An `IndexError` beyond the length; what a closure throws.
    pub fn get(&self, index: i64, ctx: &Context<'_>) -> Result<Dynamic> {
        let i = self.position(index)?;
        match self.kind() {
            Kind::Tensors(tensors) => {
                let row = |tensor: &Tensor| Ok(Tensor::from(tensor.f_select(0, i as i64)?));
                let row = tensors.iter().map(row).collect::<Result<Vec<_>>>()?;
                Ok(convert::from_tensors(row))
            }
            Kind::Rows(tensor) => Ok(Dynamic::from(Tensor::from(tensor.f_select(0, i as i64)?))),
            Kind::Closure { get, .. } => ctx.call(get, vec![Dynamic::from_int(i as i64)]),
            Kind::Items(items) => Ok(items[i].clone()),
            Kind::Subset { dataset, indices } => dataset.get(indices[i], ctx),
            Kind::Concat { datasets, ends } => {
                let k = ends.partition_point(|&end| end <= i);
                let start = if k == 0 { 0 } else { ends[k - 1] };
                datasets[k].get((i - start) as i64, ctx)
            }
        }
    }

    fn position(&self, index: i64) -> Result<usize> {
        let length = self.len() as i64;
        let i = if index < 0 { index + length } else { index };
        if (0..length).contains(&i) {
            Ok(i as usize)
        } else {
            Err(Error::index(format!("sample {index} is out of range: there are {length} samples")))
        }
    }

    /// The name of PyTorch's class.
    pub(crate) fn class(&self) -> &'static str {
        match self.kind() {
            Kind::Tensors(_) => "TensorDataset",
            Kind::Rows(_) | Kind::Items(_) | Kind::Closure { .. } => "Dataset",
            Kind::Subset { .. } => "Subset",
            Kind::Concat { .. } => "ConcatDataset",
        }
    }
}

fn rows(tensor: &Tensor) -> usize {
    sizes(tensor).first().and_then(|&size| usize::try_from(size).ok()).unwrap_or(0)
}

impl Object for Dataset {
    const TYPE: &'static str = "Dataset";

    fn display(&self) -> String {
        let samples = self.len();
        match self.kind() {
            Kind::Tensors(tensors) => {
                let parts: Vec<String> = tensors.iter().map(Tensor::describe).collect();
                format!("TensorDataset({samples} samples: {})", parts.join(", "))
            }
            Kind::Subset { dataset, .. } => {
                format!("Subset({samples} of {} samples of a {})", dataset.len(), dataset.class())
            }
            Kind::Concat { datasets, .. } => {
                format!("ConcatDataset({samples} samples of {} datasets)", datasets.len())
            }
            _ => format!("Dataset({samples} samples)"),
        }
    }

    fn attribute(&self, name: &str, _: &Context<'_>) -> Result<Option<Dynamic>> {
        Ok(match (self.kind(), name) {
            (Kind::Tensors(tensors), "tensors") => Some(convert::from_tensors(tensors.clone())),
            (Kind::Subset { indices, .. }, "indices") => Some(convert::from_ints(indices)),
            (Kind::Subset { dataset, .. }, "dataset") => Some(Dynamic::from(dataset.clone())),
            (Kind::Concat { datasets, .. }, "datasets") => {
                Some(datasets.iter().cloned().map(Dynamic::from).collect::<Array>().into())
            }
            (Kind::Concat { ends, .. }, "cumulative_sizes") => Some(
                ends.iter().map(|&end| Dynamic::from_int(end as i64)).collect::<Array>().into(),
            ),
            _ => None,
        })
    }

    fn attributes(&self) -> Vec<String> {
        let names: &[&str] = match self.kind() {
            Kind::Tensors(_) => &["tensors"],
            Kind::Subset { .. } => &["indices", "dataset"],
            Kind::Concat { .. } => &["datasets", "cumulative_sizes"],
            _ => &[],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn index(&self, index: &Dynamic, ctx: &Context<'_>) -> Result<Dynamic> {
        if let Some(i) = convert::int(index) {
            return self.get(i, ctx);
        }
        // Several samples of a tensor dataset at once, as `dataset[0:3]` in Python.
        if let (Some(indices), Kind::Tensors(_)) = (convert::ints(index), self.kind())
            && let Some(native) = super::native::Native::of(self)
        {
            let positions: Result<Vec<usize>> = indices.iter().map(|&i| self.position(i)).collect();
            let positions: Vec<i64> = positions?.into_iter().map(|i| i as i64).collect();
            let batch = native.batch(&positions)?;
            return Ok(convert::from_tensors(batch.into_iter().map(Tensor::from)));
        }
        Err(Error::type_(format!(
            "a dataset is indexed by an integer, not by {}",
            convert::type_name(index)
        )))
    }

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }

    fn iterate(&self) -> Option<Result<Items>> {
        let dataset = self.clone();
        let samples =
            (0..self.len() as i64).map(move |i| Context::current(|ctx| dataset.get(i, ctx)));
        Some(Ok(Box::new(samples)))
    }
}
