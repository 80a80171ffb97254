//! What `print` shows, and in [`represent`] what the end of a cell does.

mod represent;
mod summary;
pub mod table;
mod tensor;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map};

pub use represent::{Bundle, PLAIN, represent};
pub(crate) use summary::{kind, summary};
pub(crate) use tensor::bounds;
pub use tensor::viridis;

use super::dispatch::object_type;
use super::state::State;
use super::value::{Complex, Namespace, Results};
use crate::error::Error;
use crate::torch::{Device, Dtype, Generator, Layout, MemoryFormat, Tensor, format_tensor};

/// The text for a value: strings as they are.
pub fn display(value: &Dynamic, state: &State) -> String {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return text.to_string();
    }
    if value.is_unit() {
        return String::new();
    }
    nested(value, state)
}

/// The text for a value inside another: strings in quotes.
pub(crate) fn nested(value: &Dynamic, state: &State) -> String {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return format_tensor(&tensor, &state.print_options.borrow());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return format!("{:?}", text.as_str());
    }
    if let Some(items) = value.read_lock::<Array>() {
        let items: Vec<String> = items.iter().map(|item| nested(item, state)).collect();
        return bracketed("[", &items, "]");
    }
    if let Some(map) = value.read_lock::<Map>() {
        let items: Vec<String> = map
            .iter()
            .map(|(name, item)| format!("{}: {}", key(name), nested(item, state)))
            .collect();
        return bracketed("#{", &items, "}");
    }
    if let Some(results) = value.read_lock::<Results>() {
        let named = results.names.iter().all(|name| !name.is_empty());
        let items: Vec<String> = results
            .values
            .iter()
            .zip(results.names.iter())
            .map(|(item, name)| {
                let text = nested(item, state);
                if named { format!("{name}={text}") } else { text }
            })
            .collect();
        return if named {
            // As Python prints its named tuples of tensors.
            format!("torch.return_types.{}(\n{})", results.name, items.join(",\n"))
        } else {
            bracketed("(", &items, ")")
        };
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        let name = function.fn_name();
        return if function.is_anonymous() {
            "<closure>".to_owned()
        } else {
            format!("<function {name}>")
        };
    }
    if let Some(object) = object_type(value, state) {
        return (object.display)(value);
    }
    macro_rules! shown {
        ($($ty:ty),*) => {
            $(if let Some(value) = value.read_lock::<$ty>() {
                return value.to_string();
            })*
        };
    }
    shown!(Dtype, Device, Layout, MemoryFormat, Complex, Namespace, Error);
    if let Some(generator) = value.read_lock::<Generator>() {
        return format!("<torch.Generator on {}>", generator.device());
    }
    if value.is_unit() {
        return "()".to_owned();
    }
    value.to_string()
}

/// A key as a script would write it.
fn key(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty();
    if plain { name.to_owned() } else { format!("{name:?}") }
}

/// Items on one line, or on lines of their own where one of them has several.
fn bracketed(open: &str, items: &[String], close: &str) -> String {
    if items.iter().any(|item| item.contains('\n')) {
        let pad = " ".repeat(open.chars().count());
        let body: Vec<String> =
            items.iter().map(|item| item.replace('\n', &format!("\n{pad}"))).collect();
        return format!("{open}{}{close}", body.join(&format!(",\n{pad}")));
    }
    format!("{open}{}{close}", items.join(", "))
}
