//! The settings of a parameter group, by PyTorch's names, in the order in which they were given.

use crate::functional::numbers::WithNumber;
use flambeau_runtime::script::convert;
use flambeau_runtime::torch::{Tensor, numel};
use flambeau_runtime::{Error, Result};
use indexmap::IndexMap;
use rhai::{Dynamic, ImmutableString};

/// Names and values such as `lr`, `betas`, `weight_decay`.
#[derive(Clone, Default)]
pub(crate) struct Values(IndexMap<ImmutableString, Dynamic>);

impl Values {
    /// The value called `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Dynamic> {
        self.0.get(name)
    }

    /// Sets `name`, new or known.
    pub(crate) fn set(&mut self, name: &str, value: Dynamic) {
        match self.0.get_mut(name) {
            Some(known) => *known = value,
            None => {
                self.0.insert(name.into(), value);
            }
        }
    }

    /// Sets `name` unless it is there.
    pub(crate) fn set_default(&mut self, name: &str, value: &Dynamic) {
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), value.clone());
        }
    }

    /// Names and values in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Dynamic)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn wrong(&self, name: &str, expected: &str) -> Error {
        match self.get(name) {
            None => Error::key(format!("the parameter group has no '{name}'")),
            Some(value) => Error::type_(format!(
                "'{name}' of a parameter group must be {expected}, not {}",
                convert::type_name(value)
            )),
        }
    }

    /// A number; a tensor of one element counts.
    pub(crate) fn float(&self, name: &str) -> Result<f64> {
        self.get(name).and_then(number).ok_or_else(|| self.wrong(name, "a number"))
    }

    /// An integer.
    pub(crate) fn int(&self, name: &str) -> Result<i64> {
        self.get(name).and_then(convert::int).ok_or_else(|| self.wrong(name, "an integer"))
    }

    /// A bool; `()` is false.
    pub(crate) fn bool(&self, name: &str) -> Result<bool> {
        Ok(self.flag(name)?.unwrap_or(false))
    }

    /// A bool or `()`; a name that is not there counts as `()`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) if value.is_unit() => Ok(None),
            Some(value) => value.as_bool().map(Some).map_err(|_| self.wrong(name, "a bool or ()")),
        }
    }

    /// Two numbers, such as `betas`.
    pub(crate) fn pair(&self, name: &str) -> Result<(f64, f64)> {
        let wrong = || self.wrong(name, "a list of two numbers");
        let list = self.get(name).ok_or_else(wrong)?;
        if let Some(list) = list.read_lock::<rhai::Array>()
            && let [first, second] = list.as_slice()
            && let (Some(first), Some(second)) = (number(first), number(second))
        {
            return Ok((first, second));
        }
        match convert::floats(list).as_deref() {
            Some([first, second]) => Ok((*first, *second)),
            _ => Err(wrong()),
        }
    }

    /// Writes a number as PyTorch's schedulers do: into a tensor where the value is one.
    pub(crate) fn set_number(&mut self, name: &str, number: f64) -> Result<()> {
        if let Some(tensor) = self.get(name).and_then(convert::tensor) {
            let tensor = tensor.into_tch();
            let _ = tch::no_grad(|| tensor.fill_number_(number))?;
        } else {
            self.set(name, Dynamic::from_float(number));
        }
        Ok(())
    }
}

impl FromIterator<(String, Dynamic)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, Dynamic)>>(values: I) -> Self {
        Values(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

/// A number, or the element of a tensor that has one.
pub(crate) fn number(value: &Dynamic) -> Option<f64> {
    if let Ok(float) = value.as_float() {
        return Some(float);
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        if numel(&tensor) != 1 {
            return None;
        }
        return tensor.f_reshape([1i64]).and_then(|one| one.f_double_value(&[0])).ok();
    }
    convert::float(value)
}

/// A value as Python writes it: `True`, `None`, `1e-08`, `(0.9, 0.999)`.
pub(crate) fn python_text(value: &Dynamic) -> String {
    if value.is_unit() {
        return "None".to_owned();
    }
    if let Ok(bool) = value.as_bool() {
        return if bool { "True" } else { "False" }.to_owned();
    }
    if let Ok(float) = value.as_float() {
        return python_float(float);
    }
    if let Some(list) = value.read_lock::<rhai::Array>() {
        let items: Vec<String> = list.iter().map(python_text).collect();
        return format!("({})", items.join(", "));
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return match number(value) {
            Some(one) => format!("tensor({})", python_float(one)),
            None => tensor.describe(),
        };
    }
    value.to_string()
}

/// A float as Python's `repr` writes it.
pub(crate) fn python_float(x: f64) -> String {
    if x.is_nan() {
        return "nan".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = x.abs();
    if x != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{x:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(rest) => ('-', rest),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = format!("{x}");
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::python_float;

    #[test]
    fn floats_read_as_in_python() {
        for (x, text) in
            [(0.001, "0.001"), (1e-8, "1e-08"), (0.0, "0.0"), (1e16, "1e+16"), (2.5e-5, "2.5e-05")]
        {
            assert_eq!(python_float(x), text);
        }
    }
}
