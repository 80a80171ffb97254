//! `torch.cuda.*`.

use rhai::Dynamic;

use crate::error::Result;
use crate::script::convert;
use crate::script::device::check_device;
use crate::script::function::{Args, Function};
use crate::torch::{self, Device};

fn available() -> bool {
    torch::cuda_built() && tch::Cuda::is_available()
}

/// The index of the device argument at 0: an int, a device, or none for the first.
fn index(args: &Args<'_>) -> Result<i8> {
    check_device(Device::cuda(0))?;
    if args.is_none(0) {
        return Ok(0);
    }
    if let Some(int) = convert::int(args.get(0)) {
        return Ok(int.clamp(0, 127) as i8);
    }
    match convert::device(args.get(0)) {
        Some(device) => Ok(device?.index.max(0)),
        None => Err(args.mismatch(0, "a device or an index")),
    }
}

fn memory(args: &Args<'_>, which: usize) -> Result<Dynamic> {
    Ok(Dynamic::from_int(torch::cuda_memory(index(args)?)?[which]))
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.cuda.is_available() -> bool",
        doc: "Whether a CUDA device can be used.",
        example: "let device = if torch.cuda.is_available() { \"cuda\" } else { \"cpu\" };",
        call: |_| Ok(Dynamic::from_bool(available())),
    },
    Function {
        schema: "torch.cuda.device_count() -> int",
        doc: "The number of CUDA devices.",
        example: "print(torch.cuda.device_count() >= 0);",
        call: |_| Ok(Dynamic::from_int(if available() { tch::Cuda::device_count() } else { 0 })),
    },
    Function {
        schema: "torch.cuda.synchronize(Any device=None) -> None",
        doc: "Waits until the device has done everything that was asked of it.",
        example: "",
        call: |args| {
            let index = index(args)?;
            tch::Cuda::synchronize(i64::from(index));
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.cuda.manual_seed(int seed) -> None",
        doc: "Seeds the generator of the current CUDA device; nothing where there is none.",
        example: "torch.cuda.manual_seed(0);",
        call: |args| {
            if available() {
                tch::Cuda::manual_seed(args.int(0)? as u64);
            }
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.cuda.manual_seed_all(int seed) -> None",
        doc: "Seeds the generators of all CUDA devices; nothing where there are none.",
        example: "torch.cuda.manual_seed_all(0);",
        call: |args| {
            if available() {
                tch::Cuda::manual_seed_all(args.int(0)? as u64);
            }
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.cuda.memory_allocated(Any device=None) -> int",
        doc: "Bytes that tensors hold on the device.",
        example: "",
        call: |args| memory(args, 0),
    },
    Function {
        schema: "torch.cuda.max_memory_allocated(Any device=None) -> int",
        doc: "The most bytes that tensors held on the device.",
        example: "",
        call: |args| memory(args, 1),
    },
    Function {
        schema: "torch.cuda.memory_reserved(Any device=None) -> int",
        doc: "Bytes that the allocator holds on the device.",
        example: "",
        call: |args| memory(args, 2),
    },
    Function {
        schema: "torch.cuda.max_memory_reserved(Any device=None) -> int",
        doc: "The most bytes that the allocator held on the device.",
        example: "",
        call: |args| memory(args, 3),
    },
    Function {
        schema: "torch.cuda.reset_peak_memory_stats(Any device=None) -> None",
        doc: "Starts the peaks anew.",
        example: "",
        call: |args| {
            torch::cuda_reset_peak(index(args)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.cuda.empty_cache() -> None",
        doc: "Gives memory that no tensor uses back to the device.",
        example: "torch.cuda.empty_cache();",
        call: |_| {
            if available() {
                torch::cuda_empty_cache()?;
            }
            Ok(Dynamic::UNIT)
        },
    },
];
