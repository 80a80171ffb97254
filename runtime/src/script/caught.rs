//! What `catch (e)` holds: one shape for errors of Rhai, of libtorch and of the library; a thrown value
//! stays what it is.
//!
//! Errors of ours reach a script as they are. Rhai's own come as a map of their parts; where they passed a
//! function on their way, the parts are those of the call, and of the error itself only its text is left.

use rhai::EvalAltResult as E;
use rhai::{Dynamic, EvalAltResult, ImmutableString, Map, Position};

use super::errors::convert;
use crate::error::{Error, Kind};

/// The value of `e` for a value that Rhai caught.
pub(crate) fn caught(value: Dynamic) -> Dynamic {
    let thrown = value.read_lock::<Error>().filter(|error| error.kind == Kind::Thrown);
    if let Some(thrown) = thrown.and_then(|error| error.value.clone()) {
        return thrown;
    }
    let error = match value.read_lock::<Map>() {
        Some(map) => error_of(&map),
        None => None,
    };
    match error {
        Some(error) => Dynamic::from(error),
        None => value,
    }
}

fn error_of(map: &Map) -> Option<Error> {
    let text = |key: &str| -> String {
        let text: Option<ImmutableString> =
            map.get(key).and_then(|value| value.clone().into_immutable_string().ok());
        text.map(String::from).unwrap_or_default()
    };
    let number = |key: &str| map.get(key).and_then(|value| value.as_int().ok()).unwrap_or(0);
    let (name, message) = (text("error"), text("message"));
    // A script may throw a map with such keys; Rhai's have these.
    if !name.starts_with("Error") || message.is_empty() {
        return None;
    }
    if ["ErrorInFunctionCall", "ErrorInModule"].contains(&name.as_str()) {
        return Some(innermost(&message));
    }
    let size = |key: &str| usize::try_from(number(key)).unwrap_or(0);
    let none = Position::NONE;
    let rebuilt = match name.as_str() {
        "ErrorVariableNotFound" => E::ErrorVariableNotFound(text("variable"), none),
        "ErrorFunctionNotFound" => E::ErrorFunctionNotFound(text("function"), none),
        "ErrorArrayBounds" => E::ErrorArrayBounds(size("length"), number("index"), none),
        "ErrorStringBounds" => E::ErrorStringBounds(size("length"), number("index"), none),
        "ErrorBitFieldBounds" => E::ErrorBitFieldBounds(size("length"), number("index"), none),
        "ErrorIndexNotFound" => {
            E::ErrorIndexNotFound(map.get("index").cloned().unwrap_or_default(), none)
        }
        "ErrorPropertyNotFound" => E::ErrorPropertyNotFound(text("variable"), none),
        "ErrorMismatchDataType" => {
            E::ErrorMismatchDataType(text("requested"), text("actual"), none)
        }
        "ErrorMismatchOutputType" => {
            E::ErrorMismatchOutputType(text("requested"), text("actual"), none)
        }
        "ErrorIndexingType" => E::ErrorIndexingType(text("type"), none),
        "ErrorDotExpr" => E::ErrorDotExpr(text("property"), none),
        "ErrorFor" => E::ErrorFor(none),
        "ErrorAssignmentToConstant" => E::ErrorAssignmentToConstant(text("variable"), none),
        "ErrorNonPureMethodCallOnConstant" => {
            E::ErrorNonPureMethodCallOnConstant(text("function"), none)
        }
        "ErrorDataRace" => E::ErrorDataRace(text("variable"), none),
        "ErrorModuleNotFound" => E::ErrorModuleNotFound(text("module"), none),
        _ => {
            return Some(placed(
                told(&message),
                number("line"),
                number("position"),
                text("source"),
            ));
        }
    };
    Some(placed(convert(&rebuilt), number("line"), number("position"), text("source")))
}

/// Puts an error where Rhai says that it was.
fn placed(mut error: Error, line: i64, column: i64, source: String) -> Error {
    if let (Ok(line), Ok(column)) = (u16::try_from(line), u16::try_from(column))
        && line > 0
    {
        error.position = Position::new(line, column);
    }
    if !source.is_empty() {
        error.trace.get_or_insert_default().source = Some(source);
    }
    error
}

/// The error that passed functions: `TEXT @ 'SOURCE' (line L, position C)`, and a line for each function.
fn innermost(message: &str) -> Error {
    let first = message.lines().next().unwrap_or_default();
    let (rest, place) =
        match first.rsplit_once(" (line ").map(|(rest, place)| (rest, place.strip_suffix(')'))) {
            Some((rest, Some(place))) => {
                (rest, place.split_once(", position ").unwrap_or((place, "0")))
            }
            _ => (first, ("0", "0")),
        };
    let (text, source) = match rest.strip_suffix('\'').and_then(|rest| rest.rsplit_once(" @ '")) {
        Some((text, source)) => (text, source),
        None => (rest, ""),
    };
    placed(
        told(text),
        place.0.parse().unwrap_or(0),
        place.1.parse().unwrap_or(0),
        source.to_owned(),
    )
}

/// Rhai's error from its text.
fn told(text: &str) -> Error {
    let none = Position::NONE;
    let after = |prefix: &str| text.strip_prefix(prefix).map(str::to_owned);
    let error: Option<EvalAltResult> = if let Some(name) = after("Variable not found: ") {
        Some(E::ErrorVariableNotFound(name, none))
    } else if let Some(signature) = after("Function not found: ") {
        Some(E::ErrorFunctionNotFound(signature, none))
    } else if let Some(name) = after("Property not found: ") {
        Some(E::ErrorPropertyNotFound(name, none))
    } else if let Some(index) = after("Invalid index: ") {
        Some(E::ErrorIndexNotFound(index.into(), none))
    } else if let Some(path) = after("Module not found: ") {
        Some(E::ErrorModuleNotFound(path, none))
    } else if let Some(what) = after("Data race detected on ") {
        Some(E::ErrorDataRace(what, none))
    } else if let Some(types) = after("Indexer unavailable: ") {
        Some(E::ErrorIndexingType(types, none))
    } else if let Some(name) = after("Cannot modify constant ") {
        Some(E::ErrorAssignmentToConstant(name, none))
    } else if text == "For loop expects iterable type" {
        Some(E::ErrorFor(none))
    } else if let Some(types) =
        after("Data type incorrect: ").or_else(|| after("Output type incorrect: "))
    {
        let (found, wanted) = types.split_once(" (expecting ").unwrap_or((&types, ""));
        Some(E::ErrorMismatchDataType(
            wanted.trim_end_matches(')').to_owned(),
            found.to_owned(),
            none,
        ))
    } else if let Some(bounds) = after("Array index ") {
        bounds_of(&bounds).map(|(size, index)| E::ErrorArrayBounds(size, index, none))
    } else if let Some(bounds) = after("String index ") {
        bounds_of(&bounds).map(|(size, index)| E::ErrorStringBounds(size, index, none))
    } else if let Some(bounds) = after("Bit-field index ") {
        bounds_of(&bounds).map(|(size, index)| E::ErrorBitFieldBounds(size, index, none))
    } else {
        None
    };
    if let Some(error) = error {
        return convert(&error);
    }
    if let Some(text) = text.strip_prefix("Syntax error: ") {
        return Error::new(Kind::Syntax, text);
    }
    if text.starts_with("Non-pure") || text.starts_with("Cannot ") {
        return Error::type_(text);
    }
    if text.starts_with("'this' not bound") {
        return Error::type_("'this' has no value here")
            .help("it has one in methods and closures of a map");
    }
    // The texts of arithmetic have no beginning of their own.
    let words =
        ["overflow", "by zero", "negative power", "index:", "NaN", "cannot be zero", "Arithmetic"];
    let kind =
        if words.iter().any(|word| text.contains(word)) { Kind::Arithmetic } else { Kind::Runtime };
    Error::new(kind, text)
}

/// `5 out of bounds: only 2 elements in array`: how many there are, and the index.
fn bounds_of(text: &str) -> Option<(usize, i64)> {
    let (index, rest) = text.split_once(" out of bounds")?;
    let size = rest.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0);
    Some((size, index.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_behind_calls_are_read_from_their_text() {
        let error = innermost(
            "Array index 5 out of bounds: only 2 elements in array @ 'a b.rhai' (line 3, position 14)\n\
             in call to function 'f' (from 'a b.rhai')",
        );
        assert_eq!(error.kind, Kind::Index);
        assert_eq!(error.message, "index 5 is out of range for an array of 2");
        assert_eq!(error.position, Position::new(3, 14));
        assert_eq!(
            innermost("Division by zero: 1 / 0 (line 1, position 2)").kind,
            Kind::Arithmetic
        );
        assert_eq!(innermost("Variable not found: x\nin closure call").kind, Kind::Name);
    }
}
