//! `x[i]` of a Python object, written as for tensors: ranges are slices, an array is a tuple of indices in
//! which `()` is `:`, `"..."` is an ellipsis and an inner array selects.

use std::ops::{Range, RangeInclusive};

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rhai::{Array, Dynamic};

use crate::errors::Attempt;
use crate::to_python::{self, slice};

/// The index as Python takes it.
pub(crate) fn object<'py>(py: Python<'py>, index: &Dynamic) -> Attempt<Bound<'py, PyAny>> {
    if let Some(entries) = index.read_lock::<Array>() {
        let entries = entries.iter().map(|e| entry(py, e)).collect::<Attempt<Vec<_>>>()?;
        return Ok(PyTuple::new(py, entries)?.into_any());
    }
    part(py, index)
}

fn entry<'py>(py: Python<'py>, value: &Dynamic) -> Attempt<Bound<'py, PyAny>> {
    if value.as_immutable_string_ref().is_ok_and(|text| text.as_str() == "...") {
        return Ok(py.Ellipsis().into_bound(py));
    }
    part(py, value)
}

fn part<'py>(py: Python<'py>, value: &Dynamic) -> Attempt<Bound<'py, PyAny>> {
    if value.is_unit() {
        return slice(py, None, None, 1);
    }
    if let Some(range) = value.read_lock::<Range<i64>>() {
        return slice(py, Some(range.start), Some(range.end), 1);
    }
    if let Some(range) = value.read_lock::<RangeInclusive<i64>>() {
        // `..=-1` reaches the last item: there is no index behind it to name.
        let end = Some(range.end() + 1).filter(|end| *end != 0);
        return slice(py, Some(*range.start()), end, 1);
    }
    to_python::object(py, value)
}
