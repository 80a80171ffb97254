//! Batches of datasets that hold only tensors: picked by libtorch, without a closure, on any
//! thread.

use flambeau_runtime::torch::{Tensor, sizes};
use std::sync::Arc;

use flambeau_runtime::error::Result;

use super::dataset::{Dataset, Kind};
use crate::functional::common::device;

/// A dataset of tensors that can cross threads: the tensors are the same ones, not copies. They are
/// tch's, as the script's own handles stay on its thread.
pub(crate) enum Native {
    Tensors(Vec<tch::Tensor>),
    Subset { dataset: Box<Native>, indices: Arc<Vec<i64>> },
    Concat { datasets: Vec<Native>, ends: Arc<Vec<usize>> },
}

impl Clone for Native {
    fn clone(&self) -> Self {
        match self {
            Native::Tensors(tensors) => {
                Native::Tensors(tensors.iter().map(tch::Tensor::shallow_clone).collect())
            }
            Native::Subset { dataset, indices } => {
                Native::Subset { dataset: dataset.clone(), indices: indices.clone() }
            }
            Native::Concat { datasets, ends } => {
                Native::Concat { datasets: datasets.clone(), ends: ends.clone() }
            }
        }
    }
}

impl Native {
    /// The native form of a dataset; `None` where closures or other values are involved.
    pub fn of(dataset: &Dataset) -> Option<Native> {
        match dataset.kind() {
            Kind::Tensors(tensors) => {
                Some(Native::Tensors(tensors.iter().map(Tensor::tch).collect()))
            }
            Kind::Rows(tensor) => Some(Native::Tensors(vec![tensor.tch()])),
            Kind::Subset { dataset: inner, indices } => {
                // Indices are checked when a batch is made; negative ones count from the end.
                let length = inner.len() as i64;
                let indices = indices.iter().map(|&i| if i < 0 { i + length } else { i }).collect();
                let dataset = Box::new(Native::of(inner)?);
                Some(Native::Subset { dataset, indices: Arc::new(indices) })
            }
            Kind::Concat { datasets, ends } => {
                let native = datasets.iter().map(Native::of).collect::<Option<Vec<_>>>()?;
                let width = native.first()?.width();
                let alike = native.iter().all(|part| part.width() == width);
                alike.then(|| Native::Concat { datasets: native, ends: Arc::new(ends.clone()) })
            }
            Kind::Closure { .. } | Kind::Items(_) => None,
        }
    }

    /// How many tensors a batch has.
    fn width(&self) -> usize {
        match self {
            Native::Tensors(tensors) => tensors.len(),
            Native::Subset { dataset, .. } => dataset.width(),
            Native::Concat { datasets, .. } => datasets.first().map_or(0, Native::width),
        }
    }

    /// The samples at `indices`, stacked: one tensor `[batch, …]` per tensor of the dataset. They
    /// are copies, so a batch that is changed in place leaves the dataset as it was.
    ///
    /// # Errors
    /// An `IndexError` for an index beyond the dataset.
    pub fn batch(&self, indices: &[i64]) -> Result<Vec<tch::Tensor>> {
        match self {
            Native::Tensors(tensors) => {
                let rows = tensors.first().and_then(|tensor| sizes(tensor).first().copied());
                let rows = rows.unwrap_or(0);
                let indices: Vec<i64> =
                    indices.iter().map(|&i| if i < 0 { i + rows } else { i }).collect();
                let index = tch::Tensor::f_from_slice(&indices)?;
                let pick = |tensor: &tch::Tensor| {
                    let index = index.f_to_device(device(tensor)?)?;
                    Ok(tensor.f_index_select(0, &index)?)
                };
                tensors.iter().map(pick).collect()
            }
            Native::Subset { dataset, indices: own } => {
                let mapped: Option<Vec<i64>> =
                    indices.iter().map(|&i| own.get(usize::try_from(i).ok()?).copied()).collect();
                let mapped = mapped.ok_or_else(|| {
                    flambeau_runtime::error::Error::index(format!(
                        "a sampler gave an index beyond the {} samples of the dataset",
                        own.len()
                    ))
                })?;
                dataset.batch(&mapped)
            }
            Native::Concat { datasets, ends } => concat_batch(datasets, ends, indices),
        }
    }
}

/// Picks from every part what it has, then puts the rows into the order of `indices`.
fn concat_batch(datasets: &[Native], ends: &[usize], indices: &[i64]) -> Result<Vec<tch::Tensor>> {
    let mut picked: Vec<Vec<i64>> = vec![Vec::new(); datasets.len()];
    let mut places: Vec<Vec<i64>> = vec![Vec::new(); datasets.len()];
    for (place, &index) in indices.iter().enumerate() {
        let i = usize::try_from(index).unwrap_or(usize::MAX);
        let part = ends.partition_point(|&end| end <= i);
        if part == datasets.len() {
            return Err(flambeau_runtime::error::Error::index(format!(
                "sample {index} is out of range: there are {} samples",
                ends.last().copied().unwrap_or(0)
            )));
        }
        let start = if part == 0 { 0 } else { ends[part - 1] };
        picked[part].push((i - start) as i64);
        places[part].push(place as i64);
    }
    let mut parts = Vec::new();
    for (dataset, indices) in datasets.iter().zip(&picked) {
        if !indices.is_empty() {
            parts.push(dataset.batch(indices)?);
        }
    }
    if parts.len() == 1 {
        return Ok(parts.swap_remove(0));
    }
    let order = tch::Tensor::f_from_slice(&places.concat())?.f_argsort(0, false)?;
    (0..parts.first().map_or(0, Vec::len))
        .map(|column| {
            let rows: Vec<&tch::Tensor> = parts.iter().map(|part| &part[column]).collect();
            let rows = tch::Tensor::f_cat(&rows, 0)?;
            let order = order.f_to_device(device(&rows)?)?;
            Ok(rows.f_index_select(0, &order)?)
        })
        .collect()
}
