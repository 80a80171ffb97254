//! Sets a Rhai engine up: types, operators, indexing, iteration, display, hooks and limits.

use std::any::TypeId;
use std::collections::HashSet;
use std::rc::Rc;

use rhai::{
    AST, ASTFlags, ASTNode, Array, Blob, Dynamic, Engine, EvalAltResult, Expr, FnPtr,
    FuncRegistration, ImmutableString, Map, Module, NativeCallContext, Position, RhaiFunc, Shared,
    Stmt,
};

use super::context::Context;
use super::dispatch;
use super::errors::{self, raised, to_rhai};
use super::event::Event;
use super::function::Items;
use super::index::{self, NewAxis, Slice};
use super::missing::{self, is_word};
use super::state::State;
use super::sugar::{CALL, ERROR_OF, HELD, SHARE, written_name};
use super::value::{Complex, Held, Namespace, Results};
use super::{display, operators};
use crate::error::{Error, Kind, Result};
use crate::torch::{Device, Dtype, Generator, Layout, MemoryFormat, Tensor, shim};

type Native<'a, 'b> = &'a mut [&'b mut Dynamic];
type RhaiResult<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Names that Rhai itself gives a meaning.
const RESERVED: &[&str] = &[
    "print",
    "debug",
    "type_of",
    "eval",
    "Fn",
    "call",
    "curry",
    "is_shared",
    "is_def_var",
    "is_def_fn",
    "to_string",
    "to_debug",
    CALL,
    HELD,
    SHARE,
    ERROR_OF,
];

/// The most arguments that a call can have.
const MOST_ARGUMENTS: usize = 16;

/// A new engine with everything registered that does not depend on a script.
pub(crate) fn new(state: &Rc<State>) -> Engine {
    let mut engine = Engine::new();
    engine.set_max_expr_depths(256, 256);
    engine.set_max_call_levels(state.limits.call_levels());
    engine.set_fast_operators(true);
    if state.limits.memory.is_some() {
        // One value cannot outgrow the limit between two checks.
        let bytes = state.limits.memory.unwrap_or(0) as usize;
        engine.set_max_string_size(bytes.max(1));
        engine.set_max_array_size((bytes / size_of::<Dynamic>()).max(1));
        engine.set_max_map_size((bytes / 64).max(1));
    }
    types(&mut engine, state);
    operators::register(&mut engine);
    operators::register_objects(&mut engine, state);
    indexing(&mut engine, state);
    iteration(&mut engine, state);
    displaying(&mut engine, state);
    hooks(&mut engine, state);
    calls(&mut engine, state);
    super::syntax::register(&mut engine);
    super::sized::register(&mut engine);
    engine
}

fn types(engine: &mut Engine, state: &Rc<State>) {
    engine
        .register_type_with_name::<Tensor>("Tensor")
        .register_type_with_name::<Namespace>("namespace")
        .register_type_with_name::<Dtype>("dtype")
        .register_type_with_name::<Device>("device")
        .register_type_with_name::<Layout>("layout")
        .register_type_with_name::<MemoryFormat>("memory_format")
        .register_type_with_name::<Generator>("Generator")
        .register_type_with_name::<Complex>("complex")
        .register_type_with_name::<Results>("results")
        .register_type_with_name::<Slice>("slice")
        .register_type_with_name::<NewAxis>("newaxis")
        .register_type_with_name::<Error>("Error");
    macro_rules! equality {
        ($($ty:ty),*) => {$(
            engine.register_fn("==", |a: $ty, b: $ty| a == b);
            engine.register_fn("!=", |a: $ty, b: $ty| a != b);
        )*};
    }
    equality!(Dtype, Device, Layout, MemoryFormat, Complex);
    // A device compares with the text that names it, as in PyTorch.
    engine.register_fn("==", |a: Device, b: &str| Device::parse(b).is_ok_and(|b| a == b));
    engine.register_fn("!=", |a: Device, b: &str| Device::parse(b).is_ok_and(|b| a != b));
    for object in state.types.values() {
        (object.register)(engine);
    }
}

/// Type ids of everything that has attributes besides maps.
fn holders(state: &State) -> Vec<TypeId> {
    let mut ids = vec![
        TypeId::of::<Tensor>(),
        TypeId::of::<Namespace>(),
        TypeId::of::<Results>(),
        TypeId::of::<Error>(),
        TypeId::of::<Dtype>(),
        TypeId::of::<Device>(),
        TypeId::of::<Complex>(),
        TypeId::of::<Generator>(),
    ];
    ids.extend(state.types.values().map(|object| (object.id)()));
    ids
}

/// Registers a native function by the types of its arguments. It gets its receiver by reference and may
/// be called on constants: values of ours are handles, so nothing of a constant changes.
fn add(
    module: &mut Module,
    name: &str,
    types: &[TypeId],
    run: impl Fn(&NativeCallContext<'_>, &mut [&mut Dynamic]) -> RhaiResult<Dynamic> + 'static,
) {
    FuncRegistration::new(name).in_global_namespace().set_into_module_raw(
        module,
        types,
        RhaiFunc::Method {
            func: Shared::new(move |ctx: Option<NativeCallContext<'_>>, args: Native<'_, '_>| {
                match ctx {
                    Some(ctx) => run(&ctx, args),
                    // Rhai always gives the context that was asked for.
                    None => Ok(Dynamic::UNIT),
                }
            }),
            has_context: true,
            is_pure: true,
            is_volatile: true,
        },
    );
}

fn raise<T>(ctx: &NativeCallContext<'_>, result: Result<T>) -> RhaiResult<T> {
    result.map_err(|error| raised(error, ctx))
}

/// `x[i]`, `x[i] = v`, and attributes whose name was not seen at compile time.
fn indexing(engine: &mut Engine, state: &Rc<State>) {
    let any = dispatch::dynamic_id();
    let mut module = Module::new();
    for id in holders(state) {
        let held = state.clone();
        add(&mut module, "index$get$", &[id, any], move |native, args| {
            let ctx = Context::new(native, held.clone());
            raise(native, get_index(args[0], args[1], &ctx))
        });
        let held = state.clone();
        add(&mut module, "index$set$", &[id, any, any], move |native, args| {
            if is_write_back(&held, native.call_position(), args) {
                return Ok(Dynamic::UNIT);
            }
            let ctx = Context::new(native, held.clone());
            let new = std::mem::take(args[2]);
            let index = std::mem::take(args[1]);
            match set_index(args[0], &index, new, &ctx) {
                // Rhai writes a property back after a call on it; this error says that there is no need.
                Err(error) if index.is_string() => Err(Box::new(EvalAltResult::ErrorIndexingType(
                    error.message,
                    native.call_position(),
                ))),
                outcome => raise(native, outcome.map(|()| Dynamic::UNIT)),
            }
        });
    }
    engine.register_global_module(module.into());
}

/// Whether `args[0][args[1]] = args[2]` is what Rhai does after a call on `args[0][args[1]]`.
fn is_write_back(state: &State, place: Position, args: &[&mut Dynamic]) -> bool {
    let property = args[1].as_immutable_string_ref().is_ok_and(|name| state.assigned(&name).get());
    !property && state.write_backs.is_write_back(place, args[2])
}

fn get_index(value: &Dynamic, index: &Dynamic, ctx: &Context<'_>) -> Result<Dynamic> {
    if let Some(object) = dispatch::object_type(value, &ctx.state) {
        if !object.own_names
            && let Ok(name) = index.as_immutable_string_ref()
            && let Ok(found) = dispatch::get_attribute(value, written_name(&name), ctx)
        {
            return Ok(found);
        }
        return (object.index)(value, index, ctx);
    }
    if let Ok(name) = index.as_immutable_string_ref()
        && name.as_str() != "..."
    {
        return dispatch::get_attribute(value, written_name(&name), ctx);
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        let part = index::get(&tensor, index).map_err(|mut error| {
            error.operands.push(format!("self: {}", tensor.describe()));
            error
        })?;
        ctx.state.write_backs.gave(&part);
        return Ok(Dynamic::from(part));
    }
    if let Some(results) = value.read_lock::<Results>() {
        let n = results.values.len() as i64;
        let i = index.as_int().map_err(|_| Error::type_("results are indexed by int or name"))?;
        let at = if i < 0 { i + n } else { i };
        return usize::try_from(at)
            .ok()
            .and_then(|at| results.values.get(at).cloned())
            .ok_or_else(|| Error::index(format!("index {i} is out of range for {n} results")));
    }
    Err(Error::type_(format!("a {} cannot be indexed", super::convert::type_name(value))))
}

fn set_index(value: &mut Dynamic, index: &Dynamic, new: Dynamic, ctx: &Context<'_>) -> Result<()> {
    if let Some(object) = dispatch::object_type(value, &ctx.state).copied() {
        if let Ok(name) = index.as_immutable_string_ref()
            && ctx
                .state
                .properties
                .contains_key(format!("{}.{}", object.name, name.as_str()).as_str())
        {
            return dispatch::set_attribute(value, name.as_str(), new, ctx);
        }
        return match (object.set_index)(value, index, new.clone(), ctx) {
            Err(error) => match index.as_immutable_string_ref() {
                Ok(name) if (object.set_attribute)(value, name.as_str(), new, ctx)? => Ok(()),
                _ => Err(error),
            },
            done => done,
        };
    }
    if let Ok(name) = index.as_immutable_string_ref()
        && name.as_str() != "..."
    {
        return dispatch::set_attribute(value, name.as_str(), new, ctx);
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return index::set(&tensor, index, &new).map_err(|mut error| {
            error.operands.push(format!("self: {}", tensor.describe()));
            error
        });
    }
    Err(Error::type_(format!("items of a {} cannot be set", super::convert::type_name(value))))
}

fn as_items(items: Items) -> Box<dyn Iterator<Item = RhaiResult<Dynamic>>> {
    Box::new(items.map(|item| {
        item.map_err(|error| {
            let called_back = !error.position.is_none();
            let stop = matches!(error.kind, Kind::Interrupt | Kind::Limit | Kind::Ended);
            let raised = to_rhai(error, Position::NONE);
            // Raised in a closure of the script: the loop is on the way to it. Rhai puts its place in.
            match called_back && !stop {
                true => Box::new(EvalAltResult::ErrorInFunctionCall(
                    "for".to_owned(),
                    String::new(),
                    raised,
                    Position::NONE,
                )),
                false => raised,
            }
        })
    }))
}

/// `for x in …`
fn iteration(engine: &mut Engine, state: &Rc<State>) {
    let mut module = Module::new();
    module.set_iter_result(TypeId::of::<Tensor>(), |value| match value.try_cast::<Tensor>() {
        Some(tensor) => match unbind(&tensor) {
            Ok(items) => as_items(Box::new(items.into_iter().map(|t| Ok(Dynamic::from(t))))),
            Err(error) => as_items(Box::new(std::iter::once(Err(error)))),
        },
        None => Box::new(std::iter::empty()),
    });
    module.set_iter_result(TypeId::of::<Results>(), |value| {
        let values = value.try_cast::<Results>().map(|results| results.values).unwrap_or_default();
        Box::new(values.into_iter().map(Ok))
    });
    for object in state.types.values().copied() {
        module.set_iter_result((object.id)(), move |value| match (object.iterate)(&value) {
            Some(Ok(items)) => as_items(items),
            Some(Err(error)) => as_items(Box::new(std::iter::once(Err(error)))),
            None => as_items(Box::new(std::iter::once(Err(Error::type_(format!(
                "a {} cannot be iterated over",
                object.name
            )))))),
        });
    }
    engine.register_global_module(module.into());
}

/// The slices of the first dimension.
fn unbind(tensor: &Tensor) -> Result<Vec<Tensor>> {
    if shim::dim(tensor) == 0 {
        return Err(Error::type_("a tensor without dimensions cannot be iterated over"));
    }
    Ok(tensor.f_unbind(0)?.into_iter().map(Tensor::from).collect())
}

/// `print`, string forms and interpolation.
fn displaying(engine: &mut Engine, state: &Rc<State>) {
    let mut ids = holders(state);
    ids.extend([
        TypeId::of::<Array>(),
        TypeId::of::<Map>(),
        TypeId::of::<Blob>(),
        TypeId::of::<FnPtr>(),
        TypeId::of::<Layout>(),
        TypeId::of::<MemoryFormat>(),
    ]);
    for id in ids {
        for name in ["print", "to_string", "debug", "to_debug"] {
            let held = state.clone();
            engine.register_raw_fn(
                name,
                [id],
                move |_: NativeCallContext<'_>, args: Native<'_, '_>| {
                    Ok(ImmutableString::from(display::nested(args[0], &held)))
                },
            );
        }
    }
    let held = state.clone();
    engine.on_print(move |text| held.emit(Event::Stdout(format!("{text}\n"))));
    let held = state.clone();
    engine.on_debug(move |text, _, position| {
        let place = if position.is_none() { String::new() } else { format!("{position}: ") };
        held.emit(Event::Stderr(format!("{place}{text}\n")));
    });
}

/// Names that no scope knows, functions that nobody registered, and the pulse that can stop a script.
fn hooks(engine: &mut Engine, state: &Rc<State>) {
    let held = state.clone();
    #[allow(deprecated)]
    engine.on_var(move |name, index, ctx| {
        // A known place in the scope: nothing to resolve.
        if index != 0 || ctx.scope().contains(name) {
            return Ok(None);
        }
        if let Some(cell) = held.globals.borrow().get(name) {
            return Ok(Some(cell.flatten_clone()));
        }
        Ok(held.resolve_name(name))
    });
    let held = state.clone();
    #[allow(deprecated)]
    engine.on_missing_function(move |name, args, _, _| {
        // Rhai asks after any error of a call: answer only for what is not registered.
        if RESERVED.contains(&name) || !is_word(name) || held.is_registered(name, args.len()) {
            return Ok(None);
        }
        match Context::current(|ctx| dispatch::call_name(written_name(name), args, ctx)) {
            Ok(value) => Ok(Some(value)),
            // Rhai's own error knows the place and says the same in the end, see `missing`.
            Err(error)
                if !owns(args) && !held.functions.contains_key(name) && is_missing(&error) =>
            {
                Ok(None)
            }
            Err(error) => Err(to_rhai(error, Position::NONE)),
        }
    });
    let held = state.clone();
    // Counted here and not by Rhai, whose counts begin anew in closures that hooks call.
    let counts = state.limits.operations.is_some();
    engine.on_progress(move |operations| {
        let mut outcome = Ok(());
        if counts {
            outcome = held.count_operation();
        }
        if held.is_asked() || (operations & 0x3ff == 0 && held.check_due()) {
            outcome = outcome.and_then(|()| held.check());
        }
        if outcome.is_ok() && held.is_too_deep() {
            outcome = Err(errors::too_deep());
        }
        outcome.err().map(|error| Dynamic::from(errors::Stop(error)))
    });
}

/// Whether nothing was called: there is no such function, or none for these arguments.
fn is_missing(error: &Error) -> bool {
    error.position.is_none() && matches!(error.kind, Kind::Name | Kind::Type)
}

/// Whether the first argument is one of ours.
fn owns(args: &[&mut Dynamic]) -> bool {
    args.first()
        .is_some_and(|first| first.is::<Tensor>() || first.is::<Namespace>() || first.is::<Held>())
}

/// `f(x)` for values, and the helpers of the sugar.
fn calls(engine: &mut Engine, state: &Rc<State>) {
    let any = dispatch::dynamic_id();
    let mut module = Module::new();
    for arity in 1..=MOST_ARGUMENTS {
        let held = state.clone();
        add(&mut module, CALL, &vec![any; arity], move |native, args| {
            let Some((callable, rest)) = args.split_first_mut() else { return Ok(Dynamic::UNIT) };
            let mut values: Vec<Dynamic> =
                rest.iter_mut().map(|arg| std::mem::take(*arg)).collect();
            if let Some(function) = callable.read_lock::<FnPtr>() {
                // The callee may replace the variable that holds it.
                let function = function.clone();
                return missing::call_closure(&function, native, &mut values);
            }
            let ctx = Context::new(native, held.clone());
            raise(native, dispatch::call_value(callable, values, &ctx))
        });
    }
    engine.register_global_module(module.into());
    let held = state.clone();
    engine.register_fn(SHARE, move |name: ImmutableString, closure: FnPtr| {
        if let Some(cell) = closure.curry().first() {
            held.globals.borrow_mut().insert(name, cell.clone());
        }
    });
    engine.register_raw_fn(
        HELD,
        [TypeId::of::<FnPtr>()],
        |native: NativeCallContext<'_>, args: Native<'_, '_>| {
            let closure = std::mem::take(args[0]).cast::<FnPtr>();
            match closure.curry().first() {
                Some(cell) if cell.is_locked() => Err(Box::new(EvalAltResult::ErrorDataRace(
                    "a variable".to_owned(),
                    native.call_position(),
                ))),
                Some(cell) => Ok(Held::of(cell)),
                None => closure.call_raw(&native, None, []),
            }
        },
    );
    engine.register_fn(ERROR_OF, super::caught::caught);
}

/// The names that a script calls and the properties that it reads or writes.
#[derive(Default)]
pub(crate) struct Mentioned {
    calls: HashSet<(String, usize)>,
    properties: HashSet<String>,
    assigned: HashSet<String>,
    /// Where an index is assigned to: `[` of `x[0] = 1`.
    indices: Vec<Position>,
    evaluates: bool,
}

/// Collects them from a compiled script, so that they are found without the detour over an error.
pub(crate) fn mentioned(ast: &AST) -> Mentioned {
    let mut found = Mentioned::default();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => {
                found.add_call(&call.name, call.args.len());
            }
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                found.add_call(&call.name, call.args.len());
            }
            Some(ASTNode::Expr(Expr::Property(property, _))) => {
                found.properties.insert(property.2.to_string());
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                found.assigned.extend(last_property(&assignment.1.lhs));
                found.indices.extend(last_index(&assignment.1.lhs));
            }
            _ => {}
        }
        true
    });
    found
}

/// The property that an assignment to `target` writes: `grad` of `x.grad = …`, none of `x.grad[0] = …`.
fn last_property(target: &Expr) -> Option<String> {
    match target {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => last_property(&pair.rhs),
        Expr::Property(property, _) => Some(property.2.to_string()),
        _ => None,
    }
}

/// The index that an assignment to `target` writes: the second of `x[0][1] = …`, none of `x[0].grad = …`.
fn last_index(target: &Expr) -> Option<Position> {
    match target {
        Expr::Index(pair, flags, position) => {
            let more = matches!(&pair.rhs, Expr::Index(..) | Expr::Dot(..));
            if more && !flags.intersects(ASTFlags::BREAK) {
                last_index(&pair.rhs)
            } else {
                Some(*position)
            }
        }
        Expr::Dot(pair, ..) => last_index(&pair.rhs),
        _ => None,
    }
}

impl Mentioned {
    /// Remembers what the script assigns to.
    pub(crate) fn note_assigned(&self, state: &State) {
        for name in &self.assigned {
            state.assigned(name).set(true);
        }
        state.write_backs.learn(self.indices.iter().copied(), self.evaluates);
    }

    fn add_call(&mut self, name: &str, args: usize) {
        self.evaluates |= name == "eval";
        // The receiver of a method is not among its arguments.
        self.calls.insert((name.to_owned(), args));
        self.calls.insert((name.to_owned(), args + 1));
    }
}

/// A module of what a script mentions and the engine does not know yet.
pub(crate) fn functions_for(state: &Rc<State>, mentioned: Mentioned) -> Module {
    let any = dispatch::dynamic_id();
    let mut module = Module::new();
    for (name, arity) in &mentioned.calls {
        let arity = *arity;
        if !is_word(name) || RESERVED.contains(&name.as_str()) || arity > MOST_ARGUMENTS {
            continue;
        }
        // Without a receiver only a bare function can be meant; others would hide Rhai's own.
        if arity == 0 && !state.functions.contains_key(name) {
            continue;
        }
        if !state.register(name, arity) {
            continue;
        }
        let held = state.clone();
        let site = dispatch::CallSite::new(written_name(name));
        add(&mut module, name, &vec![any; arity], move |native, args| {
            let ctx = Context::new(native, held.clone());
            raise(native, site.call(args, &ctx))
        });
    }
    mentioned.note_assigned(state);
    for name in mentioned.properties {
        if !state.register(&format!("get${name}"), 1) {
            continue;
        }
        let held = state.clone();
        let property = written_name(&name).to_owned();
        add(&mut module, &format!("get${name}"), &[any], move |native, args| {
            let ctx = Context::new(native, held.clone());
            raise(native, dispatch::get_attribute(args[0], &property, &ctx))
        });
        let held = state.clone();
        let assigned = state.assigned(&name);
        let setter = format!("set${name}");
        add(&mut module, &setter, &[any, any], move |native, args| {
            let new = std::mem::take(args[1]);
            // No script assigns to it: Rhai only writes back what a call on the property may have
            // changed. Handles have changed already; copies of arrays and maps go back.
            let written_back = !assigned.get();
            if written_back && !(new.is_array() || new.is_map()) {
                return Ok(Dynamic::UNIT);
            }
            let ctx = Context::new(native, held.clone());
            match dispatch::set_attribute(args[0], written_name(&name), new, &ctx) {
                Err(_) if written_back => Ok(Dynamic::UNIT),
                outcome => raise(native, outcome.map(|()| Dynamic::UNIT)),
            }
        });
    }
    module
}
