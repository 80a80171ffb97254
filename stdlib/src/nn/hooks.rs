//! Forward hooks: closures that see, and may replace, what goes in and out of a module.

use flambeau_runtime::error::Result;
use flambeau_runtime::script::{Context, Function, Object};
use rhai::{Array, Dynamic};

use super::class;
use super::module::Module;

/// The hooks of one module, in the order of their calls.
#[derive(Default)]
pub(crate) struct Hooks {
    next: u64,
    before: Vec<(u64, Dynamic)>,
    after: Vec<(u64, Dynamic)>,
}

/// What `register_forward_hook` returns; `remove()` takes the hook out.
#[derive(Clone)]
pub(crate) struct RemovableHandle {
    module: Module,
    id: u64,
}

impl Object for RemovableHandle {
    const TYPE: &'static str = "RemovableHandle";

    fn display(&self) -> String {
        format!("RemovableHandle({})", self.id)
    }
}

/// `module(args)` of a module that has hooks of a script or of another language.
pub(crate) fn call(module: &Module, mut args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
    let outer = module.0.elsewhere.borrow().outer.clone();
    match outer {
        Some(outer) => {
            args.insert(0, module.to_dynamic());
            ctx.call(&outer, args)
        }
        None => around(module, args, ctx),
    }
}

/// The forward pass with the hooks of scripts: those before see `(module, args)` and may give other arguments; those
/// after see `(module, args, output)` and may give another output.
pub(crate) fn around(
    module: &Module,
    mut args: Vec<Dynamic>,
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    let (before, after) = match &module.state().hooks {
        Some(hooks) => (hooks.before.clone(), hooks.after.clone()),
        None => (Vec::new(), Vec::new()),
    };
    for (_, hook) in before {
        let given = Dynamic::from_array(args.clone());
        let replaced = ctx.call(&hook, vec![module.to_dynamic(), given])?;
        if replaced.is_unit() {
            continue;
        }
        let several = replaced.read_lock::<Array>().map(|array| array.clone());
        args = several.unwrap_or_else(|| vec![replaced]);
    }
    let mut output = class::forward(module, args.clone(), ctx)?;
    for (_, hook) in after {
        let given = Dynamic::from_array(args.clone());
        let replaced = ctx.call(&hook, vec![module.to_dynamic(), given, output.clone()])?;
        if !replaced.is_unit() {
            output = replaced;
        }
    }
    Ok(output)
}

/// Puts a hook behind or, with `prepend`, in front of the others.
pub(crate) fn register(
    module: &Module,
    hook: Dynamic,
    before: bool,
    prepend: bool,
) -> Result<Dynamic> {
    if let Some(theirs) = module.foreign() {
        return theirs.hook(hook, before, prepend);
    }
    let mut state = module.state_mut()?;
    let hooks = state.hooks.get_or_insert_default();
    let id = hooks.next;
    hooks.next += 1;
    let list = if before { &mut hooks.before } else { &mut hooks.after };
    if prepend {
        list.insert(0, (id, hook));
    } else {
        list.push((id, hook));
    }
    drop(state);
    module.note_hooks();
    Ok(Dynamic::from(RemovableHandle { module: module.clone(), id }))
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "Module.register_forward_pre_hook(Module self, Function hook, *, bool prepend=False) -> RemovableHandle",
        doc: "Calls hook(module, args) before every forward pass; an array that it gives back \
              replaces the arguments, another value replaces the only one.",
        example: "let m = nn.Linear(2, 3);\nlet handle = m.register_forward_pre_hook(|m, args| [args[0] * 2.0]);\nm(torch.ones([2]));\nhandle.remove();",
        call: |args| {
            let module = args.object::<Module>(0)?;
            register(&module, args.callable(1)?, true, args.bool(2)?)
        },
    },
    Function {
        schema: "Module.register_forward_hook(Module self, Function hook, *, bool prepend=False) -> RemovableHandle",
        doc: "Calls hook(module, args, output) after every forward pass; a value that it gives back \
              replaces the output.",
        example: "let m = nn.Linear(2, 3);\nlet handle = m.register_forward_hook(|m, args, output| output * 2.0);\nm(torch.ones([2]));\nhandle.remove();",
        call: |args| {
            let module = args.object::<Module>(0)?;
            register(&module, args.callable(1)?, false, args.bool(2)?)
        },
    },
    Function {
        schema: "RemovableHandle.remove(RemovableHandle self) -> ()",
        doc: "Takes the hook out; a second time does nothing.",
        example: "let m = nn.Linear(2, 3);\nm.register_forward_hook(|m, args, output| ()).remove();",
        call: |args| {
            let handle = args.object::<RemovableHandle>(0)?;
            let mut state = handle.module.state_mut()?;
            // None are left once each was removed.
            let Some(hooks) = state.hooks.as_mut() else { return Ok(Dynamic::UNIT) };
            let keep = |(id, _): &(u64, Dynamic)| *id != handle.id;
            let before = hooks.before.iter().filter(|hook| keep(hook)).cloned().collect();
            let after = hooks.after.iter().filter(|hook| keep(hook)).cloned().collect();
            // Closures are dropped after the borrow: dropping one may run anything.
            let old = std::mem::replace(&mut hooks.before, before);
            let older = std::mem::replace(&mut hooks.after, after);
            if hooks.before.is_empty() && hooks.after.is_empty() {
                state.hooks = None;
            }
            drop(state);
            drop((old, older));
            handle.module.note_hooks();
            Ok(Dynamic::UNIT)
        },
    },
];
