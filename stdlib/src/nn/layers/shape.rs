//! Layers that move elements: Flatten, Unflatten, Upsample, shuffles, Fold and Unfold.

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Args, Function};

use super::super::class::{Class, Forward, constructors};
use super::super::module::Module;

const UPSAMPLE: &[&str] =
    &["size", "scale_factor", "mode", "align_corners", "recompute_scale_factor"];

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.Flatten(int start_dim=1, int end_dim=-1) -> Module",
        doc: "Joins the dimensions from start_dim to end_dim into one.",
        example: "nn.Flatten()(torch.randn([32, 1, 5, 5])).shape",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (start, end) = (state.int("start_dim")?, state.int("end_dim")?);
            call.unary(|input| input.f_flatten(start, end))
        }),
        repr: "start_dim, end_dim",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Unflatten(int dim, int[] unflattened_size) -> Module",
        doc: "Splits one dimension into several; one size may be -1.",
        example: "nn.Unflatten(1, [2, 5, 5])(torch.randn([2, 50])).shape",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (dim, sizes) = (state.int("dim")?, state.ints("unflattened_size")?);
            call.unary(|input| input.f_unflatten(dim, &sizes[..]))
        }),
        repr: "dim, unflattened_size",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Upsample(int[]? size=None, Any scale_factor=None, str mode='nearest', bool? align_corners=None, bool? recompute_scale_factor=None) -> Module",
        doc: "Resizes (N, C, …) to `size` or by `scale_factor`; modes are nearest, linear, bilinear, \
              bicubic, trilinear.",
        example: "nn.Upsample(scale_factor: 2)(torch.ones([1, 1, 2, 2])).shape",
        build: upsample,
        forward: Forward::Functional("torch.nn.functional.interpolate", UPSAMPLE),
        repr: "scale_factor?None, size?None, mode!r",
        ..Class::LAYER
    },
    Class {
        schema: "nn.UpsamplingNearest2d(int[]? size=None, Any scale_factor=None) -> Module",
        doc: "Upsample with mode nearest.",
        example: "nn.UpsamplingNearest2d(scale_factor: 2)(torch.ones([1, 1, 2, 2])).shape",
        build: |module, args| {
            module.put("mode", "nearest")?;
            upsample(module, args)
        },
        forward: Forward::Functional("torch.nn.functional.interpolate", UPSAMPLE),
        repr: "scale_factor?None, size?None, mode!r",
        ..Class::LAYER
    },
    Class {
        schema: "nn.UpsamplingBilinear2d(int[]? size=None, Any scale_factor=None) -> Module",
        doc: "Upsample with mode bilinear and aligned corners.",
        example: "nn.UpsamplingBilinear2d(scale_factor: 2)(torch.ones([1, 1, 2, 2])).shape",
        build: |module, args| {
            module.put("mode", "bilinear")?;
            module.put("align_corners", true)?;
            upsample(module, args)
        },
        forward: Forward::Functional("torch.nn.functional.interpolate", UPSAMPLE),
        repr: "scale_factor?None, size?None, mode!r",
        ..Class::LAYER
    },
    Class {
        schema: "nn.PixelShuffle(int upscale_factor) -> Module",
        doc: "(*, C r², H, W) to (*, C, H r, W r): Shi et al. (2016).",
        example: "nn.PixelShuffle(3)(torch.randn([1, 9, 4, 4])).shape",
        forward: Forward::Operator("pixel_shuffle", &["upscale_factor"]),
        repr: "upscale_factor",
        ..Class::LAYER
    },
    Class {
        schema: "nn.PixelUnshuffle(int downscale_factor) -> Module",
        doc: "(*, C, H r, W r) to (*, C r², H, W).",
        example: "nn.PixelUnshuffle(3)(torch.randn([1, 1, 12, 12])).shape",
        forward: Forward::Operator("pixel_unshuffle", &["downscale_factor"]),
        repr: "downscale_factor",
        ..Class::LAYER
    },
    Class {
        schema: "nn.ChannelShuffle(int groups) -> Module",
        doc: "Mixes the channels of groups: Zhang et al. (2017).",
        example: "nn.ChannelShuffle(2)(torch.randn([1, 4, 2, 2])).shape",
        forward: Forward::Operator("channel_shuffle", &["groups"]),
        repr: "groups",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Fold(int[2] output_size, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) -> Module",
        doc: "Adds sliding blocks (N, C · k, L) up to an image (N, C, H, W).",
        example: "nn.Fold(output_size: [4, 5], kernel_size: [2, 2])(torch.randn([1, 3 * 2 * 2, 12])).shape",
        forward: Forward::Operator(
            "col2im",
            &["output_size", "kernel_size", "dilation", "padding", "stride"],
        ),
        repr: "output_size, kernel_size, dilation, padding, stride",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Unfold(int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) -> Module",
        doc: "Takes sliding blocks (N, C · k, L) out of an image (N, C, H, W).",
        example: "nn.Unfold(kernel_size: [2, 3])(torch.randn([2, 5, 3, 4])).shape",
        forward: Forward::Operator("im2col", &["kernel_size", "dilation", "padding", "stride"]),
        repr: "kernel_size, dilation, padding, stride",
        ..Class::LAYER
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// Keeps scale factors as floats, as PyTorch does.
fn upsample(module: &Module, args: &mut Args<'_>) -> Result<()> {
    if !args.is_none(1) {
        let several = args.get(1).is_array();
        let factors = args.floats(1)?;
        if several {
            let factors: rhai::Array = factors.into_iter().map(Into::into).collect();
            module.put("scale_factor", factors)?;
        } else if let Some(factor) = factors.first() {
            module.put("scale_factor", *factor)?;
        }
    }
    Ok(())
}
