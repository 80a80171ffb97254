//! Between Rhai's errors and ours.

use rhai::{Dynamic, EvalAltResult, Map, ParseErrorType, Position};

use crate::error::{Error, Kind};

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
        Kind::Interrupt | Kind::Limit => {
            Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(Stop(error)), position))
        }
        Kind::Thrown => {
            let value = error.value.clone().unwrap_or_default();
            Box::new(EvalAltResult::ErrorRuntime(value, position))
        }
        _ => Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(error), position)),
    }
}

/// Rhai's error as ours, from the innermost call.
pub(crate) fn from_rhai(error: &EvalAltResult) -> Error {
    let error = innermost(error);
    let mut ours = convert(error);
    if ours.position.is_none() {
        ours.position = error.position();
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

fn convert(error: &EvalAltResult) -> Error {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) => from_thrown(value),
        E::ErrorTerminated(value, _) => match value.read_lock::<Stop>() {
            Some(stop) => stop.0.clone(),
            None => Error::new(Kind::Interrupt, "stopped"),
        },
        E::ErrorVariableNotFound(name, _) => {
            Error::new(Kind::Name, format!("there is no variable '{name}'"))
        }
        E::ErrorFunctionNotFound(signature, _) => {
            let (name, types) = signature.split_once('(').unwrap_or((signature, ""));
            let types = types.trim_end_matches(')').trim();
            let name = operator_or_function(name.trim());
            if types.is_empty() {
                Error::new(Kind::Name, format!("there is no {name} without arguments"))
            } else {
                Error::new(Kind::Type, format!("there is no {name} for ({types})"))
            }
        }
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
        E::ErrorStackOverflow(_) => {
            Error::new(Kind::Limit, "calls are nested too deep").help("is a recursion endless?")
        }
        E::ErrorDataTooLarge(what, _) => Error::new(Kind::Limit, format!("{what} is too large")),
        E::ErrorTooManyModules(_) => Error::new(Kind::Limit, "too many modules"),
        E::ErrorTooManyVariables(_) => Error::new(Kind::Limit, "too many variables"),
        E::ErrorDataRace(name, _) => Error::new(Kind::Runtime, format!("{name} is already in use"))
            .help("a closure reads a variable that its own call is changing"),
        E::ErrorParsing(kind, _) => syntax(kind),
        E::ErrorSystem(text, cause) => Error::new(
            Kind::Io,
            if text.is_empty() { cause.to_string() } else { format!("{text}: {cause}") },
        ),
        other => Error::new(Kind::Runtime, other.to_string()),
    }
}

fn operator_or_function(name: &str) -> String {
    if name.chars().all(|c| !c.is_alphanumeric() && c != '_') {
        format!("operator '{name}'")
    } else {
        format!("function '{name}'")
    }
}

/// The error for a text that is no script.
pub(crate) fn syntax(kind: &ParseErrorType) -> Error {
    let text = kind.to_string();
    let error = Error::new(Kind::Syntax, text);
    match kind {
        ParseErrorType::MissingToken(token, _) if token == ";" => {
            error.help("statements end with a semicolon")
        }
        _ => error,
    }
}

/// Names of Rust types that Rhai shows, as people say them.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ') {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(match word {
            "i64" => "int",
            "f64" => "float",
            other => match other.rfind("::") {
                Some(at) if other.contains("flambeau") => &other[at + 2..],
                _ => other,
            },
        });
    }
    out
}

/// What a script threw, or what native code raised.
pub(crate) fn from_thrown(value: &Dynamic) -> Error {
    if let Some(error) = value.read_lock::<Error>() {
        return error.clone();
    }
    let mut error = Error::new(Kind::Thrown, value.to_string());
    if let Some(map) = value.read_lock::<Map>()
        && let Some(message) = map.get("message")
    {
        error.message = message.to_string();
    }
    error.value = Some(value.clone());
    error
}

/// What `catch (e)` holds: one shape for errors of Rhai, of libtorch and of the library; a thrown
/// value stays what it is.
pub(crate) fn caught(value: Dynamic) -> Dynamic {
    let Some(map) = value.read_lock::<Map>() else { return value };
    let Some(name) = map.get("error").and_then(|name| name.clone().into_immutable_string().ok())
    else {
        drop(map);
        return value;
    };
    let text = |key: &str| {
        map.get(key).and_then(|v| v.clone().into_immutable_string().ok()).unwrap_or_default()
    };
    let number = |key: &str| map.get(key).and_then(|v| v.as_int().ok()).unwrap_or(0);
    let kind = match name.as_str() {
        "ErrorVariableNotFound" => Kind::Name,
        "ErrorFunctionNotFound" => Kind::Type,
        "ErrorArrayBounds" | "ErrorStringBounds" | "ErrorBitFieldBounds" => Kind::Index,
        "ErrorIndexNotFound" | "ErrorPropertyNotFound" => Kind::Key,
        "ErrorArithmetic" => Kind::Arithmetic,
        "ErrorModuleNotFound" | "ErrorSystem" => Kind::Io,
        "ErrorStackOverflow" | "ErrorDataTooLarge" => Kind::Limit,
        "ErrorParsing" => Kind::Syntax,
        "ErrorMismatchDataType"
        | "ErrorMismatchOutputType"
        | "ErrorIndexingType"
        | "ErrorDotExpr"
        | "ErrorFor"
        | "ErrorAssignmentToConstant" => Kind::Type,
        _ => Kind::Runtime,
    };
    let message = text("message");
    let mut error = Error::new(kind, tidy(strip_prefixes(&message)));
    let (line, column) = (number("line"), number("position"));
    if line > 0 {
        error.position = Position::new(line as u16, column.max(0) as u16);
    }
    drop(map);
    Dynamic::from(error)
}

/// Rhai's messages begin with what the kind already says.
fn strip_prefixes(text: &str) -> &str {
    text.strip_prefix("Runtime error: ").unwrap_or(text)
}
