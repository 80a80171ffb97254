//! The optimisers' constructors and methods as scripts call them.

use flambeau_runtime::script::{Args, Function};
use flambeau_runtime::{Error, Result};
use rhai::Dynamic;

use super::adagrad::Adagrad;
use super::adam::Adam;
use super::adam_kin::{Adamax, NAdam, RAdam};
use super::algorithm::Algorithm;
use super::lbfgs::Lbfgs;
use super::optimizer::{Method, Optimizer};
use super::rmsprop::{Adadelta, RmsProp};
use super::sgd::Sgd;
use super::state;
use super::values::Values;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "optim.SGD(Any params, float lr=0.001, float momentum=0, float dampening=0, float weight_decay=0, bool nesterov=False, *, bool maximize=False, bool? foreach=None, bool differentiable=False, bool? fused=None) -> Optimizer",
        doc: "Stochastic gradient descent with momentum. `params` is a list of tensors, of [name, tensor] \
              pairs, or of maps with `params` and settings of their own. Where neither `fused` nor \
              `foreach` is given, libtorch's fused kernel is used where it can be.",
        example: "let w = torch.ones([2], requires_grad: true); optim.SGD([w], lr: 0.1, momentum: 0.9)",
        call: |args| construct(args, &Sgd),
    },
    Function {
        schema: "optim.Adam(Any params, float lr=0.001, float[2] betas=(0.9, 0.999), float eps=1e-08, float weight_decay=0, bool amsgrad=False, *, bool? foreach=None, bool maximize=False, bool capturable=False, bool differentiable=False, bool? fused=None, bool decoupled_weight_decay=False) -> Optimizer",
        doc: "Adam (Kingma & Ba, 2014). `fused: false` computes operation by operation, with the rounding \
              of PyTorch's default on the CPU; the fused kernel, used otherwise, is several times quicker.",
        example: "let w = torch.ones([2], requires_grad: true); optim.Adam([w], lr: 1e-3)",
        call: |args| construct(args, &Adam { decoupled: false }),
    },
    Function {
        schema: "optim.AdamW(Any params, float lr=0.001, float[2] betas=(0.9, 0.999), float eps=1e-08, float weight_decay=0.01, bool amsgrad=False, *, bool maximize=False, bool? foreach=None, bool capturable=False, bool differentiable=False, bool? fused=None) -> Optimizer",
        doc: "Adam with weight decay on the weights themselves (Loshchilov & Hutter, 2017). `fused` as \
              for Adam.",
        example: "let w = torch.ones([2], requires_grad: true); optim.AdamW([w], lr: 1e-3)",
        call: |args| construct(args, &Adam { decoupled: true }),
    },
    Function {
        schema: "optim.RMSprop(Any params, float lr=0.01, float alpha=0.99, float eps=1e-08, float weight_decay=0, float momentum=0, bool centered=False, bool capturable=False, bool? foreach=None, bool maximize=False, bool differentiable=False) -> Optimizer",
        doc: "Divides by a running average of the gradients' magnitude (Hinton, 2012).",
        example: "let w = torch.ones([2], requires_grad: true); optim.RMSprop([w], lr: 0.01)",
        call: |args| construct(args, &RmsProp),
    },
    Function {
        schema: "optim.Adagrad(Any params, float lr=0.01, float lr_decay=0, float weight_decay=0, float initial_accumulator_value=0, float eps=1e-10, bool? foreach=None, *, bool maximize=False, bool differentiable=False, bool? fused=None) -> Optimizer",
        doc: "Divides by the root of all squared gradients so far (Duchi et al., 2011).",
        example: "let w = torch.ones([2], requires_grad: true); optim.Adagrad([w], lr: 0.01)",
        call: |args| construct(args, &Adagrad),
    },
    Function {
        schema: "optim.Adadelta(Any params, float lr=1.0, float rho=0.9, float eps=1e-06, float weight_decay=0, bool? foreach=None, *, bool capturable=False, bool maximize=False, bool differentiable=False) -> Optimizer",
        doc: "Scales steps by running averages of gradients and of steps (Zeiler, 2012).",
        example: "let w = torch.ones([2], requires_grad: true); optim.Adadelta([w])",
        call: |args| construct(args, &Adadelta),
    },
    Function {
        schema: "optim.Adamax(Any params, float lr=0.002, float[2] betas=(0.9, 0.999), float eps=1e-08, float weight_decay=0, bool? foreach=None, *, bool maximize=False, bool differentiable=False, bool capturable=False) -> Optimizer",
        doc: "Adam with the infinity norm (Kingma & Ba, 2014).",
        example: "let w = torch.ones([2], requires_grad: true); optim.Adamax([w])",
        call: |args| construct(args, &Adamax),
    },
    Function {
        schema: "optim.NAdam(Any params, float lr=0.002, float[2] betas=(0.9, 0.999), float eps=1e-08, float weight_decay=0, float momentum_decay=0.004, bool decoupled_weight_decay=False, *, bool? foreach=None, bool maximize=False, bool capturable=False, bool differentiable=False) -> Optimizer",
        doc: "Adam with Nesterov momentum (Dozat, 2016).",
        example: "let w = torch.ones([2], requires_grad: true); optim.NAdam([w])",
        call: |args| construct(args, &NAdam),
    },
    Function {
        schema: "optim.RAdam(Any params, float lr=0.001, float[2] betas=(0.9, 0.999), float eps=1e-08, float weight_decay=0, bool decoupled_weight_decay=False, *, bool? foreach=None, bool maximize=False, bool capturable=False, bool differentiable=False) -> Optimizer",
        doc: "Adam whose first steps wait for a known variance (Liu et al., 2019).",
        example: "let w = torch.ones([2], requires_grad: true); optim.RAdam([w])",
        call: |args| construct(args, &RAdam),
    },
    Function {
        schema: "optim.LBFGS(Any params, float lr=1, int max_iter=20, int? max_eval=None, float tolerance_grad=1e-07, float tolerance_change=1e-09, int history_size=100, str? line_search_fn=None) -> Optimizer",
        doc: "The L-BFGS method; `line_search_fn` is () or 'strong_wolfe'. step() needs a closure that \
              clears the gradients, computes the loss, calls backward and gives the loss.",
        example: "let w = torch.ones([2], requires_grad: true); let opt = optim.LBFGS([w]); opt.step(|| { w.grad = (); let loss = (w * w).sum(); loss.backward(); loss })",
        call: lbfgs,
    },
    Function {
        schema: "Optimizer.step(Optimizer self, Function? closure=None) -> Any",
        doc: "Updates the parameters from their gradients. A closure that is given is called first (with \
              gradients on), and its result is the result.",
        example: "let w = torch.ones([2], requires_grad: true); let opt = optim.SGD([w]); (w * w).sum().backward(); opt.step()",
        call: |args| {
            let optimizer = args.object::<Optimizer>(0)?;
            if args.is_none(1) {
                return optimizer.step(None, args.ctx());
            }
            let closure = args.callable(1)?;
            optimizer.step(Some(&closure), args.ctx())
        },
    },
    Function {
        schema: "Optimizer.zero_grad(Optimizer self, bool set_to_none=True) -> ()",
        doc: "Clears the gradients of all parameters: to (), or to zeros.",
        example: "let w = torch.ones([2], requires_grad: true); optim.SGD([w]).zero_grad()",
        call: |args| {
            args.object::<Optimizer>(0)?.zero_grad(args.bool(1)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Optimizer.add_param_group(Optimizer self, Map param_group) -> ()",
        doc: "Adds a group: a map with `params` and settings that differ from the defaults.",
        example: "let w = torch.ones([2], requires_grad: true); let b = torch.zeros([1], requires_grad: true); optim.SGD([w]).add_param_group(#{params: [b], lr: 0.1})",
        call: |args| {
            let optimizer = args.object::<Optimizer>(0)?;
            if matches!(optimizer.0.method, Method::Lbfgs(_)) {
                return Err(one_group());
            }
            let group = args.map(1)?;
            optimizer.add_group(group, args.ctx())?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Optimizer.state_dict(Optimizer self) -> Map",
        doc: "State and settings in PyTorch's structure: #{state, param_groups}. `state` holds the state \
              of parameter 0 under \"0\", and so on.",
        example: "let w = torch.ones([2], requires_grad: true); optim.SGD([w]).state_dict()",
        call: |args| Ok(Dynamic::from_map(state::state_dict(&args.object::<Optimizer>(0)?)?)),
    },
    Function {
        schema: "Optimizer.load_state_dict(Optimizer self, Map state_dict) -> ()",
        doc: "Takes state and settings over, copied; refuses a dict that does not fit without changing \
              anything.",
        example: "let w = torch.ones([2], requires_grad: true); let opt = optim.SGD([w]); opt.load_state_dict(opt.state_dict())",
        call: |args| {
            let optimizer = args.object::<Optimizer>(0)?;
            let dict = args.map(1)?;
            state::load_state_dict(&optimizer, &dict)?;
            Ok(Dynamic::UNIT)
        },
    },
];

/// The settings after `params`, by name.
fn settings(args: &mut Args<'_>) -> Values {
    let names: Vec<String> =
        args.schema().arguments.iter().skip(1).map(|argument| argument.name.clone()).collect();
    names.into_iter().enumerate().map(|(i, name)| (name, args.take(i + 1))).collect()
}

fn construct(args: &mut Args<'_>, algorithm: &'static dyn Algorithm) -> Result<Dynamic> {
    let mut values = settings(args);
    if algorithm.name() == "AdamW" {
        values.set("decoupled_weight_decay", Dynamic::TRUE);
    }
    algorithm.check(&values)?;
    let params = args.take(0);
    let optimizer = Optimizer::new(Method::Lists(algorithm), &params, values, args.ctx())?;
    Ok(Dynamic::from(optimizer))
}

fn one_group() -> Error {
    Error::value("LBFGS doesn't support per-parameter options (parameter groups)")
}

fn lbfgs(args: &mut Args<'_>) -> Result<Dynamic> {
    let mut values = settings(args);
    if values.float("lr")? < 0.0 {
        return Err(Error::value(format!("Invalid learning rate: {}", values.float("lr")?)));
    }
    if values.get("max_eval").is_none_or(Dynamic::is_unit) {
        values.set("max_eval", Dynamic::from_int(values.int("max_iter")? * 5 / 4));
    }
    let params = args.take(0);
    let optimizer = Optimizer::new(Method::Lbfgs(Lbfgs::default()), &params, values, args.ctx())?;
    if optimizer.groups().len() != 1 {
        return Err(one_group());
    }
    Ok(Dynamic::from(optimizer))
}
