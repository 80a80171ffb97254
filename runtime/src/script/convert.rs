//! From script values to Rust values and back: one rule each, used by operators and functions alike.

use half::{bf16, f16};
use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map};

use super::value::{Complex, Namespace, Results};
use crate::error::{Error, Result};
use crate::torch::{Device, Dtype, Generator, Layout, MemoryFormat, Tensor, shim::Output};

/// A tensor.
pub fn tensor(value: &Dynamic) -> Option<Tensor> {
    value.read_lock::<Tensor>().map(|tensor| tensor.clone())
}

/// An integer; a one-element integer tensor counts.
pub fn int(value: &Dynamic) -> Option<i64> {
    if let Ok(int) = value.as_int() {
        return Some(int);
    }
    match element(value)? {
        Output::Int(int) => Some(int),
        _ => None,
    }
}

/// A number as a float; a one-element tensor counts.
pub fn float(value: &Dynamic) -> Option<f64> {
    if let Ok(float) = value.as_float() {
        return Some(float);
    }
    if let Ok(int) = value.as_int() {
        return Some(int as f64);
    }
    match element(value)? {
        Output::Int(int) => Some(int as f64),
        Output::Float(float) => Some(float),
        Output::Bool(bool) => Some(f64::from(u8::from(bool))),
        _ => None,
    }
}

/// The value of a tensor without dimensions.
fn element(value: &Dynamic) -> Option<Output> {
    let tensor = value.read_lock::<Tensor>()?;
    if crate::torch::shim::dim(&tensor) != 0 {
        return None;
    }
    crate::torch::shim::item(&tensor).ok()
}

/// A string.
pub fn string(value: &Dynamic) -> Option<String> {
    value.read_lock::<ImmutableString>().map(|text| text.to_string())
}

/// The items of anything list-like: arrays, several results, integer ranges, blobs.
pub fn items(value: &Dynamic) -> Option<Array> {
    if let Some(array) = value.read_lock::<Array>() {
        return Some(array.clone());
    }
    if let Some(results) = value.read_lock::<Results>() {
        return Some(results.values.clone());
    }
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Some(range.clone().map(Dynamic::from_int).collect());
    }
    if let Some(range) = value.read_lock::<std::ops::RangeInclusive<i64>>() {
        return Some(range.clone().map(Dynamic::from_int).collect());
    }
    None
}

/// A list of integers; one integer is a list of one.
pub fn ints(value: &Dynamic) -> Option<Vec<i64>> {
    if let Some(one) = int(value) {
        return Some(vec![one]);
    }
    items(value)?.iter().map(int).collect()
}

/// A list of numbers; one number is a list of one.
pub fn floats(value: &Dynamic) -> Option<Vec<f64>> {
    if let Some(one) = float(value) {
        return Some(vec![one]);
    }
    items(value)?.iter().map(float).collect()
}

/// A list of tensors; one tensor is a list of one.
pub fn tensors(value: &Dynamic) -> Option<Vec<Tensor>> {
    if let Some(one) = tensor(value) {
        return Some(vec![one]);
    }
    items(value)?.iter().map(tensor).collect()
}

/// A dtype.
pub fn dtype(value: &Dynamic) -> Option<Dtype> {
    value.read_lock::<Dtype>().map(|dtype| *dtype)
}

/// A device or a text that names one; the inner error is for a text that names none.
pub fn device(value: &Dynamic) -> Option<Result<Device>> {
    if let Some(device) = value.read_lock::<Device>() {
        return Some(Ok(*device));
    }
    string(value).map(|text| Device::parse(&text))
}

/// The name of a value's type, as error messages say it.
pub fn type_name(value: &Dynamic) -> String {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return format!("Tensor {}", tensor.describe());
    }
    if value.is_unit() {
        return "()".to_owned();
    }
    let name = value.type_name();
    let known = match name {
        "i64" => "int",
        "f64" => "float",
        "string" => "string",
        _ if value.is::<Dtype>() => "dtype",
        _ if value.is::<Device>() => "device",
        _ if value.is::<Layout>() => "layout",
        _ if value.is::<MemoryFormat>() => "memory_format",
        _ if value.is::<Generator>() => "Generator",
        _ if value.is::<Complex>() => "complex",
        _ if value.is::<Namespace>() => "namespace",
        _ if value.is::<Results>() => "results",
        _ if value.is::<FnPtr>() => "function",
        _ if value.is::<Map>() => "map",
        _ => name.rsplit("::").next().unwrap_or(name),
    };
    known.to_owned()
}

/// The same with its article: `an int`.
pub fn a_type(value: &Dynamic) -> String {
    let name = type_name(value);
    let article = match name.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') => "an ",
        Some('(') | None => "",
        _ => "a ",
    };
    format!("{article}{name}")
}

/// A result of libtorch as a script value.
pub(crate) fn from_output(output: Output) -> Dynamic {
    match output {
        Output::None => Dynamic::UNIT,
        Output::Tensor(tensor) => Dynamic::from(Tensor::from(tensor)),
        Output::Int(int) => Dynamic::from_int(int),
        Output::Float(float) => Dynamic::from_float(float),
        Output::Bool(bool) => Dynamic::from_bool(bool),
        Output::Complex(re, im) => Dynamic::from(Complex { re, im }),
        Output::Str(text) => Dynamic::from(text),
        Output::Device(device) => Dynamic::from(device),
        Output::Ints(list) => from_ints(&list),
        Output::Floats(list) => {
            Dynamic::from_array(list.into_iter().map(Dynamic::from_float).collect())
        }
        Output::Tensors(list) => from_tensors(list.into_iter().map(Tensor::from)),
        Output::Tuple(list) => Dynamic::from_array(list.into_iter().map(from_output).collect()),
    }
}

/// An array of integers.
pub fn from_ints(list: &[i64]) -> Dynamic {
    Dynamic::from_array(list.iter().copied().map(Dynamic::from_int).collect())
}

/// An array of tensors.
pub fn from_tensors(list: impl IntoIterator<Item = Tensor>) -> Dynamic {
    Dynamic::from_array(list.into_iter().map(Dynamic::from).collect())
}

/// Nested arrays of numbers from a tensor: `tolist()`.
///
/// # Errors
/// What libtorch says when the tensor has no elements to read (sparse, meta).
pub fn to_list(tensor: &Tensor) -> Result<Dynamic> {
    let dtype = tensor.dtype();
    let sizes = crate::torch::shim::sizes(tensor);
    let bytes = crate::torch::bytes(tensor)?;
    let size = dtype.itemsize().max(1);
    let mut elements = bytes.chunks_exact(size).map(|chunk| element_value(dtype, chunk));
    fn nest(
        sizes: &[i64],
        elements: &mut impl Iterator<Item = Result<Dynamic>>,
    ) -> Result<Dynamic> {
        match sizes.split_first() {
            None => elements.next().unwrap_or(Ok(Dynamic::UNIT)),
            Some((&n, rest)) => (0..n)
                .map(|_| nest(rest, elements))
                .collect::<Result<Array>>()
                .map(Dynamic::from_array),
        }
    }
    nest(&sizes, &mut elements)
}

/// One element of `dtype` from its bytes.
fn element_value(dtype: Dtype, bytes: &[u8]) -> Result<Dynamic> {
    macro_rules! read {
        ($ty:ty) => {
            <$ty>::from_ne_bytes(bytes.try_into().unwrap_or_default())
        };
    }
    Ok(match dtype.0 {
        0 => Dynamic::from_int(i64::from(read!(u8))),
        1 => Dynamic::from_int(i64::from(read!(i8))),
        2 => Dynamic::from_int(i64::from(read!(i16))),
        3 => Dynamic::from_int(i64::from(read!(i32))),
        4 => Dynamic::from_int(read!(i64)),
        5 => Dynamic::from_float(f16::from_ne_bytes(bytes.try_into().unwrap_or_default()).to_f64()),
        6 => Dynamic::from_float(f64::from(read!(f32))),
        7 => Dynamic::from_float(read!(f64)),
        9 => Dynamic::from(Complex {
            re: f64::from(f32::from_ne_bytes(bytes[..4].try_into().unwrap_or_default())),
            im: f64::from(f32::from_ne_bytes(bytes[4..].try_into().unwrap_or_default())),
        }),
        10 => Dynamic::from(Complex {
            re: f64::from_ne_bytes(bytes[..8].try_into().unwrap_or_default()),
            im: f64::from_ne_bytes(bytes[8..].try_into().unwrap_or_default()),
        }),
        11 => Dynamic::from_bool(bytes[0] != 0),
        15 => {
            Dynamic::from_float(bf16::from_ne_bytes(bytes.try_into().unwrap_or_default()).to_f64())
        }
        27 => Dynamic::from_int(i64::from(read!(u16))),
        28 => Dynamic::from_int(i64::from(read!(u32))),
        29 => match i64::try_from(read!(u64)) {
            Ok(int) => Dynamic::from_int(int),
            Err(_) => Dynamic::from_float(read!(u64) as f64),
        },
        _ => {
            return Err(Error::type_(format!(
                "tolist() does not support {dtype}; convert with .to(torch.float32) first"
            )));
        }
    })
}
