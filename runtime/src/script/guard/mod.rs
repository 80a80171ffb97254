//! Checks before calls of operators that trust their arguments. Python's own `torch` checks in Python,
//! or never calls them by hand; a script can, and a wrong argument must be an error, not the end of the
//! process. What each operator needs stands in [`table`]; most need nothing.
//!
//! Guarded are, by cause:
//! - kernels that index other arguments by the shape of the first: fused optimisers, `_foreach_*`, batch
//!   normalisation, the backward halves of pooling, losses, distances and recurrent cells;
//! - kernels that follow indices without a look: pivots, classes, bags, what pooling chose;
//! - views by sizes and strides, and layouts (sparse, quantized, mkldnn) that a kernel takes for dense;
//! - counts that no machine reaches the end of;
//! - files that an operator opens by itself: the sandbox is asked first.
//!
//! Refused as a whole is what cannot be called soundly by hand ([`Need::Not`]): process groups, weights
//! packed for one machine, the inside of vmap.
//!
//! Limits. Which operators need what was found by calling all of them with random arguments
//! (`tests/tests/fuzz_operators`), part of them under a memory checker: a search, not a proof. An
//! operator that reads a little beyond a tensor without being caught is not found this way. Operators
//! that Rust calls without script values (`torch::native`, tch, the binary operators) are not checked
//! here, and neither is what a backward pass calls. An operator runs to its end: an interrupt and
//! `--max-seconds` wait for it.

mod table;
mod views;

use rhai::{Array, Dynamic};

use super::context::Context;
use super::convert;
use crate::error::{Error, Kind, Result};
use crate::torch::{Overload, Schema, Tensor, Type, shim};

/// One thing that must hold before an operator is called.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// It cannot be called here, for this reason.
    Not(&'static str),
    /// An `int[N]` has one value for all or N of them.
    Sized(usize, usize),
    /// The list has at least one item.
    Items(&'static str),
    /// The list has this many items.
    Length(&'static str, usize),
    /// All lists of tensors have as many items, and there is one.
    SameLengths,
    /// The tensors at each place of these lists have one shape and dtype.
    SameTensors(&'static [&'static str]),
    /// The tensors have one shape.
    SameShape(&'static [&'static str]),
    /// A value is given.
    Given(&'static str),
    /// The number of dimensions of the tensor (or of each in the list) is in this range.
    Dims(&'static str, usize, usize),
    /// The tensor has elements.
    Elements(&'static str),
    /// The int, or each in the list, is greater than 0.
    Positive(&'static str),
    /// The int, each in the list or each element is at most this.
    AtMost(&'static str, i64),
    /// Each element of an index tensor is in this range.
    Within(&'static str, fn(&Call<'_>) -> Option<(i64, i64)>),
    /// No element is infinite or no number.
    Finite(&'static str),
    /// The tensor is dense and not quantized.
    Plain(&'static str),
    /// The elements are of a floating point type.
    Floating(&'static str),
    /// What no other need says.
    That(fn(&Call<'_>) -> Result<()>),
}

/// A call that is about to be made.
pub(crate) struct Call<'a> {
    pub(crate) schema: &'a Schema,
    /// The value given for the argument at this place of the schema.
    pub(crate) value: &'a dyn Fn(usize) -> Option<&'a Dynamic>,
}

/// What calls of `overload` need; empty for most.
pub(crate) fn needs(overload: &Overload) -> Vec<Need> {
    let schema = &overload.schema;
    let mut needs = table::needs(&schema.name).to_vec();
    for (i, argument) in schema.arguments.iter().enumerate() {
        // Kernels read as many as the schema says; an empty list may mean another argument's values.
        if let Type::List(inner, Some(n)) = argument.ty.required()
            && *n > 1
            && **inner == Type::Int
        {
            needs.push(Need::Sized(i, *n));
        }
    }
    needs
}

/// Checks all needs of a call.
///
/// # Errors
/// The first need that does not hold.
pub(crate) fn check(needs: &[Need], call: &Call<'_>) -> Result<()> {
    needs.iter().try_for_each(|need| need.check(call))
}

impl<'a> Call<'a> {
    fn get(&self, name: &str) -> Option<&'a Dynamic> {
        (self.value)(self.schema.position(name)?).filter(|value| !value.is_unit())
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        convert::tensor(self.get(name)?)
    }

    fn int(&self, name: &str) -> Option<i64> {
        convert::int(self.get(name)?)
    }

    fn sizes(&self, name: &str) -> Option<Vec<i64>> {
        self.tensor(name).map(|tensor| shim::sizes(&tensor))
    }

    /// The ints of a list; one int is a list of one.
    fn ints(&self, name: &str) -> Option<Vec<i64>> {
        convert::ints(self.get(name)?)
    }

    /// The tensor, or those of the list.
    fn tensors(&self, name: &str) -> Vec<Tensor> {
        match self.get(name) {
            Some(value) => match value.read_lock::<Array>() {
                Some(list) => list.iter().filter_map(convert::tensor).collect(),
                None => convert::tensor(value).into_iter().collect(),
            },
            None => Vec::new(),
        }
    }

    fn error(&self, kind: Kind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("{}(): {what}", self.schema.short_name()))
    }

    fn wrong(&self, name: &str, must: impl std::fmt::Display) -> Error {
        self.error(Kind::Value, format!("argument '{name}' must {must}"))
    }
}

impl Need {
    fn check(self, call: &Call<'_>) -> Result<()> {
        match self {
            Need::Not(reason) => Err(call.error(Kind::NotImplemented, reason)),
            Need::Sized(i, n) => sized(call, i, n),
            Need::Items(name) => match call.get(name).and_then(convert::items) {
                Some(list) if list.is_empty() => Err(call.wrong(name, "have at least one item")),
                _ => Ok(()),
            },
            Need::Length(name, n) => match call.get(name).and_then(convert::items) {
                Some(list) if list.len() != n => {
                    Err(call.wrong(name, format!("have {n} items, not {}", list.len())))
                }
                _ => Ok(()),
            },
            Need::SameLengths => same_lengths(call),
            Need::SameTensors(names) => same_tensors(call, names),
            Need::SameShape(names) => same_shape(call, names),
            Need::Given(name) => match call.get(name) {
                Some(_) => Ok(()),
                None => Err(call.wrong(name, "be given")),
            },
            Need::Dims(name, low, high) => {
                for tensor in call.tensors(name) {
                    let dims = shim::dim(&tensor);
                    if dims < low || dims > high {
                        let range =
                            if low == high { low.to_string() } else { format!("{low} to {high}") };
                        return Err(call.error(
                            Kind::Shape,
                            format!("argument '{name}' must have {range} dimensions, not {dims}"),
                        ));
                    }
                }
                Ok(())
            }
            Need::Elements(name) => match call.sizes(name) {
                Some(sizes) if sizes.contains(&0) => Err(call.wrong(name, "have elements")),
                _ => Ok(()),
            },
            Need::Positive(name) => match call.ints(name) {
                Some(list) if list.iter().any(|&n| n < 1) => Err(call.wrong(name, "be positive")),
                _ => Ok(()),
            },
            Need::AtMost(name, most) => at_most(call, name, most),
            Need::Within(name, range) => within(call, name, range),
            Need::Finite(name) => finite(call, name),
            Need::Plain(name) => {
                for tensor in call.tensors(name) {
                    if shim::layout(&tensor) != 0 || tensor.dtype().name().starts_with('q') {
                        return Err(call.wrong(name, "be dense and not quantized"));
                    }
                }
                Ok(())
            }
            Need::Floating(name) => {
                for tensor in call.tensors(name) {
                    if !tensor.dtype().is_floating_point() {
                        return Err(call.error(
                            Kind::Type,
                            format!(
                                "argument '{name}' must be floating point, not {}",
                                tensor.dtype()
                            ),
                        ));
                    }
                }
                Ok(())
            }
            Need::That(check) => check(call),
        }
    }
}

fn sized(call: &Call<'_>, i: usize, n: usize) -> Result<()> {
    let Some(list) = (call.value)(i).and_then(convert::items) else { return Ok(()) };
    let argument = &call.schema.arguments[i];
    let stands_for_others = list.is_empty() && argument.default.as_deref() == Some("[]");
    if list.len() == n || list.len() == 1 || stands_for_others {
        return Ok(());
    }
    Err(call.wrong(&argument.name, format!("be one int or {n} of them, not {}", list.len())))
}

fn same_lengths(call: &Call<'_>) -> Result<()> {
    let mut first: Option<(&str, usize)> = None;
    for (i, argument) in call.schema.arguments.iter().enumerate() {
        let Type::List(..) = argument.ty.required() else { continue };
        let Some(list) = (call.value)(i).and_then(convert::items) else { continue };
        let name = argument.name.as_str();
        if list.is_empty() {
            return Err(call.wrong(name, "have at least one item"));
        }
        match first {
            None => first = Some((name, list.len())),
            Some((other, n)) if n != list.len() => {
                let must = format!("have as many items as '{other}', {n}, not {}", list.len());
                return Err(call.wrong(name, must));
            }
            _ => {}
        }
    }
    Ok(())
}

fn same_tensors(call: &Call<'_>, names: &[&str]) -> Result<()> {
    let Some((first, rest)) = names.split_first() else { return Ok(()) };
    let of_first = call.tensors(first);
    for name in rest {
        let list = call.tensors(name);
        if call.get(name).and_then(convert::items).is_some_and(|list| list.is_empty()) {
            continue;
        }
        if call.get(name).is_some() && list.len() != of_first.len() {
            let must = format!("have as many tensors as '{first}', {}", of_first.len());
            return Err(call.wrong(name, must));
        }
        for (a, b) in of_first.iter().zip(&list) {
            if shim::sizes(a) != shim::sizes(b) || a.dtype() != b.dtype() {
                return Err(call.error(
                    Kind::Shape,
                    format!(
                        "argument '{name}' has {} where '{first}' has {}",
                        b.describe(),
                        a.describe()
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn same_shape(call: &Call<'_>, names: &[&str]) -> Result<()> {
    let mut first: Option<(&str, Vec<i64>)> = None;
    for name in names {
        let Some(sizes) = call.sizes(name) else { continue };
        match &first {
            None => first = Some((name, sizes)),
            Some((other, known)) if *known != sizes => {
                return Err(call.error(
                    Kind::Shape,
                    format!(
                        "argument '{name}' of {sizes:?} must have the shape of '{other}', {known:?}"
                    ),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn at_most(call: &Call<'_>, name: &str, most: i64) -> Result<()> {
    let Some(value) = call.get(name) else { return Ok(()) };
    let too_large = match convert::tensor(value) {
        Some(tensor) => match extremes(&tensor)? {
            Some((_, high)) => high > most as f64,
            None => false,
        },
        None => match convert::floats(value) {
            Some(list) => list.iter().any(|&n| n > most as f64),
            None => false,
        },
    };
    if too_large { Err(call.wrong(name, format!("be at most {most}"))) } else { Ok(()) }
}

/// The least and the greatest element; `None` where there is nothing to read.
fn extremes(tensor: &Tensor) -> Result<Option<(f64, f64)>> {
    let unreadable = tensor.device_of().type_name() == "meta"
        || shim::layout(tensor) != 0
        || tensor.dtype().is_complex()
        || tensor.dtype().name().starts_with('q');
    if unreadable || shim::sizes(tensor).contains(&0) {
        return Ok(None);
    }
    let plain = tensor.f_detach()?.f_to_kind(tch::Kind::Double)?;
    let (low, high) = (plain.f_min()?.f_double_value(&[])?, plain.f_max()?.f_double_value(&[])?);
    Ok(Some((low, high)))
}

fn within(call: &Call<'_>, name: &str, range: fn(&Call<'_>) -> Option<(i64, i64)>) -> Result<()> {
    let (Some(tensor), Some((least, most))) = (call.tensor(name), range(call)) else {
        return Ok(());
    };
    match extremes(&tensor)? {
        Some((low, high)) if low < least as f64 || high > most as f64 => Err(call.error(
            Kind::Index,
            format!(
                "argument '{name}' has elements from {low} to {high}, allowed are {least} to {most}"
            ),
        )),
        _ => Ok(()),
    }
}

fn finite(call: &Call<'_>, name: &str) -> Result<()> {
    let Some(tensor) = call.tensor(name) else { return Ok(()) };
    // NaN goes through min and max.
    match extremes(&tensor)? {
        Some((low, high)) if !low.is_finite() || !high.is_finite() => {
            Err(call.wrong(name, "have finite elements"))
        }
        _ => Ok(()),
    }
}

/// A file that an operator opens by itself must be one that the script may open.
fn may_open(call: &Call<'_>) -> Result<()> {
    let Some(path) = call.get("filename").and_then(convert::string) else { return Ok(()) };
    let shared = call.get("shared").is_some_and(|shared| shared.as_bool() == Ok(true));
    Context::current(|ctx| {
        if shared { ctx.writable(&path) } else { ctx.readable(&path) }.map(|_| ())
    })
}
