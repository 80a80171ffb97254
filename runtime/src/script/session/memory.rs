//! What the tensors of a session take.

use std::collections::{BTreeMap, HashSet};

use rhai::{Array, Dynamic, FnPtr, Map};

use super::Session;
use crate::script::dispatch::object_type;
use crate::script::members::{Members, Part};
use crate::script::state::State;
use crate::script::value::Results;
use crate::torch::{self, Tensor, numel, shim};

/// The tensors on one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Tensors, each counted once.
    pub tensors: u64,
    /// Bytes of their storages; what several tensors share is counted once.
    pub bytes: u64,
}

/// What the allocator of a CUDA device says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CudaMemory {
    /// The device's index.
    pub index: u32,
    /// Bytes that tensors hold now.
    pub allocated: u64,
    /// The most that they held.
    pub peak: u64,
    /// Bytes that the allocator has of the device.
    pub reserved: u64,
}

/// What a session's memory goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Tensors that variables reach: by themselves, in arrays, maps and modules, with their gradients.
    pub devices: BTreeMap<String, Held>,
    /// Absent where there is no CUDA.
    pub cuda: Option<Vec<CudaMemory>>,
}

/// A walk over what variables reach.
struct Walk<'a> {
    state: &'a State,
    seen: HashSet<i64>,
    storages: HashSet<i64>,
    devices: BTreeMap<String, Held>,
}

impl Session {
    /// What the tensors of the session take, and the allocators of CUDA.
    pub fn memory(&self) -> Memory {
        let (seen, storages) = (HashSet::new(), HashSet::new());
        let devices = self.home.enter(|_, state| {
            let mut walk = Walk { state, seen, storages, devices: BTreeMap::new() };
            for (_, value) in self.variables() {
                walk.value(&value);
            }
            walk.devices
        });
        Memory { devices, cuda: cuda() }
    }
}

/// All CUDA devices.
fn cuda() -> Option<Vec<CudaMemory>> {
    if !torch::cuda_built() || !tch::Cuda::is_available() {
        return None;
    }
    let devices = 0..u32::try_from(tch::Cuda::device_count()).unwrap_or(0);
    let memory = |index| {
        let found = torch::cuda_memory(i8::try_from(index).ok()?).ok()?;
        let [allocated, peak, reserved, _] =
            found.map(|bytes| u64::try_from(bytes).unwrap_or_default());
        Some(CudaMemory { index, allocated, peak, reserved })
    };
    Some(devices.filter_map(memory).collect())
}

impl Walk<'_> {
    fn value(&mut self, value: &Dynamic) {
        if let Some(tensor) = value.read_lock::<Tensor>() {
            self.tensor(&tensor);
        } else if let Some(items) = value.read_lock::<Array>() {
            items.iter().for_each(|item| self.value(item));
        } else if let Some(map) = value.read_lock::<Map>() {
            map.values().for_each(|item| self.value(item));
        } else if let Some(results) = value.read_lock::<Results>() {
            results.values.iter().for_each(|item| self.value(item));
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            function.curry().iter().for_each(|item| self.value(item));
        } else if let Some(members) =
            object_type(value, self.state).and_then(|o| (o.members)(value))
        {
            self.members(&*members);
        }
    }

    fn members(&mut self, members: &dyn Members) {
        for part in [Part::Parameter, Part::Buffer, Part::Child] {
            for (_, value) in members.items(part).unwrap_or_default() {
                self.value(&value);
            }
        }
    }

    fn tensor(&mut self, tensor: &Tensor) {
        if !tensor.defined() || !self.seen.insert(tensor.identity()) {
            return;
        }
        let own = numel(tensor) as u64 * tensor.dtype().itemsize() as u64;
        let (place, bytes) = shim::storage(tensor).unwrap_or((tensor.identity(), own));
        let held = self.devices.entry(tensor.device_of().to_string()).or_default();
        held.tensors += 1;
        if self.storages.insert(place) {
            held.bytes += bytes;
        }
        if shim::is_leaf(tensor) && tensor.requires_grad() {
            self.tensor(&Tensor::from(tensor.grad()));
        }
    }
}
