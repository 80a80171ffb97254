//! Norms, distances and contractions of `torch` whose Python signature differs from the operator's.

use flambeau_runtime::script::{Args, Function, convert};
use flambeau_runtime::torch::Tensor;
use flambeau_runtime::{Error, Result};
use rhai::{Dynamic, Map};

use super::common::{device, shape, value, values};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.norm(Tensor input, Any p='fro', Any dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
        doc: "The norm over `dim` (all of them without): `p` is a number, 'fro' or, for matrices, 'nuc'.",
        example: "torch.norm(torch.tensor([3.0, 4.0]))",
        call: norm,
    },
    Function {
        schema: "Tensor.norm(Tensor self, Any p='fro', Any dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
        doc: "The norm over `dim` (all of them without): `p` is a number, 'fro' or, for matrices, 'nuc'.",
        example: "torch.tensor([3.0, 4.0]).norm(1)",
        call: norm,
    },
    Function {
        schema: "torch.cdist(Tensor x1, Tensor x2, float p=2.0, str compute_mode='use_mm_for_euclid_dist_if_necessary') -> Tensor",
        doc: "The p-norm distance between each row of x1 (..., P, M) and each row of x2 (..., R, M).",
        example: "torch.cdist(torch.zeros([2, 3]), torch.ones([4, 3]))",
        call: cdist,
    },
    Function {
        schema: "torch.tensordot(Tensor a, Tensor b, Any dims=2) -> Tensor",
        doc: "Contracts the last `dims` dimensions of a with the first of b, or the dimensions in two lists.",
        example: "torch.tensordot(torch.ones([2, 3]), torch.ones([3, 4]), dims: 1)",
        call: tensordot,
    },
    Function {
        schema: "torch.unravel_index(Tensor indices, int[] shape) -> Tensor[]",
        doc: "The coordinates, one tensor per dimension, of flat indices into a tensor of `shape`.",
        example: "torch.unravel_index(torch.tensor([5]), [2, 3])",
        call: unravel_index,
    },
    Function {
        schema: "torch.nonzero(Tensor input, *, bool as_tuple=False) -> Any",
        doc: "The places of elements that are not zero: one row each, or with `as_tuple` one tensor per \
              dimension, which can index.",
        example: "torch.nonzero(torch.tensor([0, 2, 3]))",
        call: nonzero,
    },
    Function {
        schema: "Tensor.nonzero(Tensor self, *, bool as_tuple=False) -> Any",
        doc: "The places of elements that are not zero: one row each, or with `as_tuple` one tensor per \
              dimension, which can index.",
        example: "torch.tensor([0, 2, 3]).nonzero(as_tuple: true)",
        call: nonzero,
    },
];

fn norm(args: &mut Args<'_>) -> Result<Dynamic> {
    let word = convert::string(args.get(1));
    let x = args.tensor(0)?;
    let mut dims = args.opt_ints(2)?;
    let (operator, order) = match word.as_deref() {
        Some("fro") if dims.as_ref().is_none_or(|dims| dims.len() <= 2) => {
            ("linalg_vector_norm", Dynamic::from_float(2.0))
        }
        Some("fro" | "nuc") => {
            dims.get_or_insert_with(|| (0..x.dim() as i64).collect());
            ("linalg_matrix_norm", args.take(1))
        }
        Some(other) => {
            return Err(Error::value(format!(
                "only valid string values are 'fro' and 'nuc', found {other}"
            )));
        }
        None if args.is_none(1) => ("linalg_vector_norm", Dynamic::from_float(2.0)),
        None => ("linalg_vector_norm", args.take(1)),
    };
    let dims = dims.map_or(Dynamic::UNIT, |dims| convert::from_ints(&dims));
    let mut values = vec![Dynamic::from(x), order, dims, args.take(3)];
    if !args.is_none(4) {
        let mut keywords = Map::new();
        keywords.insert("dtype".into(), args.take(4));
        values.push(Dynamic::from_map(keywords));
    }
    args.ctx().op(operator, values)
}

fn cdist(args: &mut Args<'_>) -> Result<Dynamic> {
    let mode = match args.str(3)?.as_str() {
        "use_mm_for_euclid_dist_if_necessary" => None,
        "use_mm_for_euclid_dist" => Some(1),
        "donot_use_mm_for_euclid_dist" => Some(2),
        other => {
            return Err(Error::value(format!("{other} is not a valid value for compute_mode")));
        }
    };
    let (a, b, p) = (args.tensor(0)?, args.tensor(1)?, args.float(2)?);
    Ok(value(tch::Tensor::f_cdist(&a, &b, p, mode)?))
}

fn tensordot(args: &mut Args<'_>) -> Result<Dynamic> {
    let (a, b) = (args.tensor(0)?, args.tensor(1)?);
    let (dims_a, dims_b) = match convert::int(args.get(2)) {
        Some(n) => {
            if n < 0 {
                return Err(Error::value(format!("tensordot expects dims >= 0, but got dims={n}")));
            }
            if n > a.dim().min(b.dim()) as i64 {
                return Err(Error::shape(format!(
                    "tensordot expects dims < ndim_a or ndim_b, but got dims={n} for {} and {}",
                    shape(&a),
                    shape(&b)
                )));
            }
            ((-n..0).collect(), (0..n).collect())
        }
        None => dimension_pair(args)?,
    };
    Ok(value(a.f_tensordot(&b, dims_a, dims_b)?))
}

/// Two lists of dimensions at argument 2: a list of lists, or a tensor of two rows.
fn dimension_pair(args: &Args<'_>) -> Result<(Vec<i64>, Vec<i64>)> {
    let expected = "an integer or two lists of dimensions";
    let pair = match args.get(2).read_lock::<Tensor>() {
        Some(tensor) => convert::to_list(&tensor)?,
        None => args.get(2).clone(),
    };
    match convert::items(&pair).unwrap_or_default().as_slice() {
        [a, b] => convert::ints(a).zip(convert::ints(b)),
        _ => None,
    }
    .ok_or_else(|| args.mismatch(2, expected))
}

fn unravel_index(args: &mut Args<'_>) -> Result<Dynamic> {
    let (indices, shape) = (args.tensor(0)?, args.ints(1)?);
    let dtype = indices.dtype();
    if dtype.is_floating_point() || dtype.is_complex() || dtype.name() == "bool" {
        return Err(Error::type_(format!(
            "expected 'indices' to be integer dtype, but got {dtype}"
        )));
    }
    if shape.iter().any(|&n| n < 0) {
        return Err(Error::value(format!(
            "'shape' cannot have negative values, but got {shape:?}"
        )));
    }
    let mut steps = vec![1i64; shape.len()];
    for i in (0..shape.len().saturating_sub(1)).rev() {
        steps[i] = steps[i + 1].saturating_mul(shape[i + 1]);
    }
    let place = device(&indices)?;
    let row = |list: &[i64]| -> Result<tch::Tensor> {
        Ok(tch::Tensor::f_from_slice(list)?.f_to_device(place)?)
    };
    let places = indices
        .f_unsqueeze(-1)?
        .f_floor_divide(&row(&steps)?)?
        .f_remainder_tensor(&row(&shape)?)?;
    Ok(values(places.f_unbind(-1)?))
}

fn nonzero(args: &mut Args<'_>) -> Result<Dynamic> {
    let x = args.tensor(0)?;
    Ok(match args.bool(1)? {
        true => values(x.f_nonzero_numpy()?),
        false => value(x.f_nonzero()?),
    })
}
