//! The table of libtorch's operators: their names are read once from the dispatcher, their schemas when
//! an operator is first used. Writing and parsing all 3,200 would cost more than the rest of the start.

use std::collections::{BTreeSet, HashMap};
use std::sync::{OnceLock, RwLock};

use super::schema::{Arity, Schema, Type};
use super::shim::{self, Handle};

/// One overload of an operator.
#[derive(Clone, Debug)]
pub struct Overload {
    /// Its signature.
    pub schema: Schema,
    /// Whether it writes into tensors given by keyword (`out=`).
    pub is_out: bool,
    /// Whether it takes `dtype`, `layout`, `device`, `pin_memory`: then scripts may say `requires_grad`.
    pub is_factory: bool,
    /// Whether its integers may be given without brackets: `x.view(2, 3)`.
    pub varargs: Option<usize>,
    /// Whether a call without gradients may go below autograd: libtorch's own operators.
    pub(crate) skip_autograd: bool,
    pub(crate) handle: Handle,
}

impl Overload {
    fn new(handle: Handle, text: &str) -> Option<Overload> {
        let schema = Schema::parse(text).ok()?;
        let is_out = schema.arguments.iter().any(|a| a.mutated && a.keyword_only);
        let is_factory = schema.arguments.iter().any(|a| a.name == "pin_memory" && a.keyword_only);
        let mut positional = schema
            .arguments
            .iter()
            .enumerate()
            .filter(|(_, a)| !a.keyword_only && a.arity == Arity::One);
        let first = positional.next();
        // Python gathers integers when the list is the only argument besides `self`.
        let list = match first {
            Some((_, argument)) if argument.name == "self" => positional.next(),
            other => other,
        };
        let varargs = match (list, positional.next()) {
            (Some((i, argument)), None) => match argument.ty.required() {
                Type::List(inner, None) if **inner == Type::Int => Some(i),
                _ => None,
            },
            _ => None,
        };
        let skip_autograd = schema.name.starts_with("aten::");
        Some(Overload { schema, is_out, is_factory, varargs, skip_autograd, handle })
    }
}

/// An operator: all overloads under one name.
#[derive(Debug)]
pub struct Operator {
    /// The qualified name, such as `aten::sum`.
    pub name: String,
    /// Those without `out` first, in a stable order.
    pub overloads: Vec<Overload>,
}

impl Operator {
    /// The name without its namespace.
    pub fn short_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }
}

/// An operator as the dispatcher names it.
struct Entry {
    overloads: Vec<String>,
    parsed: OnceLock<&'static Operator>,
}

type Table = HashMap<String, Entry>;

fn table() -> &'static RwLock<Table> {
    static TABLE: OnceLock<RwLock<Table>> = OnceLock::new();
    TABLE.get_or_init(|| RwLock::new(read()))
}

/// Reads the dispatcher.
fn read() -> Table {
    let mut table: Table = HashMap::with_capacity(4096);
    for full in shim::operators().unwrap_or_default() {
        let Some((name, overload)) = full.split_once('.') else { continue };
        let overload = overload.to_owned();
        match table.get_mut(name) {
            Some(entry) => entry.overloads.push(overload),
            None => {
                let entry = Entry { overloads: vec![overload], parsed: OnceLock::new() };
                table.insert(name.to_owned(), entry);
            }
        }
    }
    table
}

/// Finds an operator by namespace (`aten`) and name (`sum`). Operators that a package registered
/// after the start are found too.
pub fn operator(namespace: &str, name: &str) -> Option<&'static Operator> {
    let key = format!("{namespace}::{name}");
    let find = || {
        let table = table().read().ok()?;
        let entry = table.get(&key)?;
        Some(*entry.parsed.get_or_init(|| {
            let mut names = entry.overloads.clone();
            names.sort();
            let mut overloads: Vec<Overload> = names
                .iter()
                .filter_map(|overload| shim::schema(&key, overload))
                .filter_map(|(handle, text)| Overload::new(handle, &text))
                .collect();
            overloads.sort_by_key(|overload| overload.is_out);
            // Operators live as long as the process, as the dispatcher's do.
            Box::leak(Box::new(Operator { name: key.clone(), overloads }))
        }))
    };
    find().or_else(|| {
        if namespace == "aten" {
            return None;
        }
        // A package may have registered it since.
        let fresh = read();
        if let Ok(mut table) = table().write() {
            for (name, entry) in fresh {
                table.entry(name).or_insert(entry);
            }
        }
        find()
    })
}

/// One overload of an operator as an operator of its own: `dim_IntList` of `aten::sum`, `default` for the
/// one without a name.
pub fn operator_overload(namespace: &str, name: &str, overload: &str) -> Option<&'static Operator> {
    static KNOWN: OnceLock<RwLock<HashMap<String, &'static Operator>>> = OnceLock::new();
    let known = KNOWN.get_or_init(RwLock::default);
    let key = format!("{namespace}::{name}.{overload}");
    if let Some(found) = known.read().ok()?.get(&key) {
        return Some(found);
    }
    let wanted = if overload == "default" { "" } else { overload };
    let whole = operator(namespace, name)?;
    let one = whole.overloads.iter().find(|one| one.schema.overload == wanted)?.clone();
    // As many as scripts name; they live as long as the operators.
    let made: &'static Operator =
        Box::leak(Box::new(Operator { name: whole.name.clone(), overloads: vec![one] }));
    known.write().ok()?.insert(key, made);
    Some(made)
}

/// The short names of all operators of a namespace, sorted.
pub fn operator_names(namespace: &str) -> Vec<String> {
    let prefix = format!("{namespace}::");
    let Ok(table) = table().read() else { return Vec::new() };
    let names: BTreeSet<String> =
        table.keys().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect();
    names.into_iter().collect()
}

/// The namespaces of the dispatcher, sorted.
pub fn namespaces() -> Vec<String> {
    let Ok(table) = table().read() else { return Vec::new() };
    let names: BTreeSet<String> =
        table.keys().filter_map(|name| name.split("::").next()).map(str::to_owned).collect();
    names.into_iter().collect()
}
