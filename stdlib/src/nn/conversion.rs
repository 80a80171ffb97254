//! Moving and converting modules: `to`, `cuda`, `double`, … Parameters stay the same tensors, so
//! that an optimiser made before still holds them.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Context, Function, convert};
use flambeau_runtime::torch::{Device, Dtype, Tensor};
use rhai::{Dynamic, Map};

use super::module::Module;
use super::tensors;

/// Replaces every parameter, its gradient and every buffer by what `f` makes of it.
fn convert_all(module: &Module, f: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    for (_, module) in module.named_modules("", true) {
        let state = module.state();
        let mut replaced = Vec::new();
        for (name, parameter) in state.parameters.iter() {
            let Some(parameter) = parameter else { continue };
            let new = tch::no_grad(|| f(parameter))?;
            if tensors::same(&new, parameter) {
                continue;
            }
            let grad = tensors::grad(parameter)?;
            let grad = grad.as_ref().map(|grad| tch::no_grad(|| f(grad))).transpose()?;
            // A gradient must fit its tensor at every moment.
            tensors::set_grad(parameter, None)?;
            if tensors::set_data(parameter, &new).is_err() {
                // Kinds of tensors that cannot change into one another (meta): a new parameter.
                let new = tensors::parameter(&new, parameter.requires_grad())?;
                tensors::set_grad(&new, grad.as_ref())?;
                replaced.push((name.clone(), new));
            } else if grad.is_some() {
                tensors::set_grad(parameter, grad.as_ref())?;
            }
        }
        let mut buffers = Vec::new();
        for (name, buffer) in state.buffers.iter() {
            if let Some(tensor) = &buffer.tensor {
                buffers.push((name.clone(), f(tensor)?));
            }
        }
        drop(state);
        for (name, tensor) in replaced {
            module.put_parameter(&name, Some(tensor))?;
        }
        for (name, tensor) in buffers {
            module.put_buffer(&name, Some(tensor))?;
        }
    }
    Ok(())
}

/// What a module is converted to.
#[derive(Default)]
struct Target {
    device: Option<Device>,
    dtype: Option<Dtype>,
    non_blocking: bool,
    memory_format: Option<Dynamic>,
}

impl Target {
    /// The tensor in its new form; dtypes are for floating-point and complex tensors alone.
    fn convert(&self, tensor: &Tensor, ctx: &Context<'_>) -> Result<Tensor> {
        let old = tensor.dtype();
        let floating = old.is_floating_point() || old.is_complex();
        let mut options = Map::new();
        if let Some(device) = self.device {
            options.insert("device".into(), Dynamic::from(device));
        }
        if let Some(dtype) = self.dtype.filter(|_| floating) {
            options.insert("dtype".into(), Dynamic::from(dtype));
        }
        if let Some(format) = self.memory_format.as_ref().filter(|_| matches!(tensor.dim(), 4 | 5))
        {
            options.insert("memory_format".into(), format.clone());
        }
        if options.is_empty() {
            return Ok(tensor.clone());
        }
        options.insert("non_blocking".into(), Dynamic::from_bool(self.non_blocking));
        let args = vec![Dynamic::from(tensor.clone()), Dynamic::from_map(options)];
        let made = ctx.op("to", args)?;
        made.try_cast::<Tensor>().ok_or_else(|| Error::type_("to() gave no tensor"))
    }

    fn apply(&self, args: &mut Args<'_>) -> Result<Dynamic> {
        if let Some(dtype) = self.dtype
            && !dtype.is_floating_point()
            && !dtype.is_complex()
        {
            return Err(Error::type_(format!(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )));
        }
        let ctx = args.ctx();
        convert_all(&args.object::<Module>(0)?, &|tensor| self.convert(tensor, ctx))?;
        Ok(args.take(0))
    }

    /// Reads one positional argument of `to`.
    fn read(&mut self, value: &Dynamic) -> Result<()> {
        if let Some(dtype) = convert::dtype(value) {
            self.dtype = Some(dtype);
        } else if let Some(device) = convert::device(value) {
            self.device = Some(device?);
        } else if let Some(other) = convert::tensor(value) {
            self.device = Some(other.device_of());
            self.dtype = Some(other.dtype());
        } else if let Ok(flag) = value.as_bool() {
            self.non_blocking = flag;
        } else if !value.is_unit() {
            return Err(Error::type_(format!(
                "to() takes a device, a dtype or a tensor, not {}",
                convert::type_name(value)
            )));
        }
        Ok(())
    }
}

fn to_dtype(args: &mut Args<'_>, dtype: Dtype) -> Result<Dynamic> {
    // Unlike `to`, these leave complex tensors alone.
    let target = Target { dtype: Some(dtype), ..Target::default() };
    let ctx = args.ctx();
    convert_all(&args.object::<Module>(0)?, &|tensor| {
        if tensor.dtype().is_floating_point() {
            target.convert(tensor, ctx)
        } else {
            Ok(tensor.clone())
        }
    })?;
    Ok(args.take(0))
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "Module.to(Module self, *Any args, Any device=None, ScalarType? dtype=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Module",
        doc: "Moves parameters and buffers to a device and converts the floating-point ones to a \
              dtype: `m.to(\"cuda\")`, `m.to(torch.float64)`, `m.to(\"cuda\", torch.float16)`, \
              `m.to(tensor)`. In place; gives the module back.",
        example: "nn.Linear(2, 3).to(torch.float64).weight.dtype",
        call: |args| {
            let mut target = Target { non_blocking: args.bool(4)?, ..Target::default() };
            for value in args.array(1)? {
                target.read(&value)?;
            }
            if let Some(device) = args.opt_device(2)? {
                target.device = Some(device);
            }
            if let Some(dtype) = args.opt_dtype(3)? {
                target.dtype = Some(dtype);
            }
            if !args.is_none(5) {
                target.memory_format = Some(args.take(5));
            }
            target.apply(args)
        },
    },
    Function {
        schema: "Module.cpu(Module self) -> Module",
        doc: "Moves parameters and buffers to the CPU.",
        example: "nn.Linear(2, 3).cpu()",
        call: |args| Target { device: Some(Device::CPU), ..Target::default() }.apply(args),
    },
    Function {
        schema: "Module.cuda(Module self, Any device=None) -> Module",
        doc: "Moves parameters and buffers to a CUDA device.",
        example: "if torch.cuda.is_available() { nn.Linear(2, 3).cuda(); }",
        call: |args| {
            let device = match convert::int(args.get(1)) {
                Some(index) => Device::cuda(i8::try_from(index).unwrap_or(-1)),
                None => args.opt_device(1)?.unwrap_or(Device::cuda(-1)),
            };
            Target { device: Some(device), ..Target::default() }.apply(args)
        },
    },
    Function {
        schema: "Module.float(Module self) -> Module",
        doc: "Converts floating-point parameters and buffers to float32.",
        example: "nn.Linear(2, 3).float()",
        call: |args| to_dtype(args, Dtype::FLOAT32),
    },
    Function {
        schema: "Module.double(Module self) -> Module",
        doc: "Converts floating-point parameters and buffers to float64.",
        example: "nn.Linear(2, 3).double().weight.dtype",
        call: |args| to_dtype(args, Dtype::FLOAT64),
    },
    Function {
        schema: "Module.half(Module self) -> Module",
        doc: "Converts floating-point parameters and buffers to float16.",
        example: "nn.Linear(2, 3).half().weight.dtype",
        call: |args| to_dtype(args, Dtype::FLOAT16),
    },
    Function {
        schema: "Module.bfloat16(Module self) -> Module",
        doc: "Converts floating-point parameters and buffers to bfloat16.",
        example: "nn.Linear(2, 3).bfloat16().weight.dtype",
        call: |args| to_dtype(args, Dtype::BFLOAT16),
    },
    Function {
        schema: "Module.type(Module self, ScalarType dst_type) -> Module",
        doc: "Converts all parameters and buffers to a dtype.",
        example: "nn.Linear(2, 3).type(torch.float64).weight.dtype",
        call: |args| {
            let dtype = args.opt_dtype(1)?.ok_or_else(|| args.mismatch(1, "a dtype"))?;
            let kind = dtype.kind()?;
            convert_all(&args.object::<Module>(0)?, &|tensor| Ok(tensor.f_to_kind(kind)?.into()))?;
            Ok(args.take(0))
        },
    },
    Function {
        schema: "Module.to_empty(Module self, *, Device device, bool recurse=True) -> Module",
        doc: "Moves parameters and buffers to a device without their contents, as for modules that \
              were made on the device meta.",
        example: "nn.Linear(2, 3, device: \"meta\").to_empty(device: \"cpu\").weight.shape",
        call: |args| {
            let device = args.opt_device(1)?.ok_or_else(|| args.mismatch(1, "a device"))?;
            let ctx = args.ctx();
            convert_all(&args.object::<Module>(0)?, &|tensor| {
                let options: Map = [("device".into(), Dynamic::from(device))].into();
                let args = vec![Dynamic::from(tensor.clone()), Dynamic::from_map(options)];
                let made = ctx.op("empty_like", args)?;
                made.try_cast::<Tensor>().ok_or_else(|| Error::type_("empty_like gave no tensor"))
            })?;
            Ok(args.take(0))
        },
    },
];
