//! Reading what a module holds by name: parameters, buffers and settings, with errors that name them.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Part, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Dynamic, ImmutableString};

use super::module::{Buffer, Module, State};

impl State {
    /// The parameter called `name`.
    ///
    /// # Errors
    /// A `ValueError` where it is `()` or missing.
    pub fn parameter(&self, name: &str) -> Result<&Tensor> {
        self.opt_parameter(name)
            .ok_or_else(|| Error::value(format!("the parameter '{name}' is ()")))
    }

    /// The parameter called `name`, where it is a tensor.
    pub fn opt_parameter(&self, name: &str) -> Option<&Tensor> {
        self.parameters.get(name)?.as_ref()
    }

    /// The buffer called `name`, where it is a tensor.
    pub fn opt_buffer(&self, name: &str) -> Option<&Tensor> {
        self.buffers.get(name)?.tensor.as_ref()
    }

    /// The submodule called `name`.
    ///
    /// # Errors
    /// A `ValueError` where it is `()` or missing.
    pub fn module(&self, name: &str) -> Result<Module> {
        match self.modules.get(name) {
            Some(Some(module)) => Ok(module.clone()),
            _ => Err(Error::value(format!("the submodule '{name}' is ()"))),
        }
    }

    /// The value called `name`: parameter, buffer, submodule, setting or training flag; `()` for
    /// one that is not there.
    pub fn read(&self, module: &Module, name: &str) -> Dynamic {
        self.find(module, name).unwrap_or_default()
    }

    /// The value called `name`, where there is one.
    pub fn find(&self, module: &Module, name: &str) -> Option<Dynamic> {
        let tensor = |tensor: &Option<Tensor>| tensor.clone().map_or(Dynamic::UNIT, Dynamic::from);
        if let Some(parameter) = self.parameters.get(name) {
            return Some(tensor(parameter));
        }
        if let Some(child) = self.modules.get(name) {
            return Some(child.as_ref().map_or(Dynamic::UNIT, Module::to_dynamic));
        }
        if let Some(buffer) = self.buffers.get(name) {
            return Some(tensor(&buffer.tensor));
        }
        if let Some(value) = self.attributes.get(name) {
            return Some(value.clone());
        }
        (name == "training").then(|| Dynamic::from_bool(module.training()))
    }

    fn setting<T>(
        &self,
        name: &str,
        expected: &str,
        get: impl Fn(&Dynamic) -> Option<T>,
    ) -> Result<T> {
        let value = self.attributes.get(name);
        value.and_then(get).ok_or_else(|| {
            let found = value.map_or_else(|| "missing".to_owned(), convert::type_name);
            Error::type_(format!("the attribute '{name}' must be {expected}, not {found}"))
        })
    }

    /// The integer setting `name`.
    pub fn int(&self, name: &str) -> Result<i64> {
        self.setting(name, "an integer", convert::int)
    }

    /// The integer setting `name`, or `None` for `()`.
    pub fn opt_int(&self, name: &str) -> Result<Option<i64>> {
        if self.is_none(name) { Ok(None) } else { self.int(name).map(Some) }
    }

    /// The number `name`.
    pub fn float(&self, name: &str) -> Result<f64> {
        self.setting(name, "a number", convert::float)
    }

    /// The number `name`, or `None` for `()`.
    pub fn opt_float(&self, name: &str) -> Result<Option<f64>> {
        if self.is_none(name) { Ok(None) } else { self.float(name).map(Some) }
    }

    /// The bool `name`.
    pub fn bool(&self, name: &str) -> Result<bool> {
        self.setting(name, "a bool", |value| value.as_bool().ok())
    }

    /// Whether the text `name` is `expected`; `false` for what is no text.
    pub fn is_text(&self, name: &str, expected: &str) -> bool {
        self.attributes
            .get(name)
            .and_then(|value| value.read_lock::<ImmutableString>())
            .is_some_and(|text| text.as_str() == expected)
    }

    /// The text `name`.
    pub fn text(&self, name: &str) -> Result<ImmutableString> {
        self.setting(name, "a string", |value| {
            value.read_lock::<ImmutableString>().map(|text| text.clone())
        })
    }

    /// Whether the setting `name` is `()` or missing.
    pub fn is_none(&self, name: &str) -> bool {
        self.attributes.get(name).is_none_or(Dynamic::is_unit)
    }

    /// The integers `name`, one repeated to `N`, without allocating.
    pub fn sizes<const N: usize>(&self, name: &str) -> Result<[i64; N]> {
        self.setting(name, "an integer or one for each dimension", |value| {
            if let Ok(one) = value.as_int() {
                return Some([one; N]);
            }
            let list = value.as_array_ref().ok()?;
            if list.len() == 1 {
                return Some([list[0].as_int().ok()?; N]);
            }
            let mut sizes = [0; N];
            if list.len() != N {
                return None;
            }
            for (size, item) in sizes.iter_mut().zip(list.iter()) {
                *size = item.as_int().ok()?;
            }
            Some(sizes)
        })
    }

    /// The integers `name`, however many.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>> {
        self.setting(name, "integers", convert::ints)
    }

    /// How losses reduce: the setting `reduction`.
    pub fn reduction(&self) -> Result<tch::Reduction> {
        let text = self.text("reduction")?;
        match text.as_str() {
            "mean" => Ok(tch::Reduction::Mean),
            "sum" => Ok(tch::Reduction::Sum),
            "none" => Ok(tch::Reduction::None),
            other => Err(Error::value(format!("'{other}' is not a valid value for reduction"))
                .help("reduction is 'mean', 'sum' or 'none'")),
        }
    }
}

fn optional(tensor: Option<Tensor>) -> Dynamic {
    tensor.map_or(Dynamic::UNIT, Dynamic::from)
}

impl Module {
    /// Registers a parameter; `None` for one that the layer was made without.
    pub(crate) fn put_parameter(&self, name: &str, tensor: Option<Tensor>) -> Result<()> {
        if let Some(theirs) = self.foreign() {
            return theirs.set(Part::Parameter, name, optional(tensor));
        }
        let old = self.state_mut()?.parameters.replace_value(name, tensor);
        drop(old);
        Ok(())
    }

    /// Registers a buffer: a persistent one where the name is new.
    pub(crate) fn put_buffer(&self, name: &str, tensor: Option<Tensor>) -> Result<()> {
        if let Some(theirs) = self.foreign() {
            return theirs.set(Part::Buffer, name, optional(tensor));
        }
        let mut state = self.state_mut()?;
        let persistent = state.buffers.get(name).is_none_or(|buffer| buffer.persistent);
        let old = state.buffers.replace_value(name, Buffer { tensor, persistent });
        drop(state);
        drop(old);
        Ok(())
    }

    /// Takes the name of a submodule without one.
    pub(crate) fn put_no_module(&self, name: &str) -> Result<()> {
        if let Some(theirs) = self.foreign() {
            return theirs.set(Part::Child, name, Dynamic::UNIT);
        }
        let old = self.state_mut()?.modules.replace_value(name, None);
        drop(old);
        Ok(())
    }

    /// Registers a submodule.
    ///
    /// # Errors
    /// A `ValueError` where the module would contain itself, or modules would be nested so deep that
    /// walking them could exhaust the stack.
    pub(crate) fn put_module(&self, name: &str, module: Module) -> Result<()> {
        self.nest(&module)?;
        if let Some(theirs) = self.foreign() {
            return theirs.set(Part::Child, name, module.to_dynamic());
        }
        let mut state = self.state_mut()?;
        let old = state.modules.replace_value(name, Some(module));
        drop(state);
        drop(old);
        Ok(())
    }

    /// Sets an attribute.
    pub(crate) fn put(&self, name: &str, value: impl Into<Dynamic>) -> Result<()> {
        self.state_mut()?.attributes.set(name, value.into());
        Ok(())
    }

    /// Sets an attribute to an array of integers.
    pub(crate) fn put_ints(&self, name: &str, values: &[i64]) -> Result<()> {
        self.put(name, convert::from_ints(values))
    }
}
