// The shim's part about libtorch_python, which is found at run time and whose headers want Python's.

#include "guard.h"

#include <ATen/core/TensorBase.h>

#include <atomic>
#include <cstring>
#include <typeinfo>

namespace {

// Takes over what libtorch_python's `python_error` holds: type, value and traceback of an exception.
std::atomic<void (*)(void*, void*, void*)> take_python_error{nullptr};

}  // namespace

// Behind the table of virtual functions a `python_error` holds the three pointers.
bool is_python_error(const std::exception& e) {
  auto take = take_python_error.load();
  if (!take || std::strcmp(typeid(e).name(), "12python_error") != 0) return false;
  auto fields = reinterpret_cast<void* const*>(&e);
  take(fields[1], fields[2], fields[3]);
  return true;
}

extern "C" {

void fb_on_python_error(void (*take)(void*, void*, void*)) { take_python_error = take; }

// Gives a tensor its Python object by libtorch_python's own `THPVariable_Wrap`, which was looked up at
// run time. The caller holds the GIL.
int32_t fb_python_wrap(void* wrap, const at::TensorBase* t, void** out) {
  return guarded([&] { *out = reinterpret_cast<void* (*)(const at::TensorBase&)>(wrap)(*t); });
}

}  // extern "C"
