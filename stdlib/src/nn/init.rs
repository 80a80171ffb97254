//! `nn.init`: PyTorch's initialisers, with its formulas and its order of random numbers, so that
//! a seed gives the same weights as in Python. They write in place and record no graph.
//!
//! Source: <https://docs.pytorch.org/docs/stable/nn.init.html>.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::Context;
use flambeau_runtime::torch::{Generator, Tensor, numel, sizes};
use rhai::{Dynamic, Map};

use crate::functional::common::device;
use crate::functional::numbers::WithNumber;

/// Fills with U(a, b).
pub(crate) fn uniform(tensor: &Tensor, a: f64, b: f64) -> Result<()> {
    let _ = tch::no_grad(|| tensor.tch().f_uniform_(a, b))?;
    Ok(())
}

/// Fills with N(mean, std²).
pub(crate) fn normal(tensor: &Tensor, mean: f64, std: f64) -> Result<()> {
    let _ = tch::no_grad(|| tensor.tch().f_normal_(mean, std))?;
    Ok(())
}

/// Fills with one number.
pub(crate) fn constant(tensor: &Tensor, number: f64) -> Result<()> {
    let _ = tch::no_grad(|| tensor.tch().fill_number_(number))?;
    Ok(())
}

/// `uniform_` or `normal_` with a generator, where one is given.
pub(crate) fn random(
    ctx: &Context<'_>,
    operator: &str,
    tensor: &Tensor,
    bounds: (f64, f64),
    generator: Option<Generator>,
) -> Result<()> {
    match generator {
        None if operator == "normal_" => normal(tensor, bounds.0, bounds.1),
        None => uniform(tensor, bounds.0, bounds.1),
        Some(generator) => {
            let keywords: Map = [("generator".into(), Dynamic::from(generator))].into();
            let args = vec![
                Dynamic::from(tensor.clone()),
                bounds.0.into(),
                bounds.1.into(),
                Dynamic::from_map(keywords),
            ];
            tch::no_grad(|| ctx.op(operator, args)).map(drop)
        }
    }
}

/// How many inputs and outputs a weight connects: its first two dimensions times its window.
pub(crate) fn fans(tensor: &Tensor) -> Result<(i64, i64)> {
    let shape = sizes(tensor);
    let [outputs, inputs, window @ ..] = shape.as_slice() else {
        return Err(Error::value(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
        ));
    };
    let field: i64 = window.iter().product();
    Ok((inputs * field, outputs * field))
}

/// The factor that keeps the variance through a nonlinearity.
pub(crate) fn gain(nonlinearity: &str, parameter: Option<f64>) -> Result<f64> {
    Ok(match nonlinearity {
        "linear" | "conv1d" | "conv2d" | "conv3d" | "conv_transpose1d" | "conv_transpose2d"
        | "conv_transpose3d" | "sigmoid" => 1.0,
        "tanh" => 5.0 / 3.0,
        "relu" => 2f64.sqrt(),
        "leaky_relu" => (2.0 / (1.0 + parameter.unwrap_or(0.01).powi(2))).sqrt(),
        "selu" => 0.75,
        other => return Err(Error::value(format!("Unsupported nonlinearity {other}"))),
    })
}

/// The standard deviation of Glorot and Bengio (2010).
pub(crate) fn xavier_std(tensor: &Tensor, gain: f64) -> Result<f64> {
    let (fan_in, fan_out) = fans(tensor)?;
    Ok(gain * (2.0 / (fan_in + fan_out) as f64).sqrt())
}

/// Fills with the uniform distribution of Glorot and Bengio (2010).
pub(crate) fn xavier_uniform(tensor: &Tensor) -> Result<()> {
    let bound = 3f64.sqrt() * xavier_std(tensor, 1.0)?;
    uniform(tensor, -bound, bound)
}

/// The standard deviation of He et al. (2015); `None` for a tensor without elements.
pub(crate) fn kaiming_std(
    tensor: &Tensor,
    a: f64,
    mode: &str,
    nonlinearity: &str,
) -> Result<Option<f64>> {
    if numel(tensor) == 0 {
        return Ok(None);
    }
    let (fan_in, fan_out) = fans(tensor)?;
    let fan = match mode.to_lowercase().as_str() {
        "fan_in" => fan_in,
        "fan_out" => fan_out,
        other => {
            return Err(Error::value(format!("Mode {other} not supported"))
                .help("modes are 'fan_in' and 'fan_out'"));
        }
    };
    Ok(Some(gain(nonlinearity, Some(a))? / (fan as f64).sqrt()))
}

/// How Linear and the convolutions start: `kaiming_uniform_(weight, a=sqrt(5))`, then the bias
/// uniform in ±1/√fan_in.
pub(crate) fn linear_layer(weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    if let Some(std) = kaiming_std(weight, 5f64.sqrt(), "fan_in", "leaky_relu")? {
        let bound = 3f64.sqrt() * std;
        uniform(weight, -bound, bound)?;
    }
    let Some(bias) = bias else { return Ok(()) };
    let (fan_in, _) = fans(weight)?;
    let bound = if fan_in > 0 { 1.0 / (fan_in as f64).sqrt() } else { 0.0 };
    uniform(bias, -bound, bound)
}

/// Fills with a (semi-)orthogonal matrix: Saxe et al. (2013).
pub(crate) fn orthogonal(
    ctx: &Context<'_>,
    tensor: &Tensor,
    gain: f64,
    generator: Option<Generator>,
) -> Result<()> {
    let shape = sizes(tensor);
    if shape.len() < 2 {
        return Err(Error::value("Only tensors with 2 or more dimensions are supported"));
    }
    if numel(tensor) == 0 {
        return Ok(());
    }
    let rows = shape[0];
    let cols = numel(tensor) as i64 / rows;
    tch::no_grad(|| {
        let options = (tensor.f_kind()?, device(tensor)?);
        let flat = Tensor::from(tensor.f_new_empty([rows, cols], options)?);
        random(ctx, "normal_", &flat, (0.0, 1.0), generator)?;
        let flat = if rows < cols { flat.f_tr()? } else { flat.into_tch() };
        let (q, r) = tch::Tensor::f_linalg_qr(&flat, "reduced")?;
        let signs = r.f_diagonal(0, 0, 1)?.f_sign()?;
        let q = q.f_mul(&signs)?;
        let q = if rows < cols { q.f_tr()? } else { q };
        tensor.f_view_as(&q)?.f_copy_(&q)?;
        let _ = tensor.tch().mul_number_(gain)?;
        Ok(())
    })
}

/// Fills with a normal distribution cut at `a` and `b`, by the inverse of its distribution function.
pub(crate) fn trunc_normal(
    ctx: &Context<'_>,
    tensor: &Tensor,
    (mean, std): (f64, f64),
    (a, b): (f64, f64),
    generator: Option<Generator>,
) -> Result<()> {
    let cdf = |x: f64| -> Result<f64> {
        let erf = tch::Tensor::f_from_slice(&[x / 2f64.sqrt()])?.f_erf()?;
        Ok((1.0 + erf.f_double_value(&[0])?) / 2.0)
    };
    let low = cdf((a - mean) / std)?;
    let high = cdf((b - mean) / std)?;
    random(ctx, "uniform_", tensor, (2.0 * low - 1.0, 2.0 * high - 1.0), generator)?;
    tch::no_grad(|| {
        let mut tensor = tensor.tch();
        let _ = tensor.f_erfinv_()?;
        let _ = tensor.mul_number_(std * 2f64.sqrt())?;
        let _ = tensor.add_number_(mean)?;
        let _ = tensor.clamp_number_(a, b)?;
        Ok(())
    })
}

/// Ones on the diagonal; zeros elsewhere.
pub(crate) fn eye(tensor: &Tensor) -> Result<()> {
    if tensor.dim() != 2 {
        return Err(Error::value("Only tensors with 2 dimensions are supported"));
    }
    tch::no_grad(|| {
        let _ = tensor.tch().f_zero_()?;
        let _ = tensor.f_diagonal(0, 0, 1)?.fill_number_(1.0)?;
        Ok(())
    })
}

/// Keeps the identity of as many channels as fit, for convolutions.
pub(crate) fn dirac(tensor: &Tensor, groups: i64) -> Result<()> {
    let shape = sizes(tensor);
    if !(3..=5).contains(&shape.len()) {
        return Err(Error::value("Only tensors with 3, 4, or 5 dimensions are supported"));
    }
    if groups < 1 || shape[0] % groups != 0 {
        return Err(Error::value("dim 0 must be divisible by groups"));
    }
    if tensor.numel() == 0 {
        return Ok(());
    }
    let per_group = shape[0] / groups;
    tch::no_grad(|| {
        let _ = tensor.tch().f_zero_()?;
        for group in 0..groups {
            for channel in 0..per_group.min(shape[1]) {
                let mut at =
                    tensor.f_select(0, group * per_group + channel)?.f_select(0, channel)?;
                for size in &shape[2..] {
                    at = at.f_select(0, size / 2)?;
                }
                let _ = at.fill_number_(1.0)?;
            }
        }
        Ok(())
    })
}

/// Zeros in a share of each column, N(0, std²) elsewhere: Martens (2010).
pub(crate) fn sparse(
    ctx: &Context<'_>,
    tensor: &Tensor,
    sparsity: f64,
    std: f64,
    generator: Option<Generator>,
) -> Result<()> {
    let shape = sizes(tensor);
    let [rows, cols] = shape.as_slice() else {
        return Err(Error::value("Only tensors with 2 dimensions are supported"));
    };
    let zeros = (sparsity * *rows as f64).ceil() as i64;
    random(ctx, "normal_", tensor, (0.0, std), generator)?;
    tch::no_grad(|| {
        for col in 0..*cols {
            let order = tch::Tensor::f_randperm(*rows, (tch::Kind::Int64, tch::Device::Cpu))?;
            let chosen =
                order.f_narrow(0, 0, zeros.clamp(0, *rows))?.f_to_device(device(tensor)?)?;
            let _ = tensor.f_select(1, col)?.index_fill_number_(0, &chosen, 0.0)?;
        }
        Ok(())
    })
}
