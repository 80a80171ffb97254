//! Values in the form in which both languages show them: JSON with dtype, shape and elements.

use flambeau_runtime::script::{Complex, Results, Session, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::{Value, json};

/// A script's value; the oracle does the same for Python's.
pub fn encode(value: &Dynamic, session: &Session) -> Value {
    if value.is_unit() {
        return Value::Null;
    }
    if let Some(number) = number(value) {
        return number;
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return json!(text.as_str());
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        let mut data = Vec::new();
        match convert::to_list(&tensor) {
            Ok(list) => flatten(&list, &mut data),
            Err(error) => data.push(json!(error.message)),
        }
        return json!({
            "tensor": tensor.dtype().to_string(),
            "shape": tensor.size(),
            "grad": tensor.requires_grad(),
            "data": data,
        });
    }
    if let Some(results) = value.read_lock::<Results>() {
        let values: Vec<Value> = results.values.iter().map(|item| encode(item, session)).collect();
        let names: Vec<&String> = results.names.iter().filter(|name| !name.is_empty()).collect();
        return if names.is_empty() {
            json!(values)
        } else {
            json!({"names": names, "values": values})
        };
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|item| encode(item, session)).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        let map: serde_json::Map<String, Value> =
            map.iter().map(|(key, item)| (key.to_string(), encode(item, session))).collect();
        return json!({"map": map});
    }
    if let Some(items) = convert::items(value) {
        return items.iter().map(|item| encode(item, session)).collect();
    }
    json!({"other": session.display(value)})
}

fn number(value: &Dynamic) -> Option<Value> {
    if let Ok(int) = value.as_int() {
        return Some(json!(int));
    }
    if let Ok(bool) = value.as_bool() {
        return Some(json!(bool));
    }
    if let Ok(float) = value.as_float() {
        return Some(json!({"float": float.to_string()}));
    }
    let complex = value.read_lock::<Complex>()?;
    Some(json!({"complex": [complex.re.to_string(), complex.im.to_string()]}))
}

fn flatten(value: &Dynamic, out: &mut Vec<Value>) {
    match value.read_lock::<Array>() {
        Some(items) => items.iter().for_each(|item| flatten(item, out)),
        None => out.extend(number(value)),
    }
}

/// Whether two values agree: exactly, but for the last bits of floats.
pub fn agree(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            if let (Some(a), Some(b)) = (a.get("float"), b.get("float")) {
                return close(a, b);
            }
            if let (Some(Value::Array(a)), Some(Value::Array(b))) =
                (a.get("complex"), b.get("complex"))
            {
                return a.iter().zip(b).all(|(a, b)| close(a, b));
            }
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| agree(a, b)))
        }
        (a, b) => a == b,
    }
}

fn close(a: &Value, b: &Value) -> bool {
    let read = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    match (read(a), read(b)) {
        (Some(a), Some(b)) => {
            // `==` first: for infinities.
            a == b
                || (a.is_nan() && b.is_nan())
                || (a - b).abs() <= 1e-5 * a.abs().max(b.abs()).max(1e-3)
        }
        _ => false,
    }
}
