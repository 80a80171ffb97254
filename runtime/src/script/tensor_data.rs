//! Tensors from nested arrays of numbers: `torch.tensor(data)`.

use rhai::Dynamic;

use super::context::Context;
use super::convert;
use super::value::Complex;
use crate::error::{Error, Kind, Result};
use crate::torch::{Dtype, Tensor, shim};

/// What the elements seen so far need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Bool,
    Int,
    Float,
    Complex,
}

/// The elements of nested arrays in row-major order.
#[derive(Default)]
struct Elements {
    ints: Vec<i64>,
    /// Used once a float or complex number was seen: real parts, then (for complex) imaginary ones.
    reals: Vec<f64>,
    imaginaries: Vec<f64>,
    tensors: Vec<tch::Tensor>,
    class: Option<Class>,
}

impl Elements {
    fn push(&mut self, value: &Dynamic) -> Result<()> {
        let (class, int, re, im) = if let Ok(int) = value.as_int() {
            (Class::Int, int, int as f64, 0.0)
        } else if let Ok(float) = value.as_float() {
            (Class::Float, float as i64, float, 0.0)
        } else if let Ok(bool) = value.as_bool() {
            (Class::Bool, i64::from(bool), f64::from(u8::from(bool)), 0.0)
        } else if let Some(complex) = value.read_lock::<Complex>() {
            (Class::Complex, complex.re as i64, complex.re, complex.im)
        } else {
            return Err(Error::type_(format!(
                "torch.tensor() takes numbers and arrays of numbers, not {}",
                convert::type_name(value)
            )));
        };
        self.class = Some(self.class.map_or(class, |seen| seen.max(class)));
        self.ints.push(int);
        self.reals.push(re);
        self.imaginaries.push(im);
        Ok(())
    }

    /// Reads `value` into `self`; returns nothing but checks the shape against `shape[depth..]`.
    fn read(&mut self, value: &Dynamic, shape: &[i64]) -> Result<()> {
        let Some((&expected, rest)) = shape.split_first() else {
            return match data(value)? {
                Some(tensor) => {
                    self.tensors.push(tensor.f_detach()?);
                    Ok(())
                }
                None => self.push(value),
            };
        };
        let items = convert::items(value).ok_or_else(|| {
            Error::shape(format!(
                "expected an array of {expected} at this depth, found {}",
                convert::type_name(value)
            ))
        })?;
        if items.len() as i64 != expected {
            return Err(Error::shape(format!(
                "expected an array of {expected} like the first, found one of {}",
                items.len()
            )));
        }
        items.iter().try_for_each(|item| self.read(item, rest))
    }
}

/// The tensor that a value is, or is the data of.
fn data(value: &Dynamic) -> Result<Option<Tensor>> {
    if value.is_int() || value.is_float() || value.is_bool() || value.is_array() {
        return Ok(None);
    }
    Context::current(|ctx| ctx.tensor(value))
}

/// The shape of nested arrays, read off the first of each.
fn shape_of(value: &Dynamic) -> Vec<i64> {
    let mut shape = Vec::new();
    let mut value = value.clone();
    while let Some(items) = convert::items(&value) {
        shape.push(items.len() as i64);
        match items.into_iter().next() {
            Some(first) => value = first,
            None => break,
        }
    }
    shape
}

/// A tensor from a number, a nested array of numbers, or an array of tensors (which are stacked).
/// The dtype is inferred as PyTorch does: bool, int64, the default float, complex.
///
/// # Errors
/// A `TypeError` for what is no number, a `ShapeError` for ragged arrays.
pub fn from_value(value: &Dynamic, dtype: Option<Dtype>) -> Result<Tensor> {
    if let Some(tensor) = data(value)? {
        let detached = Tensor::from(tensor.f_detach()?);
        let copy = super::dispatch::call_operator("aten", "clone", vec![Dynamic::from(detached)])?;
        let copy = convert::tensor(&copy).ok_or_else(|| Error::type_("clone gave no tensor"))?;
        return convert_to(copy, dtype);
    }
    if let Some(blob) = value.read_lock::<rhai::Blob>() {
        return convert_to(tch::Tensor::f_from_slice(&blob[..])?.into(), dtype);
    }
    let shape = shape_of(value);
    let mut elements = Elements::default();
    elements.read(value, &shape)?;
    if !elements.tensors.is_empty() {
        if !elements.ints.is_empty() {
            return mixed(value, &shape, dtype);
        }
        let stacked = tch::Tensor::f_stack(&elements.tensors, 0)?;
        let mut full = shape.clone();
        full.extend(shim::sizes(&elements.tensors[0]));
        return convert_to(stacked.f_reshape(&full)?.into(), dtype);
    }
    let natural = match elements.class {
        Some(Class::Bool) => Dtype::BOOL,
        Some(Class::Int) => Dtype::INT64,
        Some(Class::Complex) => {
            if shim::default_dtype() == Dtype::FLOAT64 {
                Dtype::COMPLEX128
            } else {
                Dtype::COMPLEX64
            }
        }
        Some(Class::Float) | None => shim::default_dtype(),
    };
    let target = dtype.unwrap_or(natural);
    let flat = match elements.class {
        Some(Class::Complex) => {
            let re = tch::Tensor::f_from_slice(&elements.reals)?;
            let im = tch::Tensor::f_from_slice(&elements.imaginaries)?;
            tch::Tensor::f_complex(&re, &im)?
        }
        Some(Class::Float) | None => tch::Tensor::f_from_slice(&elements.reals)?,
        Some(Class::Int | Class::Bool) => {
            check_range(&elements.ints, target)?;
            tch::Tensor::f_from_slice(&elements.ints)?
        }
    };
    if elements.class == Some(Class::Float) && is_integral(target) {
        // As Python does: a float with nothing behind the point is fine, others lose it.
        let ints: Vec<i64> = elements.reals.iter().map(|real| *real as i64).collect();
        let flat = tch::Tensor::f_from_slice(&ints)?;
        return convert_to(flat.f_reshape(&shape)?.into(), Some(target));
    }
    convert_to(flat.f_reshape(&shape)?.into(), Some(target))
}

/// A tensor from an array with numbers and tensors of one number.
fn mixed(value: &Dynamic, shape: &[i64], dtype: Option<Dtype>) -> Result<Tensor> {
    fn leaves(value: &Dynamic, out: &mut Vec<Tensor>) -> Result<()> {
        if let Some(items) = convert::items(value) {
            return items.iter().try_for_each(|item| leaves(item, out));
        }
        let tensor = match (convert::tensor(value), super::operator_call::number_tensor(value)) {
            (Some(tensor), _) => tensor,
            (None, Some(number)) => number?,
            (None, None) => return Err(Error::type_("torch.tensor() takes numbers and tensors")),
        };
        if shim::dim(&tensor) != 0 {
            return Err(Error::shape(format!(
                "among numbers a tensor must have one number, this is {}",
                tensor.describe()
            )));
        }
        out.push(Tensor::from(tensor.f_detach()?));
        Ok(())
    }
    let mut all = Vec::new();
    leaves(value, &mut all)?;
    let mut common = all[0].dtype();
    for tensor in &all {
        let pair = vec![Dynamic::from(common), Dynamic::from(tensor.dtype())];
        let promoted = super::dispatch::call_operator("aten", "promote_types", pair)?;
        common = convert::dtype(&promoted).unwrap_or(common);
    }
    let all: Vec<tch::Tensor> = all
        .into_iter()
        .map(|tensor| convert_to(tensor, Some(common)).map(Tensor::into_tch))
        .collect::<Result<_>>()?;
    convert_to(tch::Tensor::f_stack(&all, 0)?.f_reshape(shape)?.into(), dtype)
}

fn is_integral(dtype: Dtype) -> bool {
    !dtype.is_floating_point() && !dtype.is_complex() && dtype != Dtype::BOOL
}

/// Refuses integers that the dtype cannot hold.
fn check_range(ints: &[i64], dtype: Dtype) -> Result<()> {
    let (low, high) = match dtype {
        Dtype::UINT8 => (0, i64::from(u8::MAX)),
        Dtype::INT8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
        Dtype::INT16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Dtype::INT32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Dtype(27) => (0, i64::from(u16::MAX)),
        Dtype(28) => (0, i64::from(u32::MAX)),
        Dtype(29) => (0, i64::MAX),
        _ => return Ok(()),
    };
    match ints.iter().find(|int| **int < low || **int > high) {
        Some(int) => Err(Error::new(
            Kind::Value,
            format!("{int} does not fit into {dtype} ({low} to {high})"),
        )),
        None => Ok(()),
    }
}

/// The tensor in another dtype; the same where none is asked for.
pub(crate) fn convert_to(tensor: Tensor, dtype: Option<Dtype>) -> Result<Tensor> {
    let Some(dtype) = dtype.filter(|dtype| *dtype != tensor.dtype()) else { return Ok(tensor) };
    let converted = super::dispatch::call_operator(
        "aten",
        "to",
        vec![Dynamic::from(tensor), Dynamic::from(dtype)],
    )?;
    convert::tensor(&converted).ok_or_else(|| Error::type_("the conversion gave no tensor"))
}
