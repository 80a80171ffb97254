//! What the shim (`shim.cpp` and those beside it) declares: the functions and the one struct that cross the border.

use std::ffi::{c_char, c_void};

use torch_sys::C_tensor;

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

pub(super) type NodeCallback =
    unsafe extern "C" fn(*mut c_void, *const *mut C_tensor, u32, *mut *mut C_tensor, u32) -> i32;
pub(super) type DropCallback = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    pub(super) fn fb_message(len: *mut usize) -> *const c_char;
    pub(super) fn fb_free(pointer: *mut c_void);
    pub(super) fn fb_operators(
        visit: unsafe extern "C" fn(*mut c_void, *const c_char, usize),
        data: *mut c_void,
    ) -> i32;
    pub(super) fn fb_schema(
        name: *const c_char,
        overload: *const c_char,
        visit: unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char, usize),
        data: *mut c_void,
    ) -> i32;
    pub(super) fn fb_call(
        handle: *mut c_void,
        args: *const Value,
        n_args: u32,
        out: *mut Value,
        capacity: u32,
        n_out: *mut u32,
        skip_autograd: bool,
    ) -> i32;
    pub(super) fn fb_binary(
        op: i32,
        a: *const C_tensor,
        b: *const C_tensor,
        out: *mut usize,
    ) -> i32;
    pub(super) fn fb_binary_scalar(
        op: i32,
        a: *const C_tensor,
        number: *const Value,
        reversed: bool,
        out: *mut usize,
    ) -> i32;
    pub(super) fn fb_dtype(t: *const C_tensor) -> i32;
    pub(super) fn fb_layout(t: *const C_tensor) -> i32;
    pub(super) fn fb_device(t: *const C_tensor, kind: *mut i8, index: *mut i8);
    pub(super) fn fb_dim(t: *const C_tensor) -> i64;
    pub(super) fn fb_sizes(t: *const C_tensor, out: *mut i64) -> i32;
    pub(super) fn fb_numel(t: *const C_tensor, out: *mut i64) -> i32;
    pub(super) fn fb_strides(t: *const C_tensor, out: *mut i64) -> i32;
    pub(super) fn fb_on_python_error(
        take: unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void),
        drop: unsafe extern "C" fn(*mut c_void),
    );
    pub(super) fn fb_share(t: *const C_tensor) -> usize;
    pub(super) fn fb_release(t: *mut C_tensor);
    pub(super) fn fb_fail_with(class: *mut c_void, value: *mut c_void);
    pub(super) fn fb_python_wrap(
        wrap: *mut c_void,
        value: *const c_void,
        out: *mut *mut c_void,
    ) -> i32;
    pub(super) fn fb_profile_start(shapes: bool) -> i32;
    pub(super) fn fb_profile_stop(
        user: *mut c_void,
        row: unsafe extern "C" fn(
            *mut c_void,
            *const c_char,
            usize,
            *const c_char,
            usize,
            *const i64,
        ),
    ) -> i32;
    pub(super) fn fb_storage(t: *const C_tensor, out: *mut i64) -> bool;
    pub(super) fn fb_fix_storage(t: *const C_tensor);
    pub(super) fn fb_same(a: *const C_tensor, b: *const C_tensor) -> bool;
    pub(super) fn fb_impl(t: *const C_tensor) -> i64;
    pub(super) fn fb_version(t: *const C_tensor) -> i64;
    pub(super) fn fb_is_nested(t: *const C_tensor) -> bool;
    pub(super) fn fb_is_leaf(t: *const C_tensor) -> bool;
    pub(super) fn fb_retains_grad(t: *const C_tensor) -> bool;
    pub(super) fn fb_output_nr(t: *const C_tensor) -> i64;
    pub(super) fn fb_grad_fn_name(t: *const C_tensor) -> *mut c_char;
    pub(super) fn fb_set_data(t: *mut C_tensor, data: *const C_tensor) -> i32;
    pub(super) fn fb_set_grad(t: *mut C_tensor, grad: *const C_tensor) -> i32;
    pub(super) fn fb_item(t: *const C_tensor, out: *mut Value) -> i32;
    pub(super) fn fb_data_address(t: *const C_tensor, out: *mut i64) -> i32;
    pub(super) fn fb_data(t: *const C_tensor, out: *mut *const c_void) -> i32;
    pub(super) fn fb_backward(
        roots: *const *mut C_tensor,
        n: u32,
        grads: *const *mut C_tensor,
        retain: bool,
        create: bool,
        inputs: *const *mut C_tensor,
        n_inputs: u32,
    ) -> i32;
    pub(super) fn fb_grad(
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
    pub(super) fn fb_register_hook(
        t: *const C_tensor,
        callback: NodeCallback,
        drop: DropCallback,
        data: *mut c_void,
        id: *mut u32,
    ) -> i32;
    pub(super) fn fb_remove_hook(t: *const C_tensor, id: u32) -> i32;
    pub(super) fn fb_attach_node(
        label: *const c_char,
        inputs: *const *mut C_tensor,
        n: u32,
        outputs: *const *mut C_tensor,
        m: u32,
        callback: NodeCallback,
        drop: DropCallback,
        data: *mut c_void,
    ) -> i32;
    pub(super) fn fb_grad_enabled() -> bool;
    pub(super) fn fb_set_grad_enabled(on: bool);
    pub(super) fn fb_inference_enter(on: bool) -> *mut c_void;
    pub(super) fn fb_inference_leave(guard: *mut c_void);
    pub(super) fn fb_inference_enabled() -> bool;
    pub(super) fn fb_anomaly_enabled() -> bool;
    pub(super) fn fb_set_anomaly(on: bool);
    pub(super) fn fb_default_dtype() -> i32;
    pub(super) fn fb_set_default_dtype(dtype: i32) -> i32;
    pub(super) fn fb_library() -> *const std::ffi::c_char;
    pub(super) fn fb_manual_seed(seed: u64) -> i32;
    pub(super) fn fb_set_threads(within: i32, between: i32) -> i32;
    pub(super) fn fb_generator(kind: i8, index: i8, out: *mut *mut c_void) -> i32;
    pub(super) fn fb_default_generator(kind: i8, index: i8, out: *mut *mut c_void) -> i32;
    pub(super) fn fb_generator_clone(generator: *const c_void) -> *mut c_void;
    pub(super) fn fb_generator_free(generator: *mut c_void);
    pub(super) fn fb_generator_seed(generator: *mut c_void, seed: u64) -> i32;
    pub(super) fn fb_generator_initial_seed(generator: *const c_void) -> u64;
    pub(super) fn fb_generator_state(generator: *const c_void, out: *mut *mut C_tensor) -> i32;
    pub(super) fn fb_generator_set_state(generator: *mut c_void, state: *const C_tensor) -> i32;
    pub(super) fn fb_generator_device(generator: *const c_void, kind: *mut i8, index: *mut i8);
    pub(super) fn fb_cuda_built() -> bool;
    pub(super) fn fb_cuda_memory(index: i8, out: *mut i64) -> i32;
    pub(super) fn fb_cuda_empty_cache() -> i32;
    pub(super) fn fb_cuda_reset_peak(index: i8) -> i32;
    pub(super) fn fb_small_blocks();
    pub(super) fn fb_memory_limit(bytes: i64);
    pub(super) fn fb_memory_used() -> i64;
    pub(super) fn fb_memory_peak() -> i64;
}
