//! Tensors cross as themselves: one `TensorImpl`, one Python object for it, one autograd graph. So do generators of
//! random numbers.

use std::ffi::{CStr, CString, c_void};
use std::sync::OnceLock;

use flambeau_runtime::torch::{self, Generator, Tensor};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::errors::Attempt;

/// A function of libtorch_python and its address, once it was looked for.
struct Symbol(&'static CStr, OnceLock<usize>);

/// `THPVariable_Wrap(const at::TensorBase&)`, as C++ names it.
static WRAP: Symbol = Symbol(c"_Z16THPVariable_WrapRKN2at10TensorBaseE", OnceLock::new());
/// `THPGenerator_Wrap(const at::Generator&)`.
static WRAP_GENERATOR: Symbol = Symbol(c"_Z17THPGenerator_WrapRKN2at9GeneratorE", OnceLock::new());

/// The addresses of the classes `torch.Tensor` and `torch.nn.Parameter`, once a tensor has crossed. Neither is ever
/// freed.
static CLASSES: OnceLock<[usize; 2]> = OnceLock::new();

/// Whether an object is certainly a tensor: it is of one of the two classes that nearly all are of.
pub(crate) fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    CLASSES.get().is_some_and(|classes| classes.contains(&(object.get_type_ptr() as usize)))
}

/// The Python object of a tensor: the one that it has already, or a new one that it keeps.
pub(crate) fn wrap<'py>(py: Python<'py>, tensor: &Tensor) -> Attempt<Bound<'py, PyAny>> {
    let function = WRAP.address(py)?;
    // SAFETY: the function is that of the libtorch_python in this process, which was checked to belong to
    // our libtorch when torch was imported; the GIL is held, and the reference is new.
    let object = unsafe {
        let object = torch::python_object(function as *mut c_void, tensor)?;
        Bound::from_owned_ptr_or_err(py, object.cast::<ffi::PyObject>())?
    };
    if tensor.is_parameter() {
        let [plain, _] = classes(py)?;
        if object.get_type_ptr() as usize == plain {
            object.setattr("__class__", parameter(py)?)?;
        }
    }
    Ok(object)
}

/// The Python object of a generator: the one that it has already, or a new one.
pub(crate) fn wrap_generator<'py>(
    py: Python<'py>,
    generator: &Generator,
) -> Attempt<Bound<'py, PyAny>> {
    let function = WRAP_GENERATOR.address(py)?;
    // SAFETY: as for tensors.
    unsafe {
        let object = torch::python_generator(function as *mut c_void, generator)?;
        Ok(Bound::from_owned_ptr_or_err(py, object.cast::<ffi::PyObject>())?)
    }
}

/// The generator that an instance of `torch.Generator` holds.
pub(crate) fn unwrap_generator(object: &Bound<'_, PyAny>) -> Generator {
    // SAFETY: `THPGenerator` is Python's head and then the `at::Generator`; as for tensors.
    unsafe {
        torch::borrowed_generator(object.as_ptr().cast::<[usize; 2]>().add(1).cast::<c_void>())
    }
}

/// The tensor that an instance of `torch.Tensor` holds.
pub(crate) fn unwrap(object: &Bound<'_, PyAny>) -> Tensor {
    // SAFETY: `THPVariable` is Python's head and then the `at::Tensor` (torch 2.11, the only version there
    // can be), and the caller has asked for the type; the GIL keeps the object alive.
    unsafe { torch::borrowed(object.as_ptr().cast::<[usize; 2]>().add(1).cast::<c_void>()) }
}

fn parameter(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("torch")?.getattr("nn")?.getattr("Parameter")
}

/// Learns [`CLASSES`].
fn classes(py: Python<'_>) -> PyResult<[usize; 2]> {
    if let Some(classes) = CLASSES.get() {
        return Ok(*classes);
    }
    let (tensor, parameter) = (py.import("torch")?.getattr("Tensor")?, parameter(py)?);
    Ok(*CLASSES.get_or_init(|| [&tensor, &parameter].map(|class| class.as_ptr() as usize)))
}

impl Symbol {
    fn address(&self, py: Python<'_>) -> Attempt<usize> {
        match self.1.get() {
            Some(&address) => Ok(address),
            None => self.find(py),
        }
    }

    fn find(&self, py: Python<'_>) -> Attempt<usize> {
        let torch = py.import("torch")?;
        classes(py)?;
        // Python opens its libraries without sharing their names, so this one is asked for by its path.
        let file: String = torch.getattr("__file__")?.extract()?;
        let library = std::path::Path::new(&file).with_file_name("lib").join("libtorch_python.so");
        let path = CString::new(library.to_string_lossy().as_bytes())
            .map_err(pyo3::exceptions::PyValueError::new_err)?;
        // SAFETY: the library is loaded already, and stays so; nothing of it is run.
        let function = unsafe {
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
            if handle.is_null() {
                std::ptr::null_mut()
            } else {
                libc::dlsym(handle, self.0.as_ptr())
            }
        };
        if function.is_null() {
            let message = format!("{} has no {}", library.display(), self.0.to_string_lossy());
            return Err(pyo3::exceptions::PyImportError::new_err(message).into());
        }
        Ok(*self.1.get_or_init(|| function as usize))
    }
}
