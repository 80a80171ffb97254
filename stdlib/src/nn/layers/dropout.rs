//! Dropout: Srivastava et al. (2014), Tompson et al. (2015), Klambauer et al. (2017).

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::Function;
use rhai::Dynamic;

use super::super::class::{Call, Class, Forward, constructors, value};

const DROPOUT: Class = Class {
    repr: "p, inplace",
    build: |_, args| {
        let p = args.float(0)?;
        if (0.0..=1.0).contains(&p) {
            return Ok(());
        }
        Err(Error::value(format!("dropout probability has to be between 0 and 1, but got {p}")))
    },
    ..Class::LAYER
};

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.Dropout(float p=0.5, bool inplace=False) -> Module",
        doc: "In training, sets elements to zero with probability p and scales the rest by 1 / (1 - p).",
        example: "let m = nn.Dropout(p: 0.2);\nm(torch.randn([20, 16])).shape",
        forward: Forward::Native(|call| {
            let state = call.state();
            let (p, training) = (state.float("p")?, call.module.training());
            if state.bool("inplace")? {
                return call.unary(|input| input.shallow_clone().f_dropout_(p, training));
            }
            call.unary(|input| input.f_dropout(p, training))
        }),
        ..DROPOUT
    },
    Class {
        schema: "nn.Dropout1d(float p=0.5, bool inplace=False) -> Module",
        doc: "In training, sets whole channels of (N, C, L) or (C, L) to zero.",
        example: "nn.Dropout1d(0.2)(torch.randn([20, 16, 32])).shape",
        forward: Forward::Native(|call| channels(call, &[2, 3])),
        ..DROPOUT
    },
    Class {
        schema: "nn.Dropout2d(float p=0.5, bool inplace=False) -> Module",
        doc: "In training, sets whole channels of (N, C, H, W) to zero.",
        example: "nn.Dropout2d(0.2)(torch.randn([2, 16, 8, 8])).shape",
        forward: Forward::Native(|call| channels(call, &[])),
        ..DROPOUT
    },
    Class {
        schema: "nn.Dropout3d(float p=0.5, bool inplace=False) -> Module",
        doc: "In training, sets whole channels of (N, C, D, H, W) or (C, D, H, W) to zero.",
        example: "nn.Dropout3d(0.2)(torch.randn([2, 16, 4, 8, 8])).shape",
        forward: Forward::Native(|call| channels(call, &[4, 5])),
        ..DROPOUT
    },
    Class {
        schema: "nn.AlphaDropout(float p=0.5, bool inplace=False) -> Module",
        doc: "Dropout that keeps mean and variance of self-normalising networks (SELU).",
        example: "nn.AlphaDropout(0.2)(torch.randn([20, 16])).shape",
        forward: Forward::Native(|call| {
            let (p, training) = (call.state().float("p")?, call.module.training());
            call.unary(|input| input.f_alpha_dropout(p, training))
        }),
        ..DROPOUT
    },
    Class {
        schema: "nn.FeatureAlphaDropout(float p=0.5, bool inplace=False) -> Module",
        doc: "Alpha dropout of whole channels.",
        example: "nn.FeatureAlphaDropout(0.2)(torch.randn([2, 16, 4, 8, 8])).shape",
        forward: Forward::Native(|call| {
            let (p, training) = (call.state().float("p")?, call.module.training());
            call.unary(|input| input.f_feature_alpha_dropout(p, training))
        }),
        ..DROPOUT
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// Dropout of channels; the smaller of `dims` is the number of dimensions without a batch.
fn channels(call: &Call<'_>, dims: &[usize]) -> Result<Dynamic> {
    let state = call.state();
    let (p, training, inplace) =
        (state.float("p")?, call.module.training(), state.bool("inplace")?);
    let input = call.tensor(0)?;
    let found = input.dim();
    if !dims.is_empty() && !dims.contains(&found) {
        return Err(Error::value(format!(
            "{}: Expected {}D or {}D input, but received a {found}D input",
            call.module.name(),
            dims[0],
            dims[1]
        )));
    }
    let single = dims.first() == Some(&found);
    let mut batch = if single { input.f_unsqueeze(0)? } else { input.tch() };
    let out = if inplace {
        batch.f_feature_dropout_(p, training)?
    } else {
        batch.f_feature_dropout(p, training)?
    };
    Ok(value(if single { out.f_squeeze_dim(0)? } else { out }))
}
