//! Operators: their names, their schemas, their calls.

use std::ffi::{CString, c_char, c_void};

use torch_sys::C_tensor;

use super::ffi::{self, Value, tag};
use super::slot::Shared;
use super::{check, own};
use crate::error::Result;
use crate::torch::arguments::Scalar;
use crate::torch::dtype::Device;

/// An operator's handle: lives as long as the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle(*mut c_void);

// SAFETY: a `c10::OperatorHandle` is an immutable pointer into the dispatcher, which locks for itself.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// The qualified names of all registered operators, each with `.` and its overload.
pub(crate) fn operators() -> Result<Vec<String>> {
    unsafe extern "C" fn visit(data: *mut c_void, text: *const c_char, len: usize) {
        // SAFETY: `data` is the vector below; `text` is valid for `len` bytes during this call.
        let (list, text) = unsafe {
            (&mut *data.cast::<Vec<String>>(), std::slice::from_raw_parts(text.cast::<u8>(), len))
        };
        list.push(String::from_utf8_lossy(text).into_owned());
    }
    let mut list: Vec<String> = Vec::with_capacity(4096);
    // SAFETY: `visit` is called only during this call, with `list` alive.
    check(unsafe { ffi::fb_operators(visit, (&raw mut list).cast()) })?;
    Ok(list)
}

/// The handle and the schema, as text, of one operator.
pub(crate) fn schema(name: &str, overload: &str) -> Option<(Handle, String)> {
    unsafe extern "C" fn visit(
        data: *mut c_void,
        handle: *mut c_void,
        text: *const c_char,
        len: usize,
    ) {
        // SAFETY: `data` is the option below; `text` is valid for `len` bytes during this call.
        let (found, text) = unsafe {
            (
                &mut *data.cast::<Option<(Handle, String)>>(),
                std::slice::from_raw_parts(text.cast::<u8>(), len),
            )
        };
        *found = Some((Handle(handle), String::from_utf8_lossy(text).into_owned()));
    }
    let (name, overload) = (CString::new(name).ok()?, CString::new(overload).ok()?);
    let mut found: Option<(Handle, String)> = None;
    // SAFETY: both names are C strings; `visit` is called only during this call, with `found` alive.
    let status =
        unsafe { ffi::fb_schema(name.as_ptr(), overload.as_ptr(), visit, (&raw mut found).cast()) };
    check(status).ok()?;
    found
}

/// A result of an operator.
#[derive(Debug)]
pub(crate) enum Output {
    None,
    Tensor(Shared),
    Int(i64),
    Float(f64),
    Bool(bool),
    Complex(f64, f64),
    Str(String),
    Device(Device),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Tensors(Vec<tch::Tensor>),
    Tuple(Vec<Output>),
}

impl Output {
    /// Takes over what the shim wrote.
    ///
    /// # Safety
    /// `value` was written by the shim and is taken over once.
    pub(super) unsafe fn take(value: Value) -> Output {
        let len = value.len as usize;
        let pointer = value.a as *mut c_void;
        /// # Safety
        /// `pointer` holds `len` values of `T`, malloc'ed by the shim.
        unsafe fn list<T: Copy>(pointer: *mut c_void, len: usize) -> Vec<T> {
            // SAFETY: promised by the caller; malloc aligns for every T used here.
            unsafe {
                let values = std::slice::from_raw_parts(pointer.cast::<T>(), len).to_vec();
                ffi::fb_free(pointer);
                values
            }
        }
        // SAFETY: each arm reads what the shim documents for its tag.
        unsafe {
            match value.tag {
                tag::TENSOR => Output::Tensor(Shared::own(pointer.addr())),
                tag::INT => Output::Int(value.a),
                tag::FLOAT => Output::Float(f64::from_bits(value.a as u64)),
                tag::BOOL => Output::Bool(value.a != 0),
                tag::COMPLEX => {
                    Output::Complex(f64::from_bits(value.a as u64), f64::from_bits(value.b as u64))
                }
                tag::STRING => {
                    let bytes: Vec<u8> = list(pointer, len);
                    Output::Str(String::from_utf8_lossy(&bytes).into_owned())
                }
                tag::DEVICE => Output::Device(Device { kind: value.a as i8, index: value.b as i8 }),
                tag::INT_LIST => Output::Ints(list(pointer, len)),
                tag::FLOAT_LIST => Output::Floats(list(pointer, len)),
                tag::TENSOR_LIST => Output::Tensors(
                    list::<*mut C_tensor>(pointer, len).into_iter().map(|t| own(t)).collect(),
                ),
                tag::TUPLE => Output::Tuple(
                    list::<Value>(pointer, len).into_iter().map(|v| Output::take(v)).collect(),
                ),
                _ => Output::None,
            }
        }
    }
}

/// The most results that an operator of libtorch has.
const MOST_RESULTS: usize = 16;

/// Calls an operator boxed. `args` holds one value per argument of its schema; `each` is given every
/// result in turn. [`super::arguments::Arguments`] is the safe face of this.
///
/// # Safety
/// What the values point to is of the kind that their tag says and outlives the call.
pub(crate) unsafe fn call(
    handle: Handle,
    args: &[Value],
    skip_autograd: bool,
    mut each: impl FnMut(Output),
) -> Result<()> {
    let mut out = [Value { tag: 0, len: 0, a: 0, b: 0 }; MOST_RESULTS];
    let mut n = 0;
    // SAFETY: `args` and `out` are valid for their lengths; pointers inside `args` are what the
    // caller promises.
    let status = unsafe {
        ffi::fb_call(
            handle.0,
            args.as_ptr(),
            args.len() as u32,
            out.as_mut_ptr(),
            MOST_RESULTS as u32,
            &mut n,
            skip_autograd,
        )
    };
    check(status)?;
    for value in out.iter().take(n as usize) {
        // SAFETY: the shim wrote `n` results; each is taken once.
        each(unsafe { Output::take(*value) });
    }
    Ok(())
}

/// An operator between two tensors, by its number in the shim.
pub(crate) fn binary(op: i32, a: &tch::Tensor, b: &tch::Tensor) -> Result<Shared> {
    let mut out = 0;
    // SAFETY: both tensors are live; on success `out` is a new reference.
    unsafe {
        check(ffi::fb_binary(op, a.as_ptr(), b.as_ptr(), &mut out))?;
        Ok(Shared::own(out))
    }
}

/// An operator between a tensor and a number; `reversed` when the number stands on the left.
pub(crate) fn binary_scalar(
    op: i32,
    a: &tch::Tensor,
    number: Scalar,
    reversed: bool,
) -> Result<Shared> {
    let number = number.value();
    let mut out = 0;
    // SAFETY: as for `binary`; `number` outlives the call.
    unsafe {
        check(ffi::fb_binary_scalar(op, a.as_ptr(), &number, reversed, &mut out))?;
        Ok(Shared::own(out))
    }
}
