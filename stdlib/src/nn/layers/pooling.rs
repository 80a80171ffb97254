//! Pooling in one to three dimensions.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::sizes;
use rhai::{Array, Dynamic, Map};

use super::super::class::{Call, Class, Forward, constructors, value};
use super::super::module::Module;

const MAX: Class = Class {
    build: default_stride,
    repr: "kernel_size, stride, padding, dilation, ceil_mode",
    ..Class::LAYER
};
const UNPOOL: Class = Class {
    inputs: &["input", "indices", "output_size?"],
    repr: "kernel_size, stride, padding",
    ..Class::LAYER
};
const AVG: Class =
    Class { build: default_stride, repr: "kernel_size, stride, padding", ..Class::LAYER };
const LP: Class = Class { repr: "norm_type, kernel_size, stride, ceil_mode", ..Class::LAYER };
const LP_SETTINGS: &[&str] = &["norm_type", "kernel_size", "stride", "ceil_mode"];
const ADAPTIVE: Class = Class { repr: "output_size", ..Class::LAYER };
const FRACTIONAL: &[&str] =
    &["kernel_size", "output_size", "output_ratio", "return_indices", "_random_samples"];

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.MaxPool1d(int[1] kernel_size, int[1]? stride=None, int[1] padding=0, int[1] dilation=1, bool return_indices=False, bool ceil_mode=False) -> Module",
        doc: "The largest value of each window of (N, C, L) or (C, L).",
        example: "nn.MaxPool1d(3, stride: 2)(torch.randn([20, 16, 50])).shape",
        forward: Forward::Native(max_pool::<1>),
        ..MAX
    },
    Class {
        schema: "nn.MaxPool2d(int[2] kernel_size, int[2]? stride=None, int[2] padding=0, int[2] dilation=1, bool return_indices=False, bool ceil_mode=False) -> Module",
        doc: "The largest value of each window of (N, C, H, W) or (C, H, W).",
        example: "nn.MaxPool2d([3, 2], stride: [2, 1])(torch.randn([2, 16, 50, 32])).shape",
        forward: Forward::Native(max_pool::<2>),
        ..MAX
    },
    Class {
        schema: "nn.MaxPool3d(int[3] kernel_size, int[3]? stride=None, int[3] padding=0, int[3] dilation=1, bool return_indices=False, bool ceil_mode=False) -> Module",
        doc: "The largest value of each window of (N, C, D, H, W) or (C, D, H, W).",
        example: "nn.MaxPool3d(2)(torch.randn([2, 4, 8, 8, 8])).shape",
        forward: Forward::Native(max_pool::<3>),
        ..MAX
    },
    Class {
        schema: "nn.MaxUnpool1d(int[1] kernel_size, int[1]? stride=None, int[1] padding=0) -> Module",
        doc: "Puts the values of a MaxPool1d back where its indices say; zeros elsewhere.",
        example: "let r = nn.MaxPool1d(2, return_indices: true)(torch.randn([1, 1, 8]));\nnn.MaxUnpool1d(2)(r[0], r[1]).shape",
        build: |module, args| unpool(module, args, 1),
        forward: Forward::Native(|call| max_unpool(call, "torch.nn.functional.max_unpool1d")),
        ..UNPOOL
    },
    Class {
        schema: "nn.MaxUnpool2d(int[2] kernel_size, int[2]? stride=None, int[2] padding=0) -> Module",
        doc: "Puts the values of a MaxPool2d back where its indices say; zeros elsewhere.",
        example: "let r = nn.MaxPool2d(2, return_indices: true)(torch.randn([1, 1, 4, 4]));\nnn.MaxUnpool2d(2)(r[0], r[1]).shape",
        build: |module, args| unpool(module, args, 2),
        forward: Forward::Native(|call| max_unpool(call, "torch.nn.functional.max_unpool2d")),
        ..UNPOOL
    },
    Class {
        schema: "nn.MaxUnpool3d(int[3] kernel_size, int[3]? stride=None, int[3] padding=0) -> Module",
        doc: "Puts the values of a MaxPool3d back where its indices say; zeros elsewhere.",
        example: "let r = nn.MaxPool3d(2, return_indices: true)(torch.randn([1, 1, 4, 4, 4]));\nnn.MaxUnpool3d(2)(r[0], r[1]).shape",
        build: |module, args| unpool(module, args, 3),
        forward: Forward::Native(|call| max_unpool(call, "torch.nn.functional.max_unpool3d")),
        ..UNPOOL
    },
    Class {
        schema: "nn.AvgPool1d(int[1] kernel_size, int[1]? stride=None, int[1] padding=0, bool ceil_mode=False, bool count_include_pad=True) -> Module",
        doc: "The mean of each window of (N, C, L) or (C, L).",
        example: "nn.AvgPool1d(3, stride: 2)(torch.randn([20, 16, 50])).shape",
        build: |module, args| unpool(module, args, 1),
        forward: Forward::Native(avg_pool::<1>),
        ..AVG
    },
    Class {
        schema: "nn.AvgPool2d(int[2] kernel_size, int[2]? stride=None, int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Module",
        doc: "The mean of each window of (N, C, H, W) or (C, H, W).",
        example: "nn.AvgPool2d(3, stride: 2)(torch.randn([2, 16, 50, 32])).shape",
        forward: Forward::Native(avg_pool::<2>),
        ..AVG
    },
    Class {
        schema: "nn.AvgPool3d(int[3] kernel_size, int[3]? stride=None, int[3] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Module",
        doc: "The mean of each window of (N, C, D, H, W) or (C, D, H, W).",
        example: "nn.AvgPool3d(2)(torch.randn([2, 4, 8, 8, 8])).shape",
        forward: Forward::Native(avg_pool::<3>),
        ..AVG
    },
    Class {
        schema: "nn.LPPool1d(float norm_type, int kernel_size, int? stride=None, bool ceil_mode=False) -> Module",
        doc: "The p-norm of each window of (N, C, L).",
        example: "nn.LPPool1d(2, 3)(torch.rand([2, 16, 50])).shape",
        forward: Forward::Functional("torch.nn.functional.lp_pool1d", LP_SETTINGS),
        ..LP
    },
    Class {
        schema: "nn.LPPool2d(float norm_type, int[2] kernel_size, int[2]? stride=None, bool ceil_mode=False) -> Module",
        doc: "The p-norm of each window of (N, C, H, W).",
        example: "nn.LPPool2d(2, 3, stride: 2)(torch.rand([2, 16, 50, 32])).shape",
        forward: Forward::Functional("torch.nn.functional.lp_pool2d", LP_SETTINGS),
        ..LP
    },
    Class {
        schema: "nn.LPPool3d(float norm_type, int[3] kernel_size, int[3]? stride=None, bool ceil_mode=False) -> Module",
        doc: "The p-norm of each window of (N, C, D, H, W).",
        example: "nn.LPPool3d(2, 2)(torch.rand([2, 4, 8, 8, 8])).shape",
        forward: Forward::Functional("torch.nn.functional.lp_pool3d", LP_SETTINGS),
        ..LP
    },
    Class {
        schema: "nn.FractionalMaxPool2d(int[2] kernel_size, int[2]? output_size=None, Any output_ratio=None, bool return_indices=False, Tensor? _random_samples=None) -> Module",
        doc: "Max pooling over windows placed at random: Graham (2014).",
        example: "nn.FractionalMaxPool2d(3, output_size: [13, 12])(torch.randn([2, 16, 50, 32])).shape",
        build: |module, args| fractional(module, args, 2),
        forward: Forward::Functional("torch.nn.functional.fractional_max_pool2d", FRACTIONAL),
        ..Class::LAYER
    },
    Class {
        schema: "nn.FractionalMaxPool3d(int[3] kernel_size, int[3]? output_size=None, Any output_ratio=None, bool return_indices=False, Tensor? _random_samples=None) -> Module",
        doc: "Max pooling over windows placed at random, in three dimensions.",
        example: "nn.FractionalMaxPool3d(2, output_size: 5)(torch.randn([2, 4, 10, 10, 10])).shape",
        build: |module, args| fractional(module, args, 3),
        forward: Forward::Functional("torch.nn.functional.fractional_max_pool3d", FRACTIONAL),
        ..Class::LAYER
    },
    Class {
        schema: "nn.AdaptiveAvgPool1d(int[1] output_size) -> Module",
        doc: "Means over windows chosen so that the output has `output_size`.",
        example: "nn.AdaptiveAvgPool1d(5)(torch.randn([1, 64, 8])).shape",
        forward: Forward::Native(adaptive_avg::<1>),
        ..ADAPTIVE
    },
    Class {
        schema: "nn.AdaptiveAvgPool2d(Any output_size) -> Module",
        doc: "Means over windows chosen so that the output has `output_size`; `()` in it keeps a size.",
        example: "nn.AdaptiveAvgPool2d([5, 7])(torch.randn([1, 64, 8, 9])).shape",
        forward: Forward::Native(adaptive_avg::<2>),
        ..ADAPTIVE
    },
    Class {
        schema: "nn.AdaptiveAvgPool3d(Any output_size) -> Module",
        doc: "Means over windows chosen so that the output has `output_size`.",
        example: "nn.AdaptiveAvgPool3d(2)(torch.randn([1, 4, 8, 9, 10])).shape",
        forward: Forward::Native(adaptive_avg::<3>),
        ..ADAPTIVE
    },
    Class {
        schema: "nn.AdaptiveMaxPool1d(int[1] output_size, bool return_indices=False) -> Module",
        doc: "Maxima over windows chosen so that the output has `output_size`.",
        example: "nn.AdaptiveMaxPool1d(5)(torch.randn([1, 64, 8])).shape",
        forward: Forward::Native(adaptive_max::<1>),
        ..ADAPTIVE
    },
    Class {
        schema: "nn.AdaptiveMaxPool2d(Any output_size, bool return_indices=False) -> Module",
        doc: "Maxima over windows chosen so that the output has `output_size`.",
        example: "nn.AdaptiveMaxPool2d([5, 7])(torch.randn([1, 64, 8, 9])).shape",
        forward: Forward::Native(adaptive_max::<2>),
        ..ADAPTIVE
    },
    Class {
        schema: "nn.AdaptiveMaxPool3d(Any output_size, bool return_indices=False) -> Module",
        doc: "Maxima over windows chosen so that the output has `output_size`.",
        example: "nn.AdaptiveMaxPool3d(2)(torch.randn([1, 4, 8, 9, 10])).shape",
        forward: Forward::Native(adaptive_max::<3>),
        ..ADAPTIVE
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// A stride that was not given is the window's size.
fn default_stride(module: &Module, args: &mut Args<'_>) -> Result<()> {
    if args.is_none(1) { module.put("stride", args.get(0).clone()) } else { Ok(()) }
}

/// Window, stride and padding as one number for each dimension.
fn unpool(module: &Module, args: &mut Args<'_>, dims: usize) -> Result<()> {
    let kernel = args.ints_n(0, dims)?;
    let stride = if args.is_none(1) { kernel.clone() } else { args.ints_n(1, dims)? };
    module.put_ints("kernel_size", &kernel)?;
    module.put_ints("stride", &stride)?;
    module.put_ints("padding", &args.ints_n(2, dims)?)
}

fn fractional(module: &Module, args: &mut Args<'_>, dims: usize) -> Result<()> {
    module.put_ints("kernel_size", &args.ints_n(0, dims)?)?;
    let name = module.name();
    match (args.is_none(1), args.is_none(2)) {
        (true, true) => Err(Error::value(format!(
            "{name} requires specifying either an output size, or a pooling ratio"
        ))),
        (false, false) => {
            Err(Error::value("only one of output_size and output_ratio may be specified"))
        }
        (false, true) => {
            module.put_ints("output_size", &args.ints_n(1, dims)?)?;
            module.put_buffer("_random_samples", args.opt_tensor(4)?)
        }
        (true, false) => {
            let mut ratio = args.floats(2)?;
            if ratio.len() == 1 {
                ratio = vec![ratio[0]; dims];
            }
            if ratio.iter().any(|r| !(0.0 < *r && *r < 1.0)) {
                return Err(Error::value(format!(
                    "output_ratio must be between 0 and 1 (got {ratio:?})"
                )));
            }
            let ratio: Array = ratio.into_iter().map(Dynamic::from_float).collect();
            module.put("output_ratio", ratio)?;
            module.put_buffer("_random_samples", args.opt_tensor(4)?)
        }
    }
}

fn max_pool<const N: usize>(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    if state.bool("return_indices")? {
        let names = ["kernel_size", "stride", "padding", "dilation", "ceil_mode"];
        let keywords: Map =
            names.iter().map(|name| ((*name).into(), state.read(call.module, name))).collect();
        drop(state);
        let args = vec![call.value(0).clone(), Dynamic::from_map(keywords)];
        return call.ctx.op(&format!("max_pool{N}d_with_indices"), args);
    }
    let input = call.tensor(0)?;
    let kernel = state.sizes::<N>("kernel_size")?;
    let stride = state.sizes::<N>("stride")?;
    let padding = state.sizes::<N>("padding")?;
    let dilation = state.sizes::<N>("dilation")?;
    let ceil = state.bool("ceil_mode")?;
    let lists = (&kernel[..], &stride[..], &padding[..], &dilation[..]);
    let (kernel, stride, padding, dilation) = lists;
    Ok(value(match N {
        1 => input.f_max_pool1d(kernel, stride, padding, dilation, ceil)?,
        2 => input.f_max_pool2d(kernel, stride, padding, dilation, ceil)?,
        _ => input.f_max_pool3d(kernel, stride, padding, dilation, ceil)?,
    }))
}

fn max_unpool(call: &Call<'_>, function: &str) -> Result<Dynamic> {
    let state = call.state();
    let mut args = vec![call.value(0).clone(), call.value(1).clone()];
    args.extend(["kernel_size", "stride", "padding"].map(|name| state.read(call.module, name)));
    args.push(call.value(2).clone());
    drop(state);
    call.ctx.function(function, args)
}

fn avg_pool<const N: usize>(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let input = call.tensor(0)?;
    let kernel = state.sizes::<N>("kernel_size")?;
    let stride = state.sizes::<N>("stride")?;
    let padding = state.sizes::<N>("padding")?;
    let (ceil, include) = (state.bool("ceil_mode")?, state.bool("count_include_pad")?);
    let divisor = state.opt_int("divisor_override")?;
    let (kernel, stride, padding) = (&kernel[..], &stride[..], &padding[..]);
    Ok(value(match N {
        1 => input.f_avg_pool1d(kernel, stride, padding, ceil, include)?,
        2 => input.f_avg_pool2d(kernel, stride, padding, ceil, include, divisor)?,
        _ => input.f_avg_pool3d(kernel, stride, padding, ceil, include, divisor)?,
    }))
}

/// The output size, where `()` keeps the input's.
fn output_size<const N: usize>(call: &Call<'_>) -> Result<[i64; N]> {
    let state = call.state();
    let setting = state.attributes.get("output_size");
    let has_gaps = setting
        .and_then(|v| v.read_lock::<Array>())
        .filter(|list| list.len() == N && list.iter().any(Dynamic::is_unit));
    let Some(list) = has_gaps else { return state.sizes::<N>("output_size") };
    let shape = sizes(&**call.tensor(0)?);
    let mut sizes = [0; N];
    for (i, (size, item)) in sizes.iter_mut().zip(list.iter()).enumerate() {
        let kept = (shape.len() + i).checked_sub(N).and_then(|dim| shape.get(dim).copied());
        let found = if item.is_unit() { kept } else { item.as_int().ok() };
        *size = found
            .ok_or_else(|| Error::value(format!("Input dimension should be at least {}", N + 1)))?;
    }
    Ok(sizes)
}

fn adaptive_avg<const N: usize>(call: &Call<'_>) -> Result<Dynamic> {
    let size = output_size::<N>(call)?;
    let size = &size[..];
    call.unary(|input| match N {
        1 => input.f_adaptive_avg_pool1d(size),
        2 => input.f_adaptive_avg_pool2d(size),
        _ => input.f_adaptive_avg_pool3d(size),
    })
}

fn adaptive_max<const N: usize>(call: &Call<'_>) -> Result<Dynamic> {
    let size = output_size::<N>(call)?;
    let size = &size[..];
    let input = call.tensor(0)?;
    let (out, indices) = match N {
        1 => input.f_adaptive_max_pool1d(size)?,
        2 => input.f_adaptive_max_pool2d(size)?,
        _ => input.f_adaptive_max_pool3d(size)?,
    };
    if call.state().bool("return_indices")? {
        return Ok(Dynamic::from_array(vec![value(out), value(indices)]));
    }
    Ok(value(out))
}
