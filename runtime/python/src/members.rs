//! Python's modules for scripts: what they hold is read from them and written to them.

use flambeau_runtime::Result;
use flambeau_runtime::script::{Context, Members, Object, Part};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rhai::Dynamic;

use crate::errors::Attempt;
use crate::object::PyObject;
use crate::{from_python, interpreter, to_python};

/// An instance of `torch.nn.Module`.
pub(crate) struct PyMembers(PyObject);

/// The dict in which a part lies.
fn place(part: Part) -> &'static str {
    match part {
        Part::Parameter => "_parameters",
        Part::Buffer => "_buffers",
        Part::Child => "_modules",
    }
}

impl PyMembers {
    /// The members of an object, where it is a module.
    pub(crate) fn of(object: &PyObject) -> Option<PyMembers> {
        let is_module = object.with(|object| {
            Ok(interpreter::helper(object.py(), "is_module")?.call1((object,))?.is_truthy()?)
        });
        is_module.unwrap_or(false).then(|| PyMembers(object.clone()))
    }

    fn with<R>(&self, run: impl FnOnce(Bound<'_, PyAny>) -> Attempt<R>) -> Result<R> {
        self.0.with(run)
    }
}

impl Members for PyMembers {
    fn identity(&self) -> usize {
        self.with(|object| Ok(object.as_ptr() as usize)).unwrap_or_default()
    }

    fn class(&self) -> String {
        self.name()
    }

    fn name(&self) -> String {
        let name = self.with(|object| Ok(object.get_type().getattr("__name__")?.extract()?));
        name.unwrap_or_else(|_| "Module".to_owned())
    }

    fn origin(&self) -> Option<Dynamic> {
        Some(Dynamic::from(self.0.clone()))
    }

    fn display(&self) -> String {
        self.0.display()
    }

    fn items(&self, part: Part) -> Result<Vec<(String, Dynamic)>> {
        self.with(|object| {
            let items = object.getattr(place(part))?.call_method0("items")?;
            let pair = |item: PyResult<Bound<'_, PyAny>>| {
                let (name, value): (String, Bound<'_, PyAny>) = item?.extract()?;
                Ok((name, from_python::value(&value)?))
            };
            items.try_iter()?.map(pair).collect()
        })
    }

    fn set(&self, part: Part, name: &str, value: Dynamic) -> Result<()> {
        self.with(|object| {
            let value = to_python::object(object.py(), &value)?;
            let set = interpreter::helper(object.py(), "set_member")?;
            set.call1((object, place(part), name, value))?;
            Ok(())
        })
    }

    fn remove(&self, part: Part, name: &str) -> Result<bool> {
        self.with(|object| {
            let there = object.getattr(place(part))?;
            let held = there.contains(name)?;
            if held {
                there.del_item(name)?;
            }
            Ok(held)
        })
    }

    fn is_persistent(&self, name: &str) -> Result<bool> {
        self.with(|object| Ok(!object.getattr("_non_persistent_buffers_set")?.contains(name)?))
    }

    fn set_persistent(&self, name: &str, persistent: bool) -> Result<()> {
        self.with(|object| {
            let others = object.getattr("_non_persistent_buffers_set")?;
            others.call_method1(if persistent { "discard" } else { "add" }, (name,))?;
            Ok(())
        })
    }

    fn training(&self) -> Result<bool> {
        self.with(|object| Ok(object.getattr("training")?.is_truthy()?))
    }

    fn set_training(&self, mode: bool) -> Result<()> {
        self.with(|object| Ok(object.setattr("training", mode)?))
    }

    fn train(&self, mode: bool) -> Result<()> {
        self.with(|object| Ok(object.call_method1("train", (mode,)).map(drop)?))
    }

    fn attribute(&self, name: &str) -> Result<Option<Dynamic>> {
        self.with(|object| from_python::attribute(&object.getattr(name)?)).map(Some)
    }

    fn set_attribute(&self, name: &str, value: Dynamic) -> Result<()> {
        self.with(|object| {
            let value = to_python::object(object.py(), &value)?;
            Ok(object.setattr(name, value)?)
        })
    }

    fn remove_attribute(&self, name: &str) -> Result<bool> {
        self.with(|object| Ok(object.delattr(name)?)).map(|()| true)
    }

    fn attributes(&self) -> Vec<String> {
        self.0.attributes()
    }

    fn run(&self, args: Vec<Dynamic>, hooks: bool, ctx: &Context<'_>) -> Result<Dynamic> {
        if hooks {
            return self.0.call(args, ctx);
        }
        let forward = self.with(|object| Ok(from_python::kept(object.getattr("forward")?)))?;
        ctx.call(&forward, args)
    }

    fn hook(&self, hook: Dynamic, before: bool, prepend: bool) -> Result<Dynamic> {
        self.with(|object| {
            let py = object.py();
            let hook = to_python::object(py, &hook)?;
            let register = interpreter::helper(py, "register_hook")?;
            Ok(from_python::kept(register.call1((object, hook, before, prepend))?))
        })
    }

    fn blank(&self) -> Result<Dynamic> {
        self.with(|object| {
            let copied = object.py().import("copy")?.call_method1("copy", (object,))?;
            Ok(from_python::kept(copied))
        })
    }

    fn deep_copy(&self, whole: &Dynamic) -> Result<Dynamic> {
        self.with(|object| {
            let py = object.py();
            let whole = to_python::object(py, whole)?;
            let memo = PyDict::new(py);
            from_python::value(&py.import("copy")?.call_method1("deepcopy", (whole, memo))?)
        })
    }
}
