//! `torch.save` and `torch.load`: safetensors files that also hold the structure around the
//! tensors.
//!
//! A value is taken apart: its tensors go into the file under dotted names (`model.fc.weight`), the
//! rest (maps, lists, numbers, texts, which tensor is where) becomes a JSON text in the file's
//! metadata under the key `flambeau`. Python reads the tensors with `safetensors.torch.load_file`;
//! a state dict has the keys that `load_state_dict` wants.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, Function, convert};
use flambeau_runtime::torch::{Device, Dtype, Tensor};
use rhai::{Array, Dynamic, Map};
use serde_json::{Value, json};

use super::safetensors::{self, Reader};
use crate::nn::StateDict;

/// The key of the structure in the file's metadata.
const STRUCTURE: &str = "flambeau";
/// The entry that tells what a JSON object stands for, where it is no plain map.
const TAG: &str = "$";
/// Deeper values are refused: they are more likely to be a cycle.
const MAX_DEPTH: usize = 32;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "torch.save(Any obj, str f) -> None",
        doc: "Saves tensors, state dicts, and maps and lists of them, of numbers, texts and \
              bools.\n\n\
              The file is safetensors: Python reads its tensors with \
              `safetensors.torch.load_file`. It is written beside its target and renamed, so a \
              crash leaves the old file. A module or optimizer is saved by its `state_dict()`.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  let model = nn.Linear(2, 1);\n\
                  torch.save(#{model: model.state_dict(), epoch: 3}, \
                  \"runs/doc/checkpoint.safetensors\");\n\
                  torch.load(\"runs/doc/checkpoint.safetensors\").epoch",
        call: |args| {
            let path = args.ctx().writable(&args.str(1)?)?;
            save(&path, args.get(0))?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "torch.load(str f, Device? map_location=None, *, bool weights_only=True) -> Any",
        doc: "Loads what `torch.save` saved, with the structure that it had; any other \
              safetensors file gives a state dict of its tensors. Tensors come to the CPU or to \
              `map_location`. Files of Python's torch.save hold pickled objects and are refused; \
              nothing that is read here is ever executed, so `weights_only` changes nothing.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  torch.save([torch.ones([2]), \"label\"], \"runs/doc/pair.safetensors\");\n\
                  torch.load(\"runs/doc/pair.safetensors\")[1]",
        call: |args| {
            let path = args.ctx().readable(&args.str(0)?)?;
            let device = args.opt_device(1)?;
            load(&path, device, args.ctx())
        },
    },
];

/// Saves a value, whole or not at all.
///
/// # Errors
/// A `TypeError` for a value that cannot be saved; an `IoError` that names the file.
pub(crate) fn save(path: &Path, value: &Dynamic) -> Result<()> {
    let mut writer = Writer::default();
    let structure = writer.encode(value, "", 0)?;
    let metadata = [("format", "pt".to_owned()), (STRUCTURE, structure.to_string())];
    safetensors::write(path, &writer.tensors, &metadata)
}

/// What [`save`] saved; of another safetensors file the state dict of its tensors.
///
/// # Errors
/// An `IoError` for a file that is missing or damaged.
pub(crate) fn load(path: &Path, device: Option<Device>, ctx: &Context<'_>) -> Result<Dynamic> {
    let mut reader = Reader::open(path)?;
    let structure = match reader.metadata(STRUCTURE) {
        None => None,
        Some(text) => Some(serde_json::from_str(text).map_err(|error| {
            Error::io(path, format!("is damaged: the structure is not JSON: {error}"))
        })?),
    };
    let tensors = read_tensors(&mut reader, device, ctx)?;
    match structure {
        Some(value) => {
            decode(&value, &tensors.into_iter().collect()).map_err(|cause| Error::io(path, cause))
        }
        None => Ok(Dynamic::from(state_dict(
            tensors.into_iter().map(|(name, t)| (name, Dynamic::from(t))).collect(),
        ))),
    }
}

/// Names and values of a state dict, in its order.
pub(crate) fn entries(state: &StateDict) -> Vec<(String, Dynamic)> {
    state.pairs()
}

fn state_dict(pairs: Vec<(String, Dynamic)>) -> StateDict {
    StateDict::from_pairs(pairs)
}

fn read_tensors(
    reader: &mut Reader,
    device: Option<Device>,
    ctx: &Context<'_>,
) -> Result<Vec<(String, Tensor)>> {
    let device = device.map(Device::tch).transpose()?;
    let names: Vec<String> = reader.names().map(str::to_owned).collect();
    let mut tensors = Vec::with_capacity(names.len());
    for (i, name) in names.into_iter().enumerate() {
        ctx.check()?;
        let mut tensor = reader.read(i)?.into_tensor(ctx)?;
        if let Some(device) = device {
            tensor = tensor.f_to_device(device)?.into();
        }
        tensors.push((name, tensor));
    }
    Ok(tensors)
}

/// Takes a value apart.
#[derive(Default)]
struct Writer {
    tensors: Vec<(String, Tensor)>,
    names: HashSet<String>,
}

impl Writer {
    fn encode(&mut self, value: &Dynamic, path: &str, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(Error::value(format!(
                "torch.save(): '{path}' is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        let below =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Some(tensor) = value.read_lock::<Tensor>() {
            return Ok(json!({TAG: "tensor", "key": self.tensor(path, &tensor)}));
        }
        let state = if value.is::<Map>() { None } else { StateDict::from_value(value) };
        if let Some(state) = state {
            let mut items = Vec::new();
            for (name, value) in entries(&state) {
                items.push(json!([name, self.encode(&value, &below(&name), depth + 1)?]));
            }
            return Ok(json!({TAG: "state_dict", "items": items}));
        }
        if let Some(map) = value.read_lock::<Map>() {
            let mut object = serde_json::Map::new();
            for (name, value) in map.iter() {
                object.insert(name.to_string(), self.encode(value, &below(name), depth + 1)?);
            }
            // A user's own `$` must not be taken for the tag.
            let plain = !object.contains_key(TAG);
            return Ok(if plain { object.into() } else { json!({TAG: "map", "items": object}) });
        }
        if let Some(items) = value.read_lock::<Array>() {
            let encode =
                |(i, item): (usize, &Dynamic)| self.encode(item, &below(&i.to_string()), depth + 1);
            return items
                .iter()
                .enumerate()
                .map(encode)
                .collect::<Result<Vec<_>>>()
                .map(Value::from);
        }
        self.leaf(value).ok_or_else(|| {
            let at = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
            let found = convert::type_name(value);
            let error = Error::type_(format!("torch.save() cannot save a {found}{at}"));
            error.help(
                "tensors, state dicts, maps, arrays, numbers, texts and bools are saved; \
             of a module or optimizer save its state_dict()",
            )
        })
    }

    fn leaf(&self, value: &Dynamic) -> Option<Value> {
        if value.is_unit() {
            Some(Value::Null)
        } else if let Ok(bool) = value.as_bool() {
            Some(bool.into())
        } else if let Ok(int) = value.as_int() {
            Some(int.into())
        } else if let Ok(float) = value.as_float() {
            // JSON has no infinities and no nan.
            Some(if float.is_finite() {
                json!(float)
            } else {
                json!({TAG: "float", "value": float.to_string()})
            })
        } else if let Some(text) = convert::string(value) {
            Some(text.into())
        } else if let Ok(char) = value.as_char() {
            Some(json!({TAG: "char", "value": char.to_string()}))
        } else if let Some(dtype) = convert::dtype(value) {
            Some(json!({TAG: "dtype", "value": dtype.name()}))
        } else {
            let device = value.read_lock::<Device>()?;
            Some(json!({TAG: "device", "value": device.to_string()}))
        }
    }

    /// Puts a tensor into the file, by its path or, where that is taken, a path with a number.
    fn tensor(&mut self, path: &str, tensor: &Tensor) -> String {
        let base = if path.is_empty() { "tensor" } else { path };
        let mut key = base.to_owned();
        let mut n = 2;
        while !self.names.insert(key.clone()) {
            key = format!("{base}#{n}");
            n += 1;
        }
        self.tensors.push((key.clone(), tensor.clone()));
        key
    }
}

/// Puts a value together again.
fn decode(value: &Value, tensors: &HashMap<String, Tensor>) -> Result<Dynamic, String> {
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(bool) => (*bool).into(),
        Value::Number(number) => match number.as_i64() {
            Some(int) => int.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items
            .iter()
            .map(|item| decode(item, tensors))
            .collect::<Result<Array, String>>()
            .map(Dynamic::from_array)?,
        Value::Object(object) => match object.get(TAG) {
            None => decode_map(object, tensors)?,
            Some(tag) => decode_tagged(tag, object, tensors)?,
        },
    })
}

fn decode_map(
    object: &serde_json::Map<String, Value>,
    tensors: &HashMap<String, Tensor>,
) -> Result<Dynamic, String> {
    let mut map = Map::new();
    for (name, value) in object {
        map.insert(name.into(), decode(value, tensors)?);
    }
    Ok(map.into())
}

fn decode_tagged(
    tag: &Value,
    object: &serde_json::Map<String, Value>,
    tensors: &HashMap<String, Tensor>,
) -> Result<Dynamic, String> {
    let damaged = || format!("is damaged: its structure has a broken entry of kind {tag}");
    let text = object.get("value").and_then(Value::as_str);
    let value = match tag.as_str().ok_or_else(damaged)? {
        "tensor" => {
            let key = object.get("key").and_then(Value::as_str).ok_or_else(damaged)?;
            let tensor =
                tensors.get(key).ok_or_else(|| format!("is damaged: tensor '{key}' is missing"))?;
            Some(Dynamic::from(tensor.clone()))
        }
        "state_dict" => {
            let items = object.get("items").and_then(Value::as_array).ok_or_else(damaged)?;
            let mut pairs = Vec::with_capacity(items.len());
            for item in items {
                let (Some(Value::String(name)), Some(value)) = (item.get(0), item.get(1)) else {
                    return Err(damaged());
                };
                pairs.push((name.clone(), decode(value, tensors)?));
            }
            Some(Dynamic::from(state_dict(pairs)))
        }
        "map" => match object.get("items") {
            Some(Value::Object(items)) => Some(decode_map(items, tensors)?),
            _ => None,
        },
        "float" => text.and_then(|text| text.parse().ok()).map(Dynamic::from_float),
        "char" => text.and_then(|text| text.chars().next()).map(Dynamic::from_char),
        "dtype" => text.and_then(Dtype::parse).map(Dynamic::from),
        "device" => text.and_then(|text| Device::parse(text).ok()).map(Dynamic::from),
        _ => None,
    };
    value.ok_or_else(damaged)
}
