//! What a script logs and reports, as JSON.

use flambeau_experiments::{Map as Record, metrics};
use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, convert};
use flambeau_runtime::torch::{Tensor, numel, sizes};
use rhai::{Dynamic, Map};
use serde_json::Value;

/// Deeper values are refused: they are more likely to be a cycle.
const MAX_DEPTH: usize = 8;

/// A script's map as a record: nested maps are flattened, `train` and in it `loss` to `train/loss`.
///
/// # Errors
/// A `TypeError` or `ValueError` that names the entry which is no number, text or bool.
pub(super) fn record(function: &str, map: &Map, ctx: &Context<'_>) -> Result<Record> {
    let mut record = Record::new();
    flatten(function, "", map, 0, &mut record, ctx)?;
    Ok(record)
}

fn flatten(
    function: &str,
    prefix: &str,
    map: &Map,
    depth: usize,
    record: &mut Record,
    ctx: &Context<'_>,
) -> Result<()> {
    for (name, value) in map {
        let name = format!("{prefix}{name}");
        if name == metrics::TIME {
            return Err(Error::value(format!(
                "{function}(): the entry '{name}' is the time of the record"
            ))
            .help("give it another name"));
        }
        match value.read_lock::<Map>() {
            Some(inner) if depth < MAX_DEPTH => {
                flatten(function, &format!("{name}/"), &inner, depth + 1, record, ctx)?;
            }
            _ => {
                let scalar = scalar(function, &name, value, ctx)?;
                record.insert(name, scalar);
            }
        }
    }
    Ok(())
}

fn scalar(function: &str, name: &str, value: &Dynamic, ctx: &Context<'_>) -> Result<Value> {
    let plain = match value.read_lock::<Tensor>() {
        Some(tensor) if numel(&tensor) != 1 => {
            return Err(Error::value(format!(
                "{function}(): '{name}' is a tensor of shape {:?}, not one number",
                sizes(&tensor)
            ))
            .help(format!("give one number, such as {name}.mean()")));
        }
        Some(_) => Some(()),
        None => None,
    };
    let value = match plain {
        Some(()) => &ctx.call_method(value, "item", Vec::new())?,
        None => value,
    };
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(bool) = value.as_bool() {
        return Ok(bool.into());
    }
    if let Ok(int) = value.as_int() {
        return Ok(int.into());
    }
    if let Some(float) = convert::float(value) {
        return Ok(metrics::value(float));
    }
    if let Some(text) = convert::string(value) {
        return Ok(text.into());
    }
    Err(Error::type_(format!(
        "{function}(): '{name}' is {}, and a number, text or bool is wanted",
        convert::a_type(value)
    )))
}

/// A record as a line for people: `step 3  loss 0.5312`.
pub(super) fn line(record: &Record) -> String {
    let first = record.get_key_value(metrics::STEP).into_iter();
    let rest = record.iter().filter(|(name, _)| *name != metrics::STEP);
    let parts = first.chain(rest).map(|(name, value)| format!("{name} {}", shown(value)));
    parts.collect::<Vec<_>>().join("  ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            match float.abs() {
                magnitude if magnitude != 0.0 && !(1e-3..1e6).contains(&magnitude) => {
                    format!("{float:.3e}")
                }
                _ => format!("{float:.4}"),
            }
        }
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
