//! Which values a parameter takes: lists, ranges, distributions.

use flambeau_experiments::{Map, params};
use serde_json::Value;

use super::problem::SweepProblem;

/// More values of one parameter are a mistake.
const MOST: usize = 100_000;

fn wrong(text: impl Into<String>) -> SweepProblem {
    SweepProblem::Wrong(text.into())
}

/// The default of a declared parameter.
///
/// # Errors
/// A name that the script does not declare.
pub fn default<'a>(name: &str, declared: &'a Map) -> Result<&'a Value, SweepProblem> {
    declared.get(name).ok_or_else(|| wrong(params::unknown(name, declared).to_string()))
}

/// One value.
///
/// # Errors
/// One of another kind than the default.
pub fn value(name: &str, text: &str, default: &Value) -> Result<Value, SweepProblem> {
    params::parse(name, text.trim(), default).map_err(|error| wrong(error.to_string()))
}

/// The values of a list: `1e-4,1e-3`, `64..256:64`, `relu,tanh`, `[64,64],[128]`.
///
/// # Errors
/// A list without values; a value of another kind than the default.
pub fn list(name: &str, text: &str, default: &Value) -> Result<Vec<Value>, SweepProblem> {
    let mut values = Vec::new();
    for piece in pieces(text) {
        match range(piece).filter(|_| default.is_number() || default.is_null()) {
            Some(range) => values.extend(range.values(name, piece, default)?),
            None if piece.trim().is_empty() => {}
            None => values.push(value(name, piece, default)?),
        }
    }
    if values.is_empty() {
        return Err(wrong(format!("'{name}={text}' has no values")));
    }
    Ok(values)
}

/// Cuts at commas that stand in no brackets.
fn pieces(text: &str) -> Vec<&str> {
    let mut depth = 0usize;
    let mut quoted = false;
    let cut = |c: char| {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0 && !quoted
    };
    text.split(cut).collect()
}

/// `A..B`, `A..=B`, `A..B:STEP`.
struct Range<'a> {
    from: &'a str,
    to: &'a str,
    included: bool,
    step: Option<&'a str>,
}

fn range(text: &str) -> Option<Range<'_>> {
    let (from, rest) = text.trim().split_once("..")?;
    let (rest, step) = match rest.split_once(':') {
        Some((to, step)) => (to, Some(step)),
        None => (rest, None),
    };
    let (to, included) = match rest.strip_prefix('=') {
        Some(to) => (to, true),
        None => (rest, false),
    };
    Some(Range { from, to, included, step })
}

impl Range<'_> {
    fn values(&self, name: &str, text: &str, default: &Value) -> Result<Vec<Value>, SweepProblem> {
        let whole = default.is_i64() || default.is_null();
        let one = |text: &str| match whole {
            true => text.trim().replace('_', "").parse::<i64>().map(|value| value as f64).ok(),
            false => text.trim().parse::<f64>().ok().filter(|value| value.is_finite()),
        };
        let kind = params::kind(default);
        let bad = || {
            wrong(format!(
                "'{name}={text}' is no range for {kind} parameters; write A..B or A..B:STEP"
            ))
        };
        let (from, to) = (one(self.from).ok_or_else(bad)?, one(self.to).ok_or_else(bad)?);
        let step = match self.step {
            Some(step) => one(step).filter(|&step| step > 0.0).ok_or_else(bad)?,
            None if whole => 1.0,
            None => {
                return Err(wrong(format!(
                    "'{name}={text}': a range of floats wants a step, {text}:0.1"
                )));
            }
        };
        // A little more than rounding: 0..1:0.1 has ten values.
        let count = (to - from) / step;
        let count =
            if self.included { (count + 1e-9).floor() + 1.0 } else { (count - 1e-9).ceil() };
        if count > MOST as f64 {
            return Err(wrong(format!("'{name}={text}' has more than {MOST} values")));
        }
        let values = (0..count.max(0.0) as usize).map(|i| from + i as f64 * step);
        Ok(values
            .map(|value| if whole { Value::from(value as i64) } else { Value::from(round(value)) })
            .collect())
    }
}

/// Without what rounding has added: 0.1 * 3 is 0.3.
fn round(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

/// A way to draw a value.
pub enum Draw {
    /// One of a list.
    Choice(Vec<Value>),
    /// An integer; the end is excluded.
    Whole(i64, i64),
    Uniform(f64, f64),
    /// Uniform in the logarithm; whether the value is an integer.
    Log(f64, f64, bool),
}

/// Reads `log:1e-5..1e-1`, `uniform:0..0.5`, `16..257`, `relu,tanh`.
///
/// # Errors
/// A distribution that fits no parameter of the default's kind.
pub fn draw(name: &str, text: &str, default: &Value) -> Result<Draw, SweepProblem> {
    let whole = default.is_i64();
    let (kind, rest) = match text.split_once(':') {
        Some((kind @ ("log" | "uniform"), rest)) => (Some(kind), rest),
        _ => (None, text),
    };
    let bad = || {
        wrong(format!(
            "'{name}={text}' is no distribution; write log:A..B, uniform:A..B, A..B or a list"
        ))
    };
    let ends = range(rest).filter(|range| range.step.is_none() && default.is_number());
    let Some(ends) = ends.filter(|_| !rest.contains(',')) else {
        return match kind {
            Some(_) => Err(bad()),
            None => list(name, text, default).map(Draw::Choice),
        };
    };
    let one = |text: &str| {
        text.trim().parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(bad)
    };
    let (from, to) = (one(ends.from)?, one(ends.to)?);
    if from >= to {
        return Err(wrong(format!("'{name}={text}': the range is empty")));
    }
    let to_whole = to as i64 + i64::from(ends.included);
    match (kind, whole) {
        (Some("log"), _) if from <= 0.0 => {
            Err(wrong(format!("'{name}={text}': a logarithm wants positive ends")))
        }
        (Some("log"), whole) => Ok(Draw::Log(from, to, whole)),
        (_, true) => Ok(Draw::Whole(from as i64, to_whole)),
        (_, false) => Ok(Draw::Uniform(from, to)),
    }
}

impl Draw {
    /// The next value.
    pub fn next(&self, random: &mut fastrand::Rng) -> Value {
        match self {
            Draw::Choice(values) => values[random.usize(..values.len())].clone(),
            Draw::Whole(from, to) => random.i64(*from..*to).into(),
            Draw::Uniform(from, to) => short(from + (to - from) * random.f64()).into(),
            Draw::Log(from, to, whole) => {
                let value = (from.ln() + (to.ln() - from.ln()) * random.f64()).exp();
                if *whole {
                    ((value as i64).clamp(*from as i64, (*to as i64 - 1).max(*from as i64))).into()
                } else {
                    short(value).into()
                }
            }
        }
    }
}

/// Six digits: enough for what is drawn, and a person can read it.
fn short(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(text: &str, default: Value) -> Result<Vec<Value>, String> {
        list("p", text, &default).map_err(|error| error.to_string())
    }

    #[test]
    fn lists_and_ranges_are_rhais() {
        for (text, default, values) in [
            ("1e-4,1e-3", json!(0.1), json!([1e-4, 1e-3])),
            ("64..256:64", json!(1), json!([64, 128, 192])),
            ("64..=256:64", json!(1), json!([64, 128, 192, 256])),
            ("0..3", json!(1), json!([0, 1, 2])),
            ("0..3,7", json!(1), json!([0, 1, 2, 7])),
            ("0..1:0.25", json!(0.5), json!([0.0, 0.25, 0.5, 0.75])),
            ("0..0.4:0.1", json!(0.5), json!([0.0, 0.1, 0.2, 0.3])),
            ("relu,tanh", json!("a"), json!(["relu", "tanh"])),
            ("a..b", json!("a"), json!(["a..b"])),
            ("[64,64],[128]", json!([1]), json!([[64, 64], [128]])),
            ("true,false", json!(true), json!([true, false])),
            ("1,1.5,x", json!(null), json!([1, 1.5, "x"])),
        ] {
            assert_eq!(listed(text, default).map(Value::from), Ok(values), "{text}");
        }
        for (text, default, words) in [
            ("", json!(1), "has no values"),
            (",", json!(1.0), "has no values"),
            ("3..3", json!(1), "has no values"),
            ("5..3", json!(1), "has no values"),
            ("0..1", json!(0.5), "wants a step"),
            ("0..1:0", json!(0.5), "is no range"),
            ("0..1.5", json!(1), "is no range"),
            ("0..1000000000", json!(1), "more than"),
            ("x", json!(1), "is an int"),
        ] {
            assert!(listed(text, default).is_err_and(|error| error.contains(words)), "{text}");
        }
    }

    #[test]
    fn what_is_drawn_lies_in_its_range() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut drawn = |text: &str, default: Value| -> Vec<Value> {
            let draw = draw("p", text, &default).unwrap_or_else(|error| panic!("{error}"));
            (0..300).map(|_| draw.next(&mut random)).collect()
        };
        let floats =
            |values: Vec<Value>| values.iter().filter_map(Value::as_f64).collect::<Vec<f64>>();
        let log = floats(drawn("log:1e-5..1e-1", json!(0.1)));
        assert!(log.iter().all(|&value| (1e-5..1e-1).contains(&value)));
        let small = log.iter().filter(|&&value| value < 1e-3).count();
        assert!((100..200).contains(&small), "half of the decades: {small} of 300");
        assert!(
            floats(drawn("uniform:0..0.5", json!(0.1)))
                .iter()
                .all(|value| (0.0..0.5).contains(value))
        );
        let whole = drawn("2..5", json!(1));
        assert!([2, 3, 4].iter().all(|n| whole.contains(&json!(n))) && !whole.contains(&json!(5)));
        assert!(
            drawn("log:1..9", json!(1))
                .iter()
                .all(|value| (1..9).contains(&value.as_i64().unwrap_or(0)))
        );
        assert!(drawn("relu,tanh", json!("x")).contains(&json!("tanh")));
        for (text, default) in [
            ("log:0..1", json!(0.1)),
            ("log:a,b", json!("x")),
            ("3..2", json!(1)),
            ("uniform:1", json!(0.1)),
        ] {
            assert!(draw("p", text, &default).is_err(), "{text}");
        }
    }
}
