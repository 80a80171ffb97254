//! Values as a debugger lists them: each on one line, with what it is made of below it.

use std::collections::HashMap;

use rhai::{Array, Dynamic, Map};

use super::frames::Variables;
use crate::script::context::Context;
use crate::script::dispatch::{get_attribute, object_type};
use crate::script::display::{bounds, display, kind, nested, summary};
use crate::script::members::Part;
use crate::script::state::State;
use crate::script::value::Results;
use crate::torch::{Tensor, numel, sizes};

/// Of a list at most so many items are told at once.
const MOST: usize = 1000;
/// How many characters of a tensor's elements are shown.
const ELEMENTS: usize = 2000;

/// A value under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The variable's, or the place in what holds it.
    pub name: String,
    /// The type, as scripts see it.
    pub kind: String,
    /// What it is, on one line.
    pub text: String,
    /// The number by which what it is made of can be asked for; 0 where there is nothing.
    pub reference: usize,
    /// How many items it has, where it is a list.
    pub items: Option<usize>,
}

/// What can be asked for by a number.
pub(super) enum Whole {
    Value(Dynamic),
    Variables(Variables),
}

/// What a client can ask for, until the script goes on.
#[derive(Default)]
pub(super) struct References {
    wholes: HashMap<usize, Whole>,
    /// The last number; none is used twice.
    last: usize,
}

impl References {
    /// Takes out all values. Dropping them may run anything, so it is left to who can.
    pub(super) fn take(&mut self) -> HashMap<usize, Whole> {
        std::mem::take(&mut self.wholes)
    }

    fn add(&mut self, whole: Whole) -> usize {
        self.last += 1;
        self.wholes.insert(self.last, whole);
        self.last
    }

    /// The number of these variables.
    pub(super) fn of_variables(&mut self, variables: Variables) -> usize {
        self.add(Whole::Variables(variables))
    }

    /// A value as it is listed.
    pub(super) fn inspected(&mut self, name: String, value: &Dynamic, state: &State) -> Inspected {
        let value = value.flatten_clone();
        let items = value.read_lock::<Array>().map(|items| items.len());
        let text = match value.is_string() {
            true => nested(&value, state),
            false => summary(&value, state),
        };
        let kind = kind(&value);
        let reference = match has_parts(&value, state) {
            true => self.add(Whole::Value(value)),
            false => 0,
        };
        Inspected { name, kind, text, reference, items }
    }

    /// Variables as they are listed.
    pub(super) fn listed(&mut self, variables: &Variables, state: &State) -> Vec<Inspected> {
        let one = |(name, value): &(String, Option<Dynamic>)| match value {
            Some(value) => self.inspected(name.clone(), value, state),
            None => Inspected {
                name: name.clone(),
                kind: String::new(),
                text: "too large to be kept for a call that waits".to_owned(),
                reference: 0,
                items: None,
            },
        };
        variables.iter().map(one).collect()
    }

    /// What a value is made of, or a frame's variables; `None` where nothing has that number any more. Of a list
    /// `count` items from `start` on.
    pub(super) fn parts(
        &mut self,
        reference: usize,
        (start, count): (usize, Option<usize>),
        state: &State,
    ) -> Option<Vec<Inspected>> {
        let mut more = Vec::new();
        let parts: Variables = match self.wholes.get(&reference)? {
            Whole::Variables(variables) => variables.clone(),
            Whole::Value(value) => {
                if let Some(tensor) = value.read_lock::<Tensor>() {
                    more = figures(&tensor, state);
                }
                let parts: Vec<(String, Dynamic)> = match value.read_lock::<Array>() {
                    Some(items) => {
                        let count = count.unwrap_or(MOST).min(MOST);
                        let items = items.iter().enumerate().skip(start).take(count);
                        items.map(|(i, item)| (i.to_string(), item.clone())).collect()
                    }
                    None => parts_of(value, state),
                };
                parts.into_iter().map(|(name, value)| (name, Some(value))).collect()
            }
        };
        let mut listed = self.listed(&parts, state);
        listed.append(&mut more);
        Some(listed)
    }
}

/// Whether a value is made of parts.
fn has_parts(value: &Dynamic, state: &State) -> bool {
    if let Some(items) = value.read_lock::<Array>() {
        return !items.is_empty();
    }
    if let Some(entries) = value.read_lock::<Map>() {
        return !entries.is_empty();
    }
    let object = object_type(value, state);
    value.is::<Tensor>()
        || value.is::<Results>()
        || object.is_some_and(|object| {
            (object.members)(value).is_some() || (object.entries)(value).is_some()
        })
}

/// What a value that is no list is made of, by name.
fn parts_of(value: &Dynamic, state: &State) -> Vec<(String, Dynamic)> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return of_tensor(&tensor);
    }
    if let Some(entries) = value.read_lock::<Map>() {
        return entries.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    }
    if let Some(results) = value.read_lock::<Results>() {
        let name = |i: usize| results.names.get(i).cloned().unwrap_or_else(|| i.to_string());
        return results.values.iter().enumerate().map(|(i, v)| (name(i), v.clone())).collect();
    }
    let Some(object) = object_type(value, state) else { return Vec::new() };
    if let Some(members) = (object.members)(value) {
        let parts = [Part::Parameter, Part::Buffer, Part::Child];
        let items = parts.map(|part| members.items(part).unwrap_or_default());
        let mut found: Vec<(String, Dynamic)> = items.into_iter().flatten().collect();
        if let Ok(training) = members.training() {
            found.push(("training".to_owned(), training.into()));
        }
        return found;
    }
    match (object.entries)(value) {
        Some(Ok(entries)) => entries,
        _ => Vec::new(),
    }
}

/// What a tensor is like; nothing of it is part of what the script does.
fn of_tensor(tensor: &Tensor) -> Vec<(String, Dynamic)> {
    let shape: Array = sizes(tensor).into_iter().map(Dynamic::from).collect();
    let mut found = vec![
        ("shape", Dynamic::from(shape)),
        ("dtype", Dynamic::from(tensor.dtype())),
        ("device", Dynamic::from(tensor.device_of())),
        ("requires_grad", Dynamic::from(tensor.requires_grad())),
    ];
    let value = Dynamic::from(tensor.clone());
    if let Ok(grad) = Context::current(|ctx| get_attribute(&value, "grad", ctx))
        && !grad.is_unit()
    {
        found.push(("grad", grad));
    }
    found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What is worked out of a tensor's elements: their bounds, and the elements themselves as `print` shows them.
fn figures(tensor: &Tensor, state: &State) -> Vec<Inspected> {
    let mut found = bounds(tensor);
    if numel(tensor) > 0 {
        let text = display(&Dynamic::from(tensor.clone()), state);
        found.push(("values", text.chars().take(ELEMENTS).collect()));
    }
    let one = |(name, text): (&str, String)| Inspected {
        name: name.to_owned(),
        kind: String::new(),
        text,
        reference: 0,
        items: None,
    };
    found.into_iter().map(one).collect()
}
