//! `x[0]`, `x[1..3]`, `x[[0, ()]]`, masks and integer tensors, for reading and for writing in place.
//!
//! | Python | script |
//! | --- | --- |
//! | `x[0]`, `x[-1]` | `x[0]`, `x[-1]` |
//! | `x[1:3]`, `x[1:-1]` | `x[1..3]`, `x[1..-1]` |
//! | `x[1:]`, `x[::2]` | `x[slice(1)]`, `x[slice((), (), 2)]` |
//! | `x[:, -1]` | `x[[(), -1]]` |
//! | `x[..., 0]` | `x[["...", 0]]` |
//! | `x[:, None]` | `x[[(), torch.newaxis]]` |
//! | `x[[0, 2]]` | `x[[[0, 2]]]` or `x[torch.tensor([0, 2])]` |
//! | `x[x > 0]` | `x[x > 0]` |
//!
//! Source: <https://pytorch.org/docs/stable/tensor_view.html> and NumPy's indexing rules.

use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic};

use super::convert;
use crate::error::{Error, Result};
use crate::torch::{Dtype, Tensor, shim};

/// `torch.newaxis`: a new dimension of size 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAxis;

/// `slice(start, end, step)`, as in Python: `()` leaves a side open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// First index; from the end where negative.
    pub start: Option<i64>,
    /// Index behind the last; from the end where negative.
    pub end: Option<i64>,
    /// Distance, positive.
    pub step: i64,
}

/// One entry of an index.
enum Entry {
    Select(i64),
    Slice(Slice),
    Ellipsis,
    NewAxis,
    /// An integer tensor for one dimension.
    Gather(tch::Tensor),
    /// A bool tensor for as many dimensions as it has.
    Mask(tch::Tensor),
    /// A bool without dimensions: a new dimension of size 1 or 0.
    Flag(bool),
}

impl Entry {
    /// How many dimensions of the tensor it is for.
    fn dims(&self) -> usize {
        match self {
            Entry::Select(_) | Entry::Slice(_) | Entry::Gather(_) => 1,
            Entry::Mask(mask) => shim::dim(mask),
            Entry::Ellipsis | Entry::NewAxis | Entry::Flag(_) => 0,
        }
    }
}

fn entry(value: &Dynamic) -> Result<Entry> {
    if let Ok(int) = value.as_int() {
        return Ok(Entry::Select(int));
    }
    if value.is_unit() {
        return Ok(Entry::Slice(Slice { start: None, end: None, step: 1 }));
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(Entry::Flag(flag));
    }
    if let Some(range) = value.read_lock::<Range<i64>>() {
        return Ok(Entry::Slice(Slice { start: Some(range.start), end: Some(range.end), step: 1 }));
    }
    if let Some(range) = value.read_lock::<RangeInclusive<i64>>() {
        // `..=-1` reaches the last element: there is no index behind it to name.
        let end = Some(range.end() + 1).filter(|end| *end != 0);
        return Ok(Entry::Slice(Slice { start: Some(*range.start()), end, step: 1 }));
    }
    if let Some(slice) = value.read_lock::<Slice>() {
        return Ok(Entry::Slice(*slice));
    }
    if value.is::<NewAxis>() {
        return Ok(Entry::NewAxis);
    }
    if let Some(text) = convert::string(value) {
        return match text.as_str() {
            "..." => Ok(Entry::Ellipsis),
            _ => Err(Error::type_(format!("a tensor cannot be indexed by the string {text:?}"))
                .help("\"...\" stands for the dimensions that are not named")),
        };
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return from_tensor(&tensor);
    }
    if let Some(list) = value.read_lock::<Array>() {
        // An empty array selects nothing.
        return match list.is_empty() {
            true => Ok(Entry::Gather(tch::Tensor::f_from_slice::<i64>(&[])?)),
            false => from_tensor(&super::tensor_data::from_value(value, None)?),
        };
    }
    Err(Error::type_(format!(
        "a tensor cannot be indexed by a {}",
        convert::type_name(value)
    ))
    .help("use an int, a range, (), \"...\", torch.newaxis, an integer or bool tensor, or an array of these"))
}

fn from_tensor(tensor: &Tensor) -> Result<Entry> {
    let dims = shim::dim(tensor);
    match tensor.dtype() {
        Dtype::BOOL if dims == 0 => Ok(Entry::Flag(tensor.f_int64_value(&[])? != 0)),
        Dtype::BOOL => Ok(Entry::Mask(tensor.tch())),
        Dtype::UINT8 if dims > 0 => Ok(Entry::Mask(tensor.f_to_kind(tch::Kind::Bool)?)),
        Dtype::INT64 | Dtype::INT32 | Dtype::INT16 | Dtype::INT8 | Dtype::UINT8 => {
            if dims == 0 {
                return Ok(Entry::Select(tensor.f_int64_value(&[])?));
            }
            Ok(Entry::Gather(tensor.f_to_kind(tch::Kind::Int64)?))
        }
        other => Err(Error::index(format!(
            "tensors used as indices must be of integers or bools, not {other}"
        ))),
    }
}

/// Index tensors in the order of the dimensions that they are for.
#[derive(Default)]
struct Gathers {
    tensors: Vec<Option<tch::Tensor>>,
    /// How many dimensions they stand for: more than one for a mask.
    dims: i64,
}

impl Gathers {
    /// Adds an index tensor for `count` dimensions from `dim` on.
    fn push(&mut self, dim: i64, tensor: tch::Tensor, count: usize) {
        while self.dims < dim {
            self.tensors.push(None);
            self.dims += 1;
        }
        self.tensors.push(Some(tensor));
        self.dims += count as i64;
    }
}

/// The view that the plain entries select, and the index tensors that are left for it.
fn view(tensor: &tch::Tensor, index: &Dynamic) -> Result<(tch::Tensor, Vec<Option<tch::Tensor>>)> {
    let dims = shim::dim(tensor);
    let entries: Vec<Entry> = match index.read_lock::<Array>() {
        Some(list) => list.iter().map(entry).collect::<Result<_>>()?,
        // `()` alone is everything, also of a tensor without dimensions.
        None if index.is_unit() => Vec::new(),
        None => vec![entry(index)?],
    };
    let used: usize = entries.iter().map(Entry::dims).sum();
    if used > dims {
        return Err(Error::index(format!(
            "too many indices: {used} for a tensor of {dims} dimension{}",
            if dims == 1 { "" } else { "s" }
        )));
    }
    if entries.iter().filter(|entry| matches!(entry, Entry::Ellipsis)).count() > 1 {
        return Err(Error::index("an index can have only one \"...\""));
    }
    let mut view = tensor.shallow_clone();
    let mut gathers = Gathers::default();
    // Of the view so far, and of the tensor as the script sees it.
    let (mut dim, mut axis) = (0i64, 0i64);
    for entry in entries {
        let count = entry.dims();
        let here = axis;
        axis += if matches!(entry, Entry::Ellipsis) { dims - used } else { count } as i64;
        match entry {
            Entry::Select(i) => {
                // Below 0 where the tensors of a nested one differ: libtorch checks those.
                if let Some(&size) = shim::sizes(&view).get(dim as usize)
                    && size >= 0
                    && (i >= size || i < -size)
                {
                    return Err(Error::index(format!(
                        "index {i} is out of range for dimension {here} of size {size}"
                    )));
                }
                view = view.f_select(dim, i)?;
            }
            Entry::Slice(slice) => {
                if slice.step < 1 {
                    return Err(Error::value("the step of a slice must be positive")
                        .help("torch.flip(x, [dim]) turns a dimension round"));
                }
                if slice.start.is_some() || slice.end.is_some() || slice.step != 1 {
                    view = view.f_slice(dim, slice.start, slice.end, slice.step)?;
                }
                dim += 1;
            }
            Entry::Ellipsis => dim += (dims - used) as i64,
            Entry::NewAxis => {
                view = view.f_unsqueeze(dim)?;
                dim += 1;
            }
            Entry::Gather(tensor) | Entry::Mask(tensor) => {
                gathers.push(dim, tensor.f_to_device(shim::device(&view).tch()?)?, count);
                dim += count as i64;
            }
            Entry::Flag(flag) => {
                view = view.f_unsqueeze(dim)?;
                let mask = tch::Tensor::f_from_slice(&[flag])?;
                gathers.push(dim, mask.f_to_device(shim::device(&view).tch()?)?, 1);
                dim += 1;
            }
        }
    }
    Ok((view, gathers.tensors))
}

/// `tensor[index]`.
///
/// # Errors
/// An `IndexError` out of range, a `TypeError` for what is no index.
pub fn get(tensor: &Tensor, index: &Dynamic) -> Result<Tensor> {
    let (view, gathers) = view(tensor, index)?;
    if gathers.is_empty() {
        return Ok(view.into());
    }
    Ok(view.f_index(&gathers)?.into())
}

/// `tensor[index] = value`, in place.
///
/// # Errors
/// As [`get`], and a `ShapeError` when the value does not fit.
pub fn set(tensor: &Tensor, index: &Dynamic, value: &Dynamic) -> Result<()> {
    let (mut view, gathers) = view(tensor, index)?;
    let mut source = match value.read_lock::<Tensor>() {
        Some(tensor) => tensor.tch(),
        None => match value.read_lock::<Array>() {
            Some(_) => super::tensor_data::from_value(value, Some(tensor.dtype()))?.tch(),
            None => super::operator_call::number_tensor(value)
                .ok_or_else(|| {
                    Error::type_(format!(
                        "a {} cannot be put into a tensor",
                        convert::type_name(value)
                    ))
                })??
                .tch(),
        },
    };
    // Leading dimensions of size 1 do not count, as in PyTorch.
    while shim::dim(&source) > shim::dim(&view) && shim::sizes(&source).first() == Some(&1) {
        source = source.f_squeeze_dim(0)?;
    }
    if gathers.is_empty() {
        view.f_copy_(&source)?;
    } else {
        let source = source.f_to_kind(view.f_kind()?)?.f_to_device(shim::device(&view).tch()?)?;
        let _ = view.f_index_put_(&gathers, &source, false)?;
    }
    Ok(())
}
