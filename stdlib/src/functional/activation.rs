//! Activations: PyTorch's signatures over libtorch's operators, with `inplace`.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::common::{value, with_inplace};
use super::numbers::WithNumber;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.nn.functional.relu(Tensor input, bool inplace=False) -> Tensor",
        doc: "The rectified linear unit, max(x, 0), element by element.",
        example: "F.relu(torch.tensor([-1.0, 2.0]))",
        call: relu,
    },
    Function {
        schema: "torch.nn.functional.relu6(Tensor input, bool inplace=False) -> Tensor",
        doc: "min(max(x, 0), 6), element by element.",
        example: "F.relu6(torch.tensor([-1.0, 8.0]))",
        call: |args| with_inplace(args, 1, "relu6", "relu6_"),
    },
    Function {
        schema: "torch.nn.functional.elu(Tensor input, float alpha=1.0, bool inplace=False) -> Tensor",
        doc: "The exponential linear unit: x where x > 0, alpha * (exp(x) - 1) elsewhere.",
        example: "F.elu(torch.tensor([-1.0, 2.0]), alpha: 0.5)",
        call: |args| with_inplace(args, 2, "elu", "elu_"),
    },
    Function {
        schema: "torch.nn.functional.selu(Tensor input, bool inplace=False) -> Tensor",
        doc: "The self-normalising exponential linear unit (Klambauer et al., 2017).",
        example: "F.selu(torch.tensor([-1.0, 2.0]))",
        call: |args| with_inplace(args, 1, "selu", "selu_"),
    },
    Function {
        schema: "torch.nn.functional.celu(Tensor input, float alpha=1.0, bool inplace=False) -> Tensor",
        doc: "max(0, x) + min(0, alpha * (exp(x / alpha) - 1)), element by element.",
        example: "F.celu(torch.tensor([-1.0, 2.0]))",
        call: |args| with_inplace(args, 2, "celu", "celu_"),
    },
    Function {
        schema: "torch.nn.functional.leaky_relu(Tensor input, float negative_slope=0.01, bool inplace=False) -> Tensor",
        doc: "x where x > 0, negative_slope * x elsewhere.",
        example: "F.leaky_relu(torch.tensor([-1.0, 2.0]), 0.1)",
        call: |args| with_inplace(args, 2, "leaky_relu", "leaky_relu_"),
    },
    Function {
        schema: "torch.nn.functional.rrelu(Tensor input, float lower=0.125, float upper=0.3333333333333333, bool training=False, bool inplace=False) -> Tensor",
        doc: "Leaky ReLU whose slope is drawn from [lower, upper] in training, and their mean otherwise.",
        example: "F.rrelu(torch.tensor([-1.0, 2.0]))",
        call: |args| with_inplace(args, 4, "rrelu", "rrelu_"),
    },
    Function {
        schema: "torch.nn.functional.hardtanh(Tensor input, float min_val=-1.0, float max_val=1.0, bool inplace=False) -> Tensor",
        doc: "Clamps every element to [min_val, max_val].",
        example: "F.hardtanh(torch.tensor([-3.0, 0.5]))",
        call: hardtanh,
    },
    Function {
        schema: "torch.nn.functional.hardsigmoid(Tensor input, bool inplace=False) -> Tensor",
        doc: "relu6(x + 3) / 6, element by element.",
        example: "F.hardsigmoid(torch.tensor([-1.0, 2.0]))",
        call: |args| with_inplace(args, 1, "hardsigmoid", "hardsigmoid_"),
    },
    Function {
        schema: "torch.nn.functional.hardswish(Tensor input, bool inplace=False) -> Tensor",
        doc: "x * relu6(x + 3) / 6, element by element.",
        example: "F.hardswish(torch.tensor([-1.0, 2.0]))",
        call: |args| with_inplace(args, 1, "hardswish", "hardswish_"),
    },
    Function {
        schema: "torch.nn.functional.silu(Tensor input, bool inplace=False) -> Tensor",
        doc: "x * sigmoid(x), also called swish.",
        example: "F.silu(torch.tensor([-1.0, 2.0]))",
        call: |args| with_inplace(args, 1, "silu", "silu_"),
    },
    Function {
        schema: "torch.nn.functional.mish(Tensor input, bool inplace=False) -> Tensor",
        doc: "x * tanh(softplus(x)), element by element.",
        example: "F.mish(torch.tensor([-1.0, 2.0]))",
        call: |args| with_inplace(args, 1, "mish", "mish_"),
    },
    Function {
        schema: "torch.nn.functional.threshold(Tensor input, float threshold, float value, bool inplace=False) -> Tensor",
        doc: "x where x > threshold, value elsewhere.",
        example: "F.threshold(torch.tensor([-1.0, 2.0]), 0.5, 9.0)",
        call: |args| with_inplace(args, 3, "threshold", "threshold_"),
    },
    Function {
        schema: "torch.nn.functional.logsigmoid(Tensor input) -> Tensor",
        doc: "log(sigmoid(x)), computed without overflow.",
        example: "F.logsigmoid(torch.tensor([-1.0, 2.0]))",
        call: |args| Ok(value(args.tensor(0)?.f_log_sigmoid()?)),
    },
    Function {
        schema: "torch.nn.functional.tanhshrink(Tensor input) -> Tensor",
        doc: "x - tanh(x), element by element.",
        example: "F.tanhshrink(torch.tensor([-1.0, 2.0]))",
        call: |args| {
            let x = args.tensor(0)?;
            Ok(value(x.f_sub(&x.f_tanh()?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.softsign(Tensor input) -> Tensor",
        doc: "x / (1 + |x|), element by element.",
        example: "F.softsign(torch.tensor([-1.0, 2.0]))",
        call: |args| {
            let x = args.tensor(0)?;
            Ok(value(x.f_div(&x.f_abs()?.add_number(1)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.softmax(Tensor input, int? dim=None, int _stacklevel=3, ScalarType? dtype=None) -> Tensor",
        doc: "exp(x) divided by its sum along `dim`.",
        example: "F.softmax(torch.tensor([1.0, 2.0]), dim: 0)",
        call: |args| {
            let x = args.tensor(0)?;
            Ok(value(x.f_softmax(softmax_dim(args, &x)?, kind(args)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.log_softmax(Tensor input, int? dim=None, int _stacklevel=3, ScalarType? dtype=None) -> Tensor",
        doc: "The logarithm of the softmax along `dim`, computed without overflow.",
        example: "F.log_softmax(torch.tensor([1.0, 2.0]), dim: 0)",
        call: |args| {
            let x = args.tensor(0)?;
            Ok(value(x.f_log_softmax(softmax_dim(args, &x)?, kind(args)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.softmin(Tensor input, int? dim=None, int _stacklevel=3, ScalarType? dtype=None) -> Tensor",
        doc: "The softmax of -x along `dim`.",
        example: "F.softmin(torch.tensor([1.0, 2.0]), dim: 0)",
        call: |args| {
            let x = args.tensor(0)?;
            Ok(value(x.f_neg()?.f_softmax(softmax_dim(args, &x)?, kind(args)?)?))
        },
    },
    Function {
        schema: "torch.nn.functional.gumbel_softmax(Tensor logits, float tau=1, bool hard=False, float eps=1e-10, int dim=-1) -> Tensor",
        doc: "A sample from the Gumbel-softmax distribution (Jang et al., 2016); with `hard` a one-hot \
              vector whose gradient is that of the soft sample. `eps` has no effect.",
        example: "F.gumbel_softmax(torch.zeros([2, 3]), tau: 0.5, hard: true)",
        call: gumbel_softmax,
    },
    Function {
        schema: "torch.nn.functional.linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
        doc: "x @ weight.T + bias; `weight` is (out_features, in_features).",
        example: "F.linear(torch.ones([2, 3]), torch.ones([4, 3]), torch.zeros([4]))",
        call: linear,
    },
];

fn relu(args: &mut Args<'_>) -> Result<Dynamic> {
    let x = args.tensor(0)?;
    Ok(value(if args.bool(1)? { x.into_tch().f_relu_()? } else { x.f_relu()? }))
}

fn linear(args: &mut Args<'_>) -> Result<Dynamic> {
    let (x, weight, bias) = (args.tensor(0)?, args.tensor(1)?, args.opt_tensor(2)?);
    Ok(value(x.f_linear(&weight, bias.as_deref())?))
}

fn hardtanh(args: &mut Args<'_>) -> Result<Dynamic> {
    if args.float(1)? > args.float(2)? {
        return Err(Error::value("min_val cannot be greater than max_val"));
    }
    with_inplace(args, 3, "hardtanh", "hardtanh_")
}

fn kind(args: &Args<'_>) -> Result<Option<tch::Kind>> {
    args.opt_dtype(3)?.map(|dtype| dtype.kind()).transpose()
}

/// The dimension at argument 1, or PyTorch's old choice where none was given.
fn softmax_dim(args: &Args<'_>, x: &tch::Tensor) -> Result<i64> {
    Ok(match args.opt_int(1)? {
        Some(dim) => dim,
        None => i64::from(!matches!(x.dim(), 0 | 1 | 3)),
    })
}

fn gumbel_softmax(args: &mut Args<'_>) -> Result<Dynamic> {
    let (logits, tau, hard, dim) = (args.tensor(0)?, args.float(1)?, args.bool(2)?, args.int(4)?);
    let noise = logits.f_detach()?.f_empty_like()?.f_contiguous()?.f_exponential_(1.0)?;
    let soft = logits.f_add(&noise.f_log()?.f_neg()?)?.div_number(tau)?.f_softmax(dim, None)?;
    if !hard {
        return Ok(value(soft));
    }
    let (_, index) = soft.f_max_dim(dim, true)?;
    let one_hot =
        soft.f_detach()?.f_zeros_like()?.f_contiguous()?.scatter_number_(dim, &index, 1.0)?;
    // The value is the one-hot vector, the gradient that of the soft sample.
    Ok(value(one_hot.f_sub(&soft.f_detach()?)?.f_add(&soft)?))
}
