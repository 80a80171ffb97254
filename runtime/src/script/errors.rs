//! Between Rhai's errors and ours.

use rhai::EvalAltResult as E;
use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext, Position};

use super::{context, display, missing};
use crate::error::{Call, Error, Kind};

/// What the interrupt and the limits hand to Rhai to stop a script.
#[derive(Clone, Debug)]
pub(crate) struct Stop(pub Error);

/// Our error as Rhai carries it; `catch` gets the same value.
pub(crate) fn to_rhai(mut error: Error, position: Position) -> Box<EvalAltResult> {
    if error.position.is_none() {
        error.position = position;
    }
    let position = error.position;
    match error.kind {
        // Not catchable: a script must not swallow Ctrl-C or a limit.
        Kind::Interrupt | Kind::Limit | Kind::Ended => {
            if let Some(state) = context::active_state() {
                state.stop_with(error.clone());
            }
            Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(Stop(error)), position))
        }
        // That of a worker keeps the way to where it was thrown.
        Kind::Thrown if !error.trace.as_ref().is_some_and(|trace| trace.below) => {
            let value = error.value.clone().unwrap_or_default();
            Box::new(EvalAltResult::ErrorRuntime(value, position))
        }
        _ => Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(error), position)),
    }
}

/// Our error, raised by the native function that `native` is a call of. An error that has its place already
/// came out of a callback: this call is on the way to it.
pub(crate) fn raised(mut error: Error, native: &NativeCallContext<'_>) -> Box<EvalAltResult> {
    let source = native.call_source().map(str::to_owned);
    if error.position.is_none() {
        error.position = native.call_position();
        if source.is_some() {
            error.trace.get_or_insert_default().source = source;
        }
    } else {
        let call = Call {
            function: native.fn_name().to_owned(),
            source,
            position: native.call_position(),
        };
        error.trace.get_or_insert_default().calls.insert(0, call);
    }
    to_rhai(error, Position::NONE)
}

/// The error of calls within calls that the stack has no room for.
pub(crate) fn too_deep() -> Error {
    Error::new(Kind::Limit, "calls are nested too deep").help("is a recursion endless?")
}

/// What stands for the function where a file is imported.
pub(super) const IMPORT: &str = "import";

/// Rhai's error as ours: the innermost one, with the calls that it passed.
pub(crate) fn from_rhai(error: &EvalAltResult) -> Error {
    let mut calls = Vec::new();
    let mut source = None;
    let mut inner = error;
    loop {
        let (function, to, next, position) = match inner {
            EvalAltResult::ErrorInFunctionCall(name, to, next, position) => {
                (name.as_str(), to, next, *position)
            }
            EvalAltResult::ErrorInModule(path, next, position) => (IMPORT, path, next, *position),
            _ => break,
        };
        calls.push(Call { function: function.to_owned(), source: source.clone(), position });
        if !to.is_empty() {
            source = Some(to.clone());
        }
        inner = next;
    }
    let mut ours = convert(inner);
    if ours.position.is_none() {
        ours.position = inner.position();
    }
    if source.is_some() || !calls.is_empty() {
        let trace = ours.trace.get_or_insert_default();
        calls.append(&mut trace.calls);
        trace.calls = calls;
        trace.source = trace.source.take().or(source);
    }
    ours
}

/// The error behind all function calls and modules that it passed.
pub(crate) fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => innermost(inner),
        other => other,
    }
}

pub(crate) fn convert(error: &EvalAltResult) -> Error {
    match error {
        E::ErrorRuntime(value, _) => from_thrown(value),
        E::ErrorTerminated(value, _) => match value.read_lock::<Stop>() {
            Some(stop) => stop.0.clone(),
            None => Error::new(Kind::Interrupt, "stopped"),
        },
        E::ErrorVariableNotFound(name, _) => missing::variable(name),
        E::ErrorFunctionNotFound(signature, _) => missing::not_found(signature),
        E::ErrorModuleNotFound(path, _) => {
            Error::new(Kind::Io, format!("there is no module '{path}'"))
        }
        E::ErrorPropertyNotFound(name, _) => {
            Error::new(Kind::Key, format!("there is no property '{name}'"))
        }
        E::ErrorIndexNotFound(index, _) => {
            Error::new(Kind::Key, format!("there is no item {index}"))
        }
        E::ErrorArrayBounds(size, index, _) => {
            Error::new(Kind::Index, format!("index {index} is out of range for an array of {size}"))
        }
        E::ErrorStringBounds(size, index, _) => {
            Error::new(Kind::Index, format!("index {index} is out of range for a string of {size}"))
        }
        E::ErrorBitFieldBounds(size, index, _) => {
            Error::new(Kind::Index, format!("bit {index} is out of range for {size} bits"))
        }
        E::ErrorArithmetic(text, _) => Error::new(Kind::Arithmetic, text.clone()),
        E::ErrorMismatchDataType(expected, found, _) => {
            let error = Error::new(
                Kind::Type,
                format!("expected {}, found {}", tidy(expected), tidy(found)),
            );
            if expected == "bool" && found.contains("Tensor") {
                error.help("a condition needs one bool: use x.item(), torch.all(x) or torch.any(x)")
            } else if expected.contains("string") && found.contains("Namespace") {
                error.help("namespaces such as torch and nn are there without an import")
            } else {
                error
            }
        }
        E::ErrorMismatchOutputType(expected, found, _) => {
            Error::new(Kind::Type, format!("expected {}, found {}", tidy(expected), tidy(found)))
        }
        E::ErrorIndexingType(text, _) => {
            Error::new(Kind::Type, format!("cannot index {}", tidy(text)))
        }
        E::ErrorDotExpr(text, _) => Error::new(Kind::Type, tidy(text)),
        E::ErrorFor(_) => Error::new(Kind::Type, "for needs something to iterate over"),
        E::ErrorAssignmentToConstant(name, _) => {
            Error::new(Kind::Type, format!("'{name}' is a constant"))
                .help("declare it with let to change it")
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            Error::new(Kind::Type, format!("{name} would change a constant"))
        }
        E::ErrorTooManyOperations(_) => Error::new(Kind::Limit, "too many operations"),
        E::ErrorStackOverflow(_) => too_deep(),
        E::ErrorDataTooLarge(what, _) => match context::active_state() {
            // Only a limit of memory limits single values.
            Some(state) if state.limits.memory.is_some() => state.limits.memory_error(),
            _ => Error::new(Kind::Limit, format!("{what} is too large")),
        },
        E::ErrorTooManyModules(_) => Error::new(Kind::Limit, "too many modules"),
        E::ErrorTooManyVariables(_) => Error::new(Kind::Limit, "too many variables"),
        E::ErrorDataRace(name, _) => Error::new(Kind::Runtime, format!("{name} is already in use"))
            .help(
                "a closure cannot use the variable through which it is called: give the value a \
                 second name before, `let same = f;`, or write a function",
            ),
        E::ErrorParsing(kind, _) => Error::new(Kind::Syntax, kind.to_string()),
        E::ErrorSystem(text, cause) => Error::new(
            Kind::Io,
            if text.is_empty() { cause.to_string() } else { format!("{text}: {cause}") },
        ),
        other => Error::new(Kind::Runtime, other.to_string()),
    }
}

/// Rhai's name of a type, as people say it.
pub(crate) fn type_of_rhai(name: &str) -> &str {
    match name {
        "i64" => "int",
        "f64" => "float",
        "&str | ImmutableString | String" | "&str" | "ImmutableString" => "string",
        other => match other.rfind("::") {
            Some(at) if other.contains("flambeau") => &other[at + 2..],
            _ => other,
        },
    }
}

/// Names of Rust types in a sentence of Rhai's.
fn tidy(text: &str) -> String {
    text.split(' ').map(type_of_rhai).collect::<Vec<_>>().join(" ")
}

/// What a script threw, or what native code raised.
pub(crate) fn from_thrown(value: &Dynamic) -> Error {
    if let Some(error) = value.read_lock::<Error>() {
        return error.clone();
    }
    let text = match context::active_state() {
        Some(state) => display::display(value, &state),
        None => value.to_string(),
    };
    let mut error = Error::new(Kind::Thrown, text);
    if let Some(map) = value.read_lock::<Map>()
        && let Some(message) = map.get("message")
    {
        error.message = message.to_string();
    }
    error.value = Some(value.clone());
    error
}
