//! Pooling with fixed windows: maxima (with their indices), averages, powers, and unpooling.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{shape, sizes, value, values};
use super::numbers::WithNumber;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.max_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, int[1] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Any",
        doc: "Maxima of windows over the last dimension; with `return_indices`, [values, indices].",
        example: "F.max_pool1d(torch.arange(6.0).reshape([1, 1, 6]), 2)",
        call: |args| max_pool(args, 1),
    },
    Function {
        schema: "torch.nn.functional.max_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, int[2] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Any",
        doc: "Maxima of windows over the last two dimensions; with `return_indices`, [values, indices].",
        example: "F.max_pool2d(torch.arange(16.0).reshape([1, 1, 4, 4]), 2)",
        call: |args| max_pool(args, 2),
    },
    Function {
        schema: "torch.nn.functional.max_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, int[3] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Any",
        doc: "Maxima of windows over the last three dimensions; with `return_indices`, [values, indices].",
        example: "F.max_pool3d(torch.ones([1, 1, 2, 2, 2]), 2)",
        call: |args| max_pool(args, 3),
    },
    Function {
        schema: "torch.nn.functional.max_pool1d_with_indices(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, int[1] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor[]",
        doc: "[maxima, their indices] of windows over the last dimension.",
        example: "F.max_pool1d_with_indices(torch.arange(6.0).reshape([1, 1, 6]), 2)",
        call: |args| max_pool_with_indices(args, 1),
    },
    Function {
        schema: "torch.nn.functional.max_pool2d_with_indices(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, int[2] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor[]",
        doc: "[maxima, their indices] of windows over the last two dimensions.",
        example: "F.max_pool2d_with_indices(torch.arange(16.0).reshape([1, 1, 4, 4]), 2)",
        call: |args| max_pool_with_indices(args, 2),
    },
    Function {
        schema: "torch.nn.functional.max_pool3d_with_indices(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, int[3] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor[]",
        doc: "[maxima, their indices] of windows over the last three dimensions.",
        example: "F.max_pool3d_with_indices(torch.ones([1, 1, 2, 2, 2]), 2)",
        call: |args| max_pool_with_indices(args, 3),
    },
    Function {
        schema: "torch.nn.functional.avg_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, bool ceil_mode=False, bool count_include_pad=True) -> Tensor",
        doc: "Means of windows over the last dimension.",
        example: "F.avg_pool1d(torch.arange(6.0).reshape([1, 1, 6]), 2)",
        call: |args| {
            let w = windows(args, 1)?;
            let (ceil, count) = (args.bool(4)?, args.bool(5)?);
            Ok(value(args.tensor(0)?.f_avg_pool1d(w.kernel, w.stride, w.padding, ceil, count)?))
        },
    },
    Function {
        schema: "torch.nn.functional.avg_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
        doc: "Means of windows over the last two dimensions.",
        example: "F.avg_pool2d(torch.arange(16.0).reshape([1, 1, 4, 4]), 2)",
        call: |args| {
            let w = windows(args, 2)?;
            let (ceil, count, divisor) = (args.bool(4)?, args.bool(5)?, args.opt_int(6)?);
            let x = args.tensor(0)?;
            Ok(value(x.f_avg_pool2d(w.kernel, w.stride, w.padding, ceil, count, divisor)?))
        },
    },
    Function {
        schema: "torch.nn.functional.avg_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
        doc: "Means of windows over the last three dimensions.",
        example: "F.avg_pool3d(torch.ones([1, 1, 2, 2, 2]), 2)",
        call: |args| {
            let w = windows(args, 3)?;
            let (ceil, count, divisor) = (args.bool(4)?, args.bool(5)?, args.opt_int(6)?);
            let x = args.tensor(0)?;
            Ok(value(x.f_avg_pool3d(w.kernel, w.stride, w.padding, ceil, count, divisor)?))
        },
    },
    Function {
        schema: "torch.nn.functional.lp_pool1d(Tensor input, float norm_type, int[1] kernel_size, int[1]? stride=None, bool ceil_mode=False) -> Tensor",
        doc: "The p-norm of each window over the last dimension.",
        example: "F.lp_pool1d(torch.arange(6.0).reshape([1, 1, 6]), 2, 2)",
        call: |args| lp_pool(args, 1),
    },
    Function {
        schema: "torch.nn.functional.lp_pool2d(Tensor input, float norm_type, int[2] kernel_size, int[2]? stride=None, bool ceil_mode=False) -> Tensor",
        doc: "The p-norm of each window over the last two dimensions.",
        example: "F.lp_pool2d(torch.arange(16.0).reshape([1, 1, 4, 4]), 2, 2)",
        call: |args| lp_pool(args, 2),
    },
    Function {
        schema: "torch.nn.functional.lp_pool3d(Tensor input, float norm_type, int[3] kernel_size, int[3]? stride=None, bool ceil_mode=False) -> Tensor",
        doc: "The p-norm of each window over the last three dimensions.",
        example: "F.lp_pool3d(torch.ones([1, 1, 2, 2, 2]), 2, 2)",
        call: |args| lp_pool(args, 3),
    },
    Function {
        schema: "torch.nn.functional.max_unpool1d(Tensor input, Tensor indices, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, int[]? output_size=None) -> Tensor",
        doc: "Puts maxima back to where max_pool1d found them; zeros elsewhere.",
        example: "let r = F.max_pool1d_with_indices(torch.arange(6.0).reshape([1, 1, 6]), 2); F.max_unpool1d(r[0], r[1], 2)",
        call: |args| max_unpool(args, 1),
    },
    Function {
        schema: "torch.nn.functional.max_unpool2d(Tensor input, Tensor indices, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, int[]? output_size=None) -> Tensor",
        doc: "Puts maxima back to where max_pool2d found them; zeros elsewhere.",
        example: "let r = F.max_pool2d_with_indices(torch.arange(16.0).reshape([1, 1, 4, 4]), 2); F.max_unpool2d(r[0], r[1], 2)",
        call: |args| max_unpool(args, 2),
    },
    Function {
        schema: "torch.nn.functional.max_unpool3d(Tensor input, Tensor indices, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, int[]? output_size=None) -> Tensor",
        doc: "Puts maxima back to where max_pool3d found them; zeros elsewhere.",
        example: "let r = F.max_pool3d_with_indices(torch.ones([1, 1, 2, 2, 2]), 2); F.max_unpool3d(r[0], r[1], 2)",
        call: |args| max_unpool(args, 3),
    },
];

/// Kernel, stride (empty: the kernel's size) and padding: arguments 1 to 3.
struct Windows {
    kernel: Vec<i64>,
    stride: Vec<i64>,
    padding: Vec<i64>,
}

fn windows(args: &Args<'_>, n: usize) -> Result<Windows> {
    Ok(Windows {
        kernel: args.ints_n(1, n)?,
        stride: stride(args, 2, n)?,
        padding: args.ints_n(3, n)?,
    })
}

/// The stride at `i`; empty, which libtorch reads as the kernel's size, where none is given.
fn stride(args: &Args<'_>, i: usize, n: usize) -> Result<Vec<i64>> {
    match args.opt_ints(i)? {
        Some(list) if list.is_empty() => Ok(list),
        Some(_) => args.ints_n(i, n),
        None => Ok(Vec::new()),
    }
}

fn max_pool(args: &mut Args<'_>, n: usize) -> Result<Dynamic> {
    if args.bool(6)? {
        return max_pool_with_indices(args, n);
    }
    let (x, w) = (args.tensor(0)?, windows(args, n)?);
    let (dilation, ceil) = (args.ints_n(4, n)?, args.bool(5)?);
    Ok(value(match n {
        1 => x.f_max_pool1d(w.kernel, w.stride, w.padding, dilation, ceil)?,
        2 => x.f_max_pool2d(w.kernel, w.stride, w.padding, dilation, ceil)?,
        _ => x.f_max_pool3d(w.kernel, w.stride, w.padding, dilation, ceil)?,
    }))
}

fn max_pool_with_indices(args: &mut Args<'_>, n: usize) -> Result<Dynamic> {
    let (x, w) = (args.tensor(0)?, windows(args, n)?);
    let (dilation, ceil) = (args.ints_n(4, n)?, args.bool(5)?);
    let (maxima, indices) = match n {
        1 => x.f_max_pool1d_with_indices(w.kernel, w.stride, w.padding, dilation, ceil)?,
        2 => x.f_max_pool2d_with_indices(w.kernel, w.stride, w.padding, dilation, ceil)?,
        _ => x.f_max_pool3d_with_indices(w.kernel, w.stride, w.padding, dilation, ceil)?,
    };
    Ok(values([maxima, indices]))
}

fn lp_pool(args: &mut Args<'_>, n: usize) -> Result<Dynamic> {
    let (x, p) = (args.tensor(0)?, args.float(1)?);
    let (kernel, stride, ceil) = (args.ints_n(2, n)?, stride(args, 3, n)?, args.bool(4)?);
    let elements: i64 = kernel.iter().product();
    let powers = x.pow_number(p)?;
    let zero = vec![0; n];
    let mean = match n {
        1 => powers.f_avg_pool1d(kernel, stride, zero, ceil, true)?,
        2 => powers.f_avg_pool2d(kernel, stride, zero, ceil, true, None)?,
        _ => powers.f_avg_pool3d(kernel, stride, zero, ceil, true, None)?,
    };
    let magnitude = mean.f_sign()?.f_mul(&mean.f_abs()?.f_relu()?)?;
    Ok(value(magnitude.mul_number(elements)?.pow_number(1.0 / p)?))
}

fn max_unpool(args: &mut Args<'_>, n: usize) -> Result<Dynamic> {
    let (x, indices) = (args.tensor(0)?, args.tensor(1)?);
    let kernel = args.ints_n(2, n)?;
    let stride = if args.is_none(3) { kernel.clone() } else { args.ints_n(3, n)? };
    let padding = args.ints_n(4, n)?;
    let mut size = unpooled_size(&x, &kernel, &stride, &padding, args.opt_ints(5)?)?;
    Ok(value(match n {
        1 => {
            size.push(1);
            x.f_unsqueeze(-1)?.f_max_unpool2d(&indices.f_unsqueeze(-1)?, size)?.f_squeeze_dim(-1)?
        }
        2 => x.f_max_unpool2d(&indices, size)?,
        _ => x.f_max_unpool3d(&indices, size, stride, padding)?,
    }))
}

/// The size before pooling; `wanted` may differ from the smallest such size by less than a stride.
fn unpooled_size(
    x: &tch::Tensor,
    kernel: &[i64],
    stride: &[i64],
    padding: &[i64],
    wanted: Option<Vec<i64>>,
) -> Result<Vec<i64>> {
    let (size, n) = (sizes(x), kernel.len());
    if size.len() < n {
        return Err(Error::shape(format!("expected {n} spatial dimensions, found {}", shape(x))));
    }
    let spatial = &size[size.len() - n..];
    let smallest: Vec<i64> =
        (0..n).map(|d| (spatial[d] - 1) * stride[d] + kernel[d] - 2 * padding[d]).collect();
    let Some(mut wanted) = wanted else { return Ok(smallest) };
    let given = wanted.len();
    if given == n + 2 {
        wanted.drain(..2);
    }
    if wanted.len() != n {
        return Err(Error::value(format!(
            "output_size should be a sequence containing {n} or {} elements, but it has a length of \
             '{given}'",
            n + 2
        )));
    }
    for d in 0..n {
        let (low, high) = (smallest[d] - stride[d], smallest[d] + stride[d]);
        if wanted[d] <= low || wanted[d] >= high {
            return Err(Error::value(format!(
                "invalid output_size \"{wanted:?}\" (dim {d} must be between {low} and {high})"
            )));
        }
    }
    Ok(wanted)
}
