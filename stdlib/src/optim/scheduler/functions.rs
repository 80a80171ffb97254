//! The schedulers' constructors and methods as scripts call them.

use flambeau_runtime::Error;
use flambeau_runtime::script::Function;
use rhai::Dynamic;

use super::constructors::{
    closures, cyclic, linear, one_cycle, reduce_on_plateau, schedulers, simple, step, warm_restarts,
};
use super::{Rule, Scheduler, composite, state};
use crate::optim::optimizer::Optimizer;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "optim.lr_scheduler.LambdaLR(Optimizer optimizer, Any lr_lambda, int last_epoch=-1) -> LRScheduler",
        doc: "The initial rate times what a closure makes of the epoch; one closure, or one per group.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.LambdaLR(opt, |epoch| 0.95 ** epoch)",
        call: |args| {
            let closures = closures(args)?;
            simple(args, Rule::Lambda(closures), 2)
        },
    },
    Function {
        schema: "optim.lr_scheduler.MultiplicativeLR(Optimizer optimizer, Any lr_lambda, int last_epoch=-1) -> LRScheduler",
        doc: "The rate before times what a closure makes of the epoch.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.MultiplicativeLR(opt, |epoch| 0.95)",
        call: |args| {
            let closures = closures(args)?;
            simple(args, Rule::Multiplicative(closures), 2)
        },
    },
    Function {
        schema: "optim.lr_scheduler.StepLR(Optimizer optimizer, int step_size, float gamma=0.1, int last_epoch=-1) -> LRScheduler",
        doc: "Multiplies the rate by gamma every `step_size` epochs.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.StepLR(opt, 30)",
        call: |args| {
            let step_size = args.int(1)?;
            if step_size <= 0 {
                return Err(Error::value(format!("step_size must be positive, got {step_size}")));
            }
            let rule = Rule::Step { step_size, gamma: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.MultiStepLR(Optimizer optimizer, int[] milestones, float gamma=0.1, int last_epoch=-1) -> LRScheduler",
        doc: "Multiplies the rate by gamma at each of the milestones.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.MultiStepLR(opt, [30, 80])",
        call: |args| {
            let rule = Rule::MultiStep { milestones: args.ints(1)?, gamma: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.ConstantLR(Optimizer optimizer, float factor=0.3333333333333333, int total_iters=5, int last_epoch=-1) -> LRScheduler",
        doc: "The rate times `factor` until `total_iters` epochs have passed.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ConstantLR(opt, factor: 0.5)",
        call: |args| {
            let factor = args.float(1)?;
            if !(0.0..=1.0).contains(&factor) {
                return Err(Error::value(
                    "Constant multiplicative factor expected to be between 0 and 1.",
                ));
            }
            let rule = Rule::Constant { factor, total_iters: args.int(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.LinearLR(Optimizer optimizer, float start_factor=0.3333333333333333, float end_factor=1.0, int total_iters=5, int last_epoch=-1) -> LRScheduler",
        doc: "The rate times a factor that goes linearly from `start_factor` to `end_factor`.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.LinearLR(opt, total_iters: 10)",
        call: linear,
    },
    Function {
        schema: "optim.lr_scheduler.ExponentialLR(Optimizer optimizer, float gamma, int last_epoch=-1) -> LRScheduler",
        doc: "Multiplies the rate by gamma in every epoch.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9)",
        call: |args| {
            let rule = Rule::Exponential { gamma: args.float(1)? };
            simple(args, rule, 2)
        },
    },
    Function {
        schema: "optim.lr_scheduler.PolynomialLR(Optimizer optimizer, int total_iters=5, float power=1.0, int last_epoch=-1) -> LRScheduler",
        doc: "The rate times (1 - epoch / total_iters) ** power.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.PolynomialLR(opt, total_iters: 10, power: 2)",
        call: |args| {
            let rule = Rule::Polynomial { total_iters: args.int(1)?, power: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.CosineAnnealingLR(Optimizer optimizer, int T_max, float eta_min=0.0, int last_epoch=-1) -> LRScheduler",
        doc: "Half a cosine from the rate to `eta_min` in `T_max` epochs (Loshchilov & Hutter, 2016).",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.CosineAnnealingLR(opt, T_max: 100)",
        call: |args| {
            let rule = Rule::Cosine { t_max: args.int(1)?, eta_min: args.float(2)? };
            simple(args, rule, 3)
        },
    },
    Function {
        schema: "optim.lr_scheduler.CosineAnnealingWarmRestarts(Optimizer optimizer, int T_0, int T_mult=1, float eta_min=0.0, int last_epoch=-1) -> LRScheduler",
        doc: "Half cosines that start anew after T_0 epochs, each T_mult times as long as the one before.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 10)",
        call: warm_restarts,
    },
    Function {
        schema: "optim.lr_scheduler.CyclicLR(Optimizer optimizer, Any base_lr, Any max_lr, int step_size_up=2000, int? step_size_down=None, str mode='triangular', float gamma=1.0, Function? scale_fn=None, str scale_mode='cycle', bool cycle_momentum=True, Any base_momentum=0.8, Any max_momentum=0.9, int last_epoch=-1) -> LRScheduler",
        doc: "A triangle wave between two rates (Smith, 2017), with momentum the other way. Modes \
              'triangular', 'triangular2', 'exp_range', or a closure `scale_fn`.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)], momentum: 0.9); optim.lr_scheduler.CyclicLR(opt, 0.01, 0.1, step_size_up: 5)",
        call: cyclic,
    },
    Function {
        schema: "optim.lr_scheduler.OneCycleLR(Optimizer optimizer, Any max_lr, int? total_steps=None, int? epochs=None, int? steps_per_epoch=None, float pct_start=0.3, str anneal_strategy='cos', bool cycle_momentum=True, Any base_momentum=0.85, Any max_momentum=0.95, float div_factor=25.0, float final_div_factor=10000.0, bool three_phase=False, int last_epoch=-1) -> LRScheduler",
        doc: "Up to `max_lr` and down to almost nothing, once in `total_steps` steps (Smith & Topin, \
              2017). Call step() after every batch.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)], momentum: 0.9); optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps: 100)",
        call: one_cycle,
    },
    Function {
        schema: "optim.lr_scheduler.ReduceLROnPlateau(Optimizer optimizer, str mode='min', float factor=0.1, int patience=10, float threshold=0.0001, str threshold_mode='rel', int cooldown=0, Any min_lr=0, float eps=1e-08) -> LRScheduler",
        doc: "Lowers the rate by `factor` when the metric given to step() has not improved for `patience` \
              epochs.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ReduceLROnPlateau(opt).step(0.5)",
        call: reduce_on_plateau,
    },
    Function {
        schema: "optim.lr_scheduler.SequentialLR(Optimizer optimizer, LRScheduler[] schedulers, int[] milestones, int last_epoch=-1) -> LRScheduler",
        doc: "One scheduler after the other, the next from each milestone on.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.SequentialLR(opt, [optim.lr_scheduler.ConstantLR(opt), optim.lr_scheduler.ExponentialLR(opt, 0.9)], [5])",
        call: |args| {
            let (optimizer, list) = (args.object::<Optimizer>(0)?, schedulers(args, 1)?);
            let (milestones, last) = (args.ints(2)?, args.int(3)?);
            let scheduler =
                composite::new_sequential(optimizer, list, milestones, last, args.ctx())?;
            Ok(Dynamic::from(scheduler))
        },
    },
    Function {
        schema: "optim.lr_scheduler.ChainedScheduler(LRScheduler[] schedulers, Optimizer? optimizer=None) -> LRScheduler",
        doc: "Several schedulers, all stepped at once.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ChainedScheduler([optim.lr_scheduler.ConstantLR(opt), optim.lr_scheduler.ExponentialLR(opt, 0.9)])",
        call: |args| {
            let list = schedulers(args, 0)?;
            let optimizer = if args.is_none(1) { None } else { Some(args.object::<Optimizer>(1)?) };
            Ok(Dynamic::from(composite::new_chained(list, optimizer)?))
        },
    },
    Function {
        schema: "LRScheduler.step(LRScheduler self, Any metrics=None, int? epoch=None) -> ()",
        doc: "Moves on by one epoch (or to `epoch`) and writes the rates into the optimiser's groups. \
              ReduceLROnPlateau takes the metric first.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9).step()",
        call: step,
    },
    Function {
        schema: "LRScheduler.get_last_lr(LRScheduler self) -> float[]",
        doc: "The rates that the last step wrote, one per group.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9).get_last_lr()",
        call: |args| {
            let rates = args.object::<Scheduler>(0)?.last_lr();
            Ok(Dynamic::from_array(rates.into_iter().map(Dynamic::from_float).collect()))
        },
    },
    Function {
        schema: "LRScheduler.state_dict(LRScheduler self) -> Map",
        doc: "Where the scheduler is, with PyTorch's keys; closures are left out.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); optim.lr_scheduler.ExponentialLR(opt, 0.9).state_dict()",
        call: |args| Ok(Dynamic::from_map(state::state_map(&args.object::<Scheduler>(0)?)?)),
    },
    Function {
        schema: "LRScheduler.load_state_dict(LRScheduler self, Map state_dict) -> ()",
        doc: "Goes on from where a scheduler of the same class was.",
        example: "let opt = optim.SGD([torch.ones([1], requires_grad: true)]); let s = optim.lr_scheduler.ExponentialLR(opt, 0.9); s.load_state_dict(s.state_dict())",
        call: |args| {
            let scheduler = args.object::<Scheduler>(0)?;
            state::load(&scheduler, &args.map(1)?)?;
            Ok(Dynamic::UNIT)
        },
    },
];
