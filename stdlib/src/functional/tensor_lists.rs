//! Functions of `torch` that take or give several tensors: as separate arguments or as one list.

use flambeau_runtime::script::{Args, Function, convert};
use flambeau_runtime::torch::Tensor;
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic, Map};

use super::common::{value, values};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.split(Tensor tensor, Any split_size_or_sections, int dim=0) -> Tensor[]",
        doc: "Pieces of one size along `dim` (the last may be smaller), or of the sizes in a list.",
        example: "torch.split(torch.arange(5), [2, 3])",
        call: split,
    },
    Function {
        schema: "Tensor.split(Tensor self, Any split_size, int dim=0) -> Tensor[]",
        doc: "Pieces of one size along `dim` (the last may be smaller), or of the sizes in a list.",
        example: "torch.arange(5).split(2)",
        call: split,
    },
    Function {
        schema: "torch.meshgrid(*Any tensors, str? indexing=None) -> Tensor[]",
        doc: "Grids of coordinates from 1-dimensional tensors; `indexing` is 'ij' (the default) or 'xy'.",
        example: "torch.meshgrid(torch.arange(2), torch.arange(3), indexing: \"ij\")",
        call: |args| {
            let list = convert::from_tensors(tensors(args, 0)?);
            match args.opt_str(1)? {
                None => args.ctx().op("meshgrid", vec![list]),
                Some(indexing) => {
                    let mut keywords = Map::new();
                    keywords.insert("indexing".into(), indexing.into());
                    args.ctx().op("meshgrid", vec![list, Dynamic::from_map(keywords)])
                }
            }
        },
    },
    Function {
        schema: "torch.broadcast_tensors(*Any tensors) -> Tensor[]",
        doc: "The tensors as views of the shape that they broadcast to.",
        example: "torch.broadcast_tensors(torch.ones([2, 1]), torch.ones([3]))",
        call: |args| Ok(values(tch::Tensor::f_broadcast_tensors(&plain(args)?)?)),
    },
    Function {
        schema: "torch.cartesian_prod(*Any tensors) -> Tensor",
        doc: "The Cartesian product of 1-dimensional tensors, one row per combination.",
        example: "torch.cartesian_prod(torch.arange(2), torch.arange(3))",
        call: |args| Ok(value(tch::Tensor::f_cartesian_prod(&plain(args)?)?)),
    },
    Function {
        schema: "torch.block_diag(*Any tensors) -> Tensor",
        doc: "A matrix with the given matrices along its diagonal.",
        example: "torch.block_diag(torch.ones([1, 2]), torch.ones([2, 1]))",
        call: |args| Ok(value(tch::Tensor::f_block_diag(&plain(args)?)?)),
    },
    Function {
        schema: "torch.atleast_1d(*Any tensors) -> Any",
        doc: "The tensor (or each of several) with at least one dimension.",
        example: "torch.atleast_1d(torch.tensor(3))",
        call: |args| at_least(args, |x| Ok(x.f_atleast_1d()?)),
    },
    Function {
        schema: "torch.atleast_2d(*Any tensors) -> Any",
        doc: "The tensor (or each of several) with at least two dimensions.",
        example: "torch.atleast_2d(torch.tensor([3]))",
        call: |args| at_least(args, |x| Ok(x.f_atleast_2d()?)),
    },
    Function {
        schema: "torch.atleast_3d(*Any tensors) -> Any",
        doc: "The tensor (or each of several) with at least three dimensions.",
        example: "torch.atleast_3d(torch.tensor([3]))",
        call: |args| at_least(args, |x| Ok(x.f_atleast_3d()?)),
    },
    Function {
        schema: "torch.broadcast_shapes(*Any shapes) -> int[]",
        doc: "The shape that shapes broadcast to; a shape is a list or an integer.",
        example: "torch.broadcast_shapes([2, 1], [3])",
        call: broadcast_shapes,
    },
    Function {
        schema: "torch.chain_matmul(*Any matrices) -> Tensor",
        doc: "The product of matrices, in the cheapest order.",
        example: "torch.chain_matmul(torch.ones([2, 3]), torch.ones([3, 4]))",
        call: |args| Ok(value(tch::Tensor::f_chain_matmul(&plain(args)?)?)),
    },
    Function {
        schema: "torch.einsum(*Any args) -> Tensor",
        doc: "Sums of products in Einstein's notation: an equation and its operands, or each operand \
              followed by the list of its subscripts.",
        example: "torch.einsum(\"ij,jk->ik\", torch.ones([2, 3]), torch.ones([3, 4]))",
        call: einsum,
    },
];

/// The tensors of the rest argument `i`: separate ones, or one list of them.
fn tensors(args: &Args<'_>, i: usize) -> Result<Vec<Tensor>> {
    let rest = convert::items(args.get(i)).unwrap_or_default();
    let list = match rest.as_slice() {
        [one] if !one.is::<Tensor>() => convert::tensors(one),
        several => several.iter().map(convert::tensor).collect(),
    };
    list.ok_or_else(|| args.mismatch(i, "tensors, or one list of tensors"))
}

fn plain(args: &Args<'_>) -> Result<Vec<tch::Tensor>> {
    Ok(tensors(args, 0)?.into_iter().map(Tensor::into_tch).collect())
}

fn split(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, dim) = (args.tensor(0)?, args.int(2)?);
    Ok(values(match convert::int(args.get(1)) {
        Some(size) => x.f_split(size, dim)?,
        None => x.f_split_with_sizes(args.ints(1)?, dim)?,
    }))
}

fn at_least(
    args: &Args<'_>,
    lift: impl Fn(&tch::Tensor) -> Result<tch::Tensor>,
) -> Result<Dynamic> {
    let several = plain(args)?;
    let one_tensor = args
        .get(0)
        .read_lock::<Array>()
        .is_some_and(|rest| rest.len() == 1 && rest[0].is::<Tensor>());
    match several.as_slice() {
        [one] if one_tensor => Ok(value(lift(one)?)),
        several => Ok(values(several.iter().map(lift).collect::<Result<Vec<_>>>()?)),
    }
}

fn broadcast_shapes(args: &mut Args<'_>) -> Result<Dynamic> {
    let mut result: Vec<i64> = Vec::new();
    for shape in convert::items(args.get(0)).unwrap_or_default() {
        let shape = convert::ints(&shape).ok_or_else(|| args.mismatch(0, "lists of integers"))?;
        if let Some(size) = shape.iter().find(|size| **size < 0) {
            return Err(Error::value(format!(
                "Trying to create tensor with negative dimension ({size}): ({size})"
            )));
        }
        while result.len() < shape.len() {
            result.insert(0, 1);
        }
        let skip = result.len() - shape.len();
        for (known, size) in result[skip..].iter_mut().zip(&shape) {
            if *known == 1 {
                *known = *size;
            } else if *size != 1 && size != known {
                return Err(Error::shape(format!(
                    "Shape mismatch: objects cannot be broadcast to a single shape: {known} and {size} \
                     differ"
                )));
            }
        }
    }
    Ok(convert::from_ints(&result))
}

fn einsum(args: &mut Args<'_>) -> Result<Dynamic> {
    let given = args.array(0)?;
    let wrong = || {
        Error::value(
            "einsum(): must specify the equation string and at least one operand, or at least one \
             operand and its subscripts list",
        )
    };
    if given.len() < 2 {
        return Err(wrong());
    }
    let (equation, operands) = match convert::string(&given[0]) {
        Some(equation) => {
            let operands: Option<Vec<Tensor>> = match &given[1..] {
                [one] => convert::tensors(one),
                several => several.iter().map(convert::tensor).collect(),
            };
            (equation, operands.ok_or_else(wrong)?)
        }
        None => from_subscripts(&given).ok_or_else(wrong)?,
    };
    let operands: Vec<tch::Tensor> = operands.into_iter().map(Tensor::into_tch).collect();
    Ok(value(tch::Tensor::f_einsum(&equation, &operands, None::<Vec<i64>>)?))
}

/// The equation of `operand, subscripts, operand, subscripts, …, result?`.
fn from_subscripts(given: &[Dynamic]) -> Option<(String, Vec<Tensor>)> {
    let letters = |list: &Dynamic| -> Option<String> {
        let mut text = String::new();
        for item in convert::items(list)? {
            if convert::string(&item).is_some_and(|word| word == "...") {
                text.push_str("...");
                continue;
            }
            let number = u8::try_from(item.as_int().ok()?).ok()?;
            text.push(char::from(match number {
                0..26 => b'A' + number,
                26..52 => b'a' + number - 26,
                _ => return None,
            }));
        }
        Some(text)
    };
    let (pairs, result) = given.as_chunks::<2>();
    let operands: Option<Vec<Tensor>> = pairs.iter().map(|[x, _]| convert::tensor(x)).collect();
    let terms: Option<Vec<String>> = pairs.iter().map(|[_, list]| letters(list)).collect();
    let mut equation = terms?.join(",");
    if let [result] = result {
        equation.push_str("->");
        equation.push_str(&letters(result)?);
    }
    Some((equation, operands?))
}
