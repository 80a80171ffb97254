//! What may stand behind a dot, and between the quotes of an index.

use std::any::TypeId;
use std::collections::BTreeSet;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use super::matching::matching;
use super::resolve::{Meaning, schemas};
use super::{Completion, Names};
use crate::script::dispatch::{self, Target, member_names, object_type, type_of};
use crate::script::missing::is_word;
use crate::script::state::canonical;
use crate::script::value::{Namespace, Results};
use crate::torch::Type;

/// The members of what stands before the dot.
pub(super) fn members(of: &Meaning, word: &str, names: &Names<'_>) -> Vec<Completion> {
    match of {
        Meaning::Namespace(namespace) => of_namespace(namespace, word, names),
        Meaning::Type(name) => {
            let id = match name.as_str() {
                "Array" => Some(TypeId::of::<Array>()),
                "Map" => Some(TypeId::of::<Map>()),
                "String" => Some(TypeId::of::<ImmutableString>()),
                _ => None,
            };
            of_type(name, id, word, names)
        }
        Meaning::Value(value) => of_value(value, word, names),
    }
}

fn of_namespace(namespace: &str, word: &str, names: &Names<'_>) -> Vec<Completion> {
    let found = matching(word, names.state.names_under(namespace), |name| name);
    let found = found.into_iter().map(|name| named(&format!("{namespace}.{name}"), &name, names));
    found.collect()
}

/// What a full name means, shown as `text`.
pub(super) fn named(full: &str, text: &str, names: &Names<'_>) -> Completion {
    let full = canonical(full);
    if names.state.namespace(&full).is_some() {
        return Completion::new(text, "namespace", None);
    }
    if let Some(constant) = names.state.constants.get(full.as_str()) {
        return Completion::new(text, "constant", Some(constant.doc.to_owned()));
    }
    let target = match full.rsplit_once('.') {
        Some((prefix, name)) => dispatch::in_namespace(names.state, prefix, name),
        None => names.state.functions.get(&full).map(|f| Target::Function(f.clone())),
    };
    called(text, target.as_ref(), "function")
}

/// Something that is called.
fn called(text: &str, target: Option<&Target>, kind: &'static str) -> Completion {
    let kind = match target {
        Some(Target::Operator(_)) if kind == "function" => "operator",
        _ => kind,
    };
    let schema = target.and_then(|target| schemas(target).into_iter().next());
    Completion::new(text, kind, schema.map(|schema| schema.to_string()))
}

/// Declared members of a type, operators of tensors, Rhai's own methods of the type with that id.
fn of_type(type_name: &str, id: Option<TypeId>, word: &str, names: &Names<'_>) -> Vec<Completion> {
    let state = names.state;
    let mut known: BTreeSet<String> = member_names(type_name, state).into_iter().collect();
    let rhais = id.map(methods_of).unwrap_or_default();
    known.extend(rhais);
    let found = matching(word, known.into_iter().collect(), |name| name);
    let found = found.into_iter().filter_map(|name| {
        let full = format!("{type_name}.{name}");
        if let Some(property) = state.properties.get(full.as_str()) {
            return Some(Completion::new(name, "attribute", Some(property.doc.to_owned())));
        }
        let target = match type_name {
            "Tensor" => dispatch::on_tensor(state, &name),
            _ => state.functions.get(&full).map(|f| Target::Function(f.clone())),
        };
        // Operators whose first argument is no tensor are none of its methods.
        let fits = match &target {
            Some(target @ Target::Operator(_)) => schemas(target).iter().any(|schema| {
                schema.arguments.first().is_some_and(|first| *first.ty.required() == Type::Tensor)
            }),
            _ => true,
        };
        fits.then(|| called(&name, target.as_ref(), "method"))
    });
    found.collect()
}

fn of_value(value: &Dynamic, word: &str, names: &Names<'_>) -> Vec<Completion> {
    if let Some(namespace) = value.read_lock::<Namespace>() {
        return of_namespace(&namespace.0, word, names);
    }
    let object = object_type(value, names.state);
    let own = object.map(|object| (object.attributes)(value)).unwrap_or_default();
    let own: BTreeSet<String> = own.into_iter().collect();
    let mut found: Vec<Completion> = matching(word, own.into_iter().collect(), |name| name)
        .into_iter()
        .map(|name| Completion::new(name, "attribute", None))
        .collect();
    if object.is_some_and(|object| object.own_names) {
        return found;
    }
    let keys = keys(&Meaning::Value(value.clone()), names);
    found
        .extend(matching(word, keys, |key| &key.text).into_iter().filter(|key| is_word(&key.text)));
    let id = object.is_none().then(|| value.type_id());
    for item in of_type(type_of(value, names.state), id, word, names) {
        if !found.iter().any(|known| known.text == item.text) {
            found.push(item);
        }
    }
    found
}

/// The keys of a map, the names of results, what an object takes as an index.
pub(super) fn keys(of: &Meaning, names: &Names<'_>) -> Vec<Completion> {
    let Meaning::Value(value) = of else { return Vec::new() };
    let typed = |value: &Dynamic| Some(crate::script::convert::type_name(value));
    if let Some(map) = value.read_lock::<Map>() {
        let items =
            map.iter().map(|(key, value)| Completion::new(key.as_str(), "key", typed(value)));
        return items.collect();
    }
    if let Some(results) = value.read_lock::<Results>() {
        let items = results.names.iter().zip(results.values.iter());
        let items = items.filter(|(name, _)| !name.is_empty());
        return items
            .map(|(name, value)| Completion::new(name, "attribute", typed(value)))
            .collect();
    }
    let keys = object_type(value, names.state).map(|object| (object.keys)(value));
    let keys = keys.unwrap_or_default().into_iter();
    keys.map(|key| Completion::new(key, "key", None)).collect()
}

thread_local! {
    /// Rhai's own functions with the type of their first parameter; made when first asked for.
    static RHAI: Vec<(String, TypeId)> = Engine::new().collect_fn_metadata(
        None,
        |f| Some((f.metadata.name.to_string(), *f.metadata.param_types.first()?)),
        true,
    );
}

/// Rhai's own methods of a type.
fn methods_of(id: TypeId) -> BTreeSet<String> {
    RHAI.with(|all| {
        let of = all.iter().filter(|(name, first)| *first == id && is_word(name));
        of.map(|(name, _)| name.clone()).collect()
    })
}
