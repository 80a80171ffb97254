//! Dropout: random zeros in training, nothing in evaluation.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::value;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.dropout(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor",
        doc: "In training, zeroes each element with probability p and scales the rest by 1 / (1 - p).",
        example: "F.dropout(torch.ones([4]), p: 0.5, training: false)",
        call: dropout,
    },
    Function {
        schema: "torch.nn.functional.alpha_dropout(Tensor input, float p=0.5, bool training=False, bool inplace=False) -> Tensor",
        doc: "Dropout that keeps mean and variance of SELU activations (Klambauer et al., 2017).",
        example: "F.alpha_dropout(torch.ones([4]), training: false)",
        call: |args| {
            let (x, p, training) = parts(args)?;
            Ok(value(match args.bool(3)? {
                true => x.into_tch().f_alpha_dropout_(p, training)?,
                false => x.f_alpha_dropout(p, training)?,
            }))
        },
    },
    Function {
        schema: "torch.nn.functional.feature_alpha_dropout(Tensor input, float p=0.5, bool training=False, bool inplace=False) -> Tensor",
        doc: "Alpha dropout of whole channels.",
        example: "F.feature_alpha_dropout(torch.ones([1, 2, 3]), training: false)",
        call: |args| {
            let (x, p, training) = parts(args)?;
            Ok(value(match args.bool(3)? {
                true => x.into_tch().f_feature_alpha_dropout_(p, training)?,
                false => x.f_feature_alpha_dropout(p, training)?,
            }))
        },
    },
    Function {
        schema: "torch.nn.functional.dropout1d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor",
        doc: "Zeroes whole channels of (C, L) or (N, C, L).",
        example: "F.dropout1d(torch.ones([2, 3, 4]), training: false)",
        call: |args| {
            let dim = args.tensor(0)?.dim();
            if dim != 2 && dim != 3 {
                return Err(Error::shape(format!(
                    "dropout1d: Expected 2D or 3D input, but received a {dim}D input"
                ))
                .help("dropout1d takes (C, L) or (N, C, L)"));
            }
            channels(args, dim == 3)
        },
    },
    Function {
        schema: "torch.nn.functional.dropout2d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor",
        doc: "Zeroes whole channels of (N, C, H, W); a 3-dimensional input is read as (N, C, L).",
        example: "F.dropout2d(torch.ones([2, 3, 4, 4]), training: false)",
        call: |args| channels(args, true),
    },
    Function {
        schema: "torch.nn.functional.dropout3d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor",
        doc: "Zeroes whole channels of (C, D, H, W) or (N, C, D, H, W).",
        example: "F.dropout3d(torch.ones([1, 2, 3, 4, 4]), training: false)",
        call: |args| {
            let batched = args.tensor(0)?.dim() == 5;
            channels(args, batched)
        },
    },
];

fn parts(args: &Args<'_>) -> Result<(flambeau_runtime::torch::Tensor, f64, bool)> {
    let p = args.float(1)?;
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::value(format!(
            "dropout probability has to be between 0 and 1, but got {p}"
        )));
    }
    Ok((args.tensor(0)?, p, args.bool(2)?))
}

fn dropout(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, p, training) = parts(args)?;
    Ok(value(if args.bool(3)? {
        x.into_tch().f_dropout_(p, training)?
    } else {
        x.f_dropout(p, training)?
    }))
}

/// Dropout of channels; an unbatched input gets a batch dimension for the call.
fn channels(args: &mut Args<'_>, batched: bool) -> Result<Dynamic> {
    let (x, p, training) = parts(args)?;
    let x = x.into_tch();
    if args.bool(3)? {
        // The batch view shares the storage, so that this writes the input.
        let mut view = if batched { x.shallow_clone() } else { x.f_unsqueeze(0)? };
        let _ = view.f_feature_dropout_(p, training)?;
        return Ok(value(x));
    }
    Ok(value(match batched {
        true => x.f_feature_dropout(p, training)?,
        false => x.f_unsqueeze(0)?.f_feature_dropout(p, training)?.f_squeeze_dim(0)?,
    }))
}
