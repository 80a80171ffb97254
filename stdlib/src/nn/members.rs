//! A module as another language sees it, see [`Members`].

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, Members, Object, Part, convert};
use flambeau_runtime::torch::Tensor;
use rhai::Dynamic;

use super::module::{Module, State};
use super::script::{self, SCRIPT};
use super::{class, container_methods, hooks, repr};

fn value_of(tensor: Option<&Tensor>) -> Dynamic {
    tensor.map_or(Dynamic::UNIT, |tensor| Dynamic::from(tensor.clone()))
}

/// A tensor, or `None` for `()`.
fn tensor_of(value: &Dynamic, name: &str) -> Result<Option<Tensor>> {
    if value.is_unit() {
        return Ok(None);
    }
    let tensor = convert::tensor(value);
    tensor.map(Some).ok_or_else(|| {
        Error::type_(format!("'{name}' must be a Tensor, not {}", convert::type_name(value)))
    })
}

impl Members for Module {
    fn identity(&self) -> usize {
        Module::identity(self)
    }

    fn class(&self) -> String {
        let class = Module::class(self);
        if std::ptr::eq(class, &raw const SCRIPT) { "Module" } else { class.name() }.to_owned()
    }

    fn name(&self) -> String {
        Module::name(self).to_owned()
    }

    fn origin(&self) -> Option<Dynamic> {
        self.foreign().and_then(Members::origin)
    }

    fn display(&self) -> String {
        repr::repr(self)
    }

    fn items(&self, part: Part) -> Result<Vec<(String, Dynamic)>> {
        let state = self.state();
        Ok(match part {
            Part::Parameter => {
                let items = state.parameters.iter();
                items.map(|(name, tensor)| (name.to_string(), value_of(tensor.as_ref()))).collect()
            }
            Part::Buffer => {
                let items = state.buffers.iter();
                items.map(|(name, b)| (name.to_string(), value_of(b.tensor.as_ref()))).collect()
            }
            Part::Child => state
                .modules
                .iter()
                .map(|(name, child)| {
                    (name.to_string(), child.as_ref().map_or(Dynamic::UNIT, Module::to_dynamic))
                })
                .collect(),
        })
    }

    fn get(&self, part: Part, name: &str) -> Result<Option<Dynamic>> {
        let state = self.state();
        Ok(match part {
            Part::Parameter => state.parameters.get(name).map(|tensor| value_of(tensor.as_ref())),
            Part::Buffer => state.buffers.get(name).map(|b| value_of(b.tensor.as_ref())),
            Part::Child => state
                .modules
                .get(name)
                .map(|child| child.as_ref().map_or(Dynamic::UNIT, Module::to_dynamic)),
        })
    }

    fn set(&self, part: Part, name: &str, value: Dynamic) -> Result<()> {
        match part {
            Part::Parameter => self.put_parameter(name, tensor_of(&value, name)?),
            Part::Buffer => self.put_buffer(name, tensor_of(&value, name)?),
            Part::Child if value.is_unit() => self.put_no_module(name),
            Part::Child => self.put_module(name, Module::required(&value)?),
        }
    }

    fn remove(&self, part: Part, name: &str) -> Result<bool> {
        fn take(state: &mut State, part: Part, name: &str) -> Option<Dynamic> {
            match part {
                Part::Parameter => {
                    state.parameters.remove(name).map(|tensor| value_of(tensor.as_ref()))
                }
                Part::Buffer => state.buffers.remove(name).map(|b| value_of(b.tensor.as_ref())),
                Part::Child => {
                    let child = state.modules.remove(name);
                    child.map(|child| child.map_or(Dynamic::UNIT, |child| child.to_dynamic()))
                }
            }
        }
        let old = take(&mut *self.state_mut()?, part, name);
        Ok(old.is_some())
    }

    fn is_persistent(&self, name: &str) -> Result<bool> {
        Ok(self.state().buffers.get(name).is_none_or(|buffer| buffer.persistent))
    }

    fn set_persistent(&self, name: &str, persistent: bool) -> Result<()> {
        if let Some(buffer) = self.state_mut()?.buffers.get_mut(name) {
            buffer.persistent = persistent;
        }
        Ok(())
    }

    fn training(&self) -> Result<bool> {
        Ok(Module::training(self))
    }

    fn set_training(&self, mode: bool) -> Result<()> {
        Module::set_training(self, mode)
    }

    fn train(&self, mode: bool) -> Result<()> {
        Module::train(self, mode)
    }

    fn attribute(&self, name: &str) -> Result<Option<Dynamic>> {
        Context::current(|ctx| Object::attribute(self, name, ctx))
    }

    fn set_attribute(&self, name: &str, value: Dynamic) -> Result<()> {
        script::set_member(self, name, value)
    }

    fn remove_attribute(&self, name: &str) -> Result<bool> {
        let mut state = self.state_mut()?;
        let old = (state.attributes.remove(name), state.methods.remove(name));
        drop(state);
        Ok(old.0.is_some() || old.1.is_some())
    }

    fn attributes(&self) -> Vec<String> {
        let state = self.state();
        let attributes = state.attributes.iter().map(|(name, _)| name.to_string());
        let methods = state.methods.iter().map(|(name, _)| name.to_string());
        let inherited = container_methods::names(self).map(str::to_owned);
        attributes.chain(methods).chain(inherited).collect()
    }

    fn run(&self, args: Vec<Dynamic>, hooks: bool, ctx: &Context<'_>) -> Result<Dynamic> {
        if hooks { hooks::around(self, args, ctx) } else { class::forward(self, args, ctx) }
    }

    fn hook(&self, hook: Dynamic, before: bool, prepend: bool) -> Result<Dynamic> {
        hooks::register(self, hook, before, prepend)
    }

    fn blank(&self) -> Result<Dynamic> {
        let copy = Module::new(Module::class(self), Module::name(self));
        Module::set_training(&copy, Module::training(self))?;
        let state = self.state();
        let mut target = copy.state_mut()?;
        target.attributes = state.attributes.clone();
        target.methods = state.methods.clone();
        target.forward = state.forward.clone();
        drop(target);
        Ok(copy.to_dynamic())
    }

    fn deep_copy(&self, whole: &Dynamic) -> Result<Dynamic> {
        Ok(Module::required(whole)?.deep_copy()?.to_dynamic())
    }

    fn companion(&self) -> Option<Dynamic> {
        self.0.elsewhere.borrow().companion.clone()
    }

    fn set_companion(&self, value: Dynamic) {
        let old = self.0.elsewhere.borrow_mut().companion.replace(value);
        drop(old);
    }

    fn set_outer(&self, outer: Option<Dynamic>) {
        let old = std::mem::replace(&mut self.0.elsewhere.borrow_mut().outer, outer);
        self.note_hooks();
        drop(old);
    }
}
