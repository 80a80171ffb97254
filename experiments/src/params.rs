//! Parameters: what a script declares with defaults, and what is given for them as text.
//!
//! A default says the kind: `true` or `false`, an integer, a float, a text, a list. A float may be given as an integer, an
//! integer as `1e4`. `()` in a script is JSON's null, and takes anything.

use serde_json::Value;

use crate::Map;
use crate::error::{Error, Result};

/// What a value is, in the words of scripts.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "()",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "map",
    }
}

/// A value as it is written on a command line and shown in a table.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => float_text(float),
            None => number.to_string(),
        },
        Value::Null => "()".to_owned(),
        value => value.to_string(),
    }
}

/// A float in the shorter of the two ways to write it: 0.001, 1e-5.
fn float_text(float: f64) -> String {
    let (plain, short) = (format!("{float:?}"), format!("{float:e}"));
    if short.len() < plain.len() { short } else { plain }
}

/// `NAME=VALUE`.
///
/// # Errors
/// Anything else.
pub fn split(text: &str) -> Result<(&str, &str)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok((name, value))
        }
        _ => Err(Error::Parameter(format!("expected NAME=VALUE, found '{text}'"))),
    }
}

/// What is given as text, for a parameter of this default.
///
/// # Errors
/// A text that is no value of the default's kind.
pub fn parse(name: &str, text: &str, default: &Value) -> Result<Value> {
    let parsed = match default {
        Value::Bool(_) => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Value::Number(number) if number.is_f64() => {
            text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Value::from)
        }
        Value::Number(_) => integer(text).map(Value::from),
        Value::String(_) => Some(text.into()),
        Value::Array(_) | Value::Object(_) => {
            serde_json::from_str(text).ok().filter(|value: &Value| kind(value) == kind(default))
        }
        Value::Null => Some(guess(text)),
    };
    parsed.ok_or_else(|| wrong(name, text, default))
}

fn wrong(name: &str, text: &str, default: &Value) -> Error {
    let (article, default_text) = (kind(default), self::text(default));
    Error::Parameter(format!(
        "parameter '{name}' is {} {article} (by default {default_text}), and '{text}' is none",
        if article.starts_with(['a', 'i']) { "an" } else { "a" }
    ))
}

/// `3`, `1_000`, `1e4`.
fn integer(text: &str) -> Option<i64> {
    if let Ok(integer) = text.replace('_', "").parse::<i64>() {
        return Some(integer);
    }
    let float = text.parse::<f64>().ok()?;
    (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
}

/// What a text means of itself.
pub fn guess(text: &str) -> Value {
    if text == "()" {
        return Value::Null;
    }
    match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => match text.parse::<f64>() {
            Ok(float) if float.is_finite() => float.into(),
            _ => text.into(),
        },
    }
}

/// A value that is given as such, such as one of a file, for a parameter of this default.
///
/// # Errors
/// A value of another kind.
pub fn fit(name: &str, value: &Value, default: &Value) -> Result<Value> {
    match (value, default) {
        (_, Value::Null) => Ok(value.clone()),
        (Value::Number(given), Value::Number(wanted)) => match (given.is_f64(), wanted.is_f64()) {
            (false, true) => Ok(given.as_f64().into()),
            (true, false) => parse(name, &text(value), default),
            _ => Ok(value.clone()),
        },
        _ if kind(value) == kind(default) => Ok(value.clone()),
        _ => Err(wrong(name, &text(value), default)),
    }
}

/// The declared parameters with what was given for some of them.
///
/// # Errors
/// A name that is not declared, a value of another kind.
pub fn filled(declared: &Map, given: &Map) -> Result<Map> {
    let mut params = declared.clone();
    for (name, value) in given {
        let default = declared.get(name).ok_or_else(|| unknown(name, declared))?;
        params.insert(name.clone(), fit(name, value, default)?);
    }
    Ok(params)
}

/// A name that is not declared.
pub fn unknown(name: &str, declared: &Map) -> Error {
    let names: Vec<&str> = declared.keys().map(String::as_str).collect();
    let hint = match near(name, &names) {
        Some(near) => format!("did you mean '{near}'?"),
        None if names.is_empty() => "it declares none".to_owned(),
        None => format!("it declares {}", names.join(", ")),
    };
    Error::Parameter(format!("the script has no parameter '{name}'; {hint}"))
}

/// The one of some names that was probably meant.
pub fn near<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &str| strsim::osa_distance(&known.to_lowercase(), &name.to_lowercase());
    let near = known.iter().copied().min_by_key(|known| distance(known));
    near.filter(|known| distance(known) <= (name.chars().count() / 3).max(1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_becomes_a_value_of_the_defaults_kind() {
        for (text, default, value) in [
            ("1e-2", json!(1.0), json!(0.01)),
            ("3", json!(1.0), json!(3.0)),
            ("3", json!(1), json!(3)),
            ("1e4", json!(1), json!(10000)),
            ("1_000", json!(1), json!(1000)),
            ("true", json!(false), json!(true)),
            ("relu", json!("tanh"), json!("relu")),
            ("3", json!("tanh"), json!("3")),
            ("[64, 64]", json!([1]), json!([64, 64])),
            ("0.5", json!(null), json!(0.5)),
            ("1e-5", json!(null), json!(1e-5)),
            ("adam", json!(null), json!("adam")),
            ("()", json!(null), json!(null)),
        ] {
            assert_eq!(parse("p", text, &default).map_err(|e| e.to_string()), Ok(value), "{text}");
        }
        for (text, default) in [
            ("ten", json!(1.0)),
            ("inf", json!(1.0)),
            ("nan", json!(1.0)),
            ("1.5", json!(1)),
            ("", json!(1)),
            ("yes", json!(true)),
            ("64", json!([1])),
        ] {
            let error = parse("lr", text, &default).expect_err(text).to_string();
            assert!(error.contains("parameter 'lr'") && error.contains("by default"), "{error}");
        }
    }

    #[test]
    fn a_value_is_read_back_from_its_text() {
        for value in [
            json!(1e-5),
            json!(0.001),
            json!(1.0),
            json!(128),
            json!(true),
            json!("a b"),
            json!([1, 2]),
        ] {
            assert_eq!(parse("p", &text(&value), &value).map_err(|e| e.to_string()), Ok(value));
        }
        assert_eq!(
            [text(&json!(1e-5)), text(&json!(0.001)), text(&json!(1.0))],
            ["1e-5", "1e-3", "1.0"]
        );
    }

    #[test]
    fn names_that_are_not_declared_are_told_with_a_near_one() {
        let declared = json!({"lr": 0.1, "hidden": 64}).as_object().cloned().unwrap_or_default();
        for (name, near) in
            [("hiden", "'hidden'"), ("hidden_", "'hidden'"), ("hdiden", "'hidden'"), ("LR", "'lr'")]
        {
            assert!(unknown(name, &declared).to_string().contains(near), "{name}");
        }
        assert!(unknown("seed", &declared).to_string().contains("declares hidden, lr"));
        let given = json!({"lr": 1}).as_object().cloned().unwrap_or_default();
        assert_eq!(filled(&declared, &given).expect("params")["lr"], json!(1.0));
        let given = json!({"lr": "x"}).as_object().cloned().unwrap_or_default();
        assert!(filled(&declared, &given).is_err());
    }
}
