//! Images and signals at other sizes: interpolation, sampling on grids, padding, patches.

use flambeau_runtime::error::Kind;
use flambeau_runtime::script::{Args, Context, Function};
use flambeau_runtime::torch::Tensor;
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic};

use super::common::{shape, sizes, value};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.interpolate(Tensor input, Any size=None, Any scale_factor=None, str mode='nearest', bool? align_corners=None, bool? recompute_scale_factor=None, bool antialias=False) -> Tensor",
        doc: "Resizes (N, C, ...) to `size` or by `scale_factor`. Modes: 'nearest', 'nearest-exact', \
              'area', 'linear' (3D), 'bilinear' and 'bicubic' (4D), 'trilinear' (5D).",
        example: "F.interpolate(torch.arange(4.0).reshape([1, 1, 2, 2]), scale_factor: 2, mode: \"bilinear\")",
        call: |args| {
            let x = args.tensor(0)?;
            let resize = Resize {
                size: args.take(1),
                scale: args.take(2),
                align: args.opt_bool(4)?,
                recompute: args.opt_bool(5)?.unwrap_or(false),
                antialias: args.bool(6)?,
            };
            interpolate(args.ctx(), &x, &args.str(3)?, resize)
        },
    },
    Function {
        schema: "torch.nn.functional.upsample(Tensor input, Any size=None, Any scale_factor=None, str mode='nearest', bool? align_corners=None) -> Tensor",
        doc: "The old name of interpolate.",
        example: "F.upsample(torch.arange(4.0).reshape([1, 1, 4]), scale_factor: 2)",
        call: |args| {
            let x = args.tensor(0)?;
            let resize = Resize {
                size: args.take(1),
                scale: args.take(2),
                align: args.opt_bool(4)?,
                ..Resize::default()
            };
            interpolate(args.ctx(), &x, &args.str(3)?, resize)
        },
    },
    Function {
        schema: "torch.nn.functional.upsample_nearest(Tensor input, Any size=None, Any scale_factor=None) -> Tensor",
        doc: "interpolate with mode 'nearest'.",
        example: "F.upsample_nearest(torch.arange(4.0).reshape([1, 1, 4]), scale_factor: 2)",
        call: |args| {
            let x = args.tensor(0)?;
            let resize = Resize { size: args.take(1), scale: args.take(2), ..Resize::default() };
            interpolate(args.ctx(), &x, "nearest", resize)
        },
    },
    Function {
        schema: "torch.nn.functional.upsample_bilinear(Tensor input, Any size=None, Any scale_factor=None) -> Tensor",
        doc: "interpolate with mode 'bilinear' and aligned corners.",
        example: "F.upsample_bilinear(torch.arange(4.0).reshape([1, 1, 2, 2]), scale_factor: 2)",
        call: |args| {
            let x = args.tensor(0)?;
            let resize = Resize {
                size: args.take(1),
                scale: args.take(2),
                align: Some(true),
                ..Resize::default()
            };
            interpolate(args.ctx(), &x, "bilinear", resize)
        },
    },
    Function {
        schema: "torch.nn.functional.grid_sample(Tensor input, Tensor grid, str mode='bilinear', str padding_mode='zeros', bool? align_corners=None) -> Tensor",
        doc: "Samples (N, C, H, W) or (N, C, D, H, W) at the places of `grid` (N, ..., 2 or 3), which are \
              in [-1, 1]. Modes 'bilinear', 'nearest', 'bicubic'; padding 'zeros', 'border', 'reflection'.",
        example: "F.grid_sample(torch.ones([1, 1, 2, 2]), torch.zeros([1, 1, 1, 2]), align_corners: false)",
        call: grid_sample,
    },
    Function {
        schema: "torch.nn.functional.affine_grid(Tensor theta, int[] size, bool? align_corners=None) -> Tensor",
        doc: "The sampling grid of affine maps `theta`: (N, 2, 3) for images of `size` (N, C, H, W), \
              (N, 3, 4) for volumes.",
        example: "F.affine_grid(torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), [1, 1, 2, 2])",
        call: affine_grid,
    },
    Function {
        schema: "torch.nn.functional.pad(Tensor input, int[] pad, str mode='constant', float? value=None) -> Tensor",
        doc: "Pads the last dimensions; `pad` is [left, right] of the last, then of the one before, … \
              Modes 'constant', 'reflect', 'replicate', 'circular'.",
        example: "F.pad(torch.ones([1, 2]), [1, 1], value: 9.0)",
        call: |args| {
            let (x, pad, mode) = (args.tensor(0)?, args.ints(1)?, args.str(2)?);
            Ok(value(x.f_pad(pad, &mode, args.opt_float(3)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.unfold(Tensor input, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) -> Tensor",
        doc: "The patches of (N, C, H, W) as columns (N, C * kernel, L), also called im2col.",
        example: "F.unfold(torch.arange(16.0).reshape([1, 1, 4, 4]), 2)",
        call: |args| {
            let (x, kernel, dilation) = (args.tensor(0)?, args.ints_n(1, 2)?, args.ints_n(2, 2)?);
            Ok(value(x.f_im2col(kernel, dilation, args.ints_n(3, 2)?, args.ints_n(4, 2)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.fold(Tensor input, int[2] output_size, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) -> Tensor",
        doc: "Sums columns of patches (N, C * kernel, L) into (N, C, *output_size), also called col2im.",
        example: "F.fold(F.unfold(torch.ones([1, 1, 4, 4]), 2), 4, 2)",
        call: |args| {
            let (x, size) = (args.tensor(0)?, args.ints_n(1, 2)?);
            let (kernel, dilation) = (args.ints_n(2, 2)?, args.ints_n(3, 2)?);
            let (padding, stride) = (args.ints_n(4, 2)?, args.ints_n(5, 2)?);
            Ok(value(x.f_col2im(size, kernel, dilation, padding, stride)?))
        },
    },
];

/// What interpolate is asked, besides the mode.
#[derive(Default)]
struct Resize {
    size: Dynamic,
    scale: Dynamic,
    align: Option<bool>,
    recompute: bool,
    antialias: bool,
}

/// One value for each of `n` dimensions, from a list or a single value.
fn each(value: &Dynamic, n: usize, what: &str, x: &tch::Tensor) -> Result<Array> {
    let Some(list) = value.read_lock::<Array>() else {
        return Ok(vec![value.clone(); n]);
    };
    if list.len() != n {
        return Err(Error::value(format!(
            "Input and {what} must have the same number of spatial dimensions, but got an input of {} \
             with {n} spatial dimensions and {what} of {} values",
            shape(x),
            list.len()
        )));
    }
    Ok(list.clone())
}

fn interpolate(ctx: &Context<'_>, x: &Tensor, mode: &str, ask: Resize) -> Result<Dynamic> {
    let own = sizes(x);
    let dims = own.len();
    let n = dims.saturating_sub(2);
    let plain = matches!(mode, "nearest" | "area" | "nearest-exact");
    if plain && ask.align.is_some() {
        return Err(Error::value(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | \
             bicubic | trilinear",
        ));
    }
    let align = ask.align.unwrap_or(false);
    let not_numbers =
        |what: &str| Error::type_(format!("{what} must be a number or a list of them"));
    let (mut size, mut scales) = match (ask.size.is_unit(), ask.scale.is_unit()) {
        (false, false) => {
            return Err(Error::value("only one of size or scale_factor should be defined"));
        }
        (true, true) => {
            return Err(Error::value("either size or scale_factor should be defined"));
        }
        (false, true) => {
            let list = each(&ask.size, n, "size", x)?;
            let size: Option<Vec<i64>> =
                list.iter().map(flambeau_runtime::script::convert::int).collect();
            (Some(size.ok_or_else(|| not_numbers("size"))?), Vec::new())
        }
        (true, false) => {
            let list = each(&ask.scale, n, "scale_factor", x)?;
            let scales: Option<Vec<f64>> =
                list.iter().map(flambeau_runtime::script::convert::float).collect();
            (None, scales.ok_or_else(|| not_numbers("scale_factor"))?)
        }
    };
    if ask.recompute && size.is_some() {
        return Err(Error::value(
            "recompute_scale_factor is not meaningful with an explicit size.",
        ));
    }
    // The area mode knows sizes only.
    if size.is_none() && (ask.recompute || mode == "area") {
        size =
            Some(scales.iter().enumerate().map(|(i, s)| (own[i + 2] as f64 * s) as i64).collect());
        scales = Vec::new();
    }
    if ask.antialias && !(dims == 4 && matches!(mode, "bilinear" | "bicubic")) {
        return Err(Error::value(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as \
             input",
        ));
    }
    let (operator, aligns) = match (mode, dims) {
        ("area", 3) => {
            return Ok(value(x.f_adaptive_avg_pool1d(size.unwrap_or_default())?));
        }
        ("area", 4) => {
            return Ok(value(x.f_adaptive_avg_pool2d(size.unwrap_or_default())?));
        }
        ("area", 5) => {
            return Ok(value(x.f_adaptive_avg_pool3d(size.unwrap_or_default())?));
        }
        ("nearest", 3) => ("upsample_nearest1d", false),
        ("nearest", 4) => ("upsample_nearest2d", false),
        ("nearest", 5) => ("upsample_nearest3d", false),
        ("nearest-exact", 3) => ("_upsample_nearest_exact1d", false),
        ("nearest-exact", 4) => ("_upsample_nearest_exact2d", false),
        ("nearest-exact", 5) => ("_upsample_nearest_exact3d", false),
        ("linear", 3) => ("upsample_linear1d", true),
        ("bilinear", 4) if ask.antialias => ("_upsample_bilinear2d_aa", true),
        ("bilinear", 4) => ("upsample_bilinear2d", true),
        ("bicubic", 4) if ask.antialias => ("_upsample_bicubic2d_aa", true),
        ("bicubic", 4) => ("upsample_bicubic2d", true),
        ("trilinear", 5) => ("upsample_trilinear3d", true),
        _ => return Err(unsupported(mode, dims)),
    };
    let mut values = vec![Dynamic::from(x.clone())];
    values.push(size.map_or(Dynamic::UNIT, |size| {
        Dynamic::from_array(size.into_iter().map(Dynamic::from_int).collect())
    }));
    if aligns {
        values.push(Dynamic::from_bool(align));
    }
    values.push(match scales.is_empty() {
        true => Dynamic::UNIT,
        false => Dynamic::from_array(scales.into_iter().map(Dynamic::from_float).collect()),
    });
    ctx.op(operator, values)
}

fn unsupported(mode: &str, dims: usize) -> Error {
    let needs = match mode {
        "linear" => Some(3),
        "bilinear" => Some(4),
        "trilinear" => Some(5),
        _ => None,
    };
    let message = match needs {
        Some(needs) if (3..=5).contains(&dims) => {
            format!("Got {dims}D input, but {mode} mode needs {needs}D input")
        }
        _ => format!(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got {dims}D) for the modes: \
             nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact (got {mode})"
        ),
    };
    Error::new(Kind::NotImplemented, message)
}

fn grid_sample(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, grid) = (args.tensor(0)?, args.tensor(1)?);
    let mode = match args.str(2)?.as_str() {
        "bilinear" => 0,
        "nearest" => 1,
        "bicubic" => 2,
        other => {
            return Err(Error::value(format!(
                "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', \
                 but got: '{other}'"
            )));
        }
    };
    let padding = match args.str(3)?.as_str() {
        "zeros" => 0,
        "border" => 1,
        "reflection" => 2,
        other => {
            return Err(Error::value(format!(
                "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or \
                 'reflection', but got: '{other}'"
            )));
        }
    };
    let align = args.opt_bool(4)?.unwrap_or(false);
    Ok(value(x.f_grid_sampler(&grid, mode, padding, align)?))
}

fn affine_grid(args: &mut Args<'_>) -> Result<Dynamic> {
    let (theta, size) = (args.tensor(0)?, args.ints(1)?);
    if !theta.is_floating_point() {
        return Err(Error::value(format!(
            "Expected theta to have floating point type, but got {}",
            theta.dtype()
        )));
    }
    let spatial = match size.len() {
        4 => 2,
        5 => 3,
        _ => {
            return Err(Error::new(
                Kind::NotImplemented,
                format!(
                    "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, \
                     respectively. Got size {size:?}."
                ),
            ));
        }
    };
    let found = sizes(&theta);
    if found.len() != 3 || found[1..] != [spatial, spatial + 1] {
        return Err(Error::shape(format!(
            "Expected a batch of {spatial}D affine matrices of shape Nx{spatial}x{} for size {size:?}. \
             Got {found:?}.",
            spatial + 1
        )));
    }
    if size.iter().any(|&n| n <= 0) {
        return Err(Error::value(format!("Expected non-zero, positive output size. Got {size:?}")));
    }
    let align = args.opt_bool(2)?.unwrap_or(false);
    Ok(value(tch::Tensor::f_affine_grid_generator(&theta, size, align)?))
}
