//! Modules of another language as submodules: what they hold stays theirs, and is read anew whenever it is
//! looked at.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, Members, Part, convert};
use rhai::Dynamic;

use super::class::{Class, Forward};
use super::module::{Buffer, Inner, Module, State};
use super::slots::Slots;

/// The class of all of them.
pub(super) static FOREIGN: Class = Class {
    schema: "nn.Foreign() -> Module",
    inputs: &[],
    forward: Forward::Native(|call| match call.module.foreign() {
        Some(theirs) => theirs.run(call.all(), true, call.ctx),
        None => Err(Error::type_("a module of another language is gone")),
    }),
    ..Class::LAYER
};

thread_local! {
    /// The handle of each, so that the same one is the same module here too.
    static HANDLES: RefCell<HashMap<usize, Weak<Inner>>> = RefCell::default();
}

impl Module {
    /// The module that a value is: one of this library, or another language's.
    pub(crate) fn of(value: &Dynamic) -> Option<Module> {
        if let Some(module) = value.read_lock::<Module>() {
            return Some(module.clone());
        }
        let members = Context::current(|ctx| Ok(ctx.members(value))).ok()??;
        Some(handle(members))
    }

    /// As [`Module::of`], with an error for what is no module.
    pub(crate) fn required(value: &Dynamic) -> Result<Module> {
        Module::of(value).ok_or_else(|| {
            Error::type_(format!("{} is not a Module", convert::type_name(value)))
                .help("closures become layers with nn.Module(#{ forward: |x| … })")
        })
    }
}

fn handle(members: Rc<dyn Members>) -> Module {
    HANDLES.with_borrow_mut(|handles| {
        let known = handles.get(&members.identity()).and_then(Weak::upgrade);
        if let Some(known) = known {
            return Module(known);
        }
        handles.retain(|_, handle| handle.strong_count() > 0);
        let identity = members.identity();
        let module = Module::made_elsewhere(&FOREIGN, members);
        handles.insert(identity, Rc::downgrade(&module.0));
        module
    })
}

/// Reads what the module holds now.
pub(super) fn refresh(module: &Module, theirs: &dyn Members) -> Result<()> {
    let mut read = State::default();
    for (name, value) in theirs.items(Part::Parameter)? {
        read.parameters.set(&name, convert::tensor(&value));
    }
    for (name, value) in theirs.items(Part::Buffer)? {
        let persistent = theirs.is_persistent(&name)?;
        read.buffers.set(&name, Buffer { tensor: convert::tensor(&value), persistent });
    }
    for (name, value) in theirs.items(Part::Child)? {
        read.modules.set(&name, Module::of(&value));
    }
    // Somebody further up may be walking over what was read last: that stays then.
    let Ok(mut state) = module.0.state.try_borrow_mut() else { return Ok(()) };
    let old: (Slots<_>, Slots<_>, Slots<_>) = (
        std::mem::replace(&mut state.parameters, read.parameters),
        std::mem::replace(&mut state.buffers, read.buffers),
        std::mem::replace(&mut state.modules, read.modules),
    );
    drop(state);
    drop(old);
    Ok(())
}
