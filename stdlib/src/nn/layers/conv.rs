//! Convolutions and transposed convolutions in one to three dimensions.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::{Tensor, sizes};
use rhai::{Dynamic, ImmutableString};

use super::super::class::{Call, Class, Forward, constructors, value};
use super::super::factory::Factory;
use super::super::init;
use super::super::module::Module;

const REPR: &str = "*in_channels, *out_channels, kernel_size, stride, padding?0, dilation?1, \
                    output_padding?0, groups?1, bias?True, padding_mode?zeros";

const CONV: Class = Class { repr: REPR, ..Class::LAYER };
const TRANSPOSED: Class = Class { repr: REPR, inputs: &["input", "output_size?"], ..Class::LAYER };

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.Conv1d(int in_channels, int out_channels, int[1] kernel_size, int[1] stride=1, Any padding=0, int[1] dilation=1, int groups=1, bool bias=True, str padding_mode='zeros', Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Cross-correlation over (N, C_in, L) or (C_in, L). Parameters: `weight` (out_channels, \
              in_channels / groups, kernel_size), `bias` (out_channels). `padding` is a number, a \
              list, 'valid' or 'same'; `padding_mode` is 'zeros', 'reflect', 'replicate' or 'circular'.",
        example: "let m = nn.Conv1d(16, 33, 3, stride: 2);\nm(torch.randn([20, 16, 50])).shape",
        build: convolution::<1>,
        forward: Forward::Native(convolve::<1>),
        ..CONV
    },
    Class {
        schema: "nn.Conv2d(int in_channels, int out_channels, int[2] kernel_size, int[2] stride=1, Any padding=0, int[2] dilation=1, int groups=1, bool bias=True, str padding_mode='zeros', Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Cross-correlation over (N, C_in, H, W) or (C_in, H, W). Parameters: `weight` \
              (out_channels, in_channels / groups, kH, kW), `bias` (out_channels).",
        example: "let m = nn.Conv2d(16, 33, [3, 5], stride: [2, 1], padding: [4, 2]);\nm(torch.randn([2, 16, 50, 100])).shape",
        build: convolution::<2>,
        forward: Forward::Native(convolve::<2>),
        ..CONV
    },
    Class {
        schema: "nn.Conv3d(int in_channels, int out_channels, int[3] kernel_size, int[3] stride=1, Any padding=0, int[3] dilation=1, int groups=1, bool bias=True, str padding_mode='zeros', Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Cross-correlation over (N, C_in, D, H, W) or (C_in, D, H, W).",
        example: "let m = nn.Conv3d(4, 6, 3, stride: 2);\nm(torch.randn([2, 4, 10, 10, 10])).shape",
        build: convolution::<3>,
        forward: Forward::Native(convolve::<3>),
        ..CONV
    },
    Class {
        schema: "nn.ConvTranspose1d(int in_channels, int out_channels, int[1] kernel_size, int[1] stride=1, int[1] padding=0, int[1] output_padding=0, int groups=1, bool bias=True, int[1] dilation=1, str padding_mode='zeros', Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "The gradient of Conv1d with respect to its input, as a layer: (N, C_in, L) to \
              (N, C_out, L'). Parameters: `weight` (in_channels, out_channels / groups, kernel_size), `bias`.",
        example: "let m = nn.ConvTranspose1d(16, 33, 3, stride: 2);\nm(torch.randn([20, 16, 50])).shape",
        build: transposed::<1>,
        forward: Forward::Native(convolve_transposed::<1>),
        ..TRANSPOSED
    },
    Class {
        schema: "nn.ConvTranspose2d(int in_channels, int out_channels, int[2] kernel_size, int[2] stride=1, int[2] padding=0, int[2] output_padding=0, int groups=1, bool bias=True, int[2] dilation=1, str padding_mode='zeros', Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "The gradient of Conv2d with respect to its input, as a layer: (N, C_in, H, W) to \
              (N, C_out, H', W'). `output_size` of the call picks among the sizes that a stride allows.",
        example: "let m = nn.ConvTranspose2d(16, 33, 3, stride: 2);\nm(torch.randn([2, 16, 12, 12])).shape",
        build: transposed::<2>,
        forward: Forward::Native(convolve_transposed::<2>),
        ..TRANSPOSED
    },
    Class {
        schema: "nn.ConvTranspose3d(int in_channels, int out_channels, int[3] kernel_size, int[3] stride=1, int[3] padding=0, int[3] output_padding=0, int groups=1, bool bias=True, int[3] dilation=1, str padding_mode='zeros', Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "The gradient of Conv3d with respect to its input, as a layer.",
        example: "let m = nn.ConvTranspose3d(4, 6, 3, stride: 2);\nm(torch.randn([2, 4, 5, 5, 5])).shape",
        build: transposed::<3>,
        forward: Forward::Native(convolve_transposed::<3>),
        ..TRANSPOSED
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

fn convolution<const N: usize>(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let kernel = args.ints_n(2, N)?;
    let stride = args.ints_n(3, N)?;
    let padding = match args.get(4).read_lock::<ImmutableString>() {
        Some(text) => {
            if !matches!(text.as_str(), "same" | "valid") {
                return Err(Error::value(format!(
                    "Invalid padding string '{}', should be one of 'valid', 'same'",
                    *text
                )));
            }
            if *text == "same" && stride.iter().any(|s| *s != 1) {
                return Err(Error::value(
                    "padding='same' is not supported for strided convolutions",
                ));
            }
            None
        }
        None => Some(args.ints_n(4, N)?),
    };
    let dilation = args.ints_n(5, N)?;
    let mode = args.str(8)?;
    if !matches!(mode.as_str(), "zeros" | "reflect" | "replicate" | "circular") {
        return Err(Error::value(format!(
            "padding_mode must be one of 'zeros', 'reflect', 'replicate', 'circular', but got '{mode}'"
        )));
    }
    if let Some(padding) = padding {
        module.put_ints("padding", &padding)?;
    }
    module.put_ints("output_padding", &[0; N])?;
    module.put("transposed", false)?;
    let sizes = Sizes { kernel, stride, dilation, groups: args.int(6)?, bias: args.bool(7)? };
    parameters(module, args, sizes)
}

fn transposed<const N: usize>(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let mode = args.str(9)?;
    if mode != "zeros" {
        return Err(Error::value(format!(
            "Only \"zeros\" padding mode is supported for {}",
            module.name()
        )));
    }
    module.put_ints("padding", &args.ints_n(4, N)?)?;
    module.put_ints("output_padding", &args.ints_n(5, N)?)?;
    module.put("transposed", true)?;
    let sizes = Sizes {
        kernel: args.ints_n(2, N)?,
        stride: args.ints_n(3, N)?,
        dilation: args.ints_n(8, N)?,
        groups: args.int(6)?,
        bias: args.bool(7)?,
    };
    parameters(module, args, sizes)
}

struct Sizes {
    kernel: Vec<i64>,
    stride: Vec<i64>,
    dilation: Vec<i64>,
    groups: i64,
    bias: bool,
}

fn parameters(module: &Module, args: &Args<'_>, sizes: Sizes) -> Result<()> {
    let (inputs, outputs) = (args.int(0)?, args.int(1)?);
    if sizes.groups <= 0 {
        return Err(Error::value("groups must be a positive integer"));
    }
    if inputs % sizes.groups != 0 {
        return Err(Error::value("in_channels must be divisible by groups"));
    }
    if outputs % sizes.groups != 0 {
        return Err(Error::value("out_channels must be divisible by groups"));
    }
    module.put_ints("kernel_size", &sizes.kernel)?;
    module.put_ints("stride", &sizes.stride)?;
    module.put_ints("dilation", &sizes.dilation)?;
    let transposed = module.state().bool("transposed")?;
    let channels = if transposed {
        [inputs, outputs / sizes.groups]
    } else {
        [outputs, inputs / sizes.groups]
    };
    let shape: Vec<i64> = channels.into_iter().chain(sizes.kernel).collect();
    let factory = Factory::of(args)?;
    let weight = factory.parameter(&shape)?;
    let bias = if sizes.bias { Some(factory.parameter(&[outputs])?) } else { None };
    init::linear_layer(&weight, bias.as_ref().filter(|_| shape[1] != 0))?;
    module.put_parameter("weight", Some(weight))?;
    module.put_parameter("bias", bias)
}

fn convolve<const N: usize>(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let input = call.tensor(0)?;
    let weight = state.parameter("weight")?;
    let bias = state.opt_parameter("bias").map(AsRef::<tch::Tensor>::as_ref);
    let stride = state.sizes::<N>("stride")?;
    let dilation = state.sizes::<N>("dilation")?;
    let groups = state.int("groups")?;
    let same = state.is_text("padding", "same");
    let valid = state.is_text("padding", "valid");
    if !state.is_text("padding_mode", "zeros") {
        let kernel = state.sizes::<N>("kernel_size")?;
        let mut pad = vec![0; 2 * N];
        // libtorch pads the last dimension first.
        for (i, (left, right)) in pad.chunks_exact_mut(2).map(|c| c.split_at_mut(1)).enumerate() {
            let dim = N - 1 - i;
            if same {
                let total = dilation[dim] * (kernel[dim] - 1);
                (left[0], right[0]) = (total / 2, total - total / 2);
            } else if !valid {
                let padding = state.sizes::<N>("padding")?[dim];
                (left[0], right[0]) = (padding, padding);
            }
        }
        let mode = state.text("padding_mode")?;
        let padded = input.f_pad(&pad, &mode, None)?;
        return run::<N>(&padded, weight, bias, (&stride, &[0; N], &dilation), groups);
    }
    if same {
        let out = match N {
            1 => input.f_conv1d_padding(weight, bias, stride, "same", dilation, groups)?,
            2 => input.f_conv2d_padding(weight, bias, stride, "same", dilation, groups)?,
            _ => input.f_conv3d_padding(weight, bias, stride, "same", dilation, groups)?,
        };
        return Ok(value(out));
    }
    let padding = if valid { [0; N] } else { state.sizes::<N>("padding")? };
    run::<N>(&input, weight, bias, (&stride, &padding, &dilation), groups)
}

fn run<const N: usize>(
    input: &tch::Tensor,
    weight: &Tensor,
    bias: Option<&tch::Tensor>,
    (stride, padding, dilation): (&[i64; N], &[i64; N], &[i64; N]),
    groups: i64,
) -> Result<Dynamic> {
    let (stride, padding, dilation) = (&stride[..], &padding[..], &dilation[..]);
    Ok(value(match N {
        1 => input.f_conv1d(weight, bias, stride, padding, dilation, groups)?,
        2 => input.f_conv2d(weight, bias, stride, padding, dilation, groups)?,
        _ => input.f_conv3d(weight, bias, stride, padding, dilation, groups)?,
    }))
}

fn convolve_transposed<const N: usize>(call: &Call<'_>) -> Result<Dynamic> {
    let state = call.state();
    let input = call.tensor(0)?;
    let weight = state.parameter("weight")?;
    let bias = state.opt_parameter("bias").map(AsRef::<tch::Tensor>::as_ref);
    let stride = state.sizes::<N>("stride")?;
    let padding = state.sizes::<N>("padding")?;
    let dilation = state.sizes::<N>("dilation")?;
    let groups = state.int("groups")?;
    let output_padding = match call.opt_ints(1)? {
        None => state.sizes::<N>("output_padding")?,
        Some(size) => {
            let kernel = state.sizes::<N>("kernel_size")?;
            output_padding::<N>(&input, &size, (&stride, &padding, &dilation), &kernel)?
        }
    };
    let lists = (&stride[..], &padding[..], &output_padding[..], &dilation[..]);
    let (stride, padding, extra, dilation) = lists;
    Ok(value(match N {
        1 => input.f_conv_transpose1d(weight, bias, stride, padding, extra, groups, dilation)?,
        2 => input.f_conv_transpose2d(weight, bias, stride, padding, extra, groups, dilation)?,
        _ => input.f_conv_transpose3d(weight, bias, stride, padding, extra, groups, dilation)?,
    }))
}

/// The output padding that gives `output_size`.
fn output_padding<const N: usize>(
    input: &Tensor,
    output_size: &[i64],
    (stride, padding, dilation): (&[i64; N], &[i64; N], &[i64; N]),
    kernel: &[i64; N],
) -> Result<[i64; N]> {
    let shape = sizes(input);
    let leading = if shape.len() == N + 2 { 2 } else { 1 };
    let wanted = match output_size.len() {
        len if len == N => output_size,
        len if len == N + leading => &output_size[leading..],
        len => {
            return Err(Error::value(format!(
                "ConvTranspose{N}D: for {}D input, output_size must have {N} or {} elements (got {len})",
                shape.len(),
                N + leading
            )));
        }
    };
    let mut extra = [0; N];
    for d in 0..N {
        let size = shape.get(d + leading).copied().unwrap_or(0);
        let min = (size - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel[d] - 1) + 1;
        extra[d] = wanted[d] - min;
        if extra[d] < 0 || extra[d] >= stride[d] {
            return Err(Error::value(format!(
                "requested an output size of {wanted:?}, but dimension {d} can be {min} to {} here",
                min + stride[d] - 1
            )));
        }
    }
    Ok(extra)
}
