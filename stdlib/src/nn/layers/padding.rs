//! Padding layers; a list of paddings names the last dimension first, as `F.pad` does.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use rhai::Dynamic;

use super::super::class::{Call, Class, Forward, constructors};
use super::super::module::Module;

/// Pads of one, two and three dimensions.
const PAD1: Class = Class { build: |m, args| sides(m, args, 2), ..PAD };
const PAD2: Class = Class { build: |m, args| sides(m, args, 4), ..PAD };
const PAD3: Class = Class { build: |m, args| sides(m, args, 6), ..PAD };
const PAD: Class = Class { repr: "*padding", ..Class::LAYER };

const CONSTANT: Forward = Forward::Native(|call| {
    let number = call.state().float("value")?;
    pad(call, "constant", Some(number))
});
const REFLECT: Forward = Forward::Native(|call| pad(call, "reflect", None));
const REPLICATE: Forward = Forward::Native(|call| pad(call, "replicate", None));

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.ZeroPad1d(int[2] padding) -> Module",
        doc: "Zeros around the last dimension: [left, right] or one number for both.",
        example: "nn.ZeroPad1d(2)(torch.ones([1, 2, 4])).shape",
        forward: Forward::Native(|call| pad(call, "constant", Some(0.0))),
        ..PAD1
    },
    Class {
        schema: "nn.ZeroPad2d(int[4] padding) -> Module",
        doc: "Zeros around the last two dimensions: [left, right, top, bottom].",
        example: "nn.ZeroPad2d([1, 1, 2, 0])(torch.ones([1, 1, 3, 3])).shape",
        forward: Forward::Native(|call| pad(call, "constant", Some(0.0))),
        ..PAD2
    },
    Class {
        schema: "nn.ZeroPad3d(int[6] padding) -> Module",
        doc: "Zeros around the last three dimensions: [left, right, top, bottom, front, back].",
        example: "nn.ZeroPad3d(1)(torch.ones([1, 1, 3, 3, 3])).shape",
        forward: Forward::Native(|call| pad(call, "constant", Some(0.0))),
        ..PAD3
    },
    Class {
        schema: "nn.ConstantPad1d(int[2] padding, float value) -> Module",
        doc: "One value around the last dimension.",
        example: "nn.ConstantPad1d(2, 3.5)(torch.ones([1, 2, 4])).shape",
        forward: CONSTANT,
        repr: "padding, value",
        ..PAD1
    },
    Class {
        schema: "nn.ConstantPad2d(int[4] padding, float value) -> Module",
        doc: "One value around the last two dimensions.",
        example: "nn.ConstantPad2d(2, 3.5)(torch.ones([1, 2, 2])).shape",
        forward: CONSTANT,
        repr: "padding, value",
        ..PAD2
    },
    Class {
        schema: "nn.ConstantPad3d(int[6] padding, float value) -> Module",
        doc: "One value around the last three dimensions.",
        example: "nn.ConstantPad3d(1, 3.5)(torch.ones([1, 1, 3, 3, 3])).shape",
        forward: CONSTANT,
        repr: "padding, value",
        ..PAD3
    },
    Class {
        schema: "nn.ReflectionPad1d(int[2] padding) -> Module",
        doc: "The input's reflection around the last dimension.",
        example: "nn.ReflectionPad1d(2)(torch.arange(8.0).reshape([1, 2, 4]))",
        forward: REFLECT,
        ..PAD1
    },
    Class {
        schema: "nn.ReflectionPad2d(int[4] padding) -> Module",
        doc: "The input's reflection around the last two dimensions.",
        example: "nn.ReflectionPad2d(2)(torch.arange(9.0).reshape([1, 1, 3, 3])).shape",
        forward: REFLECT,
        ..PAD2
    },
    Class {
        schema: "nn.ReflectionPad3d(int[6] padding) -> Module",
        doc: "The input's reflection around the last three dimensions.",
        example: "nn.ReflectionPad3d(1)(torch.arange(8.0).reshape([1, 1, 2, 2, 2])).shape",
        forward: REFLECT,
        ..PAD3
    },
    Class {
        schema: "nn.ReplicationPad1d(int[2] padding) -> Module",
        doc: "The edge repeated around the last dimension.",
        example: "nn.ReplicationPad1d(2)(torch.arange(8.0).reshape([1, 2, 4]))",
        forward: REPLICATE,
        ..PAD1
    },
    Class {
        schema: "nn.ReplicationPad2d(int[4] padding) -> Module",
        doc: "The edge repeated around the last two dimensions.",
        example: "nn.ReplicationPad2d(2)(torch.arange(9.0).reshape([1, 1, 3, 3])).shape",
        forward: REPLICATE,
        ..PAD2
    },
    Class {
        schema: "nn.ReplicationPad3d(int[6] padding) -> Module",
        doc: "The edge repeated around the last three dimensions.",
        example: "nn.ReplicationPad3d(1)(torch.ones([1, 1, 2, 2, 2])).shape",
        forward: REPLICATE,
        ..PAD3
    },
    Class {
        schema: "nn.CircularPad1d(int[2] padding) -> Module",
        doc: "The other end around the last dimension.",
        example: "nn.CircularPad1d(2)(torch.arange(8.0).reshape([1, 2, 4]))",
        forward: Forward::Native(|call| circular(call, 1)),
        ..PAD1
    },
    Class {
        schema: "nn.CircularPad2d(int[4] padding) -> Module",
        doc: "The other end around the last two dimensions.",
        example: "nn.CircularPad2d(2)(torch.arange(9.0).reshape([1, 1, 3, 3])).shape",
        forward: Forward::Native(|call| circular(call, 2)),
        ..PAD2
    },
    Class {
        schema: "nn.CircularPad3d(int[6] padding) -> Module",
        doc: "The other end around the last three dimensions.",
        example: "nn.CircularPad3d(1)(torch.ones([1, 1, 2, 2, 2])).shape",
        forward: Forward::Native(|call| circular(call, 3)),
        ..PAD3
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// One padding for all sides, or one for each.
fn sides(module: &Module, args: &mut Args<'_>, n: usize) -> Result<()> {
    module.put_ints("padding", &args.ints_n(0, n)?)
}

fn pad(call: &Call<'_>, mode: &str, number: Option<f64>) -> Result<Dynamic> {
    let padding = call.state().ints("padding")?;
    call.unary(|input| input.f_pad(&padding, mode, number))
}

fn circular(call: &Call<'_>, dims: usize) -> Result<Dynamic> {
    let found = call.tensor(0)?.dim();
    if found != dims + 1 && found != dims + 2 {
        return Err(Error::value(format!(
            "expected {}D or {}D input (got {found}D input)",
            dims + 1,
            dims + 2
        )));
    }
    pad(call, "circular", None)
}
