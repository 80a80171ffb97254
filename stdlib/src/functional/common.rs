//! What the functions of this folder share: results, reductions, lists of results.

use std::sync::OnceLock;

use flambeau_runtime::script::Args;
pub(crate) use flambeau_runtime::torch::sizes;
use flambeau_runtime::torch::{NativeArgument, NativeOperator, Tensor};
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic};

/// An operator that is found when it is first called.
pub(crate) struct Lazy {
    name: &'static str,
    overload: &'static str,
    found: OnceLock<NativeOperator>,
}

impl Lazy {
    pub(crate) const fn new(name: &'static str, overload: &'static str) -> Lazy {
        Lazy { name, overload, found: OnceLock::new() }
    }

    /// Calls it with arguments in the order of its schema.
    pub(crate) fn call(&self, args: &[NativeArgument<'_>]) -> Result<Vec<tch::Tensor>> {
        if let Some(operator) = self.found.get() {
            return operator.call(args);
        }
        let operator = NativeOperator::find(self.name, self.overload)?;
        self.found.get_or_init(|| operator).call(args)
    }
}

/// A copy with storage of its own, through which gradients flow.
pub(crate) fn copy(tensor: &tch::Tensor) -> Result<tch::Tensor> {
    static CLONE: Lazy = Lazy::new("clone", "");
    let mut results = CLONE.call(&[NativeArgument::Tensor(tensor)])?;
    results.pop().ok_or_else(|| Error::type_("clone gave no tensor"))
}

/// The device, in tch's words.
///
/// # Errors
/// A `DeviceError` for devices that tch has no name for, such as `meta`.
pub(crate) fn device(tensor: &tch::Tensor) -> Result<tch::Device> {
    Tensor::from(tensor.shallow_clone()).device_of().tch()
}

/// A tensor as a script's value.
pub(crate) fn value(tensor: tch::Tensor) -> Dynamic {
    Dynamic::from(Tensor::from(tensor))
}

/// Several tensors, as PyTorch's tuples: an array.
pub(crate) fn values(tensors: impl IntoIterator<Item = tch::Tensor>) -> Dynamic {
    Dynamic::from_array(tensors.into_iter().map(value).collect::<Array>())
}

/// The tensor that an operator returned.
///
/// # Errors
/// A `TypeError` where it returned something else.
pub(crate) fn tensor_of(value: &Dynamic) -> Result<Tensor> {
    value.read_lock::<Tensor>().map(|tensor| tensor.clone()).ok_or_else(|| {
        Error::type_(format!("expected a Tensor from an operator, found {}", value.type_name()))
    })
}

/// Calls `name` with the first `n` arguments, or `in_place` where argument `n` (`inplace`) is true.
pub(crate) fn with_inplace(
    args: &mut Args<'_>,
    n: usize,
    name: &str,
    in_place: &str,
) -> Result<Dynamic> {
    let name = if args.bool(n)? { in_place } else { name };
    let values = (0..n).map(|i| args.take(i)).collect();
    args.ctx().op(name, values)
}

/// How a loss is reduced, by PyTorch's word at argument `i`.
///
/// # Errors
/// A `ValueError` for other words.
pub(crate) fn reduction(args: &Args<'_>, i: usize) -> Result<tch::Reduction> {
    let word = args.get(i);
    let Some(word) = word.read_lock::<rhai::ImmutableString>() else {
        return Err(args.mismatch(i, "a string"));
    };
    match word.as_str() {
        "mean" | "elementwise_mean" => Ok(tch::Reduction::Mean),
        "sum" => Ok(tch::Reduction::Sum),
        "none" => Ok(tch::Reduction::None),
        other => Err(Error::value(format!("{other} is not a valid value for reduction"))
            .help("reduction is 'none', 'mean' or 'sum'")),
    }
}

/// The reduction where the old `size_average` (at `average`) and `reduce` (at `reduce`) may overrule
/// the word at `word`, as in PyTorch.
///
/// # Errors
/// Those of [`reduction`].
pub(crate) fn legacy_reduction(
    args: &Args<'_>,
    average: usize,
    reduce: usize,
    word: usize,
) -> Result<tch::Reduction> {
    if args.is_none(average) && args.is_none(reduce) {
        return reduction(args, word);
    }
    let average = args.opt_bool(average)?.unwrap_or(true);
    let reduce = args.opt_bool(reduce)?.unwrap_or(true);
    Ok(match (average, reduce) {
        (true, true) => tch::Reduction::Mean,
        (false, true) => tch::Reduction::Sum,
        (_, false) => tch::Reduction::None,
    })
}

/// Reduces `loss` as PyTorch's composed losses do.
pub(crate) fn reduce(loss: tch::Tensor, reduction: tch::Reduction) -> Result<tch::Tensor> {
    Ok(match reduction {
        tch::Reduction::Mean => loss.f_mean(None)?,
        tch::Reduction::Sum => loss.f_sum(None)?,
        _ => loss,
    })
}

/// Both tensors at the shape that they broadcast to. Equal shapes, the usual case, cost nothing.
pub(crate) fn broadcast(
    a: &tch::Tensor,
    b: &tch::Tensor,
) -> Result<Option<(tch::Tensor, tch::Tensor)>> {
    if sizes(a) == sizes(b) {
        return Ok(None);
    }
    let mut both = tch::Tensor::f_broadcast_tensors(&[a, b])?;
    Ok(both.pop().and_then(|b| both.pop().map(|a| (a, b))))
}

/// `[2, 3]`, for messages.
pub(crate) fn shape(tensor: &tch::Tensor) -> String {
    format!("{:?}", sizes(tensor))
}
