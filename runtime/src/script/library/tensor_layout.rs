//! How the elements of a tensor lie in memory.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::convert;
use crate::script::dispatch::call_operator;
use crate::script::function::{Args, Function};
use crate::torch::{MemoryFormat, shim};

/// The dimensions from the slowest to the fastest, as a memory format orders them; `None` where a tensor of
/// so many dimensions cannot have it.
fn order(format: MemoryFormat, dims: usize) -> Option<Vec<usize>> {
    match (format, dims) {
        (MemoryFormat(0 | 1), _) => Some((0..dims).collect()),
        (MemoryFormat(2), 4) => Some(vec![0, 2, 3, 1]),
        (MemoryFormat(3), 5) => Some(vec![0, 2, 3, 4, 1]),
        _ => None,
    }
}

fn is_contiguous(args: &mut Args<'_>) -> Result<Dynamic> {
    let tensor = args.tensor(0)?;
    let format = match args.get(1).read_lock::<MemoryFormat>() {
        Some(format) => *format,
        None if args.is_none(1) => MemoryFormat(0),
        None => return Err(args.mismatch(1, "a memory format")),
    };
    let (sizes, strides) = (shim::sizes(&tensor), shim::strides(&tensor)?);
    let Some(order) = order(format, sizes.len()) else { return Ok(Dynamic::FALSE) };
    if sizes.contains(&0) {
        return Ok(Dynamic::TRUE);
    }
    let mut expected = 1;
    for dim in order.into_iter().rev().filter(|&dim| sizes[dim] != 1) {
        if strides[dim] != expected {
            return Ok(Dynamic::FALSE);
        }
        expected *= sizes[dim];
    }
    Ok(Dynamic::TRUE)
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "Tensor.is_contiguous(Tensor self, *, MemoryFormat? memory_format=None) -> bool",
        doc: "Whether the elements lie one behind the other in the order of the dimensions, or of a memory \
              format.",
        example: "print(torch.zeros([2, 3]).t().is_contiguous());",
        call: is_contiguous,
    },
    Function {
        schema: "Tensor.storage_offset(Tensor self) -> int",
        doc: "How many elements of its storage come before its first.",
        example: "print(torch.zeros([2, 3])[1].storage_offset());",
        call: |args| call_operator("aten", "sym_storage_offset", vec![args.take(0)]),
    },
    Function {
        schema: "Tensor.ndimension(Tensor self) -> int",
        doc: "The number of dimensions.",
        example: "print(torch.zeros([2, 3]).ndimension());",
        call: |args| Ok(Dynamic::from_int(shim::dim(&*args.tensor(0)?) as i64)),
    },
    Function {
        schema: "Tensor.dim_order(Tensor self) -> int[]",
        doc: "The dimensions from the slowest to the fastest.",
        example: "print(torch.zeros([2, 3]).t().dim_order());",
        call: |args| {
            let tensor = args.tensor(0)?;
            let strides = shim::strides(&tensor)?;
            if strides.is_empty() && shim::dim(&tensor) > 0 {
                return Err(Error::type_("dim_order() needs a tensor with strides"));
            }
            let mut order: Vec<i64> = (0..strides.len() as i64).collect();
            order.sort_by_key(|&dim| std::cmp::Reverse(strides[dim as usize]));
            Ok(convert::from_ints(&order))
        },
    },
];
