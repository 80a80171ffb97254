//! Activations.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::Function;

use super::super::class::{Call, Class, Forward, constructors};
use super::super::factory::Factory;
use super::super::init;

/// A layer whose only setting is whether it writes over its input.
const IN_PLACE: Class = Class { repr: "inplace?False", ..Class::LAYER };

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.ReLU(bool inplace=False) -> Module",
        doc: "max(0, x).",
        example: "nn.ReLU()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Native(|call| {
            if call.state().bool("inplace")? {
                return call.unary(|input| input.shallow_clone().f_relu_());
            }
            call.unary(tch::Tensor::f_relu)
        }),
        ..IN_PLACE
    },
    Class {
        schema: "nn.ReLU6(bool inplace=False) -> Module",
        doc: "min(max(0, x), 6).",
        example: "nn.ReLU6()(torch.tensor([-1.0, 7.0]))",
        build: |module, _| {
            module.put("min_val", 0.0)?;
            module.put("max_val", 6.0)
        },
        forward: Forward::Operator("hardtanh", &["min_val", "max_val"]),
        ..IN_PLACE
    },
    Class {
        schema: "nn.SiLU(bool inplace=False) -> Module",
        doc: "x · sigmoid(x), also called swish.",
        example: "nn.SiLU()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("silu", &[]),
        ..IN_PLACE
    },
    Class {
        schema: "nn.Mish(bool inplace=False) -> Module",
        doc: "x · tanh(softplus(x)): Misra (2019).",
        example: "nn.Mish()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("mish", &[]),
        ..IN_PLACE
    },
    Class {
        schema: "nn.SELU(bool inplace=False) -> Module",
        doc: "The self-normalising ELU of Klambauer et al. (2017).",
        example: "nn.SELU()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("selu", &[]),
        ..IN_PLACE
    },
    Class {
        schema: "nn.Hardswish(bool inplace=False) -> Module",
        doc: "x · min(max(0, x + 3), 6) / 6: Howard et al. (2019).",
        example: "nn.Hardswish()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("hardswish", &[]),
        ..Class::LAYER
    },
    Class {
        schema: "nn.Hardsigmoid(bool inplace=False) -> Module",
        doc: "min(max(0, x + 3), 6) / 6.",
        example: "nn.Hardsigmoid()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("hardsigmoid", &[]),
        ..Class::LAYER
    },
    Class {
        schema: "nn.Sigmoid() -> Module",
        doc: "1 / (1 + exp(-x)).",
        example: "nn.Sigmoid()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Native(|call| call.unary(tch::Tensor::f_sigmoid)),
        ..Class::LAYER
    },
    Class {
        schema: "nn.Tanh() -> Module",
        doc: "The hyperbolic tangent.",
        example: "nn.Tanh()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Native(|call| call.unary(tch::Tensor::f_tanh)),
        ..Class::LAYER
    },
    Class {
        schema: "nn.GELU(str approximate='none') -> Module",
        doc: "x · Φ(x), or its tanh approximation with approximate: \"tanh\": Hendrycks and Gimpel (2016).",
        example: "nn.GELU(approximate: \"tanh\")(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Native(|call| {
            let approximate = call.state().text("approximate")?;
            call.unary(|input| input.f_gelu(&approximate))
        }),
        repr: "approximate!r",
        ..Class::LAYER
    },
    Class {
        schema: "nn.ELU(float alpha=1.0, bool inplace=False) -> Module",
        doc: "x where x > 0, else alpha · (exp(x) - 1).",
        example: "nn.ELU()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("elu", &["alpha"]),
        repr: "alpha, inplace?False",
        ..Class::LAYER
    },
    Class {
        schema: "nn.CELU(float alpha=1.0, bool inplace=False) -> Module",
        doc: "max(0, x) + min(0, alpha · (exp(x / alpha) - 1)).",
        example: "nn.CELU()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("celu", &["alpha"]),
        repr: "alpha, inplace?False",
        ..Class::LAYER
    },
    Class {
        schema: "nn.LeakyReLU(float negative_slope=0.01, bool inplace=False) -> Module",
        doc: "x where x > 0, else negative_slope · x.",
        example: "nn.LeakyReLU(0.1)(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("leaky_relu", &["negative_slope"]),
        repr: "negative_slope, inplace?False",
        ..Class::LAYER
    },
    Class {
        schema: "nn.RReLU(float lower=0.125, float upper=0.3333333333333333, bool inplace=False) -> Module",
        doc: "Leaky ReLU with a slope drawn from U(lower, upper) in training.",
        example: "nn.RReLU(0.1, 0.3)(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("rrelu", &["lower", "upper", "training"]),
        repr: "lower, upper, inplace?False",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Threshold(float threshold, float value, bool inplace=False) -> Module",
        doc: "x where x > threshold, else value.",
        example: "nn.Threshold(0.1, 20)(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("threshold", &["threshold", "value"]),
        repr: "threshold, value, inplace?False",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Hardtanh(float min_val=-1.0, float max_val=1.0, bool inplace=False) -> Module",
        doc: "x cut at min_val and max_val.",
        example: "nn.Hardtanh(-2, 2)(torch.tensor([-3.0, 1.0]))",
        build: |_, args| {
            let (min, max) = (args.float(0)?, args.float(1)?);
            if max > min {
                return Ok(());
            }
            Err(Error::value(format!("max_val ({max}) must be greater than min_val ({min})")))
        },
        forward: Forward::Operator("hardtanh", &["min_val", "max_val"]),
        repr: "min_val, max_val, inplace?False",
        ..Class::LAYER
    },
    Class {
        schema: "nn.GLU(int dim=-1) -> Module",
        doc: "a · sigmoid(b), where a and b are the halves of the input along `dim`.",
        example: "nn.GLU()(torch.randn([4, 2])).shape",
        forward: Forward::Operator("glu", &["dim"]),
        repr: "dim",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Hardshrink(float lambd=0.5) -> Module",
        doc: "x where |x| > lambd, else 0.",
        example: "nn.Hardshrink()(torch.tensor([-1.0, 0.2]))",
        forward: Forward::Operator("hardshrink", &["lambd"]),
        repr: "*lambd",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Softshrink(float lambd=0.5) -> Module",
        doc: "x moved towards 0 by lambd.",
        example: "nn.Softshrink()(torch.tensor([-1.0, 0.2]))",
        forward: Forward::Operator("softshrink", &["lambd"]),
        repr: "*lambd",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Tanhshrink() -> Module",
        doc: "x - tanh(x).",
        example: "nn.Tanhshrink()(torch.tensor([-1.0, 0.2]))",
        forward: Forward::Native(|call| call.unary(|input| input.f_sub(&input.f_tanh()?))),
        ..Class::LAYER
    },
    Class {
        schema: "nn.Softsign() -> Module",
        doc: "x / (1 + |x|).",
        example: "nn.Softsign()(torch.tensor([-1.0, 0.2]))",
        forward: Forward::Native(|call| {
            call.unary(|input| input.f_div(&input.f_abs()?.f_add(&tch::Tensor::from(1i64))?))
        }),
        ..Class::LAYER
    },
    Class {
        schema: "nn.Softplus(float beta=1.0, float threshold=20.0) -> Module",
        doc: "log(1 + exp(beta · x)) / beta; x itself where beta · x > threshold.",
        example: "nn.Softplus()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Operator("softplus", &["beta", "threshold"]),
        repr: "beta, threshold",
        ..Class::LAYER
    },
    Class {
        schema: "nn.LogSigmoid() -> Module",
        doc: "log(1 / (1 + exp(-x))).",
        example: "nn.LogSigmoid()(torch.tensor([-1.0, 2.0]))",
        forward: Forward::Native(|call| call.unary(tch::Tensor::f_log_sigmoid)),
        ..Class::LAYER
    },
    Class {
        schema: "nn.PReLU(int num_parameters=1, float init=0.25, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "x where x > 0, else weight · x; one learnable slope, or one for each channel.",
        example: "nn.PReLU()(torch.tensor([-1.0, 2.0]))",
        build: |module, args| {
            let weight = Factory::of(args)?.parameter(&[args.int(0)?])?;
            init::constant(&weight, args.float(1)?)?;
            module.put_parameter("weight", Some(weight))
        },
        forward: Forward::Native(|call| {
            let state = call.state();
            let weight = state.parameter("weight")?;
            call.unary(|input| input.f_prelu(weight))
        }),
        repr: "num_parameters",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Softmax(int? dim=None) -> Module",
        doc: "exp(x) / Σ exp(x) along `dim`.",
        example: "nn.Softmax(dim: 1)(torch.randn([2, 3]))",
        forward: Forward::Native(|call| {
            let dim = softmax_dim(call)?;
            call.unary(|input| input.f_softmax(dim, None))
        }),
        repr: "dim",
        ..Class::LAYER
    },
    Class {
        schema: "nn.LogSoftmax(int? dim=None) -> Module",
        doc: "log(exp(x) / Σ exp(x)) along `dim`.",
        example: "nn.LogSoftmax(dim: 1)(torch.randn([2, 3]))",
        forward: Forward::Native(|call| {
            let dim = softmax_dim(call)?;
            call.unary(|input| input.f_log_softmax(dim, None))
        }),
        repr: "dim",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Softmin(int? dim=None) -> Module",
        doc: "exp(-x) / Σ exp(-x) along `dim`.",
        example: "nn.Softmin(dim: 1)(torch.randn([2, 3]))",
        forward: Forward::Native(|call| {
            let dim = softmax_dim(call)?;
            call.unary(|input| input.f_neg()?.f_softmax(dim, None))
        }),
        repr: "dim",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Softmax2d() -> Module",
        doc: "Softmax over the channels of (N, C, H, W) or (C, H, W).",
        example: "nn.Softmax2d()(torch.randn([2, 3, 4, 4])).shape",
        forward: Forward::Native(|call| {
            let dims = call.tensor(0)?.dim();
            if !(3..=4).contains(&dims) {
                return Err(Error::value(format!(
                    "Softmax2d: expected input to be 3D or 4D, got {dims}D instead"
                )));
            }
            call.unary(|input| input.f_softmax(-3, None))
        }),
        ..Class::LAYER
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// The dimension of a softmax; PyTorch's old rule where none was given.
fn softmax_dim(call: &Call<'_>) -> Result<i64> {
    let dim = call.state().opt_int("dim")?;
    Ok(match dim {
        Some(dim) => dim,
        None => i64::from(!matches!(call.tensor(0)?.dim(), 0 | 1 | 3)),
    })
}
