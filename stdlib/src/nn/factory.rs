//! New tensors for layers: shape, dtype and device as the constructor was asked for.

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Args, Context, convert, default_device};
use flambeau_runtime::torch::{Device, Dtype, Tensor, default_dtype};
use rhai::{Dynamic, Map};

use super::{init, tensors};

/// Where the tensors of a layer are made, and of what type.
pub(crate) struct Factory<'a> {
    dtype: Option<Dtype>,
    device: Option<Device>,
    ctx: &'a Context<'a>,
}

impl<'a> Factory<'a> {
    /// Reads the arguments `device` and `dtype`, where the signature has them.
    pub fn of(args: &Args<'a>) -> Result<Self> {
        let at = |name| args.schema().position(name);
        Ok(Factory {
            dtype: at("dtype").map(|i| args.opt_dtype(i)).transpose()?.flatten(),
            device: at("device").map(|i| args.opt_device(i)).transpose()?.flatten(),
            ctx: args.ctx(),
        })
    }

    /// An uninitialised tensor.
    pub fn empty(&self, shape: &[i64]) -> Result<Tensor> {
        let dtype = self.dtype.unwrap_or_else(default_dtype);
        let device = self.device.or_else(default_device).unwrap_or(Device::CPU);
        if let (Ok(kind), Ok(device)) = (dtype.kind(), device.tch()) {
            return Ok(tch::Tensor::f_empty(shape, (kind, device))?.into());
        }
        // Devices that tch has no name for, such as `meta`.
        let options = [("dtype", Dynamic::from(dtype)), ("device", Dynamic::from(device))];
        let options: Map = options.map(|(name, value)| (name.into(), value)).into_iter().collect();
        let args = vec![convert::from_ints(shape), Dynamic::from_map(options)];
        let made = self.ctx.op("empty", args)?;
        Ok(convert::tensor(&made).unwrap_or_else(|| tch::Tensor::new().into()))
    }

    /// An uninitialised parameter.
    pub fn parameter(&self, shape: &[i64]) -> Result<Tensor> {
        tensors::parameter(&self.empty(shape)?, true)
    }

    /// A tensor filled with `number`.
    pub fn full(&self, shape: &[i64], number: f64) -> Result<Tensor> {
        let tensor = self.empty(shape)?;
        init::constant(&tensor, number)?;
        Ok(tensor)
    }

    /// An integer zero on the layer's device.
    pub fn counter(&self) -> Result<Tensor> {
        let factory = Factory { dtype: Some(Dtype::INT64), device: self.device, ctx: self.ctx };
        factory.full(&[], 0.0)
    }
}
