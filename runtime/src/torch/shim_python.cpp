// The shim's part about libtorch_python, which is found at run time and whose headers want Python's.

#include "guard.h"

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstring>
#include <string>
#include <typeinfo>
#include <utility>

namespace {

// Takes over what libtorch_python's `python_error` holds: type, value and traceback of an exception.
std::atomic<void (*)(void*, void*, void*)> take_python_error{nullptr};
// Gives back a reference to an object of Python's.
std::atomic<void (*)(void*)> drop_python_object{nullptr};

// The exception that stands for the callback which has just failed on this thread: its class, and itself.
thread_local void* failed_type = nullptr;
thread_local void* failed_value = nullptr;

}  // namespace

// Alike in name and in what it holds to libtorch_python's own, which that does not export. Types of
// exceptions are compared by name, so its handlers catch this one, and Python code sees what it holds.
struct __attribute__((visibility("hidden"))) python_error : std::exception {
  void* type;
  void* value;
  void* traceback = nullptr;
  std::string message = "an exception of Python";

  python_error(void* t, void* v) : type(t), value(v) {}
  python_error(const python_error&) = delete;
  ~python_error() override {
    auto drop = drop_python_object.load();
    for (auto object : {type, value, traceback}) {
      if (drop && object) drop(object);
    }
  }
  const char* what() const noexcept override { return message.c_str(); }
};

void throw_callback_error() {
  if (!failed_value) throw CallbackError();
  auto type = std::exchange(failed_type, nullptr);
  throw python_error(type, std::exchange(failed_value, nullptr));
}

// Behind the table of virtual functions a `python_error` holds the three pointers.
bool is_python_error(const std::exception& e) {
  auto take = take_python_error.load();
  if (!take || std::strcmp(typeid(e).name(), "12python_error") != 0) return false;
  auto fields = reinterpret_cast<void* const*>(&e);
  take(fields[1], fields[2], fields[3]);
  return true;
}

extern "C" {

void fb_on_python_error(void (*take)(void*, void*, void*), void (*drop)(void*)) {
  drop_python_object = drop;
  take_python_error = take;
}

// The callback that is about to fail fails with this exception; both references are given away.
void fb_fail_with(void* type, void* value) {
  failed_type = type;
  failed_value = value;
}

// Another reference to what a tensor counts; this cannot fail.
uintptr_t fb_share(const at::Tensor* t) { return reinterpret_cast<uintptr_t>(at::Tensor(*t).unsafeReleaseTensorImpl()); }

// Ends an `at::Tensor` that lies in memory of the caller.
void fb_release(at::Tensor* t) { t->~Tensor(); }

// Gives a tensor or a generator its Python object by libtorch_python's own function, which was looked up at run time
// and takes a reference to the one or the other. The caller holds the GIL.
int32_t fb_python_wrap(void* wrap, const void* value, void** out) {
  return guarded([&] { *out = reinterpret_cast<void* (*)(const void*)>(wrap)(value); });
}

}  // extern "C"
