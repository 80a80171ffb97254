//! Tensors cross as themselves: one `TensorImpl`, one Python object for it, one autograd graph.

use std::ffi::c_void;
use std::sync::OnceLock;

use flambeau_runtime::torch::{self, Tensor};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::errors::Attempt;

/// `THPVariable_Wrap(const at::TensorBase&)` of libtorch_python, as C++ names it.
const WRAP: &std::ffi::CStr = c"_Z16THPVariable_WrapRKN2at10TensorBaseE";

/// Its address, once torch has been imported.
static FUNCTION: OnceLock<usize> = OnceLock::new();

/// The addresses of the classes `torch.Tensor` and `torch.nn.Parameter`, once a tensor has crossed. Neither is ever
/// freed.
static CLASSES: OnceLock<[usize; 2]> = OnceLock::new();

/// Whether an object is certainly a tensor: it is of one of the two classes that nearly all are of.
pub(crate) fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    CLASSES.get().is_some_and(|classes| classes.contains(&(object.get_type_ptr() as usize)))
}

/// The Python object of a tensor: the one that it has already, or a new one that it keeps.
pub(crate) fn wrap<'py>(py: Python<'py>, tensor: &Tensor) -> Attempt<Bound<'py, PyAny>> {
    let function = match FUNCTION.get() {
        Some(&function) => function,
        None => find(py)?,
    };
    // SAFETY: the function is that of the libtorch_python in this process, which was checked to belong to
    // our libtorch when torch was imported; the GIL is held, and the reference is new.
    unsafe {
        let object = torch::python_object(function as *mut c_void, tensor)?;
        Ok(Bound::from_owned_ptr_or_err(py, object.cast::<ffi::PyObject>())?)
    }
}

/// The tensor that an instance of `torch.Tensor` holds.
pub(crate) fn unwrap(object: &Bound<'_, PyAny>) -> Tensor {
    // SAFETY: `THPVariable` is Python's head and then the `at::Tensor` (torch 2.11, the only version there
    // can be), and the caller has asked for the type; the GIL keeps the object alive.
    unsafe { torch::borrowed(object.as_ptr().cast::<[usize; 2]>().add(1).cast::<c_void>()) }
}

fn find(py: Python<'_>) -> Attempt<usize> {
    let torch = py.import("torch")?;
    // Python opens its libraries without sharing their names, so this one is asked for by its path.
    let file: String = torch.getattr("__file__")?.extract()?;
    let library = std::path::Path::new(&file).with_file_name("lib").join("libtorch_python.so");
    let path = std::ffi::CString::new(library.to_string_lossy().as_bytes())
        .map_err(pyo3::exceptions::PyValueError::new_err)?;
    // SAFETY: the library is loaded already, and stays so; nothing of it is run.
    let function = unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if handle.is_null() { std::ptr::null_mut() } else { libc::dlsym(handle, WRAP.as_ptr()) }
    };
    if function.is_null() {
        let message = format!("{} has no THPVariable_Wrap", library.display());
        return Err(pyo3::exceptions::PyImportError::new_err(message).into());
    }
    let parameter = torch.getattr("nn")?.getattr("Parameter")?;
    CLASSES.get_or_init(|| {
        [torch.getattr("Tensor"), Ok(parameter)]
            .map(|class| class.map_or(0, |class| class.as_ptr() as usize))
    });
    Ok(*FUNCTION.get_or_init(|| function as usize))
}
