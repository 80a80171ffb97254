//! Needs of single operators: views of memory that is not theirs, and shapes that belong together.

use super::Call;
use crate::error::{Kind, Result};
use crate::torch::{Dtype, shim};

/// The greatest distance of an element from the first; `None` where there is no element.
fn reach(sizes: &[i64], strides: &[i64]) -> Option<i64> {
    if sizes.contains(&0) {
        return None;
    }
    sizes
        .iter()
        .zip(strides)
        .try_fold(0i64, |sum, (&size, &stride)| sum.checked_add((size - 1).checked_mul(stride)?))
}

/// A view by sizes and strides stays within the elements of the tensor that it is of.
pub(super) fn alias(call: &Call<'_>) -> Result<()> {
    let (Some(tensor), Some(sizes), Some(strides)) =
        (call.tensor("self"), call.ints("size"), call.ints("stride"))
    else {
        return Ok(());
    };
    let offset = call.int("offset_increment").unwrap_or(0);
    if sizes.len() != strides.len() {
        return Err(call.error(Kind::Shape, "as many strides as sizes are needed"));
    }
    if sizes.iter().chain(&strides).any(|&n| n < 0) || offset < 0 {
        return Err(call.error(Kind::Value, "sizes, strides and offsets must not be negative"));
    }
    let own = reach(&shim::sizes(&tensor), &shim::strides(&tensor)?);
    let asked = reach(&sizes, &strides).and_then(|reach| reach.checked_add(offset));
    match (asked, own) {
        _ if sizes.contains(&0) => Ok(()),
        (Some(asked), Some(own)) if asked <= own => Ok(()),
        _ => Err(call.error(Kind::Index, "the view would leave the memory of the tensor")),
    }
}

/// A tensor taken from a pool of bytes lies within it.
pub(super) fn pool(call: &Call<'_>) -> Result<()> {
    let (Some(pool), Some(offset), Some(sizes), Some(strides)) =
        (call.tensor("self"), call.int("offset_bytes"), call.ints("size"), call.ints("stride"))
    else {
        return Ok(());
    };
    let dtype = call.get("dtype").and_then(super::convert::dtype).unwrap_or(Dtype::FLOAT64);
    let leaves = || call.error(Kind::Index, "the tensor would leave the memory of the pool");
    let bytes = shim::sizes(&pool).iter().product::<i64>() * pool.dtype().itemsize() as i64;
    let size = dtype.itemsize().max(1) as i64;
    if sizes.len() != strides.len() || sizes.iter().chain(&strides).any(|&n| n < 0) || offset < 0 {
        return Err(leaves());
    }
    let Some(reach) = reach(&sizes, &strides) else {
        return if sizes.contains(&0) { Ok(()) } else { Err(leaves()) };
    };
    let end = (reach + 1).checked_mul(size).and_then(|n| n.checked_add(offset));
    if !pool.is_contiguous() || offset % size != 0 || end.is_none_or(|end| end > bytes) {
        return Err(leaves());
    }
    Ok(())
}

/// Weights and statistics have one element per channel.
pub(super) fn channels(call: &Call<'_>) -> Result<()> {
    let Some(sizes) = call.sizes("input") else { return Ok(()) };
    let Some(&channels) = sizes.get(1) else {
        return Err(call.error(Kind::Shape, "argument 'input' needs at least 2 dimensions"));
    };
    for name in [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "save_mean",
        "save_invstd",
        "save_var",
        "save_var_transform",
    ] {
        let Some(found) = call.sizes(name) else { continue };
        // What was not computed is an empty tensor.
        let not_saved = name.starts_with("save_") && found == [0];
        if found != [channels] && !not_saved {
            return Err(call.error(
                Kind::Shape,
                format!("argument '{name}' must have the shape [{channels}], not {found:?}"),
            ));
        }
    }
    for name in ["grad_out", "grad_output"] {
        if call.sizes(name).is_some_and(|found| found != sizes) {
            return Err(call.error(
                Kind::Shape,
                format!("argument '{name}' must have the shape of 'input', {sizes:?}"),
            ));
        }
    }
    Ok(())
}

/// Batch normalisation reads running statistics where it does not train, and its backward half the saved
/// ones where it does.
pub(super) fn statistics(call: &Call<'_>) -> Result<()> {
    const RUNNING: &[&str] = &["running_mean", "running_var"];
    const SAVED: &[&str] = &["save_mean", "save_invstd", "save_var", "save_var_transform"];
    let Some((switch, value)) = ["training", "train", "update"]
        .into_iter()
        .find_map(|name| call.get(name).map(|value| (name, value)))
    else {
        return Ok(());
    };
    let trains = value.as_bool().unwrap_or(value.as_int() != Ok(0));
    let needed = if trains { SAVED } else { RUNNING };
    for name in needed {
        // The overload without statistics has none to read: it can only train.
        let asked = !trains || call.schema.position(name).is_some();
        if asked && call.sizes(name).is_none_or(|sizes| sizes.contains(&0)) {
            return Err(call.wrong(name, format!("be given where '{switch}' is {trains}")));
        }
    }
    Ok(())
}

/// Dimensions are there, counted from the front, and each is named once.
pub(super) fn distinct_dims(call: &Call<'_>) -> Result<()> {
    let (Some(sizes), Some(dims)) = (call.sizes("self"), call.ints("dim")) else { return Ok(()) };
    for (i, dim) in dims.iter().enumerate() {
        if *dim < 0 || *dim >= sizes.len() as i64 || dims[..i].contains(dim) {
            return Err(call.error(
                Kind::Index,
                format!("the dimensions {dims:?} are not distinct ones of {}", sizes.len()),
            ));
        }
    }
    match call.int("normalization") {
        Some(n) if !(0..=2).contains(&n) => {
            Err(call.error(Kind::Value, "argument 'normalization' must be 0, 1 or 2"))
        }
        _ => Ok(()),
    }
}

/// The gates of a recurrent cell stand side by side: four of an LSTM's, three of a GRU's.
pub(super) fn gates(call: &Call<'_>) -> Result<()> {
    let (state, count) = if call.schema.position("cx").is_some() { ("cx", 4) } else { ("hx", 3) };
    let (Some(gates), Some(state)) = (call.sizes("input_gates"), call.sizes(state)) else {
        return Ok(());
    };
    if matches!((&*gates, &*state), ([a, wide], [b, one]) if a == b && *wide == count * one) {
        return Ok(());
    }
    Err(call.error(
        Kind::Shape,
        format!(
            "gates of {gates:?} do not fit a state of {state:?}: {count} times as wide is needed"
        ),
    ))
}

/// A number of elements is not more than there are, one behind the other.
pub(super) fn counted(call: &Call<'_>) -> Result<()> {
    let (Some(tensor), Some(count)) = (call.tensor("input"), call.int("numel")) else {
        return Ok(());
    };
    let elements = shim::sizes(&tensor).iter().product();
    if shim::layout(&tensor) == 0 && tensor.is_contiguous() && (0..=elements).contains(&count) {
        return Ok(());
    }
    Err(call.error(
        Kind::Value,
        format!("argument 'input' must be contiguous and have at least {count} elements"),
    ))
}

/// Gradients of the distances between the rows of one matrix: one per pair.
pub(super) fn pairs(call: &Call<'_>) -> Result<()> {
    let (Some(sizes), Some(grad)) = (call.sizes("self"), call.sizes("grad")) else { return Ok(()) };
    let n = sizes.first().copied().unwrap_or(0);
    if sizes.len() == 2 && grad == [n * (n - 1) / 2] {
        return Ok(());
    }
    Err(call.error(Kind::Shape, format!("a gradient of {grad:?} does not fit rows of {sizes:?}")))
}

/// Gradients of the distances between the rows of two matrices.
pub(super) fn all_pairs(call: &Call<'_>) -> Result<()> {
    let (Some(grad), Some(x1), Some(x2)) = (call.sizes("grad"), call.sizes("x1"), call.sizes("x2"))
    else {
        return Ok(());
    };
    let fits = x1.len() >= 2
        && x1.len() == x2.len()
        && x1.last() == x2.last()
        && x1[..x1.len() - 2] == x2[..x2.len() - 2]
        && grad.len() == x1.len()
        && grad[..grad.len() - 2] == x1[..x1.len() - 2]
        && grad[grad.len() - 2..] == [x1[x1.len() - 2], x2[x2.len() - 2]];
    if fits {
        return Ok(());
    }
    Err(call.error(
        Kind::Shape,
        format!("a gradient of {grad:?} does not fit rows of {x1:?} and {x2:?}"),
    ))
}

/// Compressed indices rise from 0 to the number of plain ones.
pub(super) fn compressed(call: &Call<'_>) -> Result<()> {
    let (Some(rows), Some(columns)) = (call.tensor("crow_indices"), call.tensor("col_indices"))
    else {
        return Ok(());
    };
    let wrong = || call.error(Kind::Value, "the indices are not those of a compressed tensor");
    let (sizes, plain) = (shim::sizes(&rows), shim::sizes(&columns));
    if sizes.len() != 1 || plain.len() != 1 || rows.dtype() != columns.dtype() || sizes[0] < 1 {
        return Err(wrong());
    }
    if ![Dtype::INT32, Dtype::INT64].contains(&rows.dtype()) {
        return Err(wrong());
    }
    let list: Vec<i64> = Vec::<i64>::try_from(&rows.f_to_kind(tch::Kind::Int64)?)?;
    let rises = list.windows(2).all(|pair| pair[0] <= pair[1]);
    if list[0] != 0 || list.last() != Some(&plain[0]) || !rises {
        return Err(wrong());
    }
    Ok(())
}

/// What the forward half of CTC saved belongs to its arguments: `log_alpha` has the shape
/// `[batch, time, 2 * longest target + 1]`, and the lengths stay within what they count.
pub(super) fn alignments(call: &Call<'_>) -> Result<()> {
    let lengths = |name: &str| -> Result<Vec<i64>> {
        match (call.ints(name), call.tensor(name)) {
            (Some(list), _) => Ok(list),
            (None, Some(tensor)) => {
                let flat = tensor.f_to_kind(tch::Kind::Int64)?.f_reshape([-1])?;
                Ok(Vec::<i64>::try_from(&flat)?)
            }
            (None, None) => Ok(Vec::new()),
        }
    };
    let (inputs, targets) = (lengths("input_lengths")?, lengths("target_lengths")?);
    let sizes = |name: &str| call.sizes(name).unwrap_or_default();
    let wrong = || call.error(Kind::Shape, "the arguments are not those of one call of ctc_loss");
    let &[time, batch, _] = sizes("log_probs").as_slice() else { return Err(wrong()) };
    let longest = targets.iter().copied().max().unwrap_or(0);
    let total = targets.iter().try_fold(0i64, |sum, &n| sum.checked_add(n));
    let labels = match *sizes("targets").as_slice() {
        [n] => Some(n) == total,
        [rows, n] => rows == batch && n >= longest,
        _ => false,
    };
    let states = longest.checked_mul(2).and_then(|n| n.checked_add(1)).unwrap_or(0);
    let fits = labels
        && inputs.len() as i64 == batch
        && targets.len() as i64 == batch
        && inputs.iter().all(|n| (0..=time).contains(n))
        && targets.iter().all(|&n| n >= 0)
        && sizes("grad") == [batch]
        && sizes("neg_log_likelihood") == [batch]
        && sizes("log_alpha") == [batch, time, states];
    if fits { Ok(()) } else { Err(wrong()) }
}

/// As many leading dimensions are batches as there are.
pub(super) fn batch_dims(call: &Call<'_>) -> Result<()> {
    let (Some(own), Some(other)) = (call.sizes("self"), call.sizes("other")) else { return Ok(()) };
    let batches = call.int("self_num_batch_dims").unwrap_or(0);
    if (0..=own.len().min(other.len()) as i64).contains(&batches) {
        return Ok(());
    }
    Err(call.error(Kind::Index, format!("{batches} is no number of batch dimensions")))
}

/// The shapes of a nested tensor lie within the padded one.
pub(super) fn padded(call: &Call<'_>) -> Result<()> {
    let (Some(padded), Some(shapes)) =
        (call.sizes("padded"), call.tensor("cpu_nested_shape_example"))
    else {
        return Ok(());
    };
    let wrong = || call.error(Kind::Shape, "the nested shapes do not lie within the padded tensor");
    let sizes = shim::sizes(&shapes);
    if padded.is_empty()
        || sizes.len() != 2
        || sizes[0] != padded[0]
        || shapes.dtype() != Dtype::INT64
    {
        return Err(wrong());
    }
    if sizes[1] + 1 != padded.len() as i64 || sizes.contains(&0) {
        return Err(wrong());
    }
    let list: Vec<i64> = Vec::<i64>::try_from(&shapes.f_reshape([-1])?)?;
    let fits = list
        .chunks(sizes[1] as usize)
        .all(|shape| shape.iter().zip(&padded[1..]).all(|(&n, &most)| n >= 0 && n <= most));
    if fits { Ok(()) } else { Err(wrong()) }
}

/// A Sobol engine's state has a row of 30 int64 for each dimension, and it makes less than 2^30 points.
pub(super) fn sobol(call: &Call<'_>) -> Result<()> {
    let dimension = call.int("dimension").unwrap_or(1);
    let draws = call.schema.position("sobolstate").is_some();
    let (state, point) = if draws { ("sobolstate", "quasi") } else { ("self", "") };
    let fits = |name: &str, shape: &[i64]| {
        call.tensor(name).is_none_or(|tensor| {
            shim::sizes(&tensor) == shape
                && tensor.dtype() == Dtype::INT64
                && shim::layout(&tensor) == 0
        })
    };
    let points = call.int("n").unwrap_or(0).checked_add(call.int("num_generated").unwrap_or(0));
    let counts = ["n", "num_generated"].iter().all(|name| call.int(name).unwrap_or(0) >= 0);
    let well = (1..=21201).contains(&dimension)
        && fits(state, &[dimension, 30])
        && fits(point, &[dimension])
        && (!draws || fits("self", &[dimension]))
        && fits("ltm", &[dimension, 30, 30])
        && counts
        && points.is_some_and(|points| points < 1 << 30);
    if well {
        return Ok(());
    }
    Err(call.error(
        Kind::Value,
        "a Sobol engine has at most 21201 dimensions, an int64 state of shape [dimension, 30] and \
         makes less than 2^30 points",
    ))
}
