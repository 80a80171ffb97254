//! What scripts give as parameters: tensors, named tensors, maps with settings.

use flambeau_runtime::script::{Context, convert};
use flambeau_runtime::torch::Tensor;
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic, Map};

/// Whether two handles are one tensor.
pub(crate) fn same(a: &Tensor, b: &Tensor) -> bool {
    a.identity() == b.identity()
}

/// The items of what was given as parameters.
pub(crate) fn items_of(params: &Dynamic, ctx: &Context<'_>) -> Result<Array> {
    let found = convert::type_name(params);
    if params.is::<Tensor>() {
        return Err(Error::type_(format!(
            "params argument given to the optimizer should be an iterable of Tensors or maps, but got \
             {found}"
        ))
        .help("write [tensor] for a single parameter"));
    }
    if let Some(map) = params.read_lock::<Map>() {
        if map.contains_key("params") {
            return Ok(vec![Dynamic::from_map(map.clone())]);
        }
        // A map of tensors by name.
        return Ok(map
            .iter()
            .map(|(name, tensor)| {
                Dynamic::from_array(vec![name.to_string().into(), tensor.clone()])
            })
            .collect());
    }
    // What can be called may well be iterated over, but is no list of parameters.
    let items = if ctx.is_callable(params) { None } else { ctx.items(params)? };
    items.ok_or_else(|| {
        let help = if ctx.is_callable(params) {
            "give the module's parameters: model.parameters()"
        } else {
            "give a list of tensors, or of maps such as #{params: [w, b], lr: 0.1}"
        };
        Error::type_(format!(
            "params argument given to the optimizer should be a list of Tensors or maps, but got {found}"
        ))
        .help(help)
    })
}

/// Tensors, and their names where all have one.
pub(crate) fn named(items: &[Dynamic]) -> Result<(Vec<Tensor>, Option<Vec<String>>)> {
    let (mut params, mut names) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        if let Some(tensor) = convert::tensor(item) {
            params.push(tensor);
            continue;
        }
        let pair = convert::items(item).unwrap_or_default();
        match pair.as_slice() {
            [name, tensor] if name.is_string() && tensor.is::<Tensor>() => {
                names.extend(convert::string(name));
                params.extend(convert::tensor(tensor));
            }
            _ => {
                return Err(Error::type_(format!(
                    "optimizer can only optimize Tensors, but one of the params is {}",
                    convert::type_name(item)
                )));
            }
        }
    }
    if names.is_empty() {
        return Ok((params, None));
    }
    if names.len() != params.len() {
        return Err(Error::value(
            "all optimizer params should be with/without names. Some param names are missing",
        ));
    }
    Ok((params, Some(names)))
}
