//! Rhai's functions that make a value as long as they are told. Where there is no memory for it Rhai's own end the
//! process; these are an error.

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};

use super::errors::raised;
use crate::error::{Error, Kind, Result};

type Outcome<T> = std::result::Result<T, Box<EvalAltResult>>;

/// How a length is called, and the most that is allowed; 0 is no limit.
fn length(len: i64, most: usize) -> Result<usize> {
    let wanted = usize::try_from(len).unwrap_or(0);
    if most > 0 && wanted > most {
        let message = format!("a length of {len} is more than the limit of memory allows");
        return Err(Error::new(Kind::Limit, message).help("raise the limit with --max-memory"));
    }
    Ok(wanted)
}

fn no_memory(len: i64) -> Error {
    Error::new(Kind::OutOfMemory, format!("there is no memory for a length of {len}"))
}

fn pad_vec<T: Clone>(items: &mut Vec<T>, len: i64, item: T, most: usize) -> Result<()> {
    let wanted = length(len, most)?;
    if let Some(more) = wanted.checked_sub(items.len()) {
        items.try_reserve_exact(more).map_err(|_| no_memory(len))?;
        items.resize(wanted, item);
    }
    Ok(())
}

fn pad_text(text: &mut ImmutableString, len: i64, padding: &str, most: usize) -> Result<()> {
    let wanted = length(len, most)?;
    let has = text.chars().count();
    if wanted <= has || padding.is_empty() {
        return Ok(());
    }
    let widest = padding.chars().map(char::len_utf8).max().unwrap_or(1);
    let bytes = (wanted - has).checked_mul(widest).ok_or_else(|| no_memory(len))?;
    let mut padded = String::new();
    padded.try_reserve_exact(text.len().saturating_add(bytes)).map_err(|_| no_memory(len))?;
    padded.push_str(text);
    padded.extend(padding.chars().cycle().take(wanted - has));
    *text = padded.into();
    Ok(())
}

fn blob(len: i64, value: i64, most: usize) -> Result<Blob> {
    let mut bytes = Blob::new();
    pad_vec(&mut bytes, len, value.to_le_bytes()[0], most)?;
    Ok(bytes)
}

/// Puts them in the place of Rhai's. Source: <https://rhai.rs/book/language/arrays.html>, `pad`, and of blobs and
/// strings.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("blob", |native: NativeCallContext<'_>, len: i64| -> Outcome<Blob> {
            let most = native.engine().max_array_size();
            blob(len, 0, most).map_err(|error| raised(error, &native))
        })
        .register_fn(
            "blob",
            |native: NativeCallContext<'_>, len: i64, value: i64| -> Outcome<Blob> {
                let most = native.engine().max_array_size();
                blob(len, value, most).map_err(|error| raised(error, &native))
            },
        )
        .register_fn(
            "pad",
            |native: NativeCallContext<'_>,
             items: &mut Array,
             len: i64,
             item: Dynamic|
             -> Outcome<()> {
                let most = native.engine().max_array_size();
                pad_vec(items, len, item, most).map_err(|error| raised(error, &native))
            },
        )
        .register_fn(
            "pad",
            |native: NativeCallContext<'_>,
             bytes: &mut Blob,
             len: i64,
             value: i64|
             -> Outcome<()> {
                let most = native.engine().max_array_size();
                pad_vec(bytes, len, value.to_le_bytes()[0], most)
                    .map_err(|error| raised(error, &native))
            },
        )
        .register_fn(
            "pad",
            |native: NativeCallContext<'_>,
             text: &mut ImmutableString,
             len: i64,
             with: char|
             -> Outcome<()> {
                let most = native.engine().max_string_size();
                let padding = with.to_string();
                pad_text(text, len, &padding, most).map_err(|error| raised(error, &native))
            },
        )
        .register_fn(
            "pad",
            |native: NativeCallContext<'_>,
             text: &mut ImmutableString,
             len: i64,
             with: &str|
             -> Outcome<()> {
                let most = native.engine().max_string_size();
                pad_text(text, len, with, most).map_err(|error| raised(error, &native))
            },
        );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_reached_and_what_is_longer_stays() {
        let mut items = vec![1];
        pad_vec(&mut items, 3, 7, 0).expect("memory");
        assert_eq!(items, [1, 7, 7]);
        pad_vec(&mut items, 2, 0, 0).expect("memory");
        pad_vec(&mut items, -5, 0, 0).expect("memory");
        assert_eq!(items, [1, 7, 7]);
        let mut text = ImmutableString::from("äb");
        pad_text(&mut text, 5, "xy", 0).expect("memory");
        assert_eq!(text, "äbxyx");
    }

    #[test]
    fn what_no_machine_can_hold_is_an_error() {
        for outcome in [
            pad_vec(&mut vec![Dynamic::UNIT], i64::MAX, Dynamic::UNIT, 0),
            pad_vec(&mut Blob::new(), i64::MAX, 0, 0),
            pad_text(&mut ImmutableString::new(), i64::MAX, "ab", 0),
        ] {
            assert_eq!(outcome.expect_err("too long").kind, Kind::OutOfMemory);
        }
        assert_eq!(blob(11, 0, 10).expect_err("too long").kind, Kind::Limit);
    }
}
