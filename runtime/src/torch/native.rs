//! Operators that Rust calls with Rust's values: chosen once by name and overload, called without a
//! script value on the way. For hot loops of the library, such as an optimiser's step over lists.

use super::operator::{Overload, operator};
use super::shim::{self, Value, tag};
use crate::error::{Error, Kind, Result};

/// One argument of a [`NativeOperator`].
#[derive(Clone, Copy, Debug)]
pub enum NativeArgument<'a> {
    /// The schema's default.
    Default,
    /// No value.
    None,
    /// A tensor.
    Tensor(&'a tch::Tensor),
    /// A list of tensors.
    Tensors(&'a [tch::Tensor]),
    /// An integer.
    Int(i64),
    /// A float, or a Scalar that is one.
    Float(f64),
    /// A bool.
    Bool(bool),
    /// A list of Scalars.
    Scalars(&'a [f64]),
}

/// One overload of an aten operator.
#[derive(Clone, Copy, Debug)]
pub struct NativeOperator {
    overload: &'static Overload,
}

impl NativeOperator {
    /// Finds `aten::name.overload`; `overload` is empty for operators with one.
    ///
    /// # Errors
    /// A `NotImplementedError` where this libtorch does not have it.
    pub fn find(name: &str, overload: &str) -> Result<NativeOperator> {
        operator("aten", name)
            .and_then(|operator| operator.overloads.iter().find(|o| o.schema.overload == overload))
            .map(|overload| NativeOperator { overload })
            .ok_or_else(|| {
                Error::new(
                    Kind::NotImplemented,
                    format!("this libtorch has no operator aten::{name}.{overload}"),
                )
            })
    }

    /// Calls it. Arguments are in the schema's order; those left out at the end get their defaults.
    ///
    /// # Errors
    /// What libtorch reports, also for arguments of the wrong kind.
    pub fn call(&self, args: &[NativeArgument<'_>]) -> Result<Vec<tch::Tensor>> {
        let count = self.overload.schema.arguments.len();
        if args.len() > count {
            return Err(Error::type_(format!(
                "{} takes {count} arguments, {} were given",
                self.overload.schema.name,
                args.len()
            )));
        }
        let simple = |tag, a| Value { tag, len: 0, a, b: 0 };
        // What list arguments point to; filled before any pointer into it is taken.
        let mut pointers: Vec<*const torch_sys::C_tensor> = Vec::new();
        let mut scalars: Vec<Value> = Vec::new();
        for arg in args {
            match arg {
                NativeArgument::Tensors(list) => {
                    pointers.extend(list.iter().map(tch::Tensor::as_ptr));
                }
                NativeArgument::Scalars(list) => {
                    scalars.extend(list.iter().map(|x| simple(tag::FLOAT, x.to_bits() as i64)));
                }
                _ => {}
            }
        }
        let (mut next_pointer, mut next_scalar) = (0, 0);
        let mut values: Vec<Value> = Vec::with_capacity(count);
        for arg in args {
            values.push(match *arg {
                NativeArgument::Default => simple(tag::DEFAULT, 0),
                NativeArgument::None => simple(tag::NONE, 0),
                NativeArgument::Tensor(tensor) => simple(tag::TENSOR, tensor.as_ptr() as i64),
                NativeArgument::Int(int) => simple(tag::INT, int),
                NativeArgument::Float(float) => simple(tag::FLOAT, float.to_bits() as i64),
                NativeArgument::Bool(bool) => simple(tag::BOOL, i64::from(bool)),
                NativeArgument::Tensors(list) => {
                    let start = pointers[next_pointer..].as_ptr() as i64;
                    next_pointer += list.len();
                    Value { tag: tag::TENSOR_LIST, len: list.len() as u32, a: start, b: 0 }
                }
                NativeArgument::Scalars(list) => {
                    let start = scalars[next_scalar..].as_ptr() as i64;
                    next_scalar += list.len();
                    Value { tag: tag::SCALAR_LIST, len: list.len() as u32, a: start, b: 0 }
                }
            });
        }
        values.resize(count, simple(tag::DEFAULT, 0));
        let mut results = Vec::new();
        shim::call(self.overload.handle, &values, |output| match output {
            shim::Output::Tensor(tensor) => results.push(tensor),
            shim::Output::Tensors(list) => results.extend(list),
            _ => {}
        })?;
        Ok(results)
    }
}

/// `tensor.grad = grad`; `None` clears it.
///
/// # Errors
/// What libtorch reports where the gradient does not fit the tensor.
pub fn set_grad(tensor: &tch::Tensor, grad: Option<&tch::Tensor>) -> Result<()> {
    shim::set_grad(tensor, grad)
}
