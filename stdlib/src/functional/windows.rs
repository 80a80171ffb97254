//! `torch.signal.windows`: windows of `M` points, symmetric for the design of filters or, with `sym: false`,
//! periodic for spectral analysis. Source: <https://pytorch.org/docs/stable/signal.html>.

use std::f64::consts::{PI, SQRT_2};

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::torch::{Dtype, Layout, default_dtype};
use flambeau_runtime::{Error, Result};
use rhai::{Dynamic, Map};

use super::common::{tensor_of, value};
use super::numbers::WithNumber;

/// A window's signature: its own arguments and those that all have.
macro_rules! schema {
    ($name:literal, $own:literal) => {
        concat!(
            "torch.signal.windows.",
            $name,
            "(int M, *, ",
            $own,
            "bool sym=True, ScalarType? dtype=None, Layout? layout=None, Device? device=None, \
             bool requires_grad=False) -> Tensor"
        )
    };
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: schema!("bartlett", ""),
        doc: "The Bartlett window of M points: a triangle that begins and ends at 0.",
        example: "torch.signal.windows.bartlett(5)",
        call: |args| bartlett(&Window::new(args, 1)?),
    },
    Function {
        schema: schema!("blackman", ""),
        doc: "The Blackman window of M points: three cosines with 0.42, 0.5 and 0.08.",
        example: "torch.signal.windows.blackman(5)",
        call: |args| cosines(&Window::new(args, 1)?, &[0.42, 0.5, 0.08]),
    },
    Function {
        schema: schema!("cosine", ""),
        doc: "The cosine window of M points: half a period of the sine.",
        example: "torch.signal.windows.cosine(5)",
        call: |args| cosine(&Window::new(args, 1)?),
    },
    Function {
        schema: schema!("exponential", "float? center=None, float tau=1.0, "),
        doc: "The exponential window of M points, which decays by `tau` from `center`; the middle where \
              none is given, and always where it is symmetric.",
        example: "torch.signal.windows.exponential(5, tau: 2.0)",
        call: |args| {
            let (center, tau) = (args.opt_float(1)?, args.float(2)?);
            exponential(&Window::new(args, 3)?, center, tau)
        },
    },
    Function {
        schema: schema!("gaussian", "float std=1.0, "),
        doc: "The Gaussian window of M points with the standard deviation `std`, in points.",
        example: "torch.signal.windows.gaussian(5, std: 1.5)",
        call: |args| {
            let std = args.float(1)?;
            gaussian(&Window::new(args, 2)?, std)
        },
    },
    Function {
        schema: schema!("general_cosine", "float[] a, "),
        doc: "A sum of cosines of 0, 1, 2 … periods over M points, with the coefficients `a` and \
              alternating signs.",
        example: "torch.signal.windows.general_cosine(5, a: [0.46, 0.23, 0.31])",
        call: |args| {
            let coefficients = args.floats(1)?;
            cosines(&Window::new(args, 2)?, &coefficients)
        },
    },
    Function {
        schema: schema!("general_hamming", "float alpha=0.54, "),
        doc: "The generalised Hamming window of M points: alpha - (1 - alpha) cos.",
        example: "torch.signal.windows.general_hamming(5, alpha: 0.5)",
        call: |args| {
            let alpha = args.float(1)?;
            cosines(&Window::new(args, 2)?, &[alpha, 1.0 - alpha])
        },
    },
    Function {
        schema: schema!("hamming", ""),
        doc: "The Hamming window of M points: 0.54 - 0.46 cos.",
        example: "torch.signal.windows.hamming(5)",
        call: |args| cosines(&Window::new(args, 1)?, &[0.54, 1.0 - 0.54]),
    },
    Function {
        schema: schema!("hann", ""),
        doc: "The Hann window of M points: 0.5 - 0.5 cos.",
        example: "torch.signal.windows.hann(5)",
        call: |args| cosines(&Window::new(args, 1)?, &[0.5, 0.5]),
    },
    Function {
        schema: schema!("kaiser", "float beta=12.0, "),
        doc: "The Kaiser window of M points; the greater `beta`, the narrower it is.",
        example: "torch.signal.windows.kaiser(5, beta: 8.0)",
        call: |args| {
            let beta = args.float(1)?;
            kaiser(&Window::new(args, 2)?, beta)
        },
    },
    Function {
        schema: schema!("nuttall", ""),
        doc: "The minimum 4-term Blackman-Harris window of M points, after Nuttall.",
        example: "torch.signal.windows.nuttall(5)",
        call: |args| {
            let coefficients = [0.363_581_9, 0.489_177_5, 0.136_599_5, 0.010_641_1];
            cosines(&Window::new(args, 1)?, &coefficients)
        },
    },
];

/// What all windows are asked for.
struct Window<'a> {
    args: &'a Args<'a>,
    /// Number of points.
    points: i64,
    symmetric: bool,
    dtype: Dtype,
    device: Dynamic,
    requires_grad: bool,
}

impl<'a> Window<'a> {
    /// Reads `M` and the arguments that all windows have, from argument `from` on.
    fn new(args: &'a Args<'a>, from: usize) -> Result<Window<'a>> {
        let name = args.schema().short_name();
        let points = args.int(0)?;
        if points < 0 {
            return Err(Error::value(format!(
                "{name} requires non-negative window length, got M={points}"
            )));
        }
        if let Some(layout) = args.get(from + 2).read_lock::<Layout>().filter(|l| l.0 != 0) {
            return Err(Error::value(format!(
                "{name} is implemented for strided tensors only, got: {}",
                *layout
            )));
        }
        let dtype = args.opt_dtype(from + 1)?.unwrap_or_else(default_dtype);
        if dtype != Dtype::FLOAT32 && dtype != Dtype::FLOAT64 {
            return Err(Error::value(format!(
                "{name} expects float32 or float64 dtypes, got: {dtype}"
            )));
        }
        Ok(Window {
            points,
            symmetric: args.bool(from)?,
            dtype,
            device: args.get(from + 3).clone(),
            requires_grad: args.bool(from + 4)?,
            args,
        })
    }

    /// The number of steps in a whole period: the last point closes a symmetric window only.
    fn period(&self) -> f64 {
        (if self.symmetric { self.points - 1 } else { self.points }) as f64
    }

    /// As [`Window::period`], but none for a window of one point.
    fn width(&self) -> f64 {
        if self.points > 1 { self.period() } else { (self.points - 1) as f64 }
    }

    /// What `torch.NAME` makes with the dtype and device of the window.
    fn made(&self, name: &str, mut values: Vec<Dynamic>, leaf: bool) -> Result<tch::Tensor> {
        let options = Map::from([
            ("dtype".into(), Dynamic::from(self.dtype)),
            ("device".into(), self.device.clone()),
            ("requires_grad".into(), (leaf && self.requires_grad).into()),
        ]);
        values.push(Dynamic::from_map(options));
        Ok(tensor_of(&self.args.ctx().op(name, values)?)?.into_tch())
    }

    /// The window where it has less than two points, which are 1.
    fn trivial(&self) -> Result<Option<Dynamic>> {
        if self.points > 1 {
            return Ok(None);
        }
        let size = Dynamic::from_array(vec![self.points.into()]);
        self.made("ones", vec![size], true).map(value).map(Some)
    }

    /// As many numbers as points, from `start` to `end`.
    fn line(&self, start: impl Into<Dynamic>, end: impl Into<Dynamic>) -> Result<tch::Tensor> {
        self.made("linspace", vec![start.into(), end.into(), self.points.into()], true)
    }

    /// The numbers from `start` on in steps of 1, times `scale`.
    fn steps(&self, start: f64, scale: f64) -> Result<tch::Tensor> {
        self.line(start * scale, (start + (self.points - 1) as f64) * scale)
    }
}

fn bartlett(window: &Window<'_>) -> Result<Dynamic> {
    if let Some(trivial) = window.trivial()? {
        return Ok(trivial);
    }
    let slope = 2.0 / window.period();
    let line = window.line(-1.0, -1.0 + (window.points - 1) as f64 * slope)?;
    line.f_abs()?.rsub_number(1).map(value)
}

fn cosine(window: &Window<'_>) -> Result<Dynamic> {
    let more = i64::from(!window.symmetric && window.points > 1);
    let steps = window.steps(0.5, PI / (window.points + more) as f64)?;
    Ok(value(steps.f_sin()?))
}

fn exponential(window: &Window<'_>, center: Option<f64>, tau: f64) -> Result<Dynamic> {
    if tau <= 0.0 {
        return Err(Error::value(format!("Tau must be positive, got: {tau} instead.")));
    }
    if window.symmetric && center.is_some() {
        return Err(Error::value("Center must be None for symmetric windows"));
    }
    let center = center.unwrap_or(window.width() / 2.0);
    let steps = window.steps(-center, 1.0 / tau)?;
    Ok(value(steps.f_abs()?.f_neg()?.f_exp()?))
}

fn gaussian(window: &Window<'_>, std: f64) -> Result<Dynamic> {
    if std <= 0.0 {
        return Err(Error::value(format!(
            "Standard deviation must be positive, got: {std} instead."
        )));
    }
    let steps = window.steps(-window.width() / 2.0, 1.0 / (std * SQRT_2))?;
    Ok(value(steps.pow_number(2)?.f_neg()?.f_exp()?))
}

fn kaiser(window: &Window<'_>, beta: f64) -> Result<Dynamic> {
    if beta < 0.0 {
        return Err(Error::value(format!("beta must be non-negative, got: {beta} instead.")));
    }
    if let Some(trivial) = window.trivial()? {
        return Ok(trivial);
    }
    // In the window's own precision, so that no rounding leaves the square root of less than 0.
    let beta = window.made("scalar_tensor", vec![beta.into()], false)?;
    let start = beta.f_neg()?;
    let step = beta.mul_number(2.0)?.div_number(window.period())?;
    let end = step.mul_number(window.points - 1)?.f_add(&start)?.f_minimum(&beta)?;
    let line = window.line(value(start), value(end))?;
    let root = beta.f_mul(&beta)?.f_sub(&line.pow_number(2)?)?.f_sqrt()?;
    Ok(value(root.f_i0()?.f_div(&beta.f_i0()?)?))
}

/// Cosines of 0, 1, 2 … periods with these coefficients and alternating signs.
fn cosines(window: &Window<'_>, coefficients: &[f64]) -> Result<Dynamic> {
    if let Some(trivial) = window.trivial()? {
        return Ok(trivial);
    }
    if coefficients.is_empty() {
        return Err(Error::value("Coefficients cannot be empty"));
    }
    let line = window.line(0.0, (window.points - 1) as f64 * (2.0 * PI / window.period()))?;
    let periods = window.made("arange", vec![(coefficients.len() as i64).into()], false)?;
    let signed = coefficients.iter().zip([1.0, -1.0].iter().cycle()).map(|(a, sign)| a * sign);
    let signed = tch::Tensor::f_from_slice(&signed.collect::<Vec<f64>>())?
        .f_to_kind(window.dtype.kind()?)?
        .f_to_device(super::common::device(&line)?)?;
    let waves = periods.f_unsqueeze(-1)?.f_mul(&line)?.f_cos()?;
    Ok(value(signed.f_unsqueeze(-1)?.f_mul(&waves)?.f_sum_dim_intlist(
        [0].as_slice(),
        false,
        None,
    )?))
}
