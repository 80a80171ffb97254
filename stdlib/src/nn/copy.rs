//! Deep copies of modules.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::torch::Tensor;
use rhai::Dynamic;

use super::module::{Buffer, Module, State};
use super::tensors;

impl Module {
    /// A module with the same structure and its own tensors; what is shared inside stays shared.
    /// Closures are the same closures; hooks are not copied.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn deep_copy(&self) -> Result<Module> {
        let all = self.named_modules("", true);
        if let Some(theirs) = all.iter().find_map(|(_, module)| module.foreign()) {
            // One walk copies both sides, so that what they share stays shared.
            return Module::required(&theirs.deep_copy(&self.to_dynamic())?);
        }
        self.copy_with(&mut Memo::default())
    }

    fn copy_with(&self, memo: &mut Memo) -> Result<Module> {
        if let Some((_, copy)) = memo.modules.iter().find(|(old, _)| *old == self.identity()) {
            return Ok(copy.clone());
        }
        let copy = Module::new(self.class(), self.name());
        copy.set_training(self.training())?;
        memo.modules.push((self.identity(), copy.clone()));
        let state = self.state();
        let mut target = State::default();
        for (name, tensor) in state.parameters.iter() {
            target.parameters.set(name, memo.tensor(tensor.as_ref())?);
        }
        for (name, buffer) in state.buffers.iter() {
            let tensor = memo.tensor(buffer.tensor.as_ref())?;
            target.buffers.set(name, Buffer { tensor, persistent: buffer.persistent });
        }
        for (name, module) in state.modules.iter() {
            let module = module.as_ref().map(|module| module.copy_with(memo)).transpose()?;
            target.modules.set(name, module);
        }
        for (name, value) in state.attributes.iter() {
            let value = match value.read_lock::<Tensor>() {
                Some(tensor) => memo.tensor(Some(&tensor))?.map_or(Dynamic::UNIT, Dynamic::from),
                None => value.clone(),
            };
            target.attributes.set(name, value);
        }
        target.methods = state.methods.clone();
        target.forward = state.forward.clone();
        drop(state);
        *copy.state_mut()? = target;
        Ok(copy)
    }
}

/// What a deep copy has copied already.
#[derive(Default)]
struct Memo {
    modules: Vec<(usize, Module)>,
    tensors: Vec<(Tensor, Tensor)>,
}

impl Memo {
    fn tensor(&mut self, tensor: Option<&Tensor>) -> Result<Option<Tensor>> {
        let Some(tensor) = tensor else { return Ok(None) };
        if let Some((_, copy)) = self.tensors.iter().find(|(old, _)| tensors::same(old, tensor)) {
            return Ok(Some(copy.clone()));
        }
        if !tensors::is_leaf(tensor) {
            return Err(Error::value(
                "only tensors that no graph made (leaves) can be deep-copied",
            )
            .help("detach the tensor before it is kept in the module"));
        }
        let source = tensor.f_detach()?;
        let mut data = source.f_empty_like()?;
        data.f_copy_(&source)?;
        let copy = tensors::parameter(&data.into(), tensor.requires_grad())?;
        self.tensors.push((tensor.clone(), copy.clone()));
        Ok(Some(copy))
    }
}
