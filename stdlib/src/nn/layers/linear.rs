//! Linear maps: Linear, Bilinear, Identity.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function};

use super::super::class::{Class, Forward, constructors, value};
use super::super::factory::Factory;
use super::super::init;
use super::super::module::Module;

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.Linear(int in_features, int out_features, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "y = x Aᵀ + b over the last dimension: (*, in_features) to (*, out_features). \
              Parameters: `weight` (out_features, in_features), `bias` (out_features), both from \
              U(-√k, √k) with k = 1 / in_features.",
        example: "let m = nn.Linear(20, 30);\nm(torch.randn([128, 20])).shape",
        build: linear,
        forward: Forward::Native(|call| {
            let state = call.state();
            let weight = state.parameter("weight")?;
            let bias = state.opt_parameter("bias");
            call.unary(|input| input.f_linear(weight, bias.map(AsRef::as_ref)))
        }),
        repr: "in_features, out_features, bias",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Bilinear(int in1_features, int in2_features, int out_features, bool bias=True, Device? device=None, ScalarType? dtype=None) -> Module",
        doc: "y = x₁ᵀ A x₂ + b: (*, in1_features) and (*, in2_features) to (*, out_features).",
        example: "let m = nn.Bilinear(20, 30, 40);\nm(torch.randn([128, 20]), torch.randn([128, 30])).shape",
        build: bilinear,
        inputs: &["input1", "input2"],
        forward: Forward::Native(|call| {
            let state = call.state();
            let (input1, input2) = (call.tensor(0)?, call.tensor(1)?);
            let weight = state.parameter("weight")?;
            let bias = state.opt_parameter("bias").map(AsRef::as_ref);
            Ok(value(tch::Tensor::f_bilinear(&input1, &input2, weight, bias)?))
        }),
        repr: "in1_features, in2_features, out_features, bias",
        ..Class::LAYER
    },
    Class {
        schema: "nn.Identity(*Any args, **Any kwargs) -> Module",
        doc: "Gives its input back, whatever it was made with.",
        example: "nn.Identity()(torch.ones([2]))",
        forward: Forward::Native(|call| Ok(call.value(0).clone())),
        ..Class::LAYER
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// Parameters of a Linear layer, started as PyTorch starts them.
fn linear(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let (inputs, outputs) = (args.int(0)?, args.int(1)?);
    let factory = Factory::of(args)?;
    let weight = factory.parameter(&[outputs, inputs])?;
    let bias = if args.bool(2)? { Some(factory.parameter(&[outputs])?) } else { None };
    init::linear_layer(&weight, bias.as_ref())?;
    module.put_parameter("weight", Some(weight))?;
    module.put_parameter("bias", bias)
}

fn bilinear(module: &Module, args: &mut Args<'_>) -> Result<()> {
    let (in1, in2, outputs) = (args.int(0)?, args.int(1)?, args.int(2)?);
    if in1 <= 0 {
        return Err(Error::value(format!(
            "in1_features must be > 0, but got (in1_features={in1})"
        )));
    }
    let factory = Factory::of(args)?;
    let weight = factory.parameter(&[outputs, in1, in2])?;
    let bias = if args.bool(3)? { Some(factory.parameter(&[outputs])?) } else { None };
    let bound = 1.0 / (in1 as f64).sqrt();
    init::uniform(&weight, -bound, bound)?;
    if let Some(bias) = &bias {
        init::uniform(bias, -bound, bound)?;
    }
    module.put_parameter("weight", Some(weight))?;
    module.put_parameter("bias", bias)
}
