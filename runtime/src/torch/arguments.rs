//! The arguments of one boxed call: built in the order of the schema, kept alive until the call is over.
//!
//! This is the safe face of [`shim::call`]: values hold raw pointers into what `Arguments` owns (handles
//! of tensors and generators, lists on the heap) or borrows, none of which moves or is freed before the call ends.

use std::marker::PhantomData;

use smallvec::SmallVec;

use super::dtype::Device;
use super::operator::Overload;
use super::shim::{self, Generator, Output, Value, tag};
use super::tensor::Tensor;
use crate::error::Result;

/// A number of any kind, for Scalar arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A bool.
    Bool(bool),
    /// A complex number: real and imaginary part.
    Complex(f64, f64),
}

impl Scalar {
    pub(crate) fn value(self) -> Value {
        let simple = |tag, a, b| Value { tag, len: 0, a, b };
        match self {
            Scalar::Int(int) => simple(tag::INT, int, 0),
            Scalar::Float(float) => simple(tag::FLOAT, float.to_bits() as i64, 0),
            Scalar::Bool(bool) => simple(tag::BOOL, i64::from(bool), 0),
            Scalar::Complex(re, im) => {
                simple(tag::COMPLEX, re.to_bits() as i64, im.to_bits() as i64)
            }
        }
    }
}

/// A list that a value points to. (No `Box`: moving one ends what points into it.)
#[derive(Debug)]
#[expect(dead_code, reason = "held until the call is over, read by nobody")]
enum List {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Bools(Vec<u8>),
    Pointers(Vec<*const torch_sys::C_tensor>),
    Values(Vec<Value>),
    Text(String),
    Generator(Generator),
}

/// Arguments of one call, see the module. `'a` is the life of what is only borrowed.
#[derive(Debug, Default)]
pub struct Arguments<'a> {
    borrowed: PhantomData<&'a tch::Tensor>,
    values: SmallVec<[Value; 12]>,
    tensors: SmallVec<[Tensor; 6]>,
    lists: SmallVec<[List; 2]>,
}

impl<'a> Arguments<'a> {
    fn simple(&mut self, tag: u32, a: i64) {
        self.values.push(Value { tag, len: 0, a, b: 0 });
    }

    fn list(&mut self, tag: u32, len: usize, start: i64, list: List) {
        self.values.push(Value { tag, len: len as u32, a: start, b: 0 });
        self.lists.push(list);
    }

    /// The schema's default.
    pub fn default_value(&mut self) {
        self.simple(tag::DEFAULT, 0);
    }

    /// A device, or the operator's own default.
    pub fn device_or_default(&mut self, device: Option<Device>) {
        match device {
            Some(device) => self.device(device),
            None => self.default_value(),
        }
    }

    /// No value.
    pub fn none(&mut self) {
        self.simple(tag::NONE, 0);
    }

    /// A tensor.
    pub fn tensor(&mut self, tensor: Tensor) {
        self.simple(tag::TENSOR, tensor.as_ptr() as i64);
        self.tensors.push(tensor);
    }

    /// A tensor that outlives the call.
    pub fn borrowed(&mut self, tensor: &'a tch::Tensor) {
        self.simple(tag::TENSOR, tensor.as_ptr() as i64);
    }

    /// A list of tensors that outlive the call.
    pub fn borrowed_list(&mut self, list: &'a [tch::Tensor]) {
        let pointers: Vec<_> = list.iter().map(tch::Tensor::as_ptr).collect();
        let start = pointers.as_ptr() as i64;
        self.list(tag::TENSOR_LIST, pointers.len(), start, List::Pointers(pointers));
    }

    /// An integer; dtypes, layouts and memory formats go by their number.
    pub fn int(&mut self, int: i64) {
        self.simple(tag::INT, int);
    }

    /// A number of any kind.
    pub fn scalar(&mut self, scalar: Scalar) {
        self.values.push(scalar.value());
    }

    /// A string.
    pub fn text(&mut self, text: &str) {
        let text: String = text.into();
        self.list(tag::STRING, text.len(), text.as_ptr() as i64, List::Text(text));
    }

    /// A device.
    pub fn device(&mut self, device: Device) {
        self.values.push(Value {
            tag: tag::DEVICE,
            len: 0,
            a: i64::from(device.kind),
            b: i64::from(device.index),
        });
    }

    /// A generator.
    pub fn generator(&mut self, generator: Generator) {
        self.list(tag::GENERATOR, 0, generator.as_ptr() as i64, List::Generator(generator));
    }

    /// A list of integers.
    pub fn ints(&mut self, list: Vec<i64>) {
        self.list(tag::INT_LIST, list.len(), list.as_ptr() as i64, List::Ints(list));
    }

    /// A list of floats.
    pub fn floats(&mut self, list: Vec<f64>) {
        self.list(tag::FLOAT_LIST, list.len(), list.as_ptr() as i64, List::Floats(list));
    }

    /// A list of bools.
    pub fn bools(&mut self, list: impl IntoIterator<Item = bool>) {
        let list: Vec<u8> = list.into_iter().map(u8::from).collect();
        self.list(tag::BOOL_LIST, list.len(), list.as_ptr() as i64, List::Bools(list));
    }

    /// A list of tensors.
    pub fn tensor_list(&mut self, list: impl IntoIterator<Item = Tensor>) {
        self.pointers(tag::TENSOR_LIST, list.into_iter().map(Some));
    }

    /// A list of tensors of which some are missing.
    pub fn optional_tensor_list(&mut self, list: impl IntoIterator<Item = Option<Tensor>>) {
        self.pointers(tag::OPT_TENSOR_LIST, list.into_iter());
    }

    fn pointers(&mut self, tag: u32, list: impl Iterator<Item = Option<Tensor>>) {
        let mut pointers = Vec::new();
        for tensor in list {
            pointers.push(tensor.as_ref().map_or(std::ptr::null(), |tensor| tensor.as_ptr()));
            self.tensors.extend(tensor);
        }
        self.list(tag, pointers.len(), pointers.as_ptr() as i64, List::Pointers(pointers));
    }

    /// A list of numbers of any kind.
    pub fn scalars(&mut self, list: impl IntoIterator<Item = Scalar>) {
        let list: Vec<Value> = list.into_iter().map(Scalar::value).collect();
        self.list(tag::SCALAR_LIST, list.len(), list.as_ptr() as i64, List::Values(list));
    }

    /// A list of strings.
    pub fn texts<'t>(&mut self, list: impl IntoIterator<Item = &'t str>) {
        let mut values = Vec::new();
        for text in list {
            let text: String = text.into();
            values.push(Value {
                tag: tag::STRING,
                len: text.len() as u32,
                a: text.as_ptr() as i64,
                b: 0,
            });
            self.lists.push(List::Text(text));
        }
        self.list(tag::STRING_LIST, values.len(), values.as_ptr() as i64, List::Values(values));
    }

    /// Calls `overload` with these arguments; those left out at the end get their defaults.
    ///
    /// # Errors
    /// What libtorch reports, also for arguments of the wrong kind.
    pub(crate) fn call(mut self, overload: &Overload, each: impl FnMut(Output)) -> Result<()> {
        let count = overload.schema.arguments.len();
        while self.values.len() < count {
            self.default_value();
        }
        // SAFETY: every pointer in `values` leads into `tensors` or `lists`, which live until this
        // function returns (tensors and generators behind their handles, lists on the heap), or to a
        // tensor that `'a` keeps borrowed.
        unsafe { shim::call(overload.handle, &self.values[..count], overload.skip_autograd, each) }
    }
}
