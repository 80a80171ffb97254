//! Containers: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict.

use std::rc::Rc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Function, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Array, Dynamic, Map};

use super::super::class::{Call, Class, Forward, Role, constructors};
use super::super::module::Module;
use super::super::state_dict::StateDict;
use super::super::tensors;

pub(crate) const CLASSES: &[Class] = &[
    Class {
        schema: "nn.Sequential(*Any modules) -> Module",
        doc: "Modules called one after another: given one by one, in an array, or in a map (whose \
              names are then in alphabetical order; for another order give pairs [name, module]).",
        example: "let m = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2));\nm(torch.randn([3, 4])).shape",
        build: |module, args| {
            let given = args.array(0)?;
            let (first, only) = (given.first().cloned().unwrap_or_default(), given.len() == 1);
            if only && Module::of(&first).is_none() {
                return add(module, &first);
            }
            add(module, &Dynamic::from_array(given))
        },
        inputs: &[],
        forward: Forward::Native(run),
        role: Role::Sequential,
        ..Class::LAYER
    },
    Class {
        schema: "nn.ModuleList(Any modules=None) -> Module",
        doc: "Modules at positions, registered so that their parameters are found.",
        example: "let m = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)]);\nm[0](torch.randn([3, 4])).shape",
        build: |module, args| {
            forget(module, "modules")?;
            if args.is_none(0) { Ok(()) } else { add(module, args.get(0)) }
        },
        role: Role::List,
        ..Class::LAYER
    },
    Class {
        schema: "nn.ModuleDict(Any modules=None) -> Module",
        doc: "Modules by names, registered so that their parameters are found. A map's names are in \
              alphabetical order; pairs [name, module] keep theirs.",
        example: "let m = nn.ModuleDict(#{ conv: nn.Conv2d(1, 2, 3), pool: nn.MaxPool2d(2) });\nm[\"pool\"](torch.randn([1, 4, 4])).shape",
        build: |module, args| {
            forget(module, "modules")?;
            if args.is_none(0) { Ok(()) } else { update(module, args.get(0)) }
        },
        role: Role::Dict,
        ..Class::LAYER
    },
    Class {
        schema: "nn.ParameterList(Any values=None) -> Module",
        doc: "Parameters at positions; tensors in it become parameters.",
        example: "let p = nn.ParameterList([torch.randn([2]), torch.randn([3])]);\nlen(p)",
        build: |module, args| {
            forget(module, "values")?;
            if args.is_none(0) { Ok(()) } else { extend(module, args.get(0)).map(drop) }
        },
        role: Role::ParameterList,
        ..Class::LAYER
    },
    Class {
        schema: "nn.ParameterDict(Any parameters=None) -> Module",
        doc: "Parameters by names; tensors in it become parameters.",
        example: "let p = nn.ParameterDict(#{ left: torch.randn([2]), right: torch.randn([3]) });\np[\"left\"].shape",
        build: |module, args| {
            forget(module, "parameters")?;
            if args.is_none(0) { Ok(()) } else { update(module, args.get(0)) }
        },
        role: Role::ParameterDict,
        ..Class::LAYER
    },
];

pub(crate) const FUNCTIONS: &[Function] = &constructors::<{ CLASSES.len() }>(CLASSES);

/// An argument of the constructor that is no setting.
fn forget(module: &Module, name: &str) -> Result<()> {
    let old = module.state_mut()?.attributes.remove(name);
    drop(old);
    Ok(())
}

/// Adds modules from an array (of modules or pairs), a map or another container.
pub(crate) fn add(module: &Module, given: &Dynamic) -> Result<()> {
    if let Some(entries) = pairs(given) {
        for (name, value) in entries {
            super::super::script::check_name(module, &name, "module")?;
            module.put_module(&name, Module::required(&value)?)?;
        }
        return Ok(());
    }
    extend(module, given)
}

/// Names and values of a map, a ModuleDict or an array of pairs; `None` for what has no names.
fn pairs(given: &Dynamic) -> Option<Vec<(String, Dynamic)>> {
    if let Some(map) = given.read_lock::<Map>() {
        return Some(map.iter().map(|(name, value)| (name.to_string(), value.clone())).collect());
    }
    if let Some(module) = given.read_lock::<Module>()
        && matches!(module.class().role, Role::Dict | Role::ParameterDict)
    {
        let names = names(&module).into_iter().map(|name| name.to_string());
        return Some(names.zip(values(&module)).collect());
    }
    let Some(list) = given.read_lock::<Array>() else {
        return StateDict::from_value(given).map(|dict| dict.pairs());
    };
    let pair = |item: &Dynamic| {
        let item = item.read_lock::<Array>()?;
        let [name, value] = item.as_slice() else { return None };
        Some((convert::string(name)?, value.clone()))
    };
    if list.is_empty() { None } else { list.iter().map(pair).collect() }
}

/// `update` of a ModuleDict or ParameterDict.
pub(crate) fn update(module: &Module, given: &Dynamic) -> Result<()> {
    let entries = pairs(given).ok_or_else(|| {
        Error::type_(format!(
            "{}.update should be called with a map or an array of pairs [name, value], but got {}",
            module.name(),
            convert::type_name(given)
        ))
    })?;
    for (name, value) in entries {
        set_named(module, &name, value)?;
    }
    Ok(())
}

fn set_named(module: &Module, name: &str, value: Dynamic) -> Result<()> {
    match module.class().role {
        Role::Dict => {
            super::super::script::check_name(module, name, "module")?;
            module.put_module(name, Module::required(&value)?)
        }
        Role::ParameterDict => put_parameter(module, name, &value),
        _ => Err(Error::type_(format!("a {} has no names to set", module.name()))),
    }
}

/// A tensor as a parameter of a ParameterList or ParameterDict.
fn put_parameter(module: &Module, name: &str, value: &Dynamic) -> Result<()> {
    let tensor = convert::tensor(value)
        .ok_or_else(|| Error::type_(format!("{} is not a Tensor", convert::type_name(value))))?;
    let is_parameter = tensors::is_leaf(&tensor) && tensor.requires_grad();
    let parameter = if is_parameter { tensor } else { tensors::parameter(&tensor, true)? };
    module.put_parameter(name, Some(parameter))
}

pub(crate) fn put_at_end(module: &Module, value: &Dynamic) -> Result<()> {
    match module.class().role {
        Role::Sequential | Role::List => {
            let name = module.state().modules.len().to_string();
            module.put_module(&name, Module::required(value)?)
        }
        Role::ParameterList => {
            let name = module.state().parameters.len().to_string();
            put_parameter(module, &name, value)
        }
        _ => Err(Error::type_(format!("a {} has no positions to add to", module.name()))),
    }
}

pub(crate) fn extend(module: &Module, given: &Dynamic) -> Result<()> {
    let items = match given.read_lock::<Module>() {
        Some(other) => values(&other),
        None => convert::items(given).ok_or_else(|| {
            Error::type_(format!(
                "{} should be given an array, but got {}",
                module.name(),
                convert::type_name(given)
            ))
        })?,
    };
    items.iter().try_for_each(|item| put_at_end(module, item))
}

/// The names of a container's items.
pub(crate) fn names(module: &Module) -> Vec<Rc<str>> {
    let state = module.state();
    match module.class().role {
        Role::ParameterList | Role::ParameterDict => {
            state.parameters.iter().map(|(name, _)| name.clone()).collect()
        }
        _ => state.modules.iter().map(|(name, _)| name.clone()).collect(),
    }
}

/// The items of a container.
pub(crate) fn values(module: &Module) -> Vec<Dynamic> {
    let state = module.state();
    match module.class().role {
        Role::ParameterList | Role::ParameterDict => state
            .parameters
            .iter()
            .map(|(_, tensor)| tensor.clone().map_or(Dynamic::UNIT, Dynamic::from))
            .collect(),
        _ => state
            .modules
            .iter()
            .map(|(_, module)| module.as_ref().map_or(Dynamic::UNIT, Module::to_dynamic))
            .collect(),
    }
}

/// Whether the module's items are at positions, or under names; `None` for a layer.
fn positional(module: &Module) -> Option<bool> {
    match module.class().role {
        Role::Layer => None,
        Role::Sequential | Role::List | Role::ParameterList => Some(true),
        Role::Dict | Role::ParameterDict => Some(false),
    }
}

/// The name of the item that `index` means.
fn key(module: &Module, index: &Dynamic) -> Result<Rc<str>> {
    let names = names(module);
    match positional(module) {
        None => Err(Error::type_(format!("a {} cannot be indexed", module.name()))),
        Some(true) => {
            let index = convert::int(index)
                .ok_or_else(|| Error::type_(format!("{} is indexed by integers", module.name())))?;
            let n = names.len() as i64;
            let place = if index < 0 { n + index } else { index };
            let name = usize::try_from(place).ok().and_then(|place| names.get(place));
            name.cloned().ok_or_else(|| {
                Error::index(format!("index {index} is out of range for {} of {n}", module.name()))
            })
        }
        Some(false) => {
            let key = convert::string(index)
                .ok_or_else(|| Error::type_(format!("{} is indexed by names", module.name())))?;
            let found = names.iter().find(|name| ***name == *key).cloned();
            found.ok_or_else(|| {
                let known: Vec<&str> = names.iter().map(|name| &**name).collect();
                Error::key(format!("{} has no entry '{key}'", module.name()))
                    .help(format!("it has {}", known.join(", ")))
            })
        }
    }
}

/// `module[index]`: an item, or for a range a new container with those items.
pub(crate) fn get(module: &Module, index: &Dynamic) -> Result<Dynamic> {
    let n = names(module).len() as i64;
    let span = |start: i64, end: i64| {
        let clamp = |i: i64| (if i < 0 { n + i } else { i }).clamp(0, n) as usize;
        (clamp(start), clamp(end).max(clamp(start)))
    };
    let range = if let Some(range) = index.read_lock::<std::ops::Range<i64>>() {
        Some(span(range.start, range.end))
    } else {
        index.read_lock::<std::ops::RangeInclusive<i64>>().map(|range| {
            let end = if *range.end() == -1 { n } else { range.end() + 1 };
            span(*range.start(), end)
        })
    };
    let Some((start, end)) = range.filter(|_| positional(module) == Some(true)) else {
        let name = key(module, index)?;
        return Ok(module.state().read(module, &name));
    };
    let part = Module::new(module.class(), module.name());
    match module.class().role {
        Role::ParameterList => {
            for (i, value) in values(module)[start..end].iter().enumerate() {
                put_parameter(&part, &i.to_string(), value)?;
            }
        }
        role => {
            let (names, values) = (names(module), values(module));
            for i in start..end {
                // A Sequential's slice keeps the names, a ModuleList's is numbered afresh.
                let fresh = (i - start).to_string();
                let name = if role == Role::Sequential { &*names[i] } else { fresh.as_str() };
                part.put_module(name, Module::required(&values[i])?)?;
            }
        }
    }
    Ok(part.to_dynamic())
}

/// `module[index] = value`.
pub(crate) fn set(module: &Module, index: &Dynamic, value: &Dynamic) -> Result<()> {
    if positional(module) == Some(false) {
        let name = convert::string(index)
            .ok_or_else(|| Error::type_(format!("{} is indexed by names", module.name())))?;
        return set_named(module, &name, value.clone());
    }
    let name = key(module, index)?;
    if module.class().role == Role::ParameterList {
        return put_parameter(module, &name, value);
    }
    module.put_module(&name, Module::required(value)?)
}

/// Takes an item out; those behind it move up.
pub(crate) fn remove(module: &Module, index: &Dynamic) -> Result<()> {
    let name = key(module, index)?;
    match module.class().role {
        Role::ParameterList | Role::ParameterDict => {
            let removed = module.state_mut()?.parameters.remove(&name);
            drop(removed);
            if module.class().role == Role::ParameterList {
                let kept: Vec<Option<Tensor>> =
                    module.state().parameters.iter().map(|(_, tensor)| tensor.clone()).collect();
                let kept = kept.into_iter().enumerate().map(|(i, t)| (i.to_string().into(), t));
                module.state_mut()?.parameters.replace(kept.collect());
            }
        }
        Role::Dict => drop(module.state_mut()?.modules.remove(&name)),
        _ => {
            drop(module.state_mut()?.modules.remove(&name));
            number(module, module.items())?;
        }
    }
    Ok(())
}

/// Puts modules at positions 0, 1, …
pub(crate) fn number(module: &Module, items: Vec<Module>) -> Result<()> {
    let entries = items.into_iter().enumerate().map(|(i, item)| (i.to_string().into(), Some(item)));
    module.state_mut()?.modules.replace(entries.collect());
    Ok(())
}

/// The forward pass of a Sequential.
fn run(call: &Call<'_>) -> Result<Dynamic> {
    let mut index = 0;
    let mut args = call.all();
    loop {
        let next = call.state().modules.at(index).and_then(|(_, module)| module.clone());
        let Some(next) = next else { break };
        args = vec![next.call(args, call.ctx)?];
        index += 1;
    }
    args.into_iter().next().ok_or_else(|| Error::type_("Sequential needs an input"))
}
