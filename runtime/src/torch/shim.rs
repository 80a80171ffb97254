//! The only door to the C++ shim: declarations and safe faces for them.
//!
//! Soundness: tensors cross as `*mut C_tensor`, which is `at::Tensor*` on the other side. Going in they
//! are borrowed from a live [`tch::Tensor`]; coming out they are new and tch takes them over at once, so
//! each is freed exactly once. Lists and strings that come out are copied and freed at once. The shim
//! catches every C++ exception and a callback catches every panic, so neither crosses the border.
//! Limits: an operator that reads out of bounds in C++ is beyond what can be checked here.

use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use torch_sys::C_tensor;

use super::arguments::Scalar;
use super::dtype::{Device, Dtype};
use crate::error::{Error, Kind, Result};

/// `fb_value`: one argument or result; see `shim.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub tag: u32,
    pub len: u32,
    pub a: i64,
    pub b: i64,
}

/// `fb_tag`.
#[allow(missing_docs)]
pub(crate) mod tag {
    pub const DEFAULT: u32 = 0;
    pub const NONE: u32 = 1;
    pub const TENSOR: u32 = 2;
    pub const INT: u32 = 3;
    pub const FLOAT: u32 = 4;
    pub const BOOL: u32 = 5;
    pub const COMPLEX: u32 = 6;
    pub const STRING: u32 = 7;
    pub const DEVICE: u32 = 8;
    pub const GENERATOR: u32 = 9;
    pub const INT_LIST: u32 = 10;
    pub const FLOAT_LIST: u32 = 11;
    pub const BOOL_LIST: u32 = 12;
    pub const TENSOR_LIST: u32 = 13;
    pub const OPT_TENSOR_LIST: u32 = 14;
    pub const SCALAR_LIST: u32 = 15;
    pub const STRING_LIST: u32 = 16;
    pub const TUPLE: u32 = 17;
}

type NodeCallback =
    unsafe extern "C" fn(*mut c_void, *const *mut C_tensor, u32, *mut *mut C_tensor, u32) -> i32;
type DropCallback = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    fn fb_message(len: *mut usize) -> *const c_char;
    fn fb_free(pointer: *mut c_void);
    fn fb_operators(
        visit: unsafe extern "C" fn(*mut c_void, *const c_char, usize),
        data: *mut c_void,
    ) -> i32;
    fn fb_schema(
        name: *const c_char,
        overload: *const c_char,
        visit: unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char, usize),
        data: *mut c_void,
    ) -> i32;
    fn fb_call(
        handle: *mut c_void,
        args: *const Value,
        n_args: u32,
        out: *mut Value,
        capacity: u32,
        n_out: *mut u32,
        skip_autograd: bool,
    ) -> i32;
    fn fb_binary(op: i32, a: *const C_tensor, b: *const C_tensor, out: *mut *mut C_tensor) -> i32;
    fn fb_binary_scalar(
        op: i32,
        a: *const C_tensor,
        number: *const Value,
        reversed: bool,
        out: *mut *mut C_tensor,
    ) -> i32;
    fn fb_dtype(t: *const C_tensor) -> i32;
    fn fb_layout(t: *const C_tensor) -> i32;
    fn fb_device(t: *const C_tensor, kind: *mut i8, index: *mut i8);
    fn fb_dim(t: *const C_tensor) -> i64;
    fn fb_sizes(t: *const C_tensor, out: *mut i64) -> i32;
    fn fb_strides(t: *const C_tensor, out: *mut i64) -> i32;
    fn fb_same(a: *const C_tensor, b: *const C_tensor) -> bool;
    fn fb_impl(t: *const C_tensor) -> i64;
    fn fb_version(t: *const C_tensor) -> i64;
    fn fb_is_leaf(t: *const C_tensor) -> bool;
    fn fb_retains_grad(t: *const C_tensor) -> bool;
    fn fb_output_nr(t: *const C_tensor) -> i64;
    fn fb_grad_fn_name(t: *const C_tensor) -> *mut c_char;
    fn fb_set_data(t: *mut C_tensor, data: *const C_tensor) -> i32;
    fn fb_set_grad(t: *mut C_tensor, grad: *const C_tensor) -> i32;
    fn fb_item(t: *const C_tensor, out: *mut Value) -> i32;
    fn fb_data(t: *const C_tensor, out: *mut *const c_void) -> i32;
    fn fb_backward(
        roots: *const *mut C_tensor,
        n: u32,
        grads: *const *mut C_tensor,
        retain: bool,
        create: bool,
        inputs: *const *mut C_tensor,
        n_inputs: u32,
    ) -> i32;
    fn fb_grad(
        roots: *const *mut C_tensor,
        n: u32,
        grads: *const *mut C_tensor,
        inputs: *const *mut C_tensor,
        n_inputs: u32,
        retain: bool,
        create: bool,
        allow_unused: bool,
        out: *mut *mut C_tensor,
    ) -> i32;
    fn fb_register_hook(
        t: *const C_tensor,
        callback: NodeCallback,
        drop: DropCallback,
        data: *mut c_void,
        id: *mut u32,
    ) -> i32;
    fn fb_remove_hook(t: *const C_tensor, id: u32) -> i32;
    fn fb_attach_node(
        label: *const c_char,
        inputs: *const *mut C_tensor,
        n: u32,
        outputs: *const *mut C_tensor,
        m: u32,
        callback: NodeCallback,
        drop: DropCallback,
        data: *mut c_void,
    ) -> i32;
    fn fb_grad_enabled() -> bool;
    fn fb_set_grad_enabled(on: bool);
    fn fb_inference_enter(on: bool) -> *mut c_void;
    fn fb_inference_leave(guard: *mut c_void);
    fn fb_inference_enabled() -> bool;
    fn fb_anomaly_enabled() -> bool;
    fn fb_set_anomaly(on: bool);
    fn fb_default_dtype() -> i32;
    fn fb_set_default_dtype(dtype: i32) -> i32;
    fn fb_manual_seed(seed: u64) -> i32;
    fn fb_generator(kind: i8, index: i8, out: *mut *mut c_void) -> i32;
    fn fb_default_generator(kind: i8, index: i8, out: *mut *mut c_void) -> i32;
    fn fb_generator_clone(generator: *const c_void) -> *mut c_void;
    fn fb_generator_free(generator: *mut c_void);
    fn fb_generator_seed(generator: *mut c_void, seed: u64) -> i32;
    fn fb_generator_initial_seed(generator: *const c_void) -> u64;
    fn fb_generator_state(generator: *const c_void, out: *mut *mut C_tensor) -> i32;
    fn fb_generator_set_state(generator: *mut c_void, state: *const C_tensor) -> i32;
    fn fb_generator_device(generator: *const c_void, kind: *mut i8, index: *mut i8);
    fn fb_cuda_built() -> bool;
    fn fb_cuda_memory(index: i8, out: *mut i64) -> i32;
    fn fb_cuda_empty_cache() -> i32;
    fn fb_cuda_reset_peak(index: i8) -> i32;
    fn fb_small_blocks();
    fn fb_memory_limit(bytes: i64);
    fn fb_memory_used() -> i64;
    fn fb_memory_peak() -> i64;
}

/// Turns a status of the shim into an error with libtorch's message.
fn check(status: i32) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    let mut len = 0;
    // SAFETY: the shim returns its thread-local message, valid until its next call on this thread.
    let bytes = unsafe {
        let text = fb_message(&mut len);
        std::slice::from_raw_parts(text.cast::<u8>(), len)
    };
    Err(super::message::error(status, &String::from_utf8_lossy(bytes)))
}

/// Takes over a tensor that the shim made.
///
/// # Safety
/// `pointer` is a new `at::Tensor*` that nothing else frees.
unsafe fn own(pointer: *mut C_tensor) -> tch::Tensor {
    // SAFETY: the caller hands the only ownership over.
    unsafe { tch::Tensor::from_ptr(pointer) }
}

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
    check(unsafe { fb_operators(visit, (&raw mut list).cast()) })?;
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
        unsafe { fb_schema(name.as_ptr(), overload.as_ptr(), visit, (&raw mut found).cast()) };
    check(status).ok()?;
    found
}

/// A result of an operator.
#[derive(Debug)]
pub(crate) enum Output {
    None,
    Tensor(tch::Tensor),
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
    unsafe fn take(value: Value) -> Output {
        let len = value.len as usize;
        let pointer = value.a as *mut c_void;
        /// # Safety
        /// `pointer` holds `len` values of `T`, malloc'ed by the shim.
        unsafe fn list<T: Copy>(pointer: *mut c_void, len: usize) -> Vec<T> {
            // SAFETY: promised by the caller; malloc aligns for every T used here.
            unsafe {
                let values = std::slice::from_raw_parts(pointer.cast::<T>(), len).to_vec();
                fb_free(pointer);
                values
            }
        }
        // SAFETY: each arm reads what the shim documents for its tag.
        unsafe {
            match value.tag {
                tag::TENSOR => Output::Tensor(own(pointer.cast())),
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
        fb_call(
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
pub(crate) fn binary(op: i32, a: &tch::Tensor, b: &tch::Tensor) -> Result<tch::Tensor> {
    let mut out = std::ptr::null_mut();
    // SAFETY: both tensors are live; on success `out` is a new tensor.
    unsafe {
        check(fb_binary(op, a.as_ptr(), b.as_ptr(), &mut out))?;
        Ok(own(out))
    }
}

/// An operator between a tensor and a number; `reversed` when the number stands on the left.
pub(crate) fn binary_scalar(
    op: i32,
    a: &tch::Tensor,
    number: Scalar,
    reversed: bool,
) -> Result<tch::Tensor> {
    let number = number.value();
    let mut out = std::ptr::null_mut();
    // SAFETY: as for `binary`; `number` outlives the call.
    unsafe {
        check(fb_binary_scalar(op, a.as_ptr(), &number, reversed, &mut out))?;
        Ok(own(out))
    }
}

/// The element type; float32 for an undefined tensor.
pub(crate) fn dtype(tensor: &tch::Tensor) -> Dtype {
    // SAFETY: the tensor is live; the shim accepts undefined ones.
    let code = unsafe { fb_dtype(tensor.as_ptr()) };
    Dtype(if code < 0 { Dtype::FLOAT32.0 } else { code as i8 })
}

/// The number of the layout.
pub(crate) fn layout(tensor: &tch::Tensor) -> i8 {
    // SAFETY: the tensor is live.
    unsafe { fb_layout(tensor.as_ptr()) as i8 }
}

/// Where the tensor is.
pub(crate) fn device(tensor: &tch::Tensor) -> Device {
    let mut device = Device::CPU;
    // SAFETY: the tensor is live; both outputs are valid.
    unsafe { fb_device(tensor.as_ptr(), &mut device.kind, &mut device.index) };
    device
}

/// The number of dimensions.
pub(crate) fn dim(tensor: &tch::Tensor) -> usize {
    // SAFETY: the tensor is live.
    unsafe { fb_dim(tensor.as_ptr()) as usize }
}

/// The shape; empty where a layout has none.
pub(crate) fn sizes(tensor: &tch::Tensor) -> Vec<i64> {
    let mut sizes = vec![0; dim(tensor)];
    // SAFETY: `sizes` has room for `dim` numbers.
    let status = unsafe { fb_sizes(tensor.as_ptr(), sizes.as_mut_ptr()) };
    if status != 0 {
        sizes.clear();
    }
    sizes
}

/// The strides, in elements.
pub(crate) fn strides(tensor: &tch::Tensor) -> Result<Vec<i64>> {
    let mut strides = vec![0; dim(tensor)];
    // SAFETY: `strides` has room for `dim` numbers.
    check(unsafe { fb_strides(tensor.as_ptr(), strides.as_mut_ptr()) })?;
    Ok(strides)
}

macro_rules! tensor_facts {
    ($($(#[$doc:meta])* $name:ident => $shim:ident -> $ty:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(tensor: &tch::Tensor) -> $ty {
            // SAFETY: the tensor is live and the shim only reads it.
            unsafe { $shim(tensor.as_ptr()) }
        }
    )*};
}

tensor_facts! {
    /// The address of the TensorImpl: the tensor's identity.
    identity => fb_impl -> i64;
    /// How often the storage was written in place.
    version => fb_version -> i64;
    /// Whether no operator with a graph made it.
    is_leaf => fb_is_leaf -> bool;
    /// Whether `retain_grad` was asked for.
    retains_grad => fb_retains_grad -> bool;
    /// Which output of its node it is.
    output_nr => fb_output_nr -> i64;
}

/// Whether both are the same tensor, not merely equal.
pub(crate) fn same(a: &tch::Tensor, b: &tch::Tensor) -> bool {
    // SAFETY: both are live.
    unsafe { fb_same(a.as_ptr(), b.as_ptr()) }
}

/// The name of the autograd node that made the tensor, such as `AddBackward0`.
pub fn grad_fn_name(tensor: &tch::Tensor) -> Option<String> {
    // SAFETY: the shim returns null or a malloc'ed C string, which is copied and freed.
    unsafe {
        let name = fb_grad_fn_name(tensor.as_ptr());
        if name.is_null() {
            return None;
        }
        let text = CStr::from_ptr(name).to_string_lossy().into_owned();
        fb_free(name.cast());
        Some(text)
    }
}

/// `tensor.data = data`.
pub(crate) fn set_data(tensor: &tch::Tensor, data: &tch::Tensor) -> Result<()> {
    // SAFETY: both are live; libtorch checks that they fit.
    check(unsafe { fb_set_data(tensor.as_ptr().cast_mut(), data.as_ptr()) })
}

/// `tensor.grad = grad`; `None` clears it.
pub(crate) fn set_grad(tensor: &tch::Tensor, grad: Option<&tch::Tensor>) -> Result<()> {
    let grad = grad.map_or(std::ptr::null(), tch::Tensor::as_ptr);
    // SAFETY: both are live or null.
    check(unsafe { fb_set_grad(tensor.as_ptr().cast_mut(), grad) })
}

/// The only element.
pub(crate) fn item(tensor: &tch::Tensor) -> Result<Output> {
    let mut value = Value { tag: 0, len: 0, a: 0, b: 0 };
    // SAFETY: on success the shim wrote one value, taken once.
    unsafe {
        check(fb_item(tensor.as_ptr(), &mut value))?;
        Ok(Output::take(value))
    }
}

/// A copy of the elements of a tensor, as raw bytes in row-major order (native endian).
pub fn bytes(tensor: &tch::Tensor) -> Result<Vec<u8>> {
    let tensor = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let elements: i64 = sizes(&tensor).iter().product();
    let len = elements as usize * dtype(&tensor).itemsize();
    let mut data = std::ptr::null();
    // SAFETY: the tensor is contiguous, on the CPU, and lives through the copy of its `len` bytes.
    unsafe {
        check(fb_data(tensor.as_ptr(), &mut data))?;
        if data.is_null() || len == 0 {
            return Ok(Vec::new());
        }
        Ok(std::slice::from_raw_parts(data.cast::<u8>(), len).to_vec())
    }
}

fn pointers(tensors: &[&tch::Tensor]) -> Vec<*mut C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr().cast_mut()).collect()
}

fn opt_pointers(tensors: &[Option<&tch::Tensor>]) -> Vec<*mut C_tensor> {
    tensors
        .iter()
        .map(|tensor| tensor.map_or(std::ptr::null_mut(), |t| t.as_ptr().cast_mut()))
        .collect()
}

/// `torch.autograd.backward`: `grads` has one entry per root.
pub(crate) fn backward(
    roots: &[&tch::Tensor],
    grads: &[Option<&tch::Tensor>],
    retain: bool,
    create: bool,
    inputs: &[&tch::Tensor],
) -> Result<()> {
    let (r, g, i) = (pointers(roots), opt_pointers(grads), pointers(inputs));
    // SAFETY: all pointers are of live tensors; `grads` is as long as `roots`.
    callback_result(unsafe {
        fb_backward(
            r.as_ptr(),
            r.len() as u32,
            g.as_ptr(),
            retain,
            create,
            i.as_ptr(),
            i.len() as u32,
        )
    })
}

/// What `torch.autograd.grad` is asked.
#[derive(Clone, Copy)]
pub(crate) struct GradOptions {
    pub retain: bool,
    pub create: bool,
    pub allow_unused: bool,
}

/// `torch.autograd.grad`: one gradient per input, `None` for unused ones.
pub(crate) fn grad(
    roots: &[&tch::Tensor],
    grads: &[Option<&tch::Tensor>],
    inputs: &[&tch::Tensor],
    options: GradOptions,
) -> Result<Vec<Option<tch::Tensor>>> {
    let (r, g, i) = (pointers(roots), opt_pointers(grads), pointers(inputs));
    let mut out = vec![std::ptr::null_mut(); i.len()];
    // SAFETY: all pointers are of live tensors; `out` has room for one per input, each owned once.
    unsafe {
        callback_result(fb_grad(
            r.as_ptr(),
            r.len() as u32,
            g.as_ptr(),
            i.as_ptr(),
            i.len() as u32,
            options.retain,
            options.create,
            options.allow_unused,
            out.as_mut_ptr(),
        ))?;
        Ok(out.into_iter().map(|t| (!t.is_null()).then(|| own(t))).collect())
    }
}

/// A backward function: gradients of the outputs in, gradients of the inputs out.
pub(crate) type Backward =
    Box<dyn Fn(Vec<Option<tch::Tensor>>, usize) -> Result<Vec<Option<tch::Tensor>>>>;

thread_local! {
    /// The error of a callback on this thread, which waits while C++ unwinds to us.
    static PENDING: std::cell::RefCell<Option<Error>> = const { std::cell::RefCell::new(None) };
}

/// Like [`check`], but a callback's own error comes out as it was raised.
fn callback_result(status: i32) -> Result<()> {
    let pending = PENDING.with(|slot| slot.borrow_mut().take());
    match (status, pending) {
        (0, _) => Ok(()),
        (_, Some(error)) => Err(error),
        _ => check(status),
    }
}

unsafe extern "C" fn run_backward(
    data: *mut c_void,
    grads: *const *mut C_tensor,
    n: u32,
    out: *mut *mut C_tensor,
    m: u32,
) -> i32 {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `data` is the boxed closure that `attach` or `register_hook` gave, alive until its
        // drop callback; `grads` holds `n` borrowed tensors or nulls.
        let (backward, grads) =
            unsafe { (&*data.cast::<Backward>(), std::slice::from_raw_parts(grads, n as usize)) };
        let grads = grads
            .iter()
            .map(|&g| {
                // SAFETY: a borrowed live tensor; the clone is another handle to it.
                (!g.is_null()).then(|| unsafe { tch::Tensor::clone_from_ptr(g) })
            })
            .collect();
        backward(grads, m as usize)
    }));
    let error = match outcome {
        Ok(Ok(results)) => {
            for (i, result) in results.into_iter().take(m as usize).enumerate() {
                if let Some(tensor) = result {
                    // SAFETY: `out` has room for `m` pointers; ownership goes to the shim.
                    unsafe { *out.add(i) = leak(tensor) };
                }
            }
            return 0;
        }
        Ok(Err(error)) => error,
        Err(_) => Error::new(Kind::Runtime, "a backward function panicked"),
    };
    PENDING.with(|slot| {
        slot.borrow_mut().get_or_insert(error);
    });
    1
}

/// Gives a tensor's pointer away.
fn leak(tensor: tch::Tensor) -> *mut C_tensor {
    let mut tensor = std::mem::ManuallyDrop::new(tensor);
    tensor.as_mut_ptr()
}

unsafe extern "C" fn drop_backward(data: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `data` came from `Box::into_raw` and C++ drops it once.
        drop(unsafe { Box::from_raw(data.cast::<Backward>()) });
    }));
}

/// Gives `outputs`, computed without a graph, one autograd node called `label` whose backward is
/// `backward`. The node runs on the thread that calls backward (CPU graphs).
pub(crate) fn attach(
    label: &str,
    inputs: &[&tch::Tensor],
    outputs: &[&tch::Tensor],
    backward: Backward,
) -> Result<()> {
    let label = CString::new(label).unwrap_or_default();
    let (i, o) = (pointers(inputs), pointers(outputs));
    let data = Box::into_raw(Box::new(backward)).cast::<c_void>();
    // SAFETY: all pointers are live; the shim calls `drop_backward` exactly once, also on failure.
    check(unsafe {
        fb_attach_node(
            label.as_ptr(),
            i.as_ptr(),
            i.len() as u32,
            o.as_ptr(),
            o.len() as u32,
            run_backward,
            drop_backward,
            data,
        )
    })
}

/// Registers a hook on a tensor's gradient; returns its number.
pub(crate) fn register_hook(tensor: &tch::Tensor, hook: Backward) -> Result<u32> {
    let data = Box::into_raw(Box::new(hook)).cast::<c_void>();
    let mut id = 0;
    // SAFETY: as for `attach`.
    check(unsafe {
        fb_register_hook(tensor.as_ptr(), run_backward, drop_backward, data, &mut id)
    })?;
    Ok(id)
}

/// Removes a hook.
pub(crate) fn remove_hook(tensor: &tch::Tensor, id: u32) -> Result<()> {
    // SAFETY: the tensor is live.
    check(unsafe { fb_remove_hook(tensor.as_ptr(), id) })
}

/// Whether operations record a graph on this thread.
pub fn grad_enabled() -> bool {
    // SAFETY: reads a thread-local.
    unsafe { fb_grad_enabled() }
}

/// Turns the recording of a graph on or off on this thread.
pub fn set_grad_enabled(on: bool) {
    // SAFETY: sets a thread-local.
    unsafe { fb_set_grad_enabled(on) }
}

/// Whether inference mode is on.
pub fn inference_enabled() -> bool {
    // SAFETY: reads a thread-local.
    unsafe { fb_inference_enabled() }
}

/// Inference mode until dropped. Guards must be dropped in the reverse order of their making.
pub(crate) struct InferenceGuard(*mut c_void);

impl InferenceGuard {
    /// Enters (or, with `false`, leaves) inference mode.
    pub(crate) fn new(on: bool) -> Self {
        // SAFETY: makes a guard that `drop` frees.
        InferenceGuard(unsafe { fb_inference_enter(on) })
    }
}

impl Drop for InferenceGuard {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { fb_inference_leave(self.0) }
    }
}

/// Whether anomaly mode is on.
pub(crate) fn anomaly_enabled() -> bool {
    // SAFETY: reads a flag.
    unsafe { fb_anomaly_enabled() }
}

/// Turns anomaly mode on or off.
pub(crate) fn set_anomaly(on: bool) {
    // SAFETY: sets a flag.
    unsafe { fb_set_anomaly(on) }
}

/// The dtype of new float tensors.
pub fn default_dtype() -> Dtype {
    // SAFETY: reads a flag.
    Dtype(unsafe { fb_default_dtype() } as i8)
}

/// Sets the dtype of new float tensors.
pub(crate) fn set_default_dtype(dtype: Dtype) -> Result<()> {
    // SAFETY: libtorch checks the number.
    check(unsafe { fb_set_default_dtype(i32::from(dtype.0)) })
}

/// Seeds the default generators of all devices.
pub fn manual_seed(seed: u64) -> Result<()> {
    // SAFETY: libtorch locks its generators.
    check(unsafe { fb_manual_seed(seed) })
}

/// `torch.Generator`: a clone is the same generator.
#[derive(Debug)]
pub struct Generator(*mut c_void);

impl Clone for Generator {
    fn clone(&self) -> Self {
        // SAFETY: a new handle to the same generator.
        Generator(unsafe { fb_generator_clone(self.0) })
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // SAFETY: each handle is freed once.
        unsafe { fb_generator_free(self.0) }
    }
}

impl Generator {
    /// A new generator on `device`.
    pub fn new(device: Device) -> Result<Self> {
        let mut out = std::ptr::null_mut();
        // SAFETY: on success `out` is a new handle.
        check(unsafe { fb_generator(device.kind, device.index, &mut out) })?;
        Ok(Generator(out))
    }

    /// The default generator of `device`.
    pub fn default_of(device: Device) -> Result<Self> {
        let mut out = std::ptr::null_mut();
        // SAFETY: on success `out` is a new handle.
        check(unsafe { fb_default_generator(device.kind, device.index, &mut out) })?;
        Ok(Generator(out))
    }

    /// Starts it from `seed`.
    pub fn manual_seed(&self, seed: u64) -> Result<()> {
        // SAFETY: the handle is live; the shim locks it.
        check(unsafe { fb_generator_seed(self.0, seed) })
    }

    /// The seed that it was started from.
    pub fn initial_seed(&self) -> u64 {
        // SAFETY: the handle is live.
        unsafe { fb_generator_initial_seed(self.0) }
    }

    /// Its state as a byte tensor.
    pub fn state(&self) -> Result<tch::Tensor> {
        let mut out = std::ptr::null_mut();
        // SAFETY: on success `out` is a new tensor.
        unsafe {
            check(fb_generator_state(self.0, &mut out))?;
            Ok(own(out))
        }
    }

    /// Restores a state that [`Generator::state`] gave.
    pub fn set_state(&self, state: &tch::Tensor) -> Result<()> {
        // SAFETY: both are live; libtorch checks the state's size.
        check(unsafe { fb_generator_set_state(self.0, state.as_ptr()) })
    }

    /// Where it is.
    pub fn device(&self) -> Device {
        let mut device = Device::CPU;
        // SAFETY: the handle is live; both outputs are valid.
        unsafe { fb_generator_device(self.0, &mut device.kind, &mut device.index) };
        device
    }

    /// The raw `at::Generator*`, borrowed.
    pub(crate) fn as_ptr(&self) -> *const c_void {
        self.0
    }
}

/// Whether libtorch_cuda is loaded.
pub fn cuda_built() -> bool {
    // SAFETY: reads a flag.
    unsafe { fb_cuda_built() }
}

/// Bytes on a CUDA device: allocated, its peak, reserved, its peak.
pub fn cuda_memory(index: i8) -> Result<[i64; 4]> {
    let mut out = [0; 4];
    // SAFETY: `out` has room for four numbers.
    check(unsafe { fb_cuda_memory(index, out.as_mut_ptr()) })?;
    Ok(out)
}

/// Gives cached CUDA memory back.
pub fn cuda_empty_cache() -> Result<()> {
    // SAFETY: no arguments.
    check(unsafe { fb_cuda_empty_cache() })
}

/// Starts the peaks of a CUDA device anew.
pub fn cuda_reset_peak(index: i8) -> Result<()> {
    // SAFETY: libtorch checks the index.
    check(unsafe { fb_cuda_reset_peak(index) })
}

/// Serves small CPU tensors from mimalloc from now on.
pub(crate) fn use_small_blocks() {
    // SAFETY: installs an allocator that lives as long as the process; done once.
    unsafe { fb_small_blocks() }
}

/// From now on counts the bytes of CPU tensors and refuses beyond `limit`, where one is given.
pub fn limit_memory(limit: Option<u64>) {
    let bytes = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    // SAFETY: installs an allocator that lives as long as the process.
    unsafe { fb_memory_limit(bytes) }
}

/// Bytes that CPU tensors hold, and the most they held, since [`limit_memory`].
pub fn memory() -> (i64, i64) {
    // SAFETY: reads two counters.
    unsafe { (fb_memory_used(), fb_memory_peak()) }
}
