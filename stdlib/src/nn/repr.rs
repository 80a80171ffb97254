//! How modules print: PyTorch's tree, with each layer's settings between the parentheses.
//!
//! A class says what it shows in a line such as `in_features, bias?True, mode!r`: names of settings,
//! separated by commas. `*name` shows the value alone, `name?default` leaves it out where it has that
//! value (`a|b` for one of several), `name!r` puts strings in quotes. The name of a parameter shows
//! whether it is there.

use flambeau_runtime::torch::{Tensor, sizes};
use rhai::{Array, Dynamic, ImmutableString};

use super::class::Role;
use super::layers::container;
use super::module::Module;

/// The module as PyTorch's `repr` shows it.
pub(crate) fn repr(module: &Module) -> String {
    if let Some(theirs) = module.foreign() {
        return theirs.display();
    }
    if module.class().role == Role::List {
        return list(module);
    }
    let extra = extra(module);
    let state = module.state();
    let children: Vec<String> = state
        .modules
        .iter()
        .map(|(name, child)| {
            let child = child.as_ref().map_or_else(|| "None".to_owned(), repr);
            format!("({name}): {}", indent(&child))
        })
        .collect();
    drop(state);
    if children.is_empty() && !extra.contains('\n') {
        return format!("{}({extra})", module.name());
    }
    let extra = (!extra.is_empty()).then(|| indent(&extra));
    let lines: Vec<String> = extra.into_iter().chain(children).collect();
    format!("{}(\n  {}\n)", module.name(), lines.join("\n  "))
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// A ModuleList: equal neighbours are shown once, with their number.
fn list(module: &Module) -> String {
    let items: Vec<String> = module.items().iter().map(repr).collect();
    if items.is_empty() {
        return format!("{}()", module.name());
    }
    let mut lines = Vec::new();
    let mut start = 0;
    for end in 1..=items.len() {
        if end < items.len() && items[end] == items[start] {
            continue;
        }
        let item = &items[start];
        let line = match end - start {
            1 => format!("({start}): {item}"),
            n => format!("({start}-{}): {n} x {item}", end - 1),
        };
        lines.push(indent(&line));
        start = end;
    }
    format!("{}(\n  {}\n)", module.name(), lines.join("\n  "))
}

/// What stands between the parentheses.
fn extra(module: &Module) -> String {
    if matches!(module.class().role, Role::ParameterList | Role::ParameterDict) {
        return parameters(module);
    }
    let shown: Vec<String> =
        module.class().repr.split(", ").filter_map(|item| field(module, item.trim())).collect();
    shown.join(", ")
}

fn field(module: &Module, item: &str) -> Option<String> {
    let (item, default) = match item.split_once('?') {
        Some((item, default)) => (item, Some(default)),
        None => (item, None),
    };
    let (item, quoted) = match item.strip_suffix("!r") {
        Some(item) => (item, true),
        None => (item, false),
    };
    let (name, bare) = match item.strip_prefix('*') {
        Some(name) => (name, true),
        None => (item, false),
    };
    let state = module.state();
    let value = match state.parameters.get(name) {
        Some(parameter) => Dynamic::from_bool(parameter.is_some()),
        None => state.attributes.get(name)?.clone(),
    };
    drop(state);
    let text = python(&value, quoted);
    let is_default = |default: &str| {
        text == default
            || value
                .read_lock::<Array>()
                .is_some_and(|list| list.iter().all(|item| python(item, quoted) == default))
    };
    if default.is_some_and(|default| default.split('|').any(is_default)) {
        return None;
    }
    Some(if bare { text } else { format!("{name}={text}") })
}

/// A value as Python writes it.
fn python(value: &Dynamic, quoted: bool) -> String {
    if value.is_unit() {
        return "None".to_owned();
    }
    if let Ok(flag) = value.as_bool() {
        return if flag { "True" } else { "False" }.to_owned();
    }
    if let Ok(number) = value.as_float() {
        return float(number);
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return if quoted { format!("'{}'", *text) } else { text.to_string() };
    }
    if let Some(list) = value.read_lock::<Array>() {
        let items: Vec<String> = list.iter().map(|item| python(item, quoted)).collect();
        return match items.as_slice() {
            [one] => format!("({one},)"),
            _ => format!("({})", items.join(", ")),
        };
    }
    value.to_string()
}

/// A float as Python's `repr` writes it: the shortest digits, with an exponent for very small and
/// very large numbers.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let text = format!("{number}");
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// The lines of a ParameterList or ParameterDict.
fn parameters(module: &Module) -> String {
    let lines =
        container::names(module).into_iter().zip(container::values(module)).map(|(name, value)| {
            match value.read_lock::<Tensor>() {
                Some(tensor) => {
                    let size: Vec<String> = sizes(&tensor).iter().map(i64::to_string).collect();
                    let device = tensor.device_of();
                    let place =
                        if device.kind == 0 { String::new() } else { format!(" ({device})") };
                    let dtype = match module.class().role {
                        Role::ParameterList => tensor.dtype().to_string(),
                        _ => format!("torch.{}", storage_type(&tensor)),
                    };
                    format!(
                        "  ({name}): Parameter containing: [{dtype} of size {}{place}]",
                        size.join("x")
                    )
                }
                None => format!("  ({name}): None"),
            }
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// The old name of a tensor's type, such as `FloatTensor`, which ParameterDict prints.
fn storage_type(tensor: &Tensor) -> String {
    let name = match tensor.dtype().name() {
        "float32" => "Float",
        "float64" => "Double",
        "float16" => "Half",
        "bfloat16" => "BFloat16",
        other => return other.to_owned(),
    };
    let cuda = if tensor.device_of().kind == 1 { "cuda." } else { "" };
    format!("{cuda}{name}Tensor")
}
