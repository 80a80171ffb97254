//! Lengths and items of the values that scripts iterate over, for native code that wraps a loop.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Items, Object, convert};
use flambeau_runtime::torch::sizes;
use rhai::{Dynamic, ImmutableString};

use crate::data::{DataLoader, Dataset, Sampler};
use crate::io::Table;
use crate::nn::{Module, StateDict};

/// How many items a loop over `value` has, where that is known before.
pub(crate) fn length(value: &Dynamic) -> Option<usize> {
    if let Some(tensor) = convert::tensor(value) {
        return sizes(&tensor).first().and_then(|&size| usize::try_from(size).ok());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Some(text.chars().count());
    }
    // A range is not made into an array to be counted.
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return usize::try_from(range.end.checked_sub(range.start)?.max(0)).ok();
    }
    if let Some(items) = convert::items(value) {
        return Some(items.len());
    }
    object(value).and_then(|(length, _)| length)
}

/// The items of a loop over `value`.
///
/// # Errors
/// A `TypeError` for values that are no sequence.
pub(crate) fn items(value: &Dynamic) -> Result<Items> {
    if let Some(tensor) = convert::tensor(value) {
        let rows = tensor.f_unbind(0)?;
        let rows = rows
            .into_iter()
            .map(|row| Ok(Dynamic::from(flambeau_runtime::torch::Tensor::from(row))));
        return Ok(Box::new(rows));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        let chars: Vec<Dynamic> = text.chars().map(Dynamic::from).collect();
        return Ok(Box::new(chars.into_iter().map(Ok)));
    }
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Ok(Box::new(range.clone().map(|i| Ok(Dynamic::from_int(i)))));
    }
    if let Some(items) = convert::items(value) {
        return Ok(Box::new(items.into_iter().map(Ok)));
    }
    match object(value).and_then(|(_, items)| items) {
        Some(items) => items,
        None => {
            Err(Error::type_(format!("a {} cannot be iterated over", convert::type_name(value))))
        }
    }
}

/// Length and items of the objects of this library that are sequences.
#[allow(clippy::type_complexity)]
fn object(value: &Dynamic) -> Option<(Option<usize>, Option<Result<Items>>)> {
    fn of<T: Object>(value: &Dynamic) -> Option<(Option<usize>, Option<Result<Items>>)> {
        let object = value.read_lock::<T>()?.clone();
        Some((object.length(), object.iterate()))
    }
    of::<DataLoader>(value)
        .or_else(|| of::<Dataset>(value))
        .or_else(|| of::<Sampler>(value))
        .or_else(|| of::<Table>(value))
        .or_else(|| of::<Module>(value))
        .or_else(|| of::<StateDict>(value))
}
