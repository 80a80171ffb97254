//! `torch.tensor` and what else makes or tests tensors without an operator.

use rhai::{Dynamic, Map};

use crate::error::Result;
use crate::script::default_device;
use crate::script::dispatch::call_operator;
use crate::script::function::{Args, Function};
use crate::script::{convert, tensor_data};
use crate::torch::{Tensor, shim};

/// Moves and marks a fresh tensor as the keywords ask.
fn finish(
    args: &Args<'_>,
    tensor: Tensor,
    device: usize,
    requires_grad: Option<usize>,
) -> Result<Dynamic> {
    let mut tensor = tensor;
    if let Some(device) = args.opt_device(device)?.or_else(default_device) {
        tensor = to_device(tensor, device)?;
    }
    if let Some(i) = requires_grad
        && args.bool(i)?
    {
        let _ = tensor.tch().f_requires_grad_(true)?;
    }
    Ok(Dynamic::from(tensor))
}

/// The tensor on a device; the same where it is there already.
pub(super) fn to_device(tensor: Tensor, device: crate::torch::Device) -> Result<Tensor> {
    let mut options = Map::new();
    options.insert("device".into(), Dynamic::from(device));
    let moved = call_operator(
        "aten",
        "to",
        vec![Dynamic::from(tensor.clone()), Dynamic::from_map(options)],
    )?;
    Ok(convert::tensor(&moved).unwrap_or(tensor))
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.tensor(Any data, *, ScalarType? dtype=None, Device? device=None, \
                 bool requires_grad=False, bool pin_memory=False) -> Tensor",
        doc: "A tensor with a copy of the data: a number, nested arrays of numbers, or an array of \
              tensors of one shape, which are stacked. The dtype is inferred: bool, int64, the default \
              float, complex. <https://pytorch.org/docs/stable/generated/torch.tensor.html>",
        example: "let x = torch.tensor([[1, 2], [3, 4]], dtype: torch.float32);\nprint(x);",
        call: |args| {
            let dtype = args.opt_dtype(1)?;
            let tensor = tensor_data::from_value(args.get(0), dtype)?;
            finish(args, tensor, 2, Some(3))
        },
    },
    Function {
        schema: "torch.as_tensor(Any data, ScalarType? dtype=None, Device? device=None) -> Tensor",
        doc: "Like torch.tensor, but a tensor of the right dtype and device is handed through, and an array of \
              NumPy's shares its elements.",
        example: "let x = torch.as_tensor([1, 2, 3]);",
        call: |args| {
            let dtype = args.opt_dtype(1)?;
            let tensor = match args.ctx().tensor(args.get(0))? {
                Some(tensor) => tensor_data::convert_to(tensor, dtype)?,
                None => tensor_data::from_value(args.get(0), dtype)?,
            };
            finish(args, tensor, 2, None)
        },
    },
    Function {
        schema: "torch.asarray(Any obj, *, ScalarType? dtype=None, Device? device=None, bool? copy=None, \
                 bool requires_grad=False) -> Tensor",
        doc: "Like torch.as_tensor; `copy: true` always copies.",
        example: "let x = torch.asarray([1.0, 2.0]);",
        call: |args| {
            let dtype = args.opt_dtype(1)?;
            let copy = args.opt_bool(3)?.unwrap_or(false);
            let tensor = match args.ctx().tensor(args.get(0))? {
                Some(tensor) if !copy => tensor_data::convert_to(tensor, dtype)?,
                _ => tensor_data::from_value(args.get(0), dtype)?,
            };
            finish(args, tensor, 2, Some(4))
        },
    },
    Function {
        schema: "torch.typename(Any obj) -> str",
        doc: "The name of a tensor's type, or of another value's.",
        example: "print(torch.typename(torch.zeros([1])));",
        call: |args| match args.get(0).is::<Tensor>() {
            true => args.ctx().function("Tensor.type", vec![args.take(0)]),
            false => Ok(Dynamic::from(convert::type_name(args.get(0)))),
        },
    },
    Function {
        schema: "torch.is_tensor(Any obj) -> bool",
        doc: "Whether a value is a tensor.",
        example: "print(torch.is_tensor(torch.zeros([2])));",
        call: |args| Ok(Dynamic::from_bool(args.get(0).is::<Tensor>())),
    },
    Function {
        schema: "torch.numel(Tensor input) -> int",
        doc: "The number of elements.",
        example: "print(torch.numel(torch.zeros([2, 3])));",
        call: |args| Ok(Dynamic::from_int(shim::sizes(&*args.tensor(0)?).iter().product())),
    },
    Function {
        schema: "torch.is_storage(Any obj) -> bool",
        doc: "Whether a value is a storage: scripts hold none.",
        example: "print(torch.is_storage(1));",
        call: |_| Ok(Dynamic::FALSE),
    },
];
