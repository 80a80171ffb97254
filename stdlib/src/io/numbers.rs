//! Cells of a text file as elements of a dtype, and back.

use flambeau_runtime::torch::Dtype;
use half::{bf16, f16};

/// Appends the element that `cell` writes to `out`.
///
/// # Errors
/// In words: why the cell is no element of `dtype`.
pub(crate) fn push_cell(dtype: Dtype, cell: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let cell = cell.trim();
    macro_rules! push {
        ($value:expr) => {
            out.extend_from_slice(&$value.to_ne_bytes())
        };
    }
    macro_rules! int {
        ($ty:ty) => {{
            let value = integer(cell)?;
            let Ok(value) = <$ty>::try_from(value) else {
                return Err(format!("is {cell}, which does not fit {}", dtype.name()));
            };
            push!(value)
        }};
    }
    match dtype.0 {
        0 => int!(u8),
        1 => int!(i8),
        2 => int!(i16),
        3 => int!(i32),
        4 => int!(i64),
        5 => push!(f16::from_f64(real(cell)?)),
        // Read at once as f32: by way of f64 a few numbers would be rounded twice.
        6 => {
            let value: f32 = cell.parse().map_err(|_| not_a_number(cell))?;
            push!(value)
        }
        7 => push!(real(cell)?),
        11 => out.push(match cell {
            "0" | "false" | "False" | "FALSE" => 0,
            "1" | "true" | "True" | "TRUE" => 1,
            _ => return Err(format!("is {cell:?}, not true or false")),
        }),
        15 => push!(bf16::from_f64(real(cell)?)),
        27 => int!(u16),
        28 => int!(u32),
        29 => int!(u64),
        _ => return Err(format!("cannot be read as {}", dtype.name())),
    }
    Ok(())
}

fn not_a_number(cell: &str) -> String {
    if cell.is_empty() { "is empty".to_owned() } else { format!("is {cell:?}, not a number") }
}

fn real(cell: &str) -> Result<f64, String> {
    cell.parse().map_err(|_| not_a_number(cell))
}

/// An integer; `3.0` and `1e3` are integers too.
fn integer(cell: &str) -> Result<i128, String> {
    if let Ok(int) = cell.parse::<i128>() {
        return Ok(int);
    }
    let value = real(cell)?;
    if value.fract() == 0.0 && value.abs() < 9e15 {
        Ok(value as i128)
    } else {
        Err(format!("is {cell}, not an integer"))
    }
}

/// Writes the element in `bytes` so that it is read back as the same number.
pub(crate) fn format_element(dtype: Dtype, bytes: &[u8]) -> Option<String> {
    macro_rules! read {
        ($ty:ty) => {
            <$ty>::from_ne_bytes(bytes.try_into().ok()?)
        };
    }
    // `{:?}` of a float is the shortest text that reads back the same, with an exponent where long.
    Some(match dtype.0 {
        0 => read!(u8).to_string(),
        1 => read!(i8).to_string(),
        2 => read!(i16).to_string(),
        3 => read!(i32).to_string(),
        4 => read!(i64).to_string(),
        5 => real_text(f64::from(read!(f16)), format!("{:?}", f32::from(read!(f16)))),
        6 => real_text(f64::from(read!(f32)), format!("{:?}", read!(f32))),
        7 => real_text(read!(f64), format!("{:?}", read!(f64))),
        11 => if *bytes.first()? != 0 { "true" } else { "false" }.to_owned(),
        15 => real_text(f64::from(read!(bf16)), format!("{:?}", f32::from(read!(bf16)))),
        27 => read!(u16).to_string(),
        28 => read!(u32).to_string(),
        29 => read!(u64).to_string(),
        _ => return None,
    })
}

fn real_text(value: f64, text: String) -> String {
    if value.is_nan() { "nan".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(dtype: Dtype, cell: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        push_cell(dtype, cell, &mut out).map(|()| out)
    }

    #[test]
    fn every_half_value_survives_text() {
        for bits in 0..=u16::MAX {
            for dtype in [Dtype::FLOAT16, Dtype::BFLOAT16] {
                let text = format_element(dtype, &bits.to_ne_bytes()).expect("a text");
                let back = bytes(dtype, &text).expect("a number");
                if text == "nan" {
                    continue;
                }
                assert_eq!(back, bits.to_ne_bytes(), "{text}");
            }
        }
    }

    #[test]
    fn cells_are_read_exactly_or_refused() {
        assert_eq!(bytes(Dtype::FLOAT32, " 0.1 ").expect("f32"), 0.1f32.to_ne_bytes());
        assert_eq!(bytes(Dtype::FLOAT64, "-1e-3").expect("f64"), (-1e-3f64).to_ne_bytes());
        assert_eq!(
            bytes(Dtype::INT64, "9007199254740993").expect("i64"),
            9007199254740993i64.to_ne_bytes()
        );
        assert_eq!(bytes(Dtype::INT8, "-3.0").expect("i8"), [253]);
        assert_eq!(bytes(Dtype(29), "18446744073709551615").expect("u64"), [255; 8]);
        assert_eq!(bytes(Dtype::BOOL, "True").expect("bool"), [1]);
        let cases = [
            (Dtype::FLOAT32, "", "is empty"),
            (Dtype::FLOAT32, "abc", "is \"abc\", not a number"),
            (Dtype::FLOAT32, "1_000", "not a number"),
            (Dtype::UINT8, "256", "does not fit uint8"),
            (Dtype::INT32, "1.5", "not an integer"),
            (Dtype::INT32, "nan", "not an integer"),
            (Dtype::BOOL, "2", "not true or false"),
            (Dtype::COMPLEX64, "1", "cannot be read as complex64"),
        ];
        for (dtype, cell, expected) in cases {
            let error = bytes(dtype, cell).expect_err(expected);
            assert!(error.contains(expected), "{error} should say {expected}");
        }
    }

    #[test]
    fn floats_are_written_short() {
        let text = |x: f64| format_element(Dtype::FLOAT64, &x.to_ne_bytes()).expect("a text");
        assert_eq!(text(0.1), "0.1");
        assert_eq!(text(1e300), "1e300");
        assert_eq!(text(-0.0), "-0.0");
        assert_eq!(text(f64::INFINITY), "inf");
        assert_eq!(text(-f64::NAN), "nan");
        assert_eq!(format_element(Dtype::FLOAT32, &0.1f32.to_ne_bytes()).expect("a text"), "0.1");
    }
}
