//! Seeds and generators.

use rhai::Dynamic;

use crate::error::Result;
use crate::script::function::Function;
use crate::torch::{self, Device, Generator, Tensor};

/// The default generator of the CPU.
fn cpu() -> Result<Generator> {
    Generator::default_of(Device::CPU)
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.manual_seed(int seed) -> Generator",
        doc: "Seeds the generators of all devices. <https://pytorch.org/docs/stable/generated/torch.manual_seed.html>",
        example: "torch.manual_seed(0);\nprint(torch.rand([2]));",
        call: |args| {
            // Negative seeds count from the top, as in PyTorch.
            torch::manual_seed(args.int(0)? as u64)?;
            Ok(Dynamic::from(cpu()?))
        },
    },
    Function {
        schema: "torch.seed() -> int",
        doc: "Seeds the generators of all devices from the clock and returns the seed.",
        example: "let seed = torch.seed();",
        call: |_| {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |time| time.as_nanos() as u64);
            let seed = now ^ (u64::from(std::process::id()) << 32);
            torch::manual_seed(seed)?;
            Ok(Dynamic::from_int(seed as i64))
        },
    },
    Function {
        schema: "torch.initial_seed() -> int",
        doc: "The seed of the CPU's default generator.",
        example: "torch.manual_seed(3);\nprint(torch.initial_seed());",
        call: |_| Ok(Dynamic::from_int(cpu()?.initial_seed() as i64)),
    },
    Function {
        schema: "torch.get_rng_state() -> Tensor",
        doc: "The state of the CPU's default generator, a byte tensor.",
        example: "let state = torch.get_rng_state();\ntorch.set_rng_state(state);",
        call: |_| Ok(Dynamic::from(Tensor::from(cpu()?.state()?))),
    },
    Function {
        schema: "torch.set_rng_state(Tensor new_state) -> None",
        doc: "Restores a state of the CPU's default generator.",
        example: "let state = torch.get_rng_state();\ntorch.set_rng_state(state);",
        call: |args| {
            cpu()?.set_state(&*args.tensor(0)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.Generator(Device? device=None) -> Generator",
        doc: "A random generator of its own, for the `generator` argument of operators.",
        example: "let g = torch.Generator();\ng.manual_seed(1);\nprint(torch.rand([2], generator: g));",
        call: |args| {
            let device = args.opt_device(0)?.unwrap_or(Device::CPU);
            crate::script::device::check_device(device)?;
            Ok(Dynamic::from(Generator::new(device)?))
        },
    },
    Function {
        schema: "Generator.manual_seed(Generator self, int seed) -> Generator",
        doc: "Starts the generator from a seed and returns it.",
        example: "let g = torch.Generator().manual_seed(1);",
        call: |args| {
            if let Some(generator) = args.opt_generator(0)? {
                generator.manual_seed(args.int(1)? as u64)?;
            }
            Ok(args.take(0))
        },
    },
    Function {
        schema: "Generator.initial_seed(Generator self) -> int",
        doc: "The seed that the generator was started from.",
        example: "print(torch.Generator().manual_seed(1).initial_seed());",
        call: |args| {
            let generator = args.opt_generator(0)?;
            Ok(generator.map_or(Dynamic::UNIT, |g| Dynamic::from_int(g.initial_seed() as i64)))
        },
    },
    Function {
        schema: "Generator.get_state(Generator self) -> Tensor",
        doc: "The generator's state, a byte tensor.",
        example: "let state = torch.Generator().get_state();",
        call: |args| match args.opt_generator(0)? {
            Some(generator) => Ok(Dynamic::from(Tensor::from(generator.state()?))),
            None => Err(args.mismatch(0, "a Generator")),
        },
    },
    Function {
        schema: "Generator.set_state(Generator self, Tensor new_state) -> None",
        doc: "Restores a state of the generator.",
        example: "let g = torch.Generator();\ng.set_state(g.get_state());",
        call: |args| match args.opt_generator(0)? {
            Some(generator) => {
                generator.set_state(&*args.tensor(1)?)?;
                Ok(Dynamic::UNIT)
            }
            None => Err(args.mismatch(0, "a Generator")),
        },
    },
];
