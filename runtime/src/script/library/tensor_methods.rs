//! Methods of tensors that are no operators, or whose arguments differ from the operator's.

use rhai::{Dynamic, Map};

use super::creation::to_device;
use crate::error::{Error, Result};
use crate::script::dispatch::call_operator;
use crate::script::function::{Args, Function};
use crate::script::{Complex, convert, tensor_data};
use crate::torch::{Device, Dtype, shim};

/// `x.float()` and its kin: the tensor in another dtype.
macro_rules! conversions {
    ($($name:literal $dtype:expr;)*) => {
        [$(Function {
            schema: concat!("Tensor.", $name, "(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor"),
            doc: concat!("The tensor with dtype `torch.", $name, "`; the same where it has it already."),
            example: concat!("let x = torch.zeros([2]).", $name, "();"),
            call: |args| convert_dtype(args, $dtype),
        },)*]
    };
}

const CONVERSIONS: [Function; 12] = conversions! {
    "float" Dtype::FLOAT32; "double" Dtype::FLOAT64; "half" Dtype::FLOAT16;
    "bfloat16" Dtype::BFLOAT16; "long" Dtype::INT64; "int" Dtype::INT32; "short" Dtype::INT16;
    "char" Dtype::INT8; "byte" Dtype::UINT8; "bool" Dtype::BOOL; "cfloat" Dtype::COMPLEX64;
    "cdouble" Dtype::COMPLEX128;
};

/// The tensor in another dtype and, where argument 1 is given, another order of dimensions in memory.
fn convert_dtype(args: &mut Args<'_>, dtype: Dtype) -> Result<Dynamic> {
    let tensor = args.tensor(0)?;
    if args.is_none(1) {
        return Ok(Dynamic::from(tensor_data::convert_to(tensor, Some(dtype))?));
    }
    let options = Map::from([("memory_format".into(), args.take(1))]);
    call_operator(
        "aten",
        "to",
        vec![Dynamic::from(tensor), Dynamic::from(dtype), Dynamic::from_map(options)],
    )
}

/// The number in a tensor of one element.
fn item(args: &mut Args<'_>) -> Result<Dynamic> {
    let tensor = args.tensor(0)?;
    let elements: i64 = shim::sizes(&tensor).iter().product();
    if elements != 1 {
        return Err(Error::value(format!(
            "item() needs a tensor with one element, this is {}",
            tensor.describe()
        ))
        .help("tolist() gives all elements"));
    }
    Ok(convert::from_output(shim::item(&tensor)?))
}

/// `x.to(…)`: a device, a dtype, a tensor to be like, or both of the first.
fn to(args: &mut Args<'_>) -> Result<Dynamic> {
    let tensor = args.tensor(0)?;
    let positional = args.array(1)?;
    let mut options = args.map(2)?;
    let mut rest = Vec::new();
    for value in positional {
        if let Some(like) = convert::tensor(&value) {
            options.entry("dtype".into()).or_insert_with(|| Dynamic::from(like.dtype()));
            options.entry("device".into()).or_insert_with(|| Dynamic::from(like.device_of()));
        } else if value.is::<Dtype>() {
            options.insert("dtype".into(), value);
        } else if let Some(device) = convert::device(&value) {
            options.insert("device".into(), Dynamic::from(device?));
        } else if let Ok(index) = value.as_int() {
            options.insert("device".into(), Dynamic::from(Device::cuda(index.clamp(0, 127) as i8)));
        } else if value.is_bool() {
            rest.push(value);
        } else {
            return Err(Error::type_(format!(
                "to() takes a device, a dtype or a tensor, not {}",
                convert::type_name(&value)
            ))
            .help(
                "x.to(torch.float64), x.to(\"cuda\"), x.to(other), x.to(\"cuda\", torch.float16)",
            ));
        }
    }
    for (name, value) in ["non_blocking", "copy"].into_iter().zip(rest) {
        options.insert(name.into(), value);
    }
    if let Some(device) = options.get("device").and_then(convert::device) {
        crate::script::device::check_device(device?)?;
    }
    if options.is_empty() {
        return Ok(Dynamic::from(tensor));
    }
    call_operator("aten", "to", vec![Dynamic::from(tensor), Dynamic::from_map(options)])
}

/// `x.size()`, `x.stride()`: all of them, or that of one dimension.
fn of_dimension(args: &Args<'_>, all: &[i64]) -> Result<Dynamic> {
    let Some(dim) = args.opt_int(1)? else { return Ok(convert::from_ints(all)) };
    let n = all.len() as i64;
    let at = if dim < 0 { dim + n } else { dim };
    usize::try_from(at)
        .ok()
        .and_then(|at| all.get(at))
        .map(|size| Dynamic::from_int(*size))
        .ok_or_else(|| {
            Error::index(format!("dimension {dim} is out of range for a tensor of {n} dimensions"))
        })
}

/// A new tensor like `self` from data.
fn new_tensor(args: &mut Args<'_>) -> Result<Dynamic> {
    let like = args.tensor(0)?;
    let dtype = args.opt_dtype(2)?.unwrap_or_else(|| like.dtype());
    let tensor = tensor_data::from_value(args.get(1), Some(dtype))?;
    let device = args.opt_device(3)?.unwrap_or_else(|| like.device_of());
    let tensor = if device == tensor.device_of() { tensor } else { to_device(tensor, device)? };
    if args.bool(4)? {
        let _ = tensor.tch().f_requires_grad_(true)?;
    }
    Ok(Dynamic::from(tensor))
}

fn move_to(args: &Args<'_>, device: Device) -> Result<Dynamic> {
    crate::script::device::check_device(device)?;
    let tensor = args.tensor(0)?;
    Ok(Dynamic::from(to_device(tensor, device)?))
}

const OTHERS: [Function; 24] = [
    Function {
        schema: "Tensor.item(Tensor self) -> Scalar",
        doc: "The number in a tensor of one element: int, float, bool or complex.",
        example: "print(torch.tensor([3.5]).item());",
        call: item,
    },
    Function {
        schema: "Tensor.to_int(Tensor self) -> int",
        doc: "The number in a tensor of one element as an int, towards zero: Python's `int(x)`.",
        example: "print(torch.tensor([3.5]).to_int());",
        call: |args| match item(args)? {
            float if float.is_float() => {
                let float = float.as_float().unwrap_or(f64::NAN);
                if !float.is_finite() {
                    return Err(Error::value(format!("{float} cannot be an int")));
                }
                Ok(Dynamic::from_int(float as i64))
            }
            bool if bool.is_bool() => Ok(Dynamic::from_int(i64::from(bool.as_bool() == Ok(true)))),
            int if int.is_int() => Ok(int),
            _ => Err(args.mismatch(0, "a tensor with a real number")),
        },
    },
    Function {
        schema: "Tensor.to_float(Tensor self) -> float",
        doc: "The number in a tensor of one element as a float: Python's `float(x)`.",
        example: "print(torch.tensor([3]).to_float());",
        call: |args| {
            let number = item(args)?;
            let bool = number.as_bool().ok().map(|bool| f64::from(u8::from(bool)));
            let float = bool.or_else(|| convert::float(&number));
            float
                .map(Dynamic::from_float)
                .ok_or_else(|| args.mismatch(0, "a tensor with a real number"))
        },
    },
    Function {
        schema: "Tensor.to_bool(Tensor self) -> bool",
        doc: "Whether the number in a tensor of one element is not 0: Python's `bool(x)`.",
        example: "let loss = torch.tensor(0.5);\nif (loss < 1).to_bool() { print(\"small\"); }",
        call: |args| {
            let number = item(args)?;
            let zero = match (number.as_bool(), convert::float(&number)) {
                (Ok(bool), _) => !bool,
                (_, Some(float)) => float == 0.0,
                _ => number.read_lock::<Complex>().is_some_and(|z| z.re == 0.0 && z.im == 0.0),
            };
            Ok(Dynamic::from_bool(!zero))
        },
    },
    Function {
        schema: "Tensor.where(Tensor self, Tensor condition, Any other) -> Tensor",
        doc: "This tensor's elements where the condition holds, those of the other elsewhere.",
        example: "let x = torch.tensor([1.0, -2.0]);\nprint(x.where(x > 0, 0));",
        call: |args| {
            let (tensor, condition, other) = (args.take(0), args.take(1), args.take(2));
            call_operator("aten", "where", vec![condition, tensor, other])
        },
    },
    Function {
        schema: "Tensor.polygamma(Tensor self, int n) -> Tensor",
        doc: "The n-th derivative of the digamma function.",
        example: "print(torch.tensor([1.0]).polygamma(1));",
        call: |args| {
            let (tensor, n) = (args.take(0), args.take(1));
            call_operator("aten", "polygamma", vec![n, tensor])
        },
    },
    Function {
        schema: "Tensor.tolist(Tensor self) -> Any",
        doc: "Nested arrays of the elements; a number for a tensor without dimensions.",
        example: "print(torch.arange(3).tolist());",
        call: |args| convert::to_list(&args.tensor(0)?),
    },
    Function {
        schema: "Tensor.to(Tensor self, *Any args, **Any kwargs) -> Tensor",
        doc: "The tensor on another device or with another dtype; the same where nothing changes. \
              <https://pytorch.org/docs/stable/generated/torch.Tensor.to.html>",
        example: "let x = torch.zeros([2]).to(torch.float64);",
        call: to,
    },
    Function {
        schema: "Tensor.cpu(Tensor self) -> Tensor",
        doc: "The tensor on the CPU.",
        example: "let x = torch.zeros([2]).cpu();",
        call: |args| move_to(args, Device::CPU),
    },
    Function {
        schema: "Tensor.cuda(Tensor self, Any device=None) -> Tensor",
        doc: "The tensor on a CUDA device.",
        example: "",
        call: |args| {
            let device = match args.opt_int(1) {
                Ok(Some(index)) => Device::cuda(index.clamp(0, 127) as i8),
                Ok(None) => Device::cuda(-1),
                Err(_) => args.opt_device(1)?.unwrap_or(Device::cuda(-1)),
            };
            move_to(args, device)
        },
    },
    Function {
        schema: "Tensor.size(Tensor self, int? dim=None) -> Any",
        doc: "The shape, or the size of one dimension.",
        example: "print(torch.zeros([2, 3]).size(1));",
        call: |args| of_dimension(args, &shim::sizes(&*args.tensor(0)?)),
    },
    Function {
        schema: "Tensor.stride(Tensor self, int? dim=None) -> Any",
        doc: "The strides in elements, or that of one dimension.",
        example: "print(torch.zeros([2, 3]).stride());",
        call: |args| of_dimension(args, &shim::strides(&*args.tensor(0)?)?),
    },
    Function {
        schema: "Tensor.dim(Tensor self) -> int",
        doc: "The number of dimensions.",
        example: "print(torch.zeros([2, 3]).dim());",
        call: |args| Ok(Dynamic::from_int(shim::dim(&*args.tensor(0)?) as i64)),
    },
    Function {
        schema: "Tensor.numel(Tensor self) -> int",
        doc: "The number of elements.",
        example: "print(torch.zeros([2, 3]).numel());",
        call: |args| Ok(Dynamic::from_int(shim::sizes(&*args.tensor(0)?).iter().product())),
    },
    Function {
        schema: "Tensor.nelement(Tensor self) -> int",
        doc: "The number of elements.",
        example: "print(torch.zeros([2, 3]).nelement());",
        call: |args| Ok(Dynamic::from_int(shim::sizes(&*args.tensor(0)?).iter().product())),
    },
    Function {
        schema: "Tensor.len(Tensor self) -> int",
        doc: "The size of the first dimension.",
        example: "print(torch.zeros([2, 3]).len());",
        call: |args| {
            let first = shim::sizes(&*args.tensor(0)?).first().copied();
            first
                .map(Dynamic::from_int)
                .ok_or_else(|| Error::type_("len() of a tensor without dimensions"))
        },
    },
    Function {
        schema: "Tensor.element_size(Tensor self) -> int",
        doc: "Bytes of an element.",
        example: "print(torch.zeros([1]).element_size());",
        call: |args| Ok(Dynamic::from_int(args.tensor(0)?.dtype().itemsize() as i64)),
    },
    Function {
        schema: "Tensor.get_device(Tensor self) -> int",
        doc: "The index of the CUDA device; -1 on the CPU.",
        example: "print(torch.zeros([1]).get_device());",
        call: |args| Ok(Dynamic::from_int(i64::from(args.tensor(0)?.device_of().index))),
    },
    Function {
        schema: "Tensor.data_ptr(Tensor self) -> int",
        doc: "The address of the first element.",
        example: "let x = torch.zeros([1]);\nprint(x.data_ptr() == x.view([1, 1]).data_ptr());",
        call: |args| {
            let tensor = args.tensor(0)?;
            Ok(Dynamic::from_int(shim::data_address(&tensor)?))
        },
    },
    Function {
        schema: "Tensor.is_same(Tensor self, Tensor other) -> bool",
        doc: "Whether both are the same tensor, not merely equal: Python's `is`.",
        example: "let x = torch.zeros([1]);\nlet y = x;\nprint(x.is_same(y));",
        call: |args| Ok(Dynamic::from_bool(shim::same(&*args.tensor(0)?, &*args.tensor(1)?))),
    },
    Function {
        schema: "Tensor.id(Tensor self) -> int",
        doc: "A number that only this tensor has while it lives: Python's `id`.",
        example: "let x = torch.zeros([1]);\nprint(x.id() == x.id());",
        call: |args| Ok(Dynamic::from_int(shim::identity(&*args.tensor(0)?))),
    },
    Function {
        schema: "Tensor.new_tensor(Tensor self, Any data, *, ScalarType? dtype=None, Device? device=None, \
                 bool requires_grad=False) -> Tensor",
        doc: "A tensor from data, with dtype and device of this one.",
        example: "let x = torch.zeros([1]).new_tensor([1, 2]);",
        call: new_tensor,
    },
    Function {
        schema: "Tensor.type(Tensor self, ScalarType? dtype=None) -> Any",
        doc: "The name of the tensor's type, or the tensor with another dtype.",
        example: "print(torch.zeros([1]).type());",
        call: |args| {
            let tensor = args.tensor(0)?;
            if let Some(dtype) = args.opt_dtype(1)? {
                return Ok(Dynamic::from(tensor_data::convert_to(tensor, Some(dtype))?));
            }
            let class = match tensor.dtype() {
                Dtype::FLOAT32 => "Float",
                Dtype::FLOAT64 => "Double",
                Dtype::FLOAT16 => "Half",
                Dtype::BFLOAT16 => "BFloat16",
                Dtype::INT64 => "Long",
                Dtype::INT32 => "Int",
                Dtype::INT16 => "Short",
                Dtype::INT8 => "Char",
                Dtype::UINT8 => "Byte",
                Dtype::BOOL => "Bool",
                Dtype::COMPLEX64 => "ComplexFloat",
                Dtype::COMPLEX128 => "ComplexDouble",
                other => return Ok(Dynamic::from(other.to_string())),
            };
            let place = if tensor.device_of().kind == 1 { "torch.cuda" } else { "torch" };
            Ok(Dynamic::from(format!("{place}.{class}Tensor")))
        },
    },
    Function {
        schema: "Tensor.type_as(Tensor self, Tensor other) -> Tensor",
        doc: "The tensor with dtype and device of another.",
        example: "let x = torch.zeros([1]).type_as(torch.ones([1], dtype: torch.float64));",
        call: |args| {
            let (tensor, other) = (args.tensor(0)?, args.tensor(1)?);
            let mut options = Map::new();
            options.insert("dtype".into(), Dynamic::from(other.dtype()));
            options.insert("device".into(), Dynamic::from(other.device_of()));
            call_operator("aten", "to", vec![Dynamic::from(tensor), Dynamic::from_map(options)])
        },
    },
];

const COUNT: usize = CONVERSIONS.len() + OTHERS.len();

const fn joined() -> [Function; COUNT] {
    let mut all = [OTHERS[0]; COUNT];
    let parts: [&[Function]; 2] = [&CONVERSIONS, &OTHERS];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            all[at] = parts[part][i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    all
}

/// All of them.
pub(super) const FUNCTIONS: &[Function] = &joined();
