//! `nn.init.*` as scripts call them; the formulas are in [`super::init`].

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Args, Function};
use rhai::Dynamic;

use super::init;

/// The tensor that was written, as these functions return it.
fn done(args: &mut Args<'_>) -> Result<Dynamic> {
    Ok(args.take(0))
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "nn.init.uniform_(Tensor(a!) tensor, float a=0.0, float b=1.0, Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor with values from the uniform distribution U(a, b).",
        example: "nn.init.uniform_(torch.empty([3, 5]))",
        call: |args| {
            let bounds = (args.float(1)?, args.float(2)?);
            init::random(args.ctx(), "uniform_", &args.tensor(0)?, bounds, args.opt_generator(3)?)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.normal_(Tensor(a!) tensor, float mean=0.0, float std=1.0, Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor with values from the normal distribution N(mean, std²).",
        example: "nn.init.normal_(torch.empty([3, 5]), std: 0.02)",
        call: |args| {
            let moments = (args.float(1)?, args.float(2)?);
            init::random(args.ctx(), "normal_", &args.tensor(0)?, moments, args.opt_generator(3)?)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.trunc_normal_(Tensor(a!) tensor, float mean=0.0, float std=1.0, float a=-2.0, float b=2.0, Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor with values from N(mean, std²), redrawn outside [a, b].",
        example: "nn.init.trunc_normal_(torch.empty([3, 5]), std: 0.02)",
        call: |args| {
            let moments = (args.float(1)?, args.float(2)?);
            let cut = (args.float(3)?, args.float(4)?);
            let generator = args.opt_generator(5)?;
            init::trunc_normal(args.ctx(), &args.tensor(0)?, moments, cut, generator)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.constant_(Tensor(a!) tensor, float val) -> Tensor(a!)",
        doc: "Fills the tensor with one value.",
        example: "nn.init.constant_(torch.empty([3, 5]), 0.3)",
        call: |args| {
            init::constant(&args.tensor(0)?, args.float(1)?)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.ones_(Tensor(a!) tensor) -> Tensor(a!)",
        doc: "Fills the tensor with 1.",
        example: "nn.init.ones_(torch.empty([3, 5]))",
        call: |args| {
            init::constant(&args.tensor(0)?, 1.0)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.zeros_(Tensor(a!) tensor) -> Tensor(a!)",
        doc: "Fills the tensor with 0.",
        example: "nn.init.zeros_(torch.empty([3, 5]))",
        call: |args| {
            init::constant(&args.tensor(0)?, 0.0)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.eye_(Tensor(a!) tensor) -> Tensor(a!)",
        doc: "Fills a matrix with the identity.",
        example: "nn.init.eye_(torch.empty([3, 5]))",
        call: |args| {
            init::eye(&args.tensor(0)?)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.dirac_(Tensor(a!) tensor, int groups=1) -> Tensor(a!)",
        doc: "Fills the weight of a convolution so that it passes as many channels on as it can.",
        example: "nn.init.dirac_(torch.empty([3, 16, 5]))",
        call: |args| {
            init::dirac(&args.tensor(0)?, args.int(1)?)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.xavier_uniform_(Tensor(a!) tensor, float gain=1.0, Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor from U(-a, a) with a = gain · √(6 / (fan_in + fan_out)): Glorot and Bengio (2010).",
        example: "nn.init.xavier_uniform_(torch.empty([3, 5]), gain: nn.init.calculate_gain(\"relu\"))",
        call: |args| {
            let tensor = args.tensor(0)?;
            let bound = 3f64.sqrt() * init::xavier_std(&tensor, args.float(1)?)?;
            init::random(args.ctx(), "uniform_", &tensor, (-bound, bound), args.opt_generator(2)?)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.xavier_normal_(Tensor(a!) tensor, float gain=1.0, Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor from N(0, std²) with std = gain · √(2 / (fan_in + fan_out)): Glorot and Bengio (2010).",
        example: "nn.init.xavier_normal_(torch.empty([3, 5]))",
        call: |args| {
            let tensor = args.tensor(0)?;
            let std = init::xavier_std(&tensor, args.float(1)?)?;
            init::random(args.ctx(), "normal_", &tensor, (0.0, std), args.opt_generator(2)?)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.kaiming_uniform_(Tensor(a!) tensor, float a=0, str mode='fan_in', str nonlinearity='leaky_relu', Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor from U(-bound, bound) with bound = gain · √(3 / fan): He et al. (2015). `a` is the negative slope of a leaky ReLU.",
        example: "nn.init.kaiming_uniform_(torch.empty([3, 5]), nonlinearity: \"relu\")",
        call: |args| {
            let tensor = args.tensor(0)?;
            let std = init::kaiming_std(&tensor, args.float(1)?, &args.str(2)?, &args.str(3)?)?;
            if let Some(std) = std {
                let bound = 3f64.sqrt() * std;
                let generator = args.opt_generator(4)?;
                init::random(args.ctx(), "uniform_", &tensor, (-bound, bound), generator)?;
            }
            done(args)
        },
    },
    Function {
        schema: "nn.init.kaiming_normal_(Tensor(a!) tensor, float a=0, str mode='fan_in', str nonlinearity='leaky_relu', Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor from N(0, std²) with std = gain / √fan: He et al. (2015).",
        example: "nn.init.kaiming_normal_(torch.empty([3, 5]), mode: \"fan_out\", nonlinearity: \"relu\")",
        call: |args| {
            let tensor = args.tensor(0)?;
            let std = init::kaiming_std(&tensor, args.float(1)?, &args.str(2)?, &args.str(3)?)?;
            if let Some(std) = std {
                let generator = args.opt_generator(4)?;
                init::random(args.ctx(), "normal_", &tensor, (0.0, std), generator)?;
            }
            done(args)
        },
    },
    Function {
        schema: "nn.init.orthogonal_(Tensor(a!) tensor, float gain=1, Generator? generator=None) -> Tensor(a!)",
        doc: "Fills the tensor with a (semi-)orthogonal matrix: Saxe et al. (2013).",
        example: "nn.init.orthogonal_(torch.empty([3, 5]))",
        call: |args| {
            let generator = args.opt_generator(2)?;
            init::orthogonal(args.ctx(), &args.tensor(0)?, args.float(1)?, generator)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.sparse_(Tensor(a!) tensor, float sparsity, float std=0.01, Generator? generator=None) -> Tensor(a!)",
        doc: "Fills a matrix from N(0, std²) and sets a share of each column to zero: Martens (2010).",
        example: "nn.init.sparse_(torch.empty([3, 5]), sparsity: 0.1)",
        call: |args| {
            let (sparsity, std) = (args.float(1)?, args.float(2)?);
            let generator = args.opt_generator(3)?;
            init::sparse(args.ctx(), &args.tensor(0)?, sparsity, std, generator)?;
            done(args)
        },
    },
    Function {
        schema: "nn.init.calculate_gain(str nonlinearity, float? param=None) -> float",
        doc: "The recommended gain for a nonlinearity: 1 for linear layers and sigmoid, 5/3 for tanh, √2 for ReLU, √(2 / (1 + slope²)) for leaky ReLU, 3/4 for SELU.",
        example: "nn.init.calculate_gain(\"leaky_relu\", 0.2)",
        call: |args| Ok(init::gain(&args.str(0)?, args.opt_float(1)?)?.into()),
    },
];
