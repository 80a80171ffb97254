//! Elements read from raw bytes, and numbers written the way Python's `format` writes them.

use half::{bf16, f16};

use crate::error::{Error, Result};
use crate::torch::Dtype;

/// The elements of a tensor in row-major order, each exact.
pub(super) enum Elements {
    Float(Vec<f64>),
    /// Powers of two: `float8_e8m0fnu`.
    Power(Vec<f64>),
    Int(Vec<i64>),
    Unsigned(Vec<u64>),
    Bool(Vec<bool>),
    /// Real and imaginary parts.
    Complex(Vec<f64>, Vec<f64>),
}

/// Reads `bytes`, native-endian, as elements of `dtype`.
///
/// # Errors
/// A `TypeError` for dtypes whose elements PyTorch cannot print either.
pub(super) fn decode(bytes: &[u8], dtype: Dtype) -> Result<Elements> {
    Ok(match dtype.name() {
        "bool" => Elements::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        "uint8" => Elements::Unsigned(each(bytes, u8::from_ne_bytes)),
        "uint16" => Elements::Unsigned(each(bytes, u16::from_ne_bytes)),
        "uint32" => Elements::Unsigned(each(bytes, u32::from_ne_bytes)),
        "uint64" => Elements::Unsigned(each(bytes, u64::from_ne_bytes)),
        "int8" => Elements::Int(each(bytes, i8::from_ne_bytes)),
        "int16" => Elements::Int(each(bytes, i16::from_ne_bytes)),
        "int32" => Elements::Int(each(bytes, i32::from_ne_bytes)),
        "int64" => Elements::Int(each(bytes, i64::from_ne_bytes)),
        "float64" => Elements::Float(each(bytes, f64::from_ne_bytes)),
        "float32" => Elements::Float(each(bytes, f32::from_ne_bytes)),
        "float16" => Elements::Float(each(bytes, f16::from_ne_bytes)),
        "bfloat16" => Elements::Float(each(bytes, bf16::from_ne_bytes)),
        "float8_e5m2" => Elements::Float(bytes.iter().map(|&b| float8(b, E5M2)).collect()),
        "float8_e4m3fn" => Elements::Float(bytes.iter().map(|&b| float8(b, E4M3FN)).collect()),
        "float8_e5m2fnuz" => Elements::Float(bytes.iter().map(|&b| float8(b, E5M2FNUZ)).collect()),
        "float8_e4m3fnuz" => Elements::Float(bytes.iter().map(|&b| float8(b, E4M3FNUZ)).collect()),
        "float8_e8m0fnu" => Elements::Power(bytes.iter().map(|&b| power_of_two(b)).collect()),
        // Two numbers in a byte: PyTorch prints the byte.
        "float4_e2m1fn_x2" => Elements::Float(each(bytes, u8::from_ne_bytes)),
        "complex128" => complex(each(bytes, f64::from_ne_bytes)),
        "complex64" => complex(each(bytes, f32::from_ne_bytes)),
        "complex32" => complex(each(bytes, f16::from_ne_bytes)),
        name => return Err(Error::type_(format!("elements of torch.{name} have no text"))),
    })
}

fn each<const N: usize, T, U: From<T>>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<U> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| U::from(read(*chunk))).collect()
}

fn complex(parts: Vec<f64>) -> Elements {
    let (real, imaginary) = parts.as_chunks::<2>().0.iter().map(|&[re, im]| (re, im)).unzip();
    Elements::Complex(real, imaginary)
}

/// A float of eight bits: OCP 8-bit Floating Point Specification (OFP8) for `e5m2` and `e4m3fn`,
/// <https://arxiv.org/abs/2206.02915> for the `fnuz` forms.
#[derive(Clone, Copy)]
struct Float8 {
    mantissa_bits: u32,
    bias: i32,
    /// What the largest exponent and the negative zero mean.
    special: Special,
}

#[derive(Clone, Copy, PartialEq)]
enum Special {
    /// As in IEEE 754: the largest exponent is infinity and NaN.
    Ieee,
    /// Only the largest exponent with the largest mantissa is NaN; no infinity.
    AllOnes,
    /// Only the negative zero is NaN; no infinity.
    NegativeZero,
}

const E5M2: Float8 = Float8 { mantissa_bits: 2, bias: 15, special: Special::Ieee };
const E4M3FN: Float8 = Float8 { mantissa_bits: 3, bias: 7, special: Special::AllOnes };
const E5M2FNUZ: Float8 = Float8 { mantissa_bits: 2, bias: 16, special: Special::NegativeZero };
const E4M3FNUZ: Float8 = Float8 { mantissa_bits: 3, bias: 8, special: Special::NegativeZero };

fn float8(byte: u8, form: Float8) -> f64 {
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    let mantissa = i32::from(byte) & ((1 << form.mantissa_bits) - 1);
    let exponent = i32::from(byte & 0x7f) >> form.mantissa_bits;
    let largest = (1 << (7 - form.mantissa_bits)) - 1;
    match form.special {
        Special::Ieee if exponent == largest => {
            return if mantissa == 0 { sign * f64::INFINITY } else { f64::NAN };
        }
        Special::AllOnes if byte & 0x7f == 0x7f => return f64::NAN,
        Special::NegativeZero if byte == 0x80 => return f64::NAN,
        _ => {}
    }
    let unit = f64::powi(2.0, exponent.max(1) - form.bias - form.mantissa_bits as i32);
    let hidden = if exponent == 0 { 0 } else { 1 << form.mantissa_bits };
    sign * f64::from(mantissa + hidden) * unit
}

/// `float8_e8m0fnu`: the exponent alone, as in the OCP Microscaling formats.
fn power_of_two(byte: u8) -> f64 {
    if byte == 0xff { f64::NAN } else { f64::powi(2.0, i32::from(byte) - 127) }
}

/// Python's `f"{value:.{precision}f}"`.
pub(super) fn fixed(value: f64, precision: usize) -> String {
    if value.is_finite() { format!("{value:.precision$}") } else { not_finite(value) }
}

/// Python's `f"{value:.{precision}e}"`.
pub(super) fn scientific(value: f64, precision: usize) -> String {
    if !value.is_finite() {
        return not_finite(value);
    }
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    with_exponent(digits, exponent.parse().unwrap_or(0))
}

/// Python's `repr(value)`: the shortest text that reads back as the same number.
pub(super) fn shortest(value: f64) -> String {
    if !value.is_finite() {
        return not_finite(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        return with_exponent(digits, exponent);
    }
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// Python writes an exponent with its sign and at least two digits.
fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn not_finite(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else if value > 0.0 {
        "inf".to_owned()
    } else {
        "-inf".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_writes_the_shortest_repr() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (9999999999999998.0, "9999999999999998.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-300, "1.5e-300"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(shortest(value), text);
        }
    }

    #[test]
    fn ties_round_to_even_as_in_python() {
        assert_eq!(fixed(0.5, 0), "0");
        assert_eq!(fixed(1.5, 0), "2");
        assert_eq!(fixed(2.5, 0), "2");
        assert_eq!(fixed(0.125, 2), "0.12");
        assert_eq!(fixed(0.00390625, 7), "0.0039062");
        assert_eq!(scientific(1.00005e4, 4), "1.0000e+04");
        assert_eq!(scientific(1.5, 0), "2e+00");
        assert_eq!(scientific(2.5, 0), "2e+00");
        assert_eq!(fixed(1e23, 0), "99999999999999991611392");
    }
}
