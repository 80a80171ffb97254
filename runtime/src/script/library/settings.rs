//! Switches of the whole process: dtypes, threads, printing, grad modes.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::device::{default_device, set_default_device};
use crate::script::function::{Args, Function};
use crate::torch::{Device, Dtype, PrintOptions, shim};

/// More threads than any machine has cores; a process that asks for more may not get them and ends.
const MOST_THREADS: i32 = 4096;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.get_default_dtype() -> ScalarType",
        doc: "The dtype of new float tensors.",
        example: "print(torch.get_default_dtype());",
        call: |_| Ok(Dynamic::from(shim::default_dtype())),
    },
    Function {
        schema: "torch.set_default_dtype(ScalarType d) -> None",
        doc: "Sets the dtype of new float tensors: float16, bfloat16, float32 or float64.",
        example: "torch.set_default_dtype(torch.float32);",
        call: |args| {
            let dtype = args.opt_dtype(0)?.ok_or_else(|| args.mismatch(0, "a dtype"))?;
            if ![Dtype::FLOAT16, Dtype::BFLOAT16, Dtype::FLOAT32, Dtype::FLOAT64].contains(&dtype) {
                return Err(Error::type_(format!(
                    "only floating-point dtypes can be the default dtype, not {dtype}"
                )));
            }
            shim::set_default_dtype(dtype)?;
            args.ctx().state().print_options.borrow_mut().default_dtype = dtype;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.get_default_device() -> Device",
        doc: "Where new tensors and the parameters of new layers are made.",
        example: "print(torch.get_default_device());",
        call: |_| Ok(Dynamic::from(default_device().unwrap_or(Device::CPU))),
    },
    Function {
        schema: "torch.set_default_device(Device? device) -> None",
        doc: "Sets where new tensors and the parameters of new layers are made, unless `device` says otherwise; () is \
              the CPU. <https://pytorch.org/docs/stable/generated/torch.set_default_device.html>",
        example: "torch.set_default_device(\"cpu\");\nprint(torch.zeros([2]).device);",
        call: |args| {
            set_default_device(args.opt_device(0)?.unwrap_or(Device::CPU))?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.set_num_threads(int num) -> None",
        doc: "How many threads an operator may use on the CPU.",
        example: "torch.set_num_threads(1);",
        call: |args| {
            shim::set_threads(threads(args)?, 0)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.get_num_threads() -> int",
        doc: "How many threads an operator may use on the CPU.",
        example: "print(torch.get_num_threads() >= 1);",
        call: |_| Ok(Dynamic::from_int(i64::from(tch::get_num_threads()))),
    },
    Function {
        schema: "torch.set_num_interop_threads(int num) -> None",
        doc: "How many operators may run at once on the CPU; once, before any work.",
        example: "",
        call: |args| {
            shim::set_threads(0, threads(args)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.get_num_interop_threads() -> int",
        doc: "How many operators may run at once on the CPU.",
        example: "print(torch.get_num_interop_threads() >= 1);",
        call: |_| Ok(Dynamic::from_int(i64::from(tch::get_num_interop_threads()))),
    },
    Function {
        schema: "torch.is_grad_enabled() -> bool",
        doc: "Whether operations record a graph.",
        example: "no_grad { print(torch.is_grad_enabled()); }",
        call: |_| Ok(Dynamic::from_bool(shim::grad_enabled())),
    },
    Function {
        schema: "torch.set_grad_enabled(bool mode) -> None",
        doc: "Turns the recording of a graph on or off.",
        example: "torch.set_grad_enabled(true);",
        call: |args| {
            shim::set_grad_enabled(args.bool(0)?);
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.is_inference_mode_enabled() -> bool",
        doc: "Whether inference mode is on.",
        example: "inference_mode { print(torch.is_inference_mode_enabled()); }",
        call: |_| Ok(Dynamic::from_bool(shim::inference_enabled())),
    },
    Function {
        schema: "torch.is_anomaly_enabled() -> bool",
        doc: "Whether autograd looks for NaN in gradients.",
        example: "print(torch.is_anomaly_enabled());",
        call: |_| Ok(Dynamic::from_bool(shim::anomaly_enabled())),
    },
    Function {
        schema: "torch.autograd.set_detect_anomaly(bool mode) -> None",
        doc: "Makes autograd look for NaN in gradients and name the forward that made them.",
        example: "torch.autograd.set_detect_anomaly(false);",
        call: |args| {
            shim::set_anomaly(args.bool(0)?);
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.set_printoptions(int? precision=None, int? threshold=None, int? edgeitems=None, \
                 int? linewidth=None, str? profile=None, bool? sci_mode=None) -> None",
        doc: "How tensors are printed. <https://pytorch.org/docs/stable/generated/torch.set_printoptions.html>",
        example: "torch.set_printoptions(precision: 2);\nprint(torch.tensor([1.23456]));\ntorch.set_printoptions(profile: \"default\");",
        call: |args| {
            let mut options = args.ctx().state().print_options.borrow().clone();
            match args.opt_str(4)?.as_deref() {
                None => {}
                Some("default") => {
                    let default_dtype = options.default_dtype;
                    options = PrintOptions { default_dtype, ..PrintOptions::default() };
                }
                Some("short") => {
                    options.precision = 2;
                    options.threshold = 1000;
                    options.edgeitems = 2;
                    options.linewidth = 80;
                }
                Some("full") => {
                    options.precision = 4;
                    options.threshold = usize::MAX;
                    options.edgeitems = 3;
                    options.linewidth = 80;
                }
                Some(other) => {
                    return Err(Error::value(format!(
                        "profile must be \"default\", \"short\" or \"full\", not {other:?}"
                    )));
                }
            }
            for (i, slot) in [
                (0, &mut options.precision),
                (1, &mut options.threshold),
                (2, &mut options.edgeitems),
                (3, &mut options.linewidth),
            ] {
                if let Some(value) = args.opt_int(i)? {
                    *slot = usize::try_from(value)
                        .map_err(|_| Error::value(format!("{value} must not be negative")))?;
                }
            }
            // Not given means "decide by the values", as in Python.
            options.sci_mode = args.opt_bool(5)?;
            *args.ctx().state().print_options.borrow_mut() = options;
            Ok(Dynamic::UNIT)
        },
    },
];

/// A number of threads that a machine can start.
fn threads(args: &Args<'_>) -> Result<i32> {
    let threads = args.int(0)?;
    match i32::try_from(threads) {
        Ok(count @ 1..=MOST_THREADS) => Ok(count),
        _ => Err(Error::value(format!("threads must be 1 to {MOST_THREADS}, not {threads}"))),
    }
}
