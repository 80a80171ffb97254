//! libtorch: the only code that touches it.

mod arguments;
pub(crate) mod autograd;
mod dtype;
mod format;
mod message;
mod native;
mod operator;
mod schema;
pub(crate) mod shim;
mod tensor;

pub use arguments::{Arguments, Scalar};
pub use dtype::{DTYPE_ALIASES, Device, Dtype, Layout, MemoryFormat};
pub use format::{PrintOptions, format_tensor};
pub use native::{NativeArgument, NativeOperator, numel, set_grad, sizes};
pub use operator::{Operator, Overload, namespaces, operator, operator_names, operator_overload};
pub use schema::{Argument, Arity, Schema, Type};
pub use shim::{
    Exceptions, Generator, OperatorTime, borrowed, borrowed_generator, bytes, cuda_built,
    cuda_empty_cache, cuda_memory, cuda_reset_peak, default_dtype, grad_enabled, grad_fn_name,
    inference_enabled, limit_memory, manual_seed, memory, on_python_error, package_folder, profile,
    python_generator, python_object, set_grad_enabled, set_threads,
};
pub(crate) use tensor::Mark;
pub use tensor::Tensor;
