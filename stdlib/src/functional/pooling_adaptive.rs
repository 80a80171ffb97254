//! Pooling to a wanted size, and pooling with random windows.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{device, shape, sizes, value, values};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.adaptive_avg_pool1d(Tensor input, int[1] output_size) -> Tensor",
        doc: "Means over the last dimension, as many as `output_size`.",
        example: "F.adaptive_avg_pool1d(torch.arange(6.0).reshape([1, 1, 6]), 3)",
        call: |args| Ok(value(args.tensor(0)?.f_adaptive_avg_pool1d(args.ints(1)?)?)),
    },
    Function {
        schema: "torch.nn.functional.adaptive_avg_pool2d(Tensor input, Any output_size) -> Tensor",
        doc: "Means over the last two dimensions; `()` in `output_size` keeps a size.",
        example: "F.adaptive_avg_pool2d(torch.ones([1, 1, 4, 4]), [2, ()])",
        call: |args| {
            let (x, size) = (args.tensor(0)?, wanted_sizes(args, 2)?);
            Ok(value(x.f_adaptive_avg_pool2d(size)?))
        },
    },
    Function {
        schema: "torch.nn.functional.adaptive_avg_pool3d(Tensor input, Any output_size) -> Tensor",
        doc: "Means over the last three dimensions; `()` in `output_size` keeps a size.",
        example: "F.adaptive_avg_pool3d(torch.ones([1, 1, 4, 4, 4]), 2)",
        call: |args| {
            let (x, size) = (args.tensor(0)?, wanted_sizes(args, 3)?);
            Ok(value(x.f_adaptive_avg_pool3d(size)?))
        },
    },
    Function {
        schema: "torch.nn.functional.adaptive_max_pool1d(Tensor input, int[1] output_size, bool return_indices=False) -> Any",
        doc: "Maxima over the last dimension, as many as `output_size`; with `return_indices`, [values, indices].",
        example: "F.adaptive_max_pool1d(torch.arange(6.0).reshape([1, 1, 6]), 3)",
        call: |args| adaptive_max(args, 1, false),
    },
    Function {
        schema: "torch.nn.functional.adaptive_max_pool2d(Tensor input, Any output_size, bool return_indices=False) -> Any",
        doc: "Maxima over the last two dimensions; `()` in `output_size` keeps a size.",
        example: "F.adaptive_max_pool2d(torch.ones([1, 1, 4, 4]), 2)",
        call: |args| adaptive_max(args, 2, false),
    },
    Function {
        schema: "torch.nn.functional.adaptive_max_pool3d(Tensor input, Any output_size, bool return_indices=False) -> Any",
        doc: "Maxima over the last three dimensions; `()` in `output_size` keeps a size.",
        example: "F.adaptive_max_pool3d(torch.ones([1, 1, 4, 4, 4]), 2)",
        call: |args| adaptive_max(args, 3, false),
    },
    Function {
        schema: "torch.nn.functional.adaptive_max_pool1d_with_indices(Tensor input, int[1] output_size, bool return_indices=False) -> Tensor[]",
        doc: "[maxima, their indices], as adaptive_max_pool1d.",
        example: "F.adaptive_max_pool1d_with_indices(torch.arange(6.0).reshape([1, 1, 6]), 3)",
        call: |args| adaptive_max(args, 1, true),
    },
    Function {
        schema: "torch.nn.functional.adaptive_max_pool2d_with_indices(Tensor input, Any output_size, bool return_indices=False) -> Tensor[]",
        doc: "[maxima, their indices], as adaptive_max_pool2d.",
        example: "F.adaptive_max_pool2d_with_indices(torch.ones([1, 1, 4, 4]), 2)",
        call: |args| adaptive_max(args, 2, true),
    },
    Function {
        schema: "torch.nn.functional.adaptive_max_pool3d_with_indices(Tensor input, Any output_size, bool return_indices=False) -> Tensor[]",
        doc: "[maxima, their indices], as adaptive_max_pool3d.",
        example: "F.adaptive_max_pool3d_with_indices(torch.ones([1, 1, 4, 4, 4]), 2)",
        call: |args| adaptive_max(args, 3, true),
    },
    Function {
        schema: "torch.nn.functional.fractional_max_pool2d(Tensor input, int[2] kernel_size, int[2]? output_size=None, float[2]? output_ratio=None, bool return_indices=False, Tensor? _random_samples=None) -> Any",
        doc: "Maxima of windows at random places (Graham, 2014), by output size or ratio.",
        example: "F.fractional_max_pool2d(torch.ones([1, 1, 6, 6]), 2, output_size: 3)",
        call: |args| fractional_max(args, 2, false),
    },
    Function {
        schema: "torch.nn.functional.fractional_max_pool3d(Tensor input, int[3] kernel_size, int[3]? output_size=None, float[3]? output_ratio=None, bool return_indices=False, Tensor? _random_samples=None) -> Any",
        doc: "Maxima of windows at random places (Graham, 2014), by output size or ratio.",
        example: "F.fractional_max_pool3d(torch.ones([1, 1, 6, 6, 6]), 2, output_size: 3)",
        call: |args| fractional_max(args, 3, false),
    },
    Function {
        schema: "torch.nn.functional.fractional_max_pool2d_with_indices(Tensor input, int[2] kernel_size, int[2]? output_size=None, float[2]? output_ratio=None, bool return_indices=False, Tensor? _random_samples=None) -> Tensor[]",
        doc: "[maxima, their indices], as fractional_max_pool2d.",
        example: "F.fractional_max_pool2d_with_indices(torch.ones([1, 1, 6, 6]), 2, output_size: 3)",
        call: |args| fractional_max(args, 2, true),
    },
    Function {
        schema: "torch.nn.functional.fractional_max_pool3d_with_indices(Tensor input, int[3] kernel_size, int[3]? output_size=None, float[3]? output_ratio=None, bool return_indices=False, Tensor? _random_samples=None) -> Tensor[]",
        doc: "[maxima, their indices], as fractional_max_pool3d.",
        example: "F.fractional_max_pool3d_with_indices(torch.ones([1, 1, 6, 6, 6]), 2, output_size: 3)",
        call: |args| fractional_max(args, 3, true),
    },
];

/// The wanted size of `n` dimensions at argument 1, where `()` stands for the input's own.
fn wanted_sizes(args: &Args<'_>, n: usize) -> Result<Vec<i64>> {
    let x = args.tensor(0)?;
    let size = sizes(&x);
    let expected = "an integer or a list of integers and ()";
    let Some(list) = args.get(1).read_lock::<rhai::Array>() else {
        return args.ints_n(1, n);
    };
    if list.len() != n || size.len() < n {
        return Err(args.mismatch(1, &format!("a list of {n} sizes")));
    }
    list.iter()
        .zip(&size[size.len() - n..])
        .map(|(wanted, own)| match wanted.is_unit() {
            true => Ok(*own),
            false => wanted.as_int().map_err(|_| args.mismatch(1, expected)),
        })
        .collect()
}

fn adaptive_max(args: &mut Args<'_>, n: usize, always: bool) -> Result<Dynamic> {
    let (x, size) = (args.tensor(0)?, wanted_sizes(args, n)?);
    let (maxima, indices) = match n {
        1 => x.f_adaptive_max_pool1d(size)?,
        2 => x.f_adaptive_max_pool2d(size)?,
        _ => x.f_adaptive_max_pool3d(size)?,
    };
    Ok(if always || args.bool(2)? { values([maxima, indices]) } else { value(maxima) })
}

fn fractional_max(args: &mut Args<'_>, n: usize, always: bool) -> Result<Dynamic> {
    let (x, kernel) = (args.tensor(0)?, args.ints_n(1, n)?);
    let size = sizes(&x);
    if size.len() < n + 1 {
        return Err(Error::shape(format!(
            "fractional_max_pool{n}d: expected channels and {n} spatial dimensions, found {}",
            shape(&x)
        )));
    }
    let spatial = &size[size.len() - n..];
    let output = match (args.is_none(2), args.is_none(3)) {
        (false, _) => args.ints_n(2, n)?,
        (true, false) => {
            let mut ratio = args.floats(3)?;
            if ratio.len() == 1 {
                ratio = vec![ratio[0]; n];
            }
            spatial.iter().zip(&ratio).map(|(&size, ratio)| (size as f64 * ratio) as i64).collect()
        }
        (true, true) => {
            return Err(Error::value(format!(
                "fractional_max_pool{n}d requires specifying either an output_size or an output_ratio"
            )));
        }
    };
    let samples = match args.opt_tensor(5)? {
        Some(samples) => samples.into_tch(),
        None => {
            let batch = if size.len() == n + 1 { 1 } else { size[0] };
            let wanted = [batch, size[size.len() - n - 1], n as i64];
            tch::Tensor::f_rand(wanted, (x.f_kind()?, device(&x)?))?
        }
    };
    let (maxima, indices) = match n {
        2 => x.f_fractional_max_pool2d(kernel, output, &samples)?,
        _ => x.f_fractional_max_pool3d(kernel, output, &samples)?,
    };
    Ok(if always || args.bool(4)? { values([maxima, indices]) } else { value(maxima) })
}
