//! A small ordered map: names in the order in which they were set, as Python's dicts keep them.
//!
//! A module has a handful of parameters and settings, and its forward pass reads them by name on
//! every call; comparing a few short names is cheaper than hashing one.

use std::rc::Rc;

/// Names and values in the order of their insertion.
#[derive(Clone, Debug)]
pub(crate) struct Slots<T>(Vec<(Rc<str>, T)>);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots(Vec::new())
    }
}

impl<T> Slots<T> {
    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    /// Whether there is a value called `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The value called `name`, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.0.iter_mut().find(|(key, _)| **key == *name).map(|(_, value)| value)
    }

    /// Where `name` stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(key, _)| &**key == name)
    }

    /// The pair at `index`.
    pub fn at(&self, index: usize) -> Option<(&Rc<str>, &T)> {
        self.0.get(index).map(|(name, value)| (name, value))
    }

    /// Sets `name`, in its old place where it has one and at the end otherwise.
    pub fn set(&mut self, name: &str, value: T) {
        match self.position(name) {
            Some(index) => self.0[index].1 = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Sets `name` as [`Slots::set`] does and gives what it was.
    pub fn replace_value(&mut self, name: &str, value: T) -> Option<T> {
        match self.get_mut(name) {
            Some(old) => Some(std::mem::replace(old, value)),
            None => {
                self.set(name, value);
                None
            }
        }
    }

    /// Takes `name` out; those behind it move up.
    pub fn remove(&mut self, name: &str) -> Option<T> {
        self.position(name).map(|index| self.0.remove(index).1)
    }

    /// Puts values under new names, all at once.
    pub fn replace(&mut self, entries: Vec<(Rc<str>, T)>) {
        self.0 = entries;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names and values, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Rc<str>, &T)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}
