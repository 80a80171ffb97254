//! `ParamGroup`: parameters with settings of their own, an entry of `optimizer.param_groups`.
//!
//! A group is a handle, so that `opt.param_groups[0].lr = 0.1` reaches the optimiser.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use flambeau_runtime::script::{Context, Object, convert};
use flambeau_runtime::torch::Tensor;
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic};

use super::values::{Values, python_text};

/// What a group holds.
pub(crate) struct GroupData {
    pub params: Vec<Tensor>,
    /// One name per parameter, where the optimiser was given named parameters.
    pub names: Option<Vec<String>>,
    pub values: Values,
}

/// A parameter group; a clone is the same group.
#[derive(Clone)]
pub struct ParamGroup(Rc<RefCell<GroupData>>);

impl ParamGroup {
    pub(crate) fn new(data: GroupData) -> Self {
        ParamGroup(Rc::new(RefCell::new(data)))
    }

    pub(crate) fn data(&self) -> Ref<'_, GroupData> {
        self.0.borrow()
    }

    pub(crate) fn data_mut(&self) -> RefMut<'_, GroupData> {
        self.0.borrow_mut()
    }

    pub(crate) fn same(&self, other: &ParamGroup) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// The lines that the optimiser's display shows of this group.
    pub(crate) fn lines(&self) -> String {
        let data = self.data();
        let mut values: Vec<(&str, &Dynamic)> = data.values.iter().collect();
        values.sort_by_key(|(name, _)| *name);
        values.iter().map(|(name, value)| format!("    {name}: {}\n", python_text(value))).collect()
    }

    fn read(&self, name: &str) -> Option<Dynamic> {
        let data = self.data();
        match name {
            "params" => Some(convert::from_tensors(data.params.iter().cloned())),
            "param_names" => data.names.as_ref().map(|names| {
                Dynamic::from_array(names.iter().map(|name| name.clone().into()).collect::<Array>())
            }),
            _ => data.values.get(name).cloned(),
        }
    }

    fn write(&self, name: &str, value: Dynamic) -> Result<()> {
        if matches!(name, "params" | "param_names") {
            return Err(Error::value(format!("'{name}' of a parameter group cannot be replaced"))
                .help("add parameters with optimizer.add_param_group(#{params: …})"));
        }
        self.data_mut().values.set(name, value);
        Ok(())
    }
}

impl Object for ParamGroup {
    const TYPE: &'static str = "ParamGroup";

    fn display(&self) -> String {
        format!("ParamGroup ({} parameters)\n{}", self.data().params.len(), self.lines())
            .trim_end()
            .to_owned()
    }

    fn attribute(&self, name: &str, _: &Context<'_>) -> Result<Option<Dynamic>> {
        Ok(self.read(name))
    }

    fn set_attribute(&self, name: &str, value: Dynamic, _: &Context<'_>) -> Result<bool> {
        // A misspelt name would train on with the old value; `group["name"] = value` adds names.
        if self.read(name).is_none() {
            return Ok(false);
        }
        self.write(name, value)?;
        Ok(true)
    }

    fn attributes(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.data().values.iter().map(|(name, _)| name.to_owned()).collect();
        names.push("params".to_owned());
        names
    }

    fn index(&self, index: &Dynamic, _: &Context<'_>) -> Result<Dynamic> {
        let name = convert::string(index)
            .ok_or_else(|| Error::type_("a ParamGroup is indexed by a name, such as \"lr\""))?;
        self.read(&name).ok_or_else(|| Error::key(format!("the parameter group has no '{name}'")))
    }

    fn set_index(&self, index: &Dynamic, value: Dynamic, _: &Context<'_>) -> Result<()> {
        let name = convert::string(index)
            .ok_or_else(|| Error::type_("a ParamGroup is indexed by a name, such as \"lr\""))?;
        self.write(&name, value)
    }
}
