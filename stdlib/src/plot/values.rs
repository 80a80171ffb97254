//! The values that a chart shows, from what scripts have: tensors, arrays, maps of them.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::convert;
use rhai::{Dynamic, Map};

/// The numbers of a tensor (of any shape) or an array.
pub(crate) fn numbers(value: &Dynamic, what: &str) -> Result<Vec<f64>> {
    if let Some(tensor) = convert::tensor(value) {
        let flat = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?;
        let flat = flat.f_to_kind(tch::Kind::Double)?.f_flatten(0, -1)?;
        return Ok(Vec::<f64>::try_from(&flat)?);
    }
    let items = convert::items(value).ok_or_else(|| no_numbers(value, what))?;
    let number = |item: &Dynamic| convert::float(item).ok_or_else(|| no_numbers(item, what));
    items.iter().map(number).collect()
}

fn no_numbers(value: &Dynamic, what: &str) -> Error {
    Error::type_(format!(
        "{what} must be numbers (a tensor or an array), not a {}",
        convert::type_name(value)
    ))
}

/// Series by name: a map gives several, a tensor or an array one without a name.
pub(crate) fn named(value: &Dynamic) -> Vec<(String, Dynamic)> {
    match value.read_lock::<Map>() {
        Some(map) => map.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        None => vec![(String::new(), value.clone())],
    }
}

/// Points of a line: `value` is the heights over `x` (or over 0, 1, 2, …), or a pair `[x, y]` of
/// lists.
pub(crate) fn points(name: &str, value: &Dynamic, x: Option<&[f64]>) -> Result<Vec<(f64, f64)>> {
    let what =
        if name.is_empty() { "the values".to_owned() } else { format!("the values of '{name}'") };
    if convert::tensor(value).is_none()
        && let Some(items) = convert::items(value)
        && let [first, second] = items.as_slice()
        && is_list(first)
        && is_list(second)
    {
        return pairs(&numbers(first, &what)?, &numbers(second, &what)?, &what);
    }
    let y = numbers(value, &what)?;
    match x {
        Some(x) => pairs(x, &y, &what),
        None => Ok(y.into_iter().enumerate().map(|(i, y)| (i as f64, y)).collect()),
    }
}

/// Points from both coordinates.
pub(crate) fn pairs(x: &[f64], y: &[f64], what: &str) -> Result<Vec<(f64, f64)>> {
    if x.len() != y.len() {
        return Err(Error::value(format!(
            "{what}: x has {} numbers and y has {}",
            x.len(),
            y.len()
        )));
    }
    Ok(x.iter().copied().zip(y.iter().copied()).collect())
}

fn is_list(value: &Dynamic) -> bool {
    match convert::tensor(value) {
        Some(tensor) => tensor.dim() > 0,
        None => convert::items(value).is_some(),
    }
}
