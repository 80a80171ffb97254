//! What the end of a cell and `display` show: a value's representations by MIME type, of which the front end
//! takes the best that it can show.

use rhai::{Array, Dynamic, Map};

use super::table::Table;
use super::tensor;
use super::{display, nested};
use crate::script::dispatch::object_type;
use crate::script::state::State;
use crate::torch::{Tensor, format_tensor, numel};

/// Representations by MIME type: text as it is, other data in base64.
pub type Bundle = Vec<(String, String)>;

/// The MIME type that every bundle has.
pub const PLAIN: &str = "text/plain";

/// An array with more items is shown by its ends.
const WHOLE: usize = 1000;
/// How many items are shown at either end.
const EDGE: usize = 10;

/// The representations of a value; none of an object that has shown itself.
pub fn represent(value: &Dynamic, state: &State) -> Bundle {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        let mut bundle = plain(narrow_tensor(&tensor, state));
        // One number says all of itself.
        if state.notebook && numel(&tensor) != 1 {
            let html = tensor::html(&tensor, &bundle[0].1);
            bundle.push(("text/html".to_owned(), html));
        }
        return bundle;
    }
    if let Some(items) = value.read_lock::<Array>() {
        return match of_maps(&items, state) {
            Some(table) => table.bundle(state.width.get()),
            None if items.len() > WHOLE => plain(ends(&items, state)),
            None => plain(nested(value, state)),
        };
    }
    let object = object_type(value, state);
    let found = object.and_then(|object| (object.representations)(value, state));
    if found.as_ref().is_some_and(Bundle::is_empty) {
        return Bundle::new();
    }
    let mut bundle = found.unwrap_or_default();
    if !bundle.iter().any(|(mime, _)| mime == PLAIN) {
        bundle.push((PLAIN.to_owned(), display(value, state)));
    }
    bundle
}

fn plain(text: String) -> Bundle {
    vec![(PLAIN.to_owned(), text)]
}

/// A tensor as PyTorch prints it, whose lines fit into the terminal also where that is narrower than usual.
fn narrow_tensor(tensor: &Tensor, state: &State) -> String {
    let mut options = state.print_options.borrow().clone();
    options.linewidth = options.linewidth.min(state.width.get());
    format_tensor(tensor, &options)
}

/// The first items, the last, and how many there are.
fn ends(items: &Array, state: &State) -> String {
    let shown = |items: &[Dynamic]| {
        items.iter().map(|item| nested(item, state)).collect::<Vec<_>>().join(", ")
    };
    let (first, last) = (&items[..EDGE], &items[items.len() - EDGE..]);
    format!("[{}, …, {}]\n{} items", shown(first), shown(last), items.len())
}

/// A table of an array whose items are maps with the same keys.
fn of_maps(items: &Array, state: &State) -> Option<Table> {
    let first = items.first()?.read_lock::<Map>()?;
    if first.is_empty() {
        return None;
    }
    let alike = |item: &Dynamic| {
        item.read_lock::<Map>()
            .is_some_and(|map| map.len() == first.len() && map.keys().eq(first.keys()))
    };
    if !items.iter().all(alike) {
        return None;
    }
    let names = first.keys().map(ToString::to_string).collect();
    let row = |i: usize| {
        let map = items[i].read_lock::<Map>();
        map.map(|map| map.values().cloned().collect()).unwrap_or_default()
    };
    Some(Table::new(names, items.len(), row, state))
}
