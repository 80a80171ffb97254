//! `state_dict` and `load_state_dict` in PyTorch's structure: state by parameter number, groups with
//! their settings and parameter numbers.

use std::cell::Cell;
use std::rc::Rc;

use flambeau_runtime::script::{Context, Object, convert};
use flambeau_runtime::torch::{Tensor, sizes};
use flambeau_runtime::{Error, Result};
use rhai::{Array, Dynamic, Map};

use super::lists::{ParamState, StepCount};
use super::optimizer::{Method, Optimizer};
use super::params::same;
use super::values::{Values, number};
use crate::functional::common::{copy, device};
use crate::functional::numbers::number_tensor;

/// The state of one parameter as a map. Step counts are copies: parameters share them.
fn state_map(state: &ParamState, slots: &[&str]) -> Result<Map> {
    let mut map = Map::new();
    if let Some(step) = &state.step {
        map.insert("step".into(), Dynamic::from(Tensor::from(copy(&step.tensor)?)));
    }
    for (name, tensor) in slots.iter().zip(&state.slots) {
        if let Some(tensor) = tensor {
            let tensor = Tensor::from(tensor.shallow_clone());
            map.insert((*name).into(), Dynamic::from(tensor));
        }
    }
    Ok(map)
}

/// `optimizer.state_dict()`.
pub(crate) fn state_dict(optimizer: &Optimizer) -> Result<Map> {
    let (mut state, mut groups, mut next) = (Map::new(), Array::new(), 0);
    let memories = optimizer.0.memories.borrow();
    for (group, memory) in optimizer.groups().iter().zip(memories.iter()) {
        let data = group.data();
        let mut map: Map =
            data.values.iter().map(|(name, value)| (name.into(), value.clone())).collect();
        let numbers = next..next + data.params.len() as i64;
        map.insert(
            "params".into(),
            Dynamic::from_array(numbers.clone().map(Dynamic::from_int).collect()),
        );
        if let Some(names) = &data.names {
            let names = names.iter().map(|name| Dynamic::from(name.clone())).collect();
            map.insert("param_names".into(), Dynamic::from_array(names));
        }
        groups.push(Dynamic::from_map(map));
        if let Method::Lists(algorithm) = &optimizer.0.method {
            for (i, known) in numbers.clone().zip(&memory.states) {
                if !known.is_empty() {
                    let map = state_map(known, algorithm.slots())?;
                    state.insert(i.to_string().into(), Dynamic::from_map(map));
                }
            }
        }
        next = numbers.end;
    }
    if let Method::Lbfgs(method) = &optimizer.0.method
        && let Some(own) = method.state_map()
    {
        state.insert("0".into(), Dynamic::from_map(own));
    }
    let mut dict = Map::new();
    dict.insert("state".into(), Dynamic::from_map(state));
    dict.insert("param_groups".into(), Dynamic::from_array(groups));
    Ok(dict)
}

fn part<'a>(map: &'a Map, name: &str) -> Result<&'a Dynamic> {
    map.get(name)
        .ok_or_else(|| Error::key(format!("the state dict of an optimizer needs '{name}'")))
}

/// `optimizer.load_state_dict(dict)`: everything is checked before anything is changed.
///
/// # Errors
/// A `KeyError` or `ValueError` for a dict that does not fit.
pub(crate) fn load_state_dict(optimizer: &Optimizer, dict: &Map) -> Result<()> {
    let saved: Vec<Map> = convert::items(part(dict, "param_groups")?)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|group| group.try_cast::<Map>())
        .collect();
    let state = part(dict, "state")?
        .read_lock::<Map>()
        .map(|map| map.clone())
        .ok_or_else(|| Error::type_("'state' of an optimizer's state dict must be a map"))?;
    let groups = optimizer.groups();
    if saved.len() != groups.len() {
        return Err(Error::value("loaded state dict has a different number of parameter groups")
            .help(format!("it has {}, the optimizer {}", saved.len(), groups.len())));
    }
    let mut loaded: Vec<(Values, Vec<ParamState>)> = Vec::new();
    for (group, map) in groups.iter().zip(&saved) {
        let data = group.data();
        let numbers = convert::ints(part(map, "params")?).unwrap_or_default();
        if numbers.len() != data.params.len() {
            return Err(Error::value(
                "loaded state dict contains a parameter group that doesn't match the size of \
                 optimizer's group",
            )
            .help(format!("it has {}, the group {}", numbers.len(), data.params.len())));
        }
        let mut values: Values = map
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "params" | "param_names"))
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        for (name, value) in optimizer.0.defaults.iter() {
            if let Some(saved) = map.get(name).filter(|saved| !is_like(value, saved)) {
                return Err(Error::type_(format!(
                    "'{name}' of a parameter group is {} in the state dict, and {} in the optimizer",
                    convert::type_name(saved),
                    convert::type_name(value)
                )));
            }
            values.set_default(name, value);
        }
        let mut states = Vec::with_capacity(numbers.len());
        for (param, number) in data.params.iter().zip(numbers) {
            states.push(match (&optimizer.0.method, state.get(number.to_string().as_str())) {
                (Method::Lists(algorithm), Some(saved)) => {
                    let saved =
                        saved.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| {
                            Error::type_("the state of a parameter must be a map").help(format!(
                                "that of parameter {number} is {}",
                                convert::type_name(saved)
                            ))
                        })?;
                    param_state(param, &saved, algorithm.slots())?
                }
                _ => ParamState::default(),
            });
        }
        loaded.push((values, states));
    }
    if let Method::Lbfgs(method) = &optimizer.0.method {
        let own = state.get("0").and_then(|own| own.read_lock::<Map>().map(|own| own.clone()));
        method.load(own.as_ref())?;
    }
    let mut memories = optimizer.0.memories.borrow_mut();
    for ((group, memory), (values, states)) in groups.iter().zip(memories.iter_mut()).zip(loaded) {
        group.data_mut().values = values;
        memory.states = states;
        memory.unprepare();
    }
    Ok(())
}

/// Whether a saved setting is of the kind that the optimizer has; `()` may stand for anything.
fn is_like(own: &Dynamic, saved: &Dynamic) -> bool {
    if own.is_unit() || saved.is_unit() {
        return true;
    }
    if own.is_bool() || own.is_string() {
        return own.is_bool() == saved.is_bool() && own.is_string() == saved.is_string();
    }
    match (convert::floats(own), own.is_array()) {
        // Such as betas.
        (Some(own), true) => convert::floats(saved).is_some_and(|saved| saved.len() == own.len()),
        _ => !saved.is_bool() && number(saved).is_some(),
    }
}

/// The state of one parameter, copied to its dtype and device.
fn param_state(param: &Tensor, saved: &Map, slots: &[&str]) -> Result<ParamState> {
    let mut state = ParamState::default();
    if let Some(step) = saved.get("step") {
        let value = number(step)
            .ok_or_else(|| Error::type_("'step' of an optimizer's state must be a number"))?;
        let tensor = number_tensor(value, tch::Kind::Float, tch::Device::Cpu)?;
        state.step = Some(Rc::new(StepCount { tensor, value: Cell::new(value) }));
    }
    for name in slots {
        let Some(value) = saved.get(*name) else {
            state.slots.push(None);
            continue;
        };
        if value.is_unit() {
            state.slots.push(None);
            continue;
        }
        let tensor = match convert::tensor(value) {
            Some(tensor) if tensor.dim() == 0 && param.dim() != 0 => copy(&tensor)?,
            Some(tensor) => {
                if sizes(&tensor) != sizes(param) {
                    return Err(Error::shape(format!(
                        "'{name}' of the state dict has shape {:?}, its parameter {:?}",
                        sizes(&tensor),
                        sizes(param)
                    )));
                }
                let kind = match param.is_floating_point() || param.is_complex() {
                    true => param.f_kind()?,
                    false => tensor.f_kind()?,
                };
                copy(&tensor.f_to_device(device(param)?)?.f_to_kind(kind)?.f_detach()?)?
            }
            // Old files hold numbers where tensors are now, such as `mu_product`.
            None => match number(value) {
                Some(x) => number_tensor(x, tch::Kind::Float, tch::Device::Cpu)?,
                None => {
                    return Err(Error::type_(format!(
                        "'{name}' of an optimizer's state must be a tensor, not {}",
                        convert::type_name(value)
                    )));
                }
            },
        };
        state.slots.push(Some(tensor));
    }
    Ok(state)
}

/// `optimizer.state`: indexed by a parameter, the tensors that are remembered about it.
#[derive(Clone)]
pub struct OptimizerState(pub(crate) Optimizer);

impl Object for OptimizerState {
    const TYPE: &'static str = "OptimizerState";

    fn display(&self) -> String {
        format!("state of {} parameters", self.length().unwrap_or(0))
    }

    fn index(&self, index: &Dynamic, _: &Context<'_>) -> Result<Dynamic> {
        let param = convert::tensor(index)
            .ok_or_else(|| Error::type_("optimizer.state is indexed by a parameter"))?;
        let Method::Lists(algorithm) = &self.0.0.method else {
            return Err(Error::type_("LBFGS keeps one state for all parameters")
                .help("read it from optimizer.state_dict()"));
        };
        let memories = self.0.0.memories.borrow();
        for (group, memory) in self.0.groups().iter().zip(memories.iter()) {
            let data = group.data();
            if let Some(i) = data.params.iter().position(|known| same(known, &param)) {
                return Ok(Dynamic::from_map(state_map(&memory.states[i], algorithm.slots())?));
            }
        }
        Err(Error::key("the tensor is no parameter of this optimizer"))
    }

    fn length(&self) -> Option<usize> {
        let memories = self.0.0.memories.borrow();
        let states = memories.iter().flat_map(|memory| &memory.states);
        Some(states.filter(|state| !state.is_empty()).count())
    }
}
