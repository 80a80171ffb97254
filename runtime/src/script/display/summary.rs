//! A value on one line: what lists of variables show of it.

use rhai::{Array, Dynamic, FnPtr, Map};

use super::display;
use crate::script::convert;
use crate::script::state::State;
use crate::torch::Tensor;

/// How many characters of a value are shown of it.
const MOST: usize = 60;

/// The type of a value, as scripts see it, without what a tensor is like.
pub fn kind(value: &Dynamic) -> String {
    if value.read_lock::<Tensor>().is_some() {
        return "Tensor".to_owned();
    }
    convert::type_name(value)
}

/// Dtype, shape and device of a tensor, the length of a list, the beginning of another value.
pub fn summary(value: &Dynamic, state: &State) -> String {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return tensor.describe();
    }
    if let Some(items) = value.read_lock::<Array>() {
        return format!("{} items", items.len());
    }
    if let Some(entries) = value.read_lock::<Map>() {
        return format!("{} keys", entries.len());
    }
    if value.is::<FnPtr>() {
        return String::new();
    }
    // Text for people, such as of a module, may have many lines.
    let text = display(value, state);
    let mut lines = text.lines();
    let line = lines.next().unwrap_or("");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None if lines.next().is_some() => format!("{line}…"),
        None => line.to_owned(),
    }
}
