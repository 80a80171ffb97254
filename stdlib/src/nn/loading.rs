//! `state_dict` and `load_state_dict`. Everything is checked before the first tensor is written: a
//! state dict that does not fit leaves the module as it was.

use flambeau_runtime::torch::{Tensor, sizes};
use std::collections::HashSet;

use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Function, convert};
use rhai::{Dynamic, Map};

use super::module::{Module, join};
use super::state_dict::StateDict;
use super::tensors;

/// Where an entry of a state dict belongs.
struct Place {
    module: Module,
    name: String,
    is_parameter: bool,
    tensor: Tensor,
}

/// What a state dict has too little and too much.
#[derive(Default)]
pub struct Incompatible {
    /// Names that the module has and the dict lacks.
    pub missing_keys: Vec<String>,
    /// Names that the dict has and the module lacks.
    pub unexpected_keys: Vec<String>,
}

/// The places of all entries of the module's state dict, by their dotted names.
fn places(module: &Module) -> Vec<(String, Place)> {
    let mut places = Vec::new();
    for (path, module) in module.named_modules("", false) {
        let state = module.state();
        let parameters =
            state.parameters.iter().map(|(name, tensor)| (name, tensor.as_ref(), true));
        let buffers = state.buffers.iter().filter(|(_, buffer)| buffer.persistent);
        let buffers = buffers.map(|(name, buffer)| (name, buffer.tensor.as_ref(), false));
        for (name, tensor, is_parameter) in parameters.chain(buffers) {
            if let Some(tensor) = tensor {
                let place = Place {
                    module: module.clone(),
                    name: name.to_string(),
                    is_parameter,
                    tensor: tensor.clone(),
                };
                places.push((join(&path, name), place));
            }
        }
    }
    places
}

impl Module {
    /// Copies a state dict into the module, or with `assign` puts its tensors in place of the
    /// module's own.
    ///
    /// # Errors
    /// A `KeyError` that lists missing and unexpected names (with `strict`), a `ShapeError` that
    /// lists what does not fit, a `TypeError` for what is no tensor; the module is then unchanged.
    pub fn load_state_dict(
        &self,
        dict: &StateDict,
        strict: bool,
        assign: bool,
    ) -> Result<Incompatible> {
        let places = places(self);
        let mut found = Incompatible::default();
        let mut misfits = Vec::new();
        let mut is_of_type = true;
        let mut loads = Vec::new();
        for (name, place) in &places {
            let Some(value) = dict.get(name) else {
                found.missing_keys.push(name.clone());
                continue;
            };
            let Some(source) = convert::tensor(&value) else {
                is_of_type = false;
                misfits.push(format!(
                    "While copying the parameter named \"{name}\", expected a Tensor but received {}",
                    convert::type_name(&value)
                ));
                continue;
            };
            let (wanted, given) = (sizes(&place.tensor), sizes(&source));
            // Old checkpoints hold one-element tensors where a number without dimensions belongs.
            let source = if wanted.is_empty() && given == [1] {
                Tensor::from(source.f_select(0, 0)?)
            } else {
                source
            };
            if sizes(&source) != wanted {
                misfits.push(format!(
                    "size mismatch for {name}: copying a param with shape {given:?} from checkpoint, \
                     the shape in current model is {wanted:?}."
                ));
                continue;
            }
            loads.push((place, source));
        }
        let known: HashSet<&str> = places.iter().map(|(name, _)| name.as_str()).collect();
        found.unexpected_keys = dict
            .pairs()
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| !known.contains(name.as_str()))
            .collect();
        let mut problems = Vec::new();
        let quoted = |names: &[String]| {
            names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
        };
        if strict && !found.missing_keys.is_empty() {
            let names = quoted(&found.missing_keys);
            problems.push(format!("Missing key(s) in state_dict: {names}."));
        }
        if strict && !found.unexpected_keys.is_empty() {
            let names = quoted(&found.unexpected_keys);
            problems.push(format!("Unexpected key(s) in state_dict: {names}."));
        }
        let kind = match (problems.is_empty(), is_of_type) {
            (false, _) => Kind::Key,
            (true, false) => Kind::Type,
            (true, true) => Kind::Shape,
        };
        problems.extend(misfits);
        if !problems.is_empty() {
            return Err(Error::new(
                kind,
                format!(
                    "Error(s) in loading state_dict for {}:\n\t{}",
                    self.name(),
                    problems.join("\n\t")
                ),
            )
            .help(match kind {
                Kind::Key => "nothing was loaded; strict: false loads what fits by name",
                _ => "nothing was loaded",
            }));
        }
        for (place, source) in loads {
            place.load(&source, assign)?;
        }
        Ok(found)
    }
}

impl Place {
    fn load(&self, source: &Tensor, assign: bool) -> Result<()> {
        if !assign {
            tch::no_grad(|| self.tensor.tch().f_copy_(source))?;
            return Ok(());
        }
        if self.is_parameter {
            let parameter = tensors::parameter(source, self.tensor.requires_grad())?;
            return self.module.put_parameter(&self.name, Some(parameter));
        }
        self.module.put_buffer(&self.name, Some(source.clone()))
    }
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "Module.state_dict(Module self, *, str prefix='', bool keep_vars=False) -> StateDict",
        doc: "Parameters and persistent buffers by dotted names, in order; they share memory with the \
              module. `torch.save` writes it, `load_state_dict` reads it.",
        example: "nn.Linear(2, 3).state_dict().keys()",
        call: |args| {
            let module = args.object::<Module>(0)?;
            Ok(Dynamic::from(module.state_dict_with(&args.str(1)?, args.bool(2)?)?))
        },
    },
    Function {
        schema: "Module.load_state_dict(Module self, Any state_dict, bool strict=True, bool assign=False) -> Map",
        doc: "Copies a StateDict or map into the module; with assign: true takes its tensors instead. \
              Nothing is loaded where names (with strict: true) or shapes do not fit. Gives \
              #{missing_keys, unexpected_keys}.",
        example: "let m = nn.Linear(2, 3);\nm.load_state_dict(nn.Linear(2, 3).state_dict())",
        call: |args| {
            let module = args.object::<Module>(0)?;
            let dict = StateDict::from_value(args.get(1)).ok_or_else(|| {
                Error::type_(format!(
                    "Expected state_dict to be a StateDict or a map, got {}",
                    convert::type_name(args.get(1))
                ))
            })?;
            let found = module.load_state_dict(&dict, args.bool(2)?, args.bool(3)?)?;
            let list = |names: Vec<String>| {
                Dynamic::from_array(names.into_iter().map(Dynamic::from).collect())
            };
            let result: Map = [
                ("missing_keys".into(), list(found.missing_keys)),
                ("unexpected_keys".into(), list(found.unexpected_keys)),
            ]
            .into();
            Ok(Dynamic::from_map(result))
        },
    },
];
