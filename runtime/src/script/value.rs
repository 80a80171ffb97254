//! Small values that scripts hold besides tensors: namespaces, complex numbers, named results, shared variables.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Array, Dynamic};

/// A dotted place where functions live, such as `torch.linalg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(pub Rc<str>);

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<namespace {}>", self.0)
    }
}

/// A complex number: what `item()` of a complex tensor gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl fmt::Display for Complex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As Python shows it: a real part of 0 is left out.
        if self.re == 0.0 && self.re.is_sign_positive() {
            return write!(f, "{}j", self.im);
        }
        write!(f, "({}{:+}j)", self.re, self.im)
    }
}

/// Several results of one call, by name and by position: `r.values`, `r[0]`.
#[derive(Clone)]
pub struct Results {
    /// What made them, for display.
    pub name: Rc<str>,
    /// One name per value; empty where the schema gives none.
    pub names: Arc<[String]>,
    /// The values.
    pub values: Array,
}

impl Results {
    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&Dynamic> {
        self.names.iter().position(|known| known == name).and_then(|i| self.values.get(i))
    }
}

/// A variable that closures share and whose value is no handle: a method must change the variable.
#[derive(Clone)]
pub(crate) struct Held(Dynamic);

impl Held {
    /// What a method call on the shared variable `cell` is made on: a copy of a handle, so that the
    /// variable stays readable during the call, or the variable itself.
    pub(crate) fn of(cell: &Dynamic) -> Dynamic {
        let value = cell.flatten_clone();
        if value.is_array() || value.is_map() || value.is_blob() || value.is_string() {
            return Dynamic::from(Held(cell.clone()));
        }
        value
    }

    /// The variable.
    pub(crate) fn cell(&self) -> Dynamic {
        self.0.clone()
    }
}

impl IntoIterator for Results {
    type Item = Dynamic;
    type IntoIter = std::vec::IntoIter<Dynamic>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.into_iter()
    }
}
