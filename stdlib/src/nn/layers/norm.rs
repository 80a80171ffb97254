//! Normalisation: batch, instance, layer, group, RMS, local response.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::{Tensor, sizes};
use rhai::Dynamic;

use super::super::class::{Call, Class, Forward, constructors, value};
use super::super::factory::Factory;
use super::super::init;
use super::super::module::{Module, State};
use crate::functional::numbers::WithNumber;

const RUNNING: Class = Class {
    repr: "*num_features, eps, momentum, affine, track_running_stats",
    build: running,
    ..Class::LAYER
};

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.BatchNorm1d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, bool track_running_stats=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Batch normalisation over (N, C) or (N, C, L): Ioffe and Szegedy (2015). Parameters \
              `weight`, `bias`; buffers `running_mean`, `running_var`, `num_batches_tracked`. \
              Uses the batch's statistics in training and the running ones in evaluation.",
        example: "let m = nn.BatchNorm1d(100);\nm(torch.randn([20, 100])).shape",
        forward: Forward::Native(|call| batch_norm(call, &[2, 3])),
        ..RUNNING
    },
    Class {
        schema: "nn.BatchNorm2d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, bool track_running_stats=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Batch normalisation over (N, C, H, W).",
        example: "let m = nn.BatchNorm2d(100, affine: false);\nm(torch.randn([20, 100, 3, 4])).shape",
        forward: Forward::Native(|call| batch_norm(call, &[4])),
        ..RUNNING
    },
    Class {
        schema: "nn.BatchNorm3d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, bool track_running_stats=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Batch normalisation over (N, C, D, H, W).",
        example: "let m = nn.BatchNorm3d(10);\nm(torch.randn([2, 10, 3, 4, 5])).shape",
        forward: Forward::Native(|call| batch_norm(call, &[5])),
        ..RUNNING
    },
    Class {
        schema: "nn.InstanceNorm1d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=False, bool track_running_stats=False, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Instance normalisation over (N, C, L) or (C, L): Ulyanov et al. (2016).",
        example: "let m = nn.InstanceNorm1d(10);\nm(torch.randn([2, 10, 40])).shape",
        forward: Forward::Native(|call| instance_norm(call, 2)),
        ..RUNNING
    },
    Class {
        schema: "nn.InstanceNorm2d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=False, bool track_running_stats=False, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Instance normalisation over (N, C, H, W) or (C, H, W).",
        example: "let m = nn.InstanceNorm2d(10, affine: true);\nm(torch.randn([2, 10, 4, 5])).shape",
        forward: Forward::Native(|call| instance_norm(call, 3)),
        ..RUNNING
    },
    Class {
        schema: "nn.InstanceNorm3d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=False, bool track_running_stats=False, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Instance normalisation over (N, C, D, H, W) or (C, D, H, W).",
        example: "let m = nn.InstanceNorm3d(10);\nm(torch.randn([2, 10, 3, 4, 5])).shape",
        forward: Forward::Native(|call| instance_norm(call, 4)),
        ..RUNNING
    },
    Class {
        schema: "nn.LayerNorm(int[1] normalized_shape, float eps=1e-05, bool elementwise_affine=True, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Normalises over the last dimensions, those of `normalized_shape`: Ba et al. (2016).",
        example: "let m = nn.LayerNorm([10, 5]);\nm(torch.randn([20, 10, 5])).shape",
        build: |module, args| {
            let shape = args.ints(0)?;
            module.put_ints("normalized_shape", &shape)?;
            affine(module, args, &shape, args.bool(2)?, args.bool(3)?)
        },
        forward: Forward::Native(|call| {
            let state = call.state();
            let shape = state.ints("normalized_shape")?;
            let (weight, bias) = weight_and_bias(&state);
            let eps = state.float("eps")?;
            call.unary(|input| input.f_layer_norm(shape, weight, bias, eps, true))
        }),
        repr: "*normalized_shape, eps, elementwise_affine",
        ..Class::LAYER
    },
    Class {
        schema: "nn.GroupNorm(int num_groups, int num_channels, float eps=1e-05, bool affine=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Normalises over groups of channels of (N, C, *): Wu and He (2018).",
        example: "let m = nn.GroupNorm(3, 6);\nm(torch.randn([20, 6, 10, 10])).shape",
        build: |module, args| {
            let (groups, channels) = (args.int(0)?, args.int(1)?);
            if groups <= 0 || channels % groups != 0 {
                return Err(Error::value(format!(
                    "num_channels ({channels}) must be divisible by num_groups ({groups})"
                )));
            }
            affine(module, args, &[channels], args.bool(3)?, true)
        },
        forward: Forward::Native(|call| {
            let state = call.state();
            let (weight, bias) = weight_and_bias(&state);
            let (groups, eps) = (state.int("num_groups")?, state.float("eps")?);
            call.unary(|input| input.f_group_norm(groups, weight, bias, eps, true))
        }),
        repr: "*num_groups, *num_channels, eps, affine",
        ..Class::LAYER
    },
    Class {
        schema: "nn.RMSNorm(int[1] normalized_shape, float? eps=None, bool elementwise_affine=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "Divides by the root mean square over the last dimensions: Zhang and Sennrich (2019).",
        example: "let m = nn.RMSNorm([2, 3]);\nm(torch.randn([2, 2, 3])).shape",
        build: |module, args| {
            let shape = args.ints(0)?;
            module.put_ints("normalized_shape", &shape)?;
            let weight =
                if args.bool(2)? { Some(Factory::of(args)?.parameter(&shape)?) } else { None };
            if let Some(weight) = &weight {
                init::constant(weight, 1.0)?;
            }
            module.put_parameter("weight", weight)
        },
        forward: Forward::Native(|call| {
            let state = call.state();
            let shape = state.ints("normalized_shape")?;
            let (weight, _) = weight_and_bias(&state);
            let eps = state.opt_float("eps")?;
            call.unary(|input| input.f_rms_norm(shape, weight, eps))
        }),
        repr: "*normalized_shape, eps, elementwise_affine",
        ..Class::LAYER
    },
    Class {
        schema: "nn.LocalResponseNorm(int size, float alpha=0.0001, float beta=0.75, float k=1.0) -> Module",
        doc: "Normalises over neighbouring channels: Krizhevsky et al. (2012).",
        example: "let m = nn.LocalResponseNorm(2);\nm(torch.randn([2, 5, 24, 24])).shape",
        forward: Forward::Functional(
            "torch.nn.functional.local_response_norm",
            &["size", "alpha", "beta", "k"],
        ),
        repr: "*size, alpha, beta, k",
        ..Class::LAYER
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// `weight` of ones and `bias` of zeros, or `()` for each that is not wanted.
fn affine(module: &Module, args: &Args<'_>, shape: &[i64], weight: bool, bias: bool) -> Result<()> {
    let factory = Factory::of(args)?;
    for (name, wanted, start) in [("weight", weight, 1.0), ("bias", weight && bias, 0.0)] {
        let parameter = if wanted { Some(factory.parameter(shape)?) } else { None };
        if let Some(parameter) = &parameter {
            init::constant(parameter, start)?;
        }
        module.put_parameter(name, parameter)?;
    }
    Ok(())
}

/// Batch and instance norms: affine parameters and running statistics.
fn running(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let features = args.int(0)?;
    affine(module, args, &[features], args.bool(3)?, true)?;
    let tracked = args.bool(4)?;
    let factory = Factory::of(args)?;
    let mean = if tracked { Some(factory.full(&[features], 0.0)?) } else { None };
    let var = if tracked { Some(factory.full(&[features], 1.0)?) } else { None };
    let count = if tracked { Some(factory.counter()?) } else { None };
    module.put_buffer("running_mean", mean)?;
    module.put_buffer("running_var", var)?;
    module.put_buffer("num_batches_tracked", count)
}

type Parameters<'a> = (Option<&'a tch::Tensor>, Option<&'a tch::Tensor>);

fn weight_and_bias(state: &State) -> Parameters<'_> {
    let weight = state.opt_parameter("weight").map(AsRef::as_ref);
    (weight, state.opt_parameter("bias").map(AsRef::as_ref))
}

fn running_stats(state: &State) -> Parameters<'_> {
    let mean = state.opt_buffer("running_mean").map(AsRef::as_ref);
    (mean, state.opt_buffer("running_var").map(AsRef::as_ref))
}

fn batch_norm(call: &Call<'_>, dims: &[usize]) -> Result<Dynamic> {
    let state = call.state();
    let input = call.tensor(0)?;
    check_dims(&input, dims)?;
    let training = call.module.training();
    let tracked = state.bool("track_running_stats")?;
    let mut factor = state.opt_float("momentum")?;
    if training
        && tracked
        && let Some(count) = state.opt_buffer("num_batches_tracked")
    {
        let _ = tch::no_grad(|| count.tch().add_number_(1))?;
        if factor.is_none() {
            // Without momentum the running statistics are the mean over all batches.
            factor = Some(1.0 / count.f_double_value(&[])?);
        }
    }
    let (weight, bias) = weight_and_bias(&state);
    let (mean, var) = running_stats(&state);
    let batch_stats = training || (mean.is_none() && var.is_none());
    let (mean, var) = if !training || tracked { (mean, var) } else { (None, None) };
    let (factor, eps) = (factor.unwrap_or(0.0), state.float("eps")?);
    if batch_stats {
        let shape = sizes(&input);
        let values: i64 = shape.iter().product::<i64>() / shape.get(1).copied().unwrap_or(1).max(1);
        if values == 1 {
            return Err(Error::value(format!(
                "Expected more than 1 value per channel when training, got input size {shape:?}"
            ))
            .help("use a batch of more than one, or call eval() first"));
        }
    }
    let cudnn = true;
    Ok(value(input.f_batch_norm(weight, bias, mean, var, batch_stats, factor, eps, cudnn)?))
}

fn instance_norm(call: &Call<'_>, unbatched: usize) -> Result<Dynamic> {
    let state = call.state();
    let input = call.tensor(0)?;
    check_dims(&input, &[unbatched, unbatched + 1])?;
    let features = state.int("num_features")?;
    let shape = sizes(&input);
    let dim = shape.len() - unbatched;
    if state.bool("affine")? && shape[dim] != features {
        return Err(Error::value(format!(
            "expected input's size at dim={dim} to match num_features ({features}), but got: {}.",
            shape[dim]
        )));
    }
    let single = shape.len() == unbatched;
    let batch: Tensor = if single { input.f_unsqueeze(0)?.into() } else { input.clone() };
    let (weight, bias) = weight_and_bias(&state);
    let (mean, var) = running_stats(&state);
    let batch_stats = call.module.training() || !state.bool("track_running_stats")?;
    let momentum = state.opt_float("momentum")?.unwrap_or(0.0);
    let eps = state.float("eps")?;
    if batch_stats && sizes(&batch)[2..].iter().product::<i64>() == 1 {
        return Err(Error::value(format!(
            "Expected more than 1 spatial element when training, got input size {:?}",
            sizes(&batch)
        )));
    }
    let out = batch.f_instance_norm(weight, bias, mean, var, batch_stats, momentum, eps, true)?;
    Ok(value(if single { out.f_squeeze_dim(0)? } else { out }))
}

fn check_dims(input: &Tensor, dims: &[usize]) -> Result<()> {
    let found = input.dim();
    if dims.contains(&found) {
        return Ok(());
    }
    let wanted: Vec<String> = dims.iter().map(|dim| format!("{dim}D")).collect();
    Err(Error::value(format!("expected {} input (got {found}D input)", wanted.join(" or ")))
        .help(format!("the input is {}", input.describe())))
}
