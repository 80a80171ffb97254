//! Normalisation over batches, channels, groups, last dimensions and norms.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::numel;
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{sizes, tensor_of, value};
use super::numbers::WithNumber;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None, Tensor? bias=None, bool training=False, float momentum=0.1, float eps=1e-05) -> Tensor",
        doc: "Normalises each channel of (N, C, ...) by the batch's statistics in training (and updates \
              the running ones in place), by the running ones otherwise.",
        example: "F.batch_norm(torch.randn([4, 2]), torch.zeros([2]), torch.ones([2]))",
        call: batch_norm,
    },
    Function {
        schema: "torch.nn.functional.instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, Tensor? weight=None, Tensor? bias=None, bool use_input_stats=True, float momentum=0.1, float eps=1e-05) -> Tensor",
        doc: "Normalises each channel of each sample of (N, C, ...).",
        example: "F.instance_norm(torch.randn([2, 3, 4]))",
        call: instance_norm,
    },
    Function {
        schema: "torch.nn.functional.layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05) -> Tensor",
        doc: "Normalises over the last dimensions, whose shape is `normalized_shape`.",
        example: "F.layer_norm(torch.randn([2, 3]), [3])",
        call: |args| {
            let (x, shape) = (args.tensor(0)?, args.ints(1)?);
            let (weight, bias) = (args.opt_tensor(2)?, args.opt_tensor(3)?);
            let eps = args.float(4)?;
            Ok(value(x.f_layer_norm(shape, weight.as_deref(), bias.as_deref(), eps, true)?))
        },
    },
    Function {
        schema: "torch.nn.functional.rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
        doc: "Divides by the root mean square over the last dimensions (Zhang & Sennrich, 2019).",
        example: "F.rms_norm(torch.randn([2, 3]), [3])",
        call: |args| {
            let (x, shape, weight) = (args.tensor(0)?, args.ints(1)?, args.opt_tensor(2)?);
            Ok(value(x.f_rms_norm(shape, weight.as_deref(), args.opt_float(3)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05) -> Tensor",
        doc: "Normalises groups of channels of (N, C, ...) (Wu & He, 2018).",
        example: "F.group_norm(torch.randn([2, 4, 3]), 2)",
        call: group_norm,
    },
    Function {
        schema: "torch.nn.functional.local_response_norm(Tensor input, int size, float alpha=0.0001, float beta=0.75, float k=1.0) -> Tensor",
        doc: "Divides each channel by a power of the squares of its `size` neighbouring channels.",
        example: "F.local_response_norm(torch.randn([1, 4, 3]), 2)",
        call: local_response_norm,
    },
    Function {
        schema: "torch.nn.functional.normalize(Tensor input, float p=2.0, Any dim=1, float eps=1e-12) -> Tensor",
        doc: "Divides by the p-norm along `dim`, or by `eps` where the norm is smaller.",
        example: "F.normalize(torch.tensor([[3.0, 4.0]]))",
        call: |args| {
            let x = args.tensor(0)?;
            let (p, dim) = (args.take(1), args.take(2));
            let norm = vec![Dynamic::from(x.clone()), p, dim, Dynamic::TRUE];
            let norm = tensor_of(&args.ctx().op("linalg_vector_norm", norm)?)?;
            Ok(value(x.f_div(&norm.clamp_min_number(args.float(3)?)?.f_expand_as(&x)?)?))
        },
    },
];

/// Refuses a batch that has one value per channel.
fn check_batch(size: &[i64]) -> Result<()> {
    let values: i64 = size.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, n)| n).product();
    if values == 1 {
        return Err(Error::shape(format!(
            "Expected more than 1 value per channel when training, got input size {size:?}"
        )));
    }
    Ok(())
}

fn batch_norm(args: &mut Args<'_>) -> Result<Dynamic> {
    let x = args.tensor(0)?;
    let (mean, variance) = (args.opt_tensor(1)?, args.opt_tensor(2)?);
    let (weight, bias) = (args.opt_tensor(3)?, args.opt_tensor(4)?);
    let (training, momentum, eps) = (args.bool(5)?, args.float(6)?, args.float(7)?);
    if training {
        check_batch(&sizes(&x))?;
    }
    if eps <= 0.0 {
        return Err(Error::value(format!("batch_norm eps must be positive, but got {eps}")));
    }
    Ok(value(x.f_batch_norm(
        weight.as_deref(),
        bias.as_deref(),
        mean.as_deref(),
        variance.as_deref(),
        training,
        momentum,
        eps,
        true,
    )?))
}

fn instance_norm(args: &mut Args<'_>) -> Result<Dynamic> {
    let x = args.tensor(0)?;
    let (mean, variance) = (args.opt_tensor(1)?, args.opt_tensor(2)?);
    let (weight, bias) = (args.opt_tensor(3)?, args.opt_tensor(4)?);
    let (own, momentum, eps) = (args.bool(5)?, args.float(6)?, args.float(7)?);
    let size = sizes(&x);
    if own && size.iter().skip(2).product::<i64>() == 1 {
        return Err(Error::shape(format!(
            "Expected more than 1 spatial element when training, got input size {size:?}"
        )));
    }
    Ok(value(x.f_instance_norm(
        weight.as_deref(),
        bias.as_deref(),
        mean.as_deref(),
        variance.as_deref(),
        own,
        momentum,
        eps,
        true,
    )?))
}

fn group_norm(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, groups) = (args.tensor(0)?, args.int(1)?);
    let (weight, bias, eps) = (args.opt_tensor(2)?, args.opt_tensor(3)?, args.float(4)?);
    let size = sizes(&x);
    if size.len() < 2 {
        return Err(Error::shape(format!(
            "Expected at least 2 dimensions for input tensor but received {}",
            size.len()
        )));
    }
    if groups <= 0 {
        return Err(Error::value(format!("num_groups must be positive, got {groups}")));
    }
    let mut grouped = vec![size[0] * size[1] / groups, groups];
    grouped.extend(&size[2..]);
    check_batch(&grouped)?;
    Ok(value(x.f_group_norm(groups, weight.as_deref(), bias.as_deref(), eps, true)?))
}

fn local_response_norm(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, size) = (args.tensor(0)?, args.int(1)?);
    let (alpha, beta, k) = (args.float(2)?, args.float(3)?, args.float(4)?);
    let shape = sizes(&x);
    if shape.len() < 3 {
        return Err(Error::shape(format!(
            "Expected 3D or higher dimensionality input (got {} dimensions)",
            shape.len()
        )));
    }
    if numel(&x) == 0 {
        return Ok(args.take(0));
    }
    let squares = x.f_mul(&x)?;
    let (before, after) = (size / 2, (size - 1) / 2);
    let mean = if shape.len() == 3 {
        squares
            .f_unsqueeze(1)?
            .f_pad([0, 0, before, after], "constant", None)?
            .f_avg_pool2d([size, 1], [1i64], [0i64], false, true, None)?
            .f_squeeze_dim(1)?
    } else {
        squares
            .f_view([shape[0], 1, shape[1], shape[2], -1])?
            .f_pad([0, 0, 0, 0, before, after], "constant", None)?
            .f_avg_pool3d([size, 1, 1], [1i64], [0i64], false, true, None)?
            .f_squeeze_dim(1)?
            .f_view(shape.as_slice())?
    };
    let scale = mean.mul_number(alpha)?.add_number(k)?.pow_number(beta)?;
    Ok(value(x.f_div(&scale)?))
}
