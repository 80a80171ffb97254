//! Where random numbers are: torch's generators, `random`, and Python's where it runs.

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Context, convert};
use flambeau_runtime::torch::{self, Device, Generator, Tensor};
use rhai::{Dynamic, Map};

use super::objects::{blob, bytes};
use crate::host::random;

/// Python's own numbers and NumPy's, as far as these are in use.
const SAVE: &str = "(lambda pickle, sys, random: pickle.dumps((random.getstate(), \
     sys.modules['numpy'].random.get_state() if 'numpy' in sys.modules else None)))\
     (__import__('pickle'), __import__('sys'), __import__('random'))";
const LOAD: &str = "lambda state: (lambda saved: (__import__('random').setstate(saved[0]), \
     saved[1] is None or __import__('numpy').random.set_state(saved[1])))\
     (__import__('pickle').loads(bytes(state)))";

/// Devices whose memory is in use, and so perhaps their generators.
fn devices() -> Vec<Device> {
    if !(torch::cuda_built() && tch::Cuda::is_available()) {
        return Vec::new();
    }
    let all = (0..tch::Cuda::device_count()).filter_map(|i| i8::try_from(i).ok());
    // The second number is what the allocator has reserved.
    all.filter(|&i| torch::cuda_memory(i).is_ok_and(|memory| memory.iter().any(|&bytes| bytes > 0)))
        .map(Device::cuda)
        .collect()
}

/// Whether Python runs in this process.
fn python_runs(ctx: &Context<'_>) -> Result<bool> {
    const ASK: &str = "py.is_running";
    Ok(ctx.has_function(ASK) && ctx.function(ASK, Vec::new())?.as_bool().unwrap_or(false))
}

/// All of it, to be saved.
///
/// # Errors
/// What libtorch or Python raises.
pub(super) fn state(ctx: &Context<'_>) -> Result<Map> {
    let mut state = Map::new();
    let cpu = Generator::default_of(Device::CPU)?.state()?;
    state.insert("cpu".into(), Dynamic::from(Tensor::from(cpu)));
    for device in devices() {
        let generator = Generator::default_of(device)?.state()?;
        state.insert(device.to_string().into(), Dynamic::from(Tensor::from(generator)));
    }
    state.insert("random".into(), random::state().into());
    if python_runs(ctx)? {
        let saved = ctx.function("py.eval", vec![SAVE.into()])?;
        state.insert("python".into(), bytes(&saved)?);
    }
    Ok(state)
}

/// Goes back to what was saved. Devices that are not there are left out.
///
/// # Errors
/// What libtorch or Python raises.
pub(super) fn set_state(state: &Map, ctx: &Context<'_>) -> Result<()> {
    for (name, value) in state {
        match name.as_str() {
            "random" => {
                let words = value.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
                random::set_state(&words)?;
            }
            "python" => {
                let load = ctx.function("py.eval", vec![LOAD.into()])?;
                let _ = ctx.call(&load, vec![blob(value)?])?;
            }
            device => {
                let (Some(tensor), Ok(device)) = (convert::tensor(value), Device::parse(device))
                else {
                    continue;
                };
                if device == Device::CPU || tch::Cuda::is_available() {
                    Generator::default_of(device)?.set_state(&tensor)?;
                }
            }
        }
    }
    Ok(())
}
