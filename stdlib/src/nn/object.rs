//! What scripts can do with a module besides its methods: read and set members, call it, index it,
//! iterate over it, print it.

use std::rc::Rc;

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Bundle, Context, Items, Members, Object, State};
use rhai::Dynamic;

use super::class::Role;
use super::layers::container;
use super::module::Module;
use super::script::{self, Bound, Method};
use super::{container_methods, repr, tree};

impl Object for Module {
    const TYPE: &'static str = "Module";

    fn display(&self) -> String {
        repr::repr(self)
    }

    fn representations(&self, state: &State) -> Option<Bundle> {
        // Where the other language cannot tell of its members, what it prints is shown.
        tree::bundle(self, state).ok()
    }

    fn attribute(&self, name: &str, _: &Context<'_>) -> Result<Option<Dynamic>> {
        let state = self.state();
        if let Some(found) = state.find(self, name) {
            return Ok(Some(found));
        }
        if let Some(theirs) = self.foreign() {
            drop(state);
            return theirs.attribute(name);
        }
        if let Some(closure) = state.methods.get(name) {
            let function = Bound::Closure(closure.clone());
            return Ok(Some(Dynamic::from(Method { module: self.clone(), function })));
        }
        Ok(container_methods::find(self, name).map(|full| {
            Dynamic::from(Method { module: self.clone(), function: Bound::Library(full) })
        }))
    }

    fn set_attribute(&self, name: &str, value: Dynamic, _: &Context<'_>) -> Result<bool> {
        script::set_member(self, name, value)?;
        Ok(true)
    }

    fn attributes(&self) -> Vec<String> {
        let state = self.state();
        let parameters = state.parameters.iter().map(|(name, _)| name);
        let buffers = state.buffers.iter().map(|(name, _)| name);
        let modules = state.modules.iter().map(|(name, _)| name);
        let attributes = state.attributes.iter().map(|(name, _)| name);
        let methods = state.methods.iter().map(|(name, _)| name);
        let members = parameters.chain(buffers).chain(modules).chain(attributes).chain(methods);
        let members = members.filter(|name| !name.starts_with(|c: char| c.is_ascii_digit()));
        let members = members.map(|name| name.to_string());
        let members = members.chain(self.foreign().map(Members::attributes).unwrap_or_default());
        let inherited = container_methods::names(self).map(str::to_owned);
        members.chain(["training".to_owned()]).chain(inherited).collect()
    }

    fn members(&self) -> Option<Rc<dyn Members>> {
        Some(Rc::new(self.clone()))
    }

    fn call(&self, args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
        Module::call(self, args, ctx)
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn index(&self, index: &Dynamic, ctx: &Context<'_>) -> Result<Dynamic> {
        if let Some(origin) = Members::origin(self) {
            return ctx.item(&origin, index);
        }
        container::get(self, index)
    }

    fn set_index(&self, index: &Dynamic, value: Dynamic, _: &Context<'_>) -> Result<()> {
        container::set(self, index, &value.flatten())
    }

    fn length(&self) -> Option<usize> {
        if let Some(origin) = Members::origin(self) {
            return Context::current(|ctx| Ok(ctx.length(&origin))).ok()?;
        }
        match self.class().role {
            Role::Layer => None,
            _ => Some(container::names(self).len()),
        }
    }

    fn iterate(&self) -> Option<Result<Items>> {
        if let Some(origin) = Members::origin(self) {
            let items = Context::current(|ctx| ctx.items(&origin)).transpose()?;
            return Some(items.map(|items| Box::new(items.into_iter().map(Ok)) as Items));
        }
        let items: Vec<Dynamic> = match self.class().role {
            Role::Layer => return None,
            Role::Dict | Role::ParameterDict => {
                container::names(self).iter().map(|name| Dynamic::from(name.to_string())).collect()
            }
            _ => container::values(self),
        };
        Some(Ok(Box::new(items.into_iter().map(Ok))))
    }
}
