//! JSON: `json`.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Function, convert};
use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use crate::io::files;

/// Deeper values are refused: they are more likely to be a cycle.
const MAX_DEPTH: usize = 100;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "json.parse(str text) -> Any",
        doc: "Reads a JSON text: objects become maps, null becomes (), integers stay integers.",
        example: "json.parse(\"{\\\"lr\\\": 0.001, \\\"steps\\\": [1, 2]}\").lr",
        call: |args| {
            let text = args.str(0)?;
            let value = serde_json::from_str(&text)
                .map_err(|error| Error::value(format!("json.parse(): {error}")))?;
            Ok(from_json(value))
        },
    },
    Function {
        schema: "json.stringify(Any value, bool pretty=False) -> str",
        doc: "A value as JSON text. Tensors become nested arrays; nan and infinities, which JSON \
              does not have, become null.",
        example: "json.stringify(#{name: \"digits\", shape: torch.zeros([2, 3]).shape})",
        call: |args| Ok(text(args.get(0), args.bool(1)?)?.into()),
    },
    Function {
        schema: "json.read(str path) -> Any",
        doc: "Reads a JSON file.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  json.write(#{epochs: 3}, \"runs/doc/config.json\");\n\
                  json.read(\"runs/doc/config.json\").epochs",
        call: |args| {
            let path = args.ctx().readable(&args.str(0)?)?;
            let bytes = files::read(&path)?;
            if bytes.is_empty() {
                return Err(Error::io(&path, "the file is empty"));
            }
            let value = serde_json::from_slice(&bytes)
                .map_err(|error| Error::io(&path, format!("is no JSON: {error}")))?;
            Ok(from_json(value))
        },
    },
    Function {
        schema: "json.write(Any value, str path, bool pretty=True) -> None",
        doc: "Writes a value as a JSON file, see `json.stringify`.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  json.write(#{epochs: 3}, \"runs/doc/config.json\")",
        call: |args| {
            let path = args.ctx().writable(&args.str(1)?)?;
            let mut text = text(args.get(0), args.bool(2)?)?;
            text.push('\n');
            files::write_bytes(&path, text.as_bytes())?;
            Ok(Dynamic::UNIT)
        },
    },
];

/// A value as JSON text.
pub(crate) fn text(value: &Dynamic, pretty: bool) -> Result<String> {
    let value = to_json(value, 0)?;
    let text =
        if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
    text.map_err(|error| Error::value(format!("json: {error}")))
}

/// A value of JSON as a script's.
pub(crate) fn from_json(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(bool) => bool.into(),
        Value::Number(number) => match number.as_i64() {
            Some(int) => int.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => items.into_iter().map(from_json).collect::<Array>().into(),
        Value::Object(object) => {
            let pairs = object.into_iter().map(|(key, value)| (key.into(), from_json(value)));
            pairs.collect::<Map>().into()
        }
    }
}

/// A script's value as JSON, `depth` levels below the one that is asked for.
pub(crate) fn to_json(value: &Dynamic, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(Error::value(format!(
            "json: the value is nested deeper than {MAX_DEPTH} levels"
        )));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(bool) = value.as_bool() {
        return Ok(bool.into());
    }
    if let Ok(int) = value.as_int() {
        return Ok(int.into());
    }
    if let Ok(float) = value.as_float() {
        return Ok(float.into());
    }
    if let Some(text) = convert::string(value) {
        return Ok(text.into());
    }
    if let Ok(char) = value.as_char() {
        return Ok(char.to_string().into());
    }
    if let Some(map) = value.read_lock::<Map>() {
        let pairs =
            map.iter().map(|(key, value)| Ok((key.to_string(), to_json(value, depth + 1)?)));
        return pairs.collect::<Result<serde_json::Map<_, _>>>().map(Value::Object);
    }
    if let Some(tensor) = convert::tensor(value) {
        return to_json(&convert::to_list(&tensor)?, depth + 1);
    }
    if let Some(items) = convert::items(value) {
        let items = items.iter().map(|item| to_json(item, depth + 1));
        return items.collect::<Result<Vec<_>>>().map(Value::Array);
    }
    if let Some(dtype) = convert::dtype(value) {
        return Ok(dtype.name().into());
    }
    Err(Error::type_(format!("json: a {} cannot be written as JSON", convert::type_name(value))))
}
