//! Operators that Rust calls with Rust's values: chosen once by name and overload, called without a
//! script value on the way. For hot loops of the library, such as an optimiser's step over lists.

use super::arguments::{Arguments, Scalar};
use super::operator::{Overload, operator};
use super::shim::{self, Output};
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
        let mut arguments = Arguments::default();
        for arg in args {
            match *arg {
                NativeArgument::Default => arguments.default_value(),
                NativeArgument::None => arguments.none(),
                NativeArgument::Tensor(tensor) => arguments.borrowed(tensor),
                NativeArgument::Int(int) => arguments.int(int),
                NativeArgument::Float(float) => arguments.scalar(Scalar::Float(float)),
                NativeArgument::Bool(bool) => arguments.scalar(Scalar::Bool(bool)),
                NativeArgument::Tensors(list) => arguments.borrowed_list(list),
                NativeArgument::Scalars(list) => {
                    arguments.scalars(list.iter().map(|number| Scalar::Float(*number)));
                }
            }
        }
        let mut results = Vec::new();
        arguments.call(self.overload, |output| match output {
            Output::Tensor(tensor) => results.push(tensor.into_tch()),
            Output::Tensors(list) => results.extend(list),
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

/// The shape; -1 in dimensions of a nested tensor where its tensors differ. tch's own `size` panics there.
pub fn sizes(tensor: &tch::Tensor) -> Vec<i64> {
    shim::sizes(tensor)
}

/// The number of elements. tch's own `numel` panics on nested tensors.
pub fn numel(tensor: &tch::Tensor) -> usize {
    shim::numel(tensor)
}
