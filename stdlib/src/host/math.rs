//! Numbers, as Python's `math`: errors where it has them.

use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Constant, Function};
use rhai::Dynamic;

pub(crate) const CONSTANTS: &[Constant] = &[
    Constant { name: "math.pi", doc: "π.", value: || std::f64::consts::PI.into() },
    Constant { name: "math.e", doc: "Euler's number.", value: || std::f64::consts::E.into() },
    Constant { name: "math.tau", doc: "2 π.", value: || std::f64::consts::TAU.into() },
    Constant { name: "math.inf", doc: "Positive infinity.", value: || f64::INFINITY.into() },
    Constant { name: "math.nan", doc: "Not a number.", value: || f64::NAN.into() },
];

/// A function of one float.
macro_rules! unary {
    ($name:literal, $doc:literal, $example:literal, $f:expr) => {
        Function {
            schema: concat!("math.", $name, "(float x) -> float"),
            doc: $doc,
            example: $example,
            call: |args| real($name, args.float(0)?, $f),
        }
    };
}

/// A function of one float that gives an integer.
macro_rules! rounding {
    ($name:literal, $doc:literal, $example:literal, $f:expr) => {
        Function {
            schema: concat!("math.", $name, "(float x) -> int"),
            doc: $doc,
            example: $example,
            call: |args| match args.get(0).as_int() {
                Ok(int) => Ok(int.into()),
                Err(_) => integer($name, $f(args.float(0)?)),
            },
        }
    };
}

/// A test of one float.
macro_rules! test {
    ($name:literal, $doc:literal, $example:literal, $f:expr) => {
        Function {
            schema: concat!("math.", $name, "(float x) -> bool"),
            doc: $doc,
            example: $example,
            call: |args| Ok($f(args.float(0)?).into()),
        }
    };
}

/// A function of two floats.
macro_rules! binary {
    ($name:literal, $args:literal, $doc:literal, $example:literal, $f:expr) => {
        Function {
            schema: concat!("math.", $name, $args, " -> float"),
            doc: $doc,
            example: $example,
            call: |args| Ok($f(args.float(0)?, args.float(1)?).into()),
        }
    };
}

pub(crate) const FUNCTIONS: &[Function] = &[
    unary!("sqrt", "The square root.", "math.sqrt(2)", f64::sqrt),
    unary!("cbrt", "The cube root.", "math.cbrt(27)", f64::cbrt),
    unary!("exp", "e to the power of x.", "math.exp(1)", f64::exp),
    unary!("expm1", "exp(x) - 1, exact for small x.", "math.expm1(1e-9)", f64::exp_m1),
    unary!("log2", "The logarithm to base 2.", "math.log2(8)", f64::log2),
    unary!("log10", "The logarithm to base 10.", "math.log10(1000)", f64::log10),
    unary!("log1p", "log(1 + x), exact for small x.", "math.log1p(1e-9)", f64::ln_1p),
    unary!("sin", "The sine of an angle in radians.", "math.sin(1)", f64::sin),
    unary!("cos", "The cosine of an angle in radians.", "math.cos(1)", f64::cos),
    unary!("tan", "The tangent of an angle in radians.", "math.tan(1)", f64::tan),
    unary!("asin", "The angle whose sine is x.", "math.asin(0.5)", f64::asin),
    unary!("acos", "The angle whose cosine is x.", "math.acos(0.5)", f64::acos),
    unary!("atan", "The angle whose tangent is x.", "math.atan(1)", f64::atan),
    unary!("sinh", "The hyperbolic sine.", "math.sinh(1)", f64::sinh),
    unary!("cosh", "The hyperbolic cosine.", "math.cosh(1)", f64::cosh),
    unary!("tanh", "The hyperbolic tangent.", "math.tanh(1)", f64::tanh),
    unary!("fabs", "The absolute value.", "math.fabs(-3)", f64::abs),
    unary!(
        "degrees",
        "An angle in degrees from radians.",
        "math.degrees(math.pi)",
        f64::to_degrees
    ),
    unary!("radians", "An angle in radians from degrees.", "math.radians(180)", f64::to_radians),
    rounding!("floor", "The greatest integer that is not greater.", "math.floor(-1.5)", f64::floor),
    rounding!("ceil", "The least integer that is not less.", "math.ceil(1.2)", f64::ceil),
    rounding!("trunc", "The integer part.", "math.trunc(-1.5)", f64::trunc),
    test!("isnan", "Whether x is not a number.", "math.isnan(math.nan)", f64::is_nan),
    test!("isinf", "Whether x is infinite.", "math.isinf(math.inf)", f64::is_infinite),
    test!("isfinite", "Whether x is a finite number.", "math.isfinite(1.0)", f64::is_finite),
    binary!(
        "atan2",
        "(float y, float x)",
        "The angle of the point (x, y).",
        "math.atan2(1, 1)",
        f64::atan2
    ),
    binary!("hypot", "(float x, float y)", "The length of (x, y).", "math.hypot(3, 4)", f64::hypot),
    binary!(
        "copysign",
        "(float x, float y)",
        "x with the sign of y.",
        "math.copysign(1, -0.0)",
        f64::copysign
    ),
    binary!(
        "fmod",
        "(float x, float y)",
        "The remainder with the sign of x.",
        "math.fmod(-5, 3)",
        |x: f64, y: f64| x % y
    ),
    Function {
        schema: "math.log(float x, float? base=None) -> float",
        doc: "The natural logarithm, or that to `base`.",
        example: "math.log(8, 2)",
        call: |args| {
            let x = args.float(0)?;
            if x <= 0.0 {
                return Err(domain("log", x));
            }
            match args.opt_float(1)? {
                None => Ok(x.ln().into()),
                Some(base) if base > 0.0 && base != 1.0 => Ok((x.ln() / base.ln()).into()),
                Some(base) => Err(domain("log", base)),
            }
        },
    },
    Function {
        schema: "math.pow(float x, float y) -> float",
        doc: "x to the power of y, as a float.",
        example: "math.pow(2, 0.5)",
        call: |args| {
            let (x, y) = (args.float(0)?, args.float(1)?);
            let power = x.powf(y);
            if (power.is_nan() && !x.is_nan() && !y.is_nan()) || (x == 0.0 && y < 0.0) {
                return Err(domain("pow", x));
            }
            Ok(power.into())
        },
    },
    Function {
        schema: "math.isclose(float a, float b, *, float rel_tol=1e-9, float abs_tol=0.0) -> bool",
        doc: "Whether two numbers are close: within `rel_tol` of the larger or within `abs_tol`.",
        example: "math.isclose(0.1 + 0.2, 0.3)",
        call: |args| {
            let (a, b) = (args.float(0)?, args.float(1)?);
            let tolerance = (args.float(2)? * a.abs().max(b.abs())).max(args.float(3)?);
            Ok((a == b || (a - b).abs() <= tolerance && (a - b).is_finite()).into())
        },
    },
    Function {
        schema: "math.gcd(*int integers) -> int",
        doc: "The greatest common divisor.",
        example: "math.gcd(12, 18)",
        call: |args| {
            let integers = args.ints(0)?;
            let gcd = integers.iter().fold(0u64, |a, &b| gcd(a, b.unsigned_abs()));
            Ok(i64::try_from(gcd).map_err(|_| overflow("gcd"))?.into())
        },
    },
    Function {
        schema: "math.lcm(*int integers) -> int",
        doc: "The least common multiple.",
        example: "math.lcm(4, 6)",
        call: |args| {
            let mut lcm = 1i64;
            for integer in args.ints(0)? {
                if integer == 0 {
                    return Ok(0.into());
                }
                let step = integer.unsigned_abs() / gcd(lcm.unsigned_abs(), integer.unsigned_abs());
                let step = i64::try_from(step).map_err(|_| overflow("lcm"))?;
                lcm = lcm.checked_mul(step).ok_or_else(|| overflow("lcm"))?;
            }
            Ok(lcm.into())
        },
    },
    Function {
        schema: "math.factorial(int n) -> int",
        doc: "n!, for n up to 20.",
        example: "math.factorial(5)",
        call: |args| match args.int(0)? {
            n @ 0..=20 => Ok((1..=n).product::<i64>().into()),
            n if n < 0 => Err(Error::value("factorial() not defined for negative values")),
            _ => Err(overflow("factorial")),
        },
    },
    Function {
        schema: "math.comb(int n, int k) -> int",
        doc: "In how many ways k of n things are chosen.",
        example: "math.comb(5, 2)",
        call: |args| {
            let (n, k) = (args.int(0)?, args.int(1)?);
            if n < 0 || k < 0 {
                return Err(Error::value("comb(): n and k must not be negative"));
            }
            if k > n {
                return Ok(0.into());
            }
            let mut ways = 1i128;
            for i in 0..k.min(n - k) {
                ways = ways * i128::from(n - i) / i128::from(i + 1);
                if ways > i128::from(i64::MAX) {
                    return Err(overflow("comb"));
                }
            }
            Ok((ways as i64).into())
        },
    },
    Function {
        schema: "math.isqrt(int n) -> int",
        doc: "The integer part of the square root.",
        example: "math.isqrt(17)",
        call: |args| {
            let n = args.int(0)?;
            if n < 0 {
                return Err(Error::value("isqrt() argument must be nonnegative"));
            }
            Ok(n.isqrt().into())
        },
    },
    Function {
        schema: "math.prod(Any iterable) -> Any",
        doc: "The product of numbers: an integer where all are.",
        example: "math.prod([2, 3, 4])",
        call: |args| {
            // `ints` and `floats` would take one-element tensors, too: a list is meant here.
            if let Ok(ints) = args.ints(0)
                && let Some(product) = ints.iter().try_fold(1i64, |a, &b| a.checked_mul(b))
            {
                return Ok(product.into());
            }
            Ok(args.floats(0)?.iter().product::<f64>().into())
        },
    },
];

/// A result that is nan where the argument was a number is outside the function's domain.
fn real(name: &str, x: f64, f: fn(f64) -> f64) -> Result<Dynamic> {
    let y = f(x);
    if y.is_nan() && !x.is_nan() || y == f64::NEG_INFINITY && x.is_finite() {
        return Err(domain(name, x));
    }
    Ok(y.into())
}

fn integer(name: &str, value: f64) -> Result<Dynamic> {
    // 2^63 is the first float that does not fit.
    if value.is_finite()
        && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value)
    {
        Ok((value as i64).into())
    } else {
        Err(Error::value(format!("{name}(): {value} is no integer that fits 64 bits")))
    }
}

fn domain(name: &str, x: f64) -> Error {
    Error::value(format!("math domain error: {name}() is not defined for {x}"))
}

fn overflow(name: &str) -> Error {
    Error::new(Kind::Arithmetic, format!("{name}(): the result does not fit 64 bits"))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
