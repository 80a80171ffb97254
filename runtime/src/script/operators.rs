//! `+ - * / % ** @ == …` between tensors and numbers, without the detour over names and schemas: these
//! run in the inner loop of scripts.

use std::any::TypeId;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::errors::raised;
use super::function::Side;
use super::operator_call::scalar;
use super::state::State;
use super::value::Complex;
use crate::error::Result;
use crate::torch::{Tensor, shim};

/// Operators by the number that the shim gives them.
const BINARY: &[(&str, i32)] = &[
    ("+", 0),
    ("-", 1),
    ("*", 2),
    ("/", 3),
    ("%", 4),
    ("**", 5),
    ("@", 6),
    ("==", 7),
    ("!=", 8),
    ("<", 9),
    ("<=", 10),
    (">", 11),
    (">=", 12),
    ("&", 13),
    ("|", 14),
    ("^", 15),
    ("<<", 16),
    (">>", 17),
];

type Native<'a, 'b> = &'a mut [&'b mut Dynamic];

/// Registers all operators.
pub(crate) fn register(engine: &mut Engine) {
    let tensor = TypeId::of::<Tensor>();
    let numbers =
        [TypeId::of::<i64>(), TypeId::of::<f64>(), TypeId::of::<bool>(), TypeId::of::<Complex>()];
    for &(name, op) in BINARY {
        engine.register_raw_fn(
            name,
            [tensor, tensor],
            move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                raise(&ctx, args, |args| between(op, args[0], args[1]))
            },
        );
        // `a += b` rebinds `a`: what another variable holds never changes.
        let assign = format!("{name}=");
        let assigns = !(6..=12).contains(&op);
        if assigns {
            engine.register_raw_fn(
                assign.as_str(),
                [tensor, tensor],
                move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                    let value = raise(&ctx, args, |args| between(op, args[0], args[1]))?;
                    rebind(args[0], value);
                    Ok(())
                },
            );
        }
        if op == 6 {
            continue;
        }
        for number in numbers {
            engine.register_raw_fn(
                name,
                [tensor, number],
                move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                    raise(&ctx, args, |args| with_number(op, args[0], args[1], false))
                },
            );
            engine.register_raw_fn(
                name,
                [number, tensor],
                move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                    raise(&ctx, args, |args| with_number(op, args[1], args[0], true))
                },
            );
            if !assigns {
                continue;
            }
            engine.register_raw_fn(
                assign.as_str(),
                [tensor, number],
                move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                    let value = raise(&ctx, args, |args| with_number(op, args[0], args[1], false))?;
                    rebind(args[0], value);
                    Ok(())
                },
            );
            engine.register_raw_fn(
                assign.as_str(),
                [number, tensor],
                move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                    let value = raise(&ctx, args, |args| with_number(op, args[1], args[0], true))?;
                    rebind(args[0], value);
                    Ok(())
                },
            );
        }
    }
    unary(engine, "-", |x| x.f_neg());
    unary(engine, "!", |x| x.f_bitwise_not());
    unary(engine, "+", |x| Ok(x.shallow_clone()));
}

/// Operators on objects that have them, with any value on the other side.
pub(crate) fn register_objects(engine: &mut Engine, state: &State) {
    let any = TypeId::of::<Dynamic>();
    for object in state.types.values().copied().filter(|object| object.operators) {
        let id = (object.id)();
        for &(name, op) in BINARY {
            let operate = move |args: &[&mut Dynamic], left: bool| match left {
                true => (object.operate)(args[0], name, Some((Side::Left, args[1]))),
                false => (object.operate)(args[1], name, Some((Side::Right, args[0]))),
            };
            for (types, left) in [([id, any], true), ([any, id], false), ([id, id], true)] {
                engine.register_raw_fn(
                    name,
                    types,
                    move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                        operate(args, left).map_err(|error| raised(error, &ctx))
                    },
                );
                if (6..=12).contains(&op) {
                    continue;
                }
                engine.register_raw_fn(
                    format!("{name}=").as_str(),
                    types,
                    move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                        let value = operate(args, left).map_err(|error| raised(error, &ctx))?;
                        if let Some(mut held) = args[0].write_lock::<Dynamic>() {
                            *held = value;
                        }
                        Ok(())
                    },
                );
            }
        }
        for name in ["-", "!", "+"] {
            engine.register_raw_fn(
                name,
                [id],
                move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
                    (object.operate)(args[0], name, None).map_err(|error| raised(error, &ctx))
                },
            );
        }
    }
}

fn unary(
    engine: &mut Engine,
    name: &str,
    run: fn(&tch::Tensor) -> std::result::Result<tch::Tensor, tch::TchError>,
) {
    engine.register_raw_fn(
        name,
        [TypeId::of::<Tensor>()],
        move |ctx: NativeCallContext<'_>, args: Native<'_, '_>| {
            let outcome = match args[0].read_lock::<Tensor>() {
                Some(tensor) => run(&tensor).map(Tensor::from).map_err(crate::error::Error::from),
                None => Err(crate::error::Error::type_("a tensor is needed")),
            };
            outcome.map_err(|error| raised(error, &ctx))
        },
    );
}

/// `a op b` between tensors.
fn between(op: i32, a: &Dynamic, b: &Dynamic) -> Result<Tensor> {
    match (a.read_lock::<Tensor>(), b.read_lock::<Tensor>()) {
        (Some(a), Some(b)) => shim::binary(op, &a, &b).map(Tensor::from),
        _ => Err(crate::error::Error::type_("two tensors are needed")),
    }
}

/// `tensor op number`, or `number op tensor` where `reversed`.
fn with_number(op: i32, tensor: &Dynamic, number: &Dynamic, reversed: bool) -> Result<Tensor> {
    match (tensor.read_lock::<Tensor>(), scalar(number)) {
        (Some(tensor), Some(number)) => {
            shim::binary_scalar(op, &tensor, number, reversed).map(Tensor::from)
        }
        _ => Err(crate::error::Error::type_("a tensor and a number are needed")),
    }
}

/// Runs an operator; an error gets the values of both sides and its position.
fn raise(
    ctx: &NativeCallContext<'_>,
    args: Native<'_, '_>,
    run: impl FnOnce(Native<'_, '_>) -> Result<Tensor>,
) -> std::result::Result<Tensor, Box<rhai::EvalAltResult>> {
    match run(args) {
        Ok(tensor) => Ok(tensor),
        Err(mut error) => {
            for (side, value) in [("left", &*args[0]), ("right", &*args[1])] {
                if let Some(tensor) = value.read_lock::<Tensor>() {
                    error.operands.push(format!("{side}: {}", tensor.describe()));
                }
            }
            Err(raised(error, ctx))
        }
    }
}

/// Puts a new value into the variable that `slot` is.
fn rebind(slot: &mut Dynamic, value: Tensor) {
    if let Some(mut held) = slot.write_lock::<Tensor>() {
        *held = value;
        return;
    }
    *slot = Dynamic::from(value);
}
