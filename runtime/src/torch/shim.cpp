// The C shim over libtorch: finds operators, dumps their schemas, calls them boxed, and says what a tensor is.
// What belongs to autograd stands in shim_autograd.cpp, what belongs to the whole process in shim_process.cpp.
//
// Ownership: tensors that come in are borrowed `at::Tensor*`. A single tensor that goes out is a reference to
// its `TensorImpl`, which the caller makes an `at::Tensor` of; those of a list are new `at::Tensor*` that the
// caller frees (tch does, by `at_free`). Lists and strings that go out are malloc'ed and freed by `fb_free`.
// Errors: no C++ exception crosses into Rust. Every entry that can throw returns a status and keeps
// the message, without C++ frames, in a thread-local that `fb_message` reads.

#include "guard.h"
#include "shim.h"

#include <ATen/ATen.h>
#include <ATen/NestedTensorImpl.h>
#include <ATen/Context.h>
#include <ATen/ScalarOps.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/variable.h>

#include <cstdlib>
#include <cstring>
#include <string>

thread_local std::string message;

static_assert(sizeof(at::Tensor) == sizeof(at::TensorImpl*), "callers keep one as a pointer");

namespace {

double as_double(int64_t bits) {
  double d;
  std::memcpy(&d, &bits, sizeof d);
  return d;
}

int64_t as_bits(double d) {
  int64_t bits;
  std::memcpy(&bits, &d, sizeof d);
  return bits;
}

// Whether autograd knows nothing of a tensor: it neither needs a gradient nor carries a tangent.
bool is_plain(const at::Tensor& t) {
  return !t.defined() || t.unsafeGetTensorImpl()->autograd_meta() == nullptr;
}

// Below autograd while every tensor of a call is plain: autograd's own kernels would only find out
// the same, and then go there. View tracking and version counters (ADInplaceOrView) stay.
struct BelowAutograd {
  std::optional<at::AutoDispatchBelowAutograd> guard;
  explicit BelowAutograd(bool plain) {
    if (plain) guard.emplace();
  }
};

at::Tensor& tensor_at(int64_t pointer) { return *reinterpret_cast<at::Tensor*>(pointer); }

c10::IValue scalar_value(const fb_value& v) {
  switch (v.tag) {
    case FB_INT: return c10::IValue(v.a);
    case FB_FLOAT: return c10::IValue(as_double(v.a));
    case FB_BOOL: return c10::IValue(v.a != 0);
    case FB_COMPLEX: return c10::IValue(c10::complex<double>(as_double(v.a), as_double(v.b)));
    default: throw c10::TypeError({__func__, __FILE__, 0}, "not a scalar");
  }
}

at::Scalar to_scalar(const fb_value& v) { return scalar_value(v).toScalar(); }

c10::IValue to_ivalue(const fb_value& v, const c10::Argument& argument) {
  switch (v.tag) {
    case FB_DEFAULT:
      if (!argument.default_value()) {
        throw c10::TypeError({__func__, __FILE__, 0}, "argument '" + argument.name() + "' is missing");
      }
      return *argument.default_value();
    case FB_NONE: return c10::IValue();
    case FB_TENSOR: return c10::IValue(tensor_at(v.a));
    case FB_INT:
    case FB_FLOAT:
    case FB_BOOL:
    case FB_COMPLEX: return scalar_value(v);
    case FB_STRING: return c10::IValue(std::string(reinterpret_cast<const char*>(v.a), v.len));
    case FB_DEVICE:
      return c10::IValue(c10::Device(static_cast<c10::DeviceType>(v.a), static_cast<c10::DeviceIndex>(v.b)));
    case FB_GENERATOR: return c10::IValue(*reinterpret_cast<at::Generator*>(v.a));
    case FB_INT_LIST: {
      auto p = reinterpret_cast<const int64_t*>(v.a);
      return c10::IValue(std::vector<int64_t>(p, p + v.len));
    }
    case FB_FLOAT_LIST: {
      auto p = reinterpret_cast<const double*>(v.a);
      return c10::IValue(std::vector<double>(p, p + v.len));
    }
    case FB_BOOL_LIST: {
      auto p = reinterpret_cast<const uint8_t*>(v.a);
      c10::List<bool> list;
      for (uint32_t i = 0; i < v.len; i++) list.push_back(p[i] != 0);
      return c10::IValue(std::move(list));
    }
    case FB_TENSOR_LIST: {
      auto p = reinterpret_cast<at::Tensor* const*>(v.a);
      c10::List<at::Tensor> list;
      list.reserve(v.len);
      for (uint32_t i = 0; i < v.len; i++) list.push_back(*p[i]);
      return c10::IValue(std::move(list));
    }
    case FB_OPT_TENSOR_LIST: {
      auto p = reinterpret_cast<at::Tensor* const*>(v.a);
      c10::List<std::optional<at::Tensor>> list;
      list.reserve(v.len);
      for (uint32_t i = 0; i < v.len; i++) {
        list.push_back(p[i] ? std::optional<at::Tensor>(*p[i]) : std::nullopt);
      }
      return c10::IValue(std::move(list));
    }
    case FB_SCALAR_LIST: {
      auto p = reinterpret_cast<const fb_value*>(v.a);
      std::vector<at::Scalar> list;
      for (uint32_t i = 0; i < v.len; i++) list.push_back(to_scalar(p[i]));
      return c10::IValue(std::move(list));
    }
    case FB_STRING_LIST: {
      auto p = reinterpret_cast<const fb_value*>(v.a);
      c10::List<std::string> list;
      for (uint32_t i = 0; i < v.len; i++) {
        list.push_back(std::string(reinterpret_cast<const char*>(p[i].a), p[i].len));
      }
      return c10::IValue(std::move(list));
    }
    default: throw c10::TypeError({__func__, __FILE__, 0}, "an argument of an unknown kind");
  }
}

// Whether all tensors among the arguments are plain.
bool are_plain(const fb_value* args, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    const auto& v = args[i];
    if (v.tag == FB_TENSOR) {
      if (!is_plain(tensor_at(v.a))) return false;
    } else if (v.tag == FB_TENSOR_LIST || v.tag == FB_OPT_TENSOR_LIST) {
      auto p = reinterpret_cast<at::Tensor* const*>(v.a);
      for (uint32_t j = 0; j < v.len; j++) {
        if (p[j] && !is_plain(*p[j])) return false;
      }
    }
  }
  return true;
}

template <class T>
T* allocate(size_t n) {
  auto p = static_cast<T*>(std::malloc(n == 0 ? 1 : n * sizeof(T)));
  if (!p) throw std::bad_alloc();
  return p;
}

fb_value from_ivalue(c10::IValue&& v) {
  fb_value out{FB_NONE, 0, 0, 0};
  if (v.isTensor()) {
    auto t = std::move(v).toTensor();
    if (t.defined()) {
      out.tag = FB_TENSOR;
      out.a = reinterpret_cast<int64_t>(t.unsafeReleaseTensorImpl());
    }
  } else if (v.isInt()) {
    out.tag = FB_INT;
    out.a = v.toInt();
  } else if (v.isSymInt()) {
    out.tag = FB_INT;
    out.a = v.toSymInt().guard_int(__FILE__, __LINE__);
  } else if (v.isDouble()) {
    out.tag = FB_FLOAT;
    out.a = as_bits(v.toDouble());
  } else if (v.isBool()) {
    out.tag = FB_BOOL;
    out.a = v.toBool();
  } else if (v.isComplexDouble()) {
    auto c = v.toComplexDouble();
    out.tag = FB_COMPLEX;
    out.a = as_bits(c.real());
    out.b = as_bits(c.imag());
  } else if (v.isString()) {
    const auto& s = v.toStringRef();
    out.tag = FB_STRING;
    out.len = static_cast<uint32_t>(s.size());
    auto p = allocate<char>(s.size());
    std::memcpy(p, s.data(), s.size());
    out.a = reinterpret_cast<int64_t>(p);
  } else if (v.isDevice()) {
    auto d = v.toDevice();
    out.tag = FB_DEVICE;
    out.a = static_cast<int64_t>(d.type());
    out.b = d.index();
  } else if (v.isTensorList()) {
    auto list = std::move(v).toTensorVector();
    out.tag = FB_TENSOR_LIST;
    out.len = static_cast<uint32_t>(list.size());
    auto p = allocate<at::Tensor*>(list.size());
    for (size_t i = 0; i < list.size(); i++) p[i] = new at::Tensor(std::move(list[i]));
    out.a = reinterpret_cast<int64_t>(p);
  } else if (v.isIntList()) {
    auto list = v.toIntVector();
    out.tag = FB_INT_LIST;
    out.len = static_cast<uint32_t>(list.size());
    auto p = allocate<int64_t>(list.size());
    std::memcpy(p, list.data(), list.size() * sizeof(int64_t));
    out.a = reinterpret_cast<int64_t>(p);
  } else if (v.isDoubleList()) {
    auto list = v.toDoubleVector();
    out.tag = FB_FLOAT_LIST;
    out.len = static_cast<uint32_t>(list.size());
    auto p = allocate<double>(list.size());
    std::memcpy(p, list.data(), list.size() * sizeof(double));
    out.a = reinterpret_cast<int64_t>(p);
  } else if (v.isTuple() || v.isList()) {
    std::vector<c10::IValue> items;
    if (v.isTuple()) {
      for (const auto& item : v.toTupleRef().elements()) items.push_back(item);
    } else {
      for (const auto& item : v.toListRef()) items.push_back(item);
    }
    out.tag = FB_TUPLE;
    out.len = static_cast<uint32_t>(items.size());
    auto p = allocate<fb_value>(items.size());
    for (size_t i = 0; i < items.size(); i++) p[i] = from_ivalue(std::move(items[i]));
    out.a = reinterpret_cast<int64_t>(p);
  } else if (!v.isNone()) {
    out.tag = FB_OPAQUE;
  }
  return out;
}

}  // namespace

extern "C" {

const char* fb_message(size_t* len) {
  *len = message.size();
  return message.data();
}

void fb_free(void* pointer) { std::free(pointer); }

// Every registered operator: calls `visit(data, name, length)` with its qualified name and overload.
int32_t fb_operators(void (*visit)(void*, const char*, size_t), void* data) {
  return guarded([&] {
    std::string text;
    for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
      text = name.name;
      text += ".";
      text += name.overload_name;
      visit(data, text.data(), text.size());
    }
  });
}

// The handle and the schema of one operator: calls `visit(data, handle, text, length)` with the schema as
// text, in which dtypes and the like have their own names (`real_type`). Nothing where it has no schema.
int32_t fb_schema(const char* name, const char* overload, void (*visit)(void*, void*, const char*, size_t), void* data) {
  return guarded([&] {
    auto found = c10::Dispatcher::singleton().findSchema(c10::OperatorName(name, overload));
    if (!found) return;
    const auto& schema = found->schema();
    std::string text = schema.name();
    if (!schema.overload_name().empty()) text += "." + schema.overload_name();
    text += "(";
    bool keyword = false;
    bool first = true;
    for (const auto& argument : schema.arguments()) {
      if (!first) text += ", ";
      first = false;
      if (argument.kwarg_only() && !keyword) {
        text += "*, ";
        keyword = true;
      }
      auto type = argument.real_type()->str();
      // Python writes `int[2]`; libtorch keeps the size apart.
      if (argument.N()) {
        auto open = type.rfind("[]");
        if (open != std::string::npos) type.insert(open + 1, std::to_string(*argument.N()));
      }
      text += type;
      if (argument.alias_info() && argument.alias_info()->isWrite()) text += "(a!)";
      text += " " + argument.name();
      if (argument.default_value()) {
        const auto& value = *argument.default_value();
        text += "=";
        if (value.isString()) {
          text += "'" + value.toStringRef() + "'";
        } else if (value.isBool()) {
          text += value.toBool() ? "True" : "False";
        } else {
          std::ostringstream stream;
          stream << value;
          text += stream.str();
        }
      }
    }
    text += ") -> ";
    if (schema.returns().size() == 1 && schema.returns()[0].name().empty()) {
      text += schema.returns()[0].real_type()->str();
    } else {
      text += "(";
      first = true;
      for (const auto& result : schema.returns()) {
        if (!first) text += ", ";
        first = false;
        text += result.real_type()->str();
        if (!result.name().empty()) text += " " + result.name();
      }
      text += ")";
    }
    visit(data, new c10::OperatorHandle(*found), text.data(), text.size());
  });
}

// Calls an operator. `args` has one value per argument of its schema; up to `capacity` results are
// written to `out` and their number to `n_out`. `skip_autograd` allows to go below autograd where no
// argument needs it; operators of other libraries may do their work there.
int32_t fb_call(void* handle, const fb_value* args, uint32_t n_args, fb_value* out, uint32_t capacity, uint32_t* n_out, bool skip_autograd) {
  return guarded([&] {
    BelowAutograd below(skip_autograd && are_plain(args, n_args));
    const auto& op = *static_cast<c10::OperatorHandle*>(handle);
    const auto& arguments = op.schema().arguments();
    if (n_args != arguments.size()) throw std::runtime_error("an operator got another number of arguments than its schema says");
    thread_local std::vector<torch::jit::Stack> pool;
    torch::jit::Stack stack;
    if (!pool.empty()) {
      stack = std::move(pool.back());
      pool.pop_back();
    }
    stack.reserve(n_args);
    for (uint32_t i = 0; i < n_args; i++) stack.push_back(to_ivalue(args[i], arguments[i]));
    op.callBoxed(&stack);
    *n_out = static_cast<uint32_t>(stack.size());
    if (stack.size() > capacity) throw std::runtime_error("an operator gave more results than its schema says");
    for (size_t i = 0; i < stack.size(); i++) out[i] = from_ivalue(std::move(stack[i]));
    stack.clear();
    pool.push_back(std::move(stack));
  });
}

// The binary operators that scripts write between tensors, without boxing.
int32_t fb_binary(int32_t op, const at::Tensor* a, const at::Tensor* b, uintptr_t* out) {
  return guarded([&] {
    BelowAutograd below(is_plain(*a) && is_plain(*b));
    at::Tensor r;
    switch (op) {
      case 0: r = at::add(*a, *b); break;
      case 1: r = at::sub(*a, *b); break;
      case 2: r = at::mul(*a, *b); break;
      case 3: r = at::div(*a, *b); break;
      case 4: r = at::remainder(*a, *b); break;
      case 5: r = at::pow(*a, *b); break;
      case 6: r = at::matmul(*a, *b); break;
      case 7: r = at::eq(*a, *b); break;
      case 8: r = at::ne(*a, *b); break;
      case 9: r = at::lt(*a, *b); break;
      case 10: r = at::le(*a, *b); break;
      case 11: r = at::gt(*a, *b); break;
      case 12: r = at::ge(*a, *b); break;
      case 13: r = at::__and__(*a, *b); break;
      case 14: r = at::__or__(*a, *b); break;
      case 15: r = at::__xor__(*a, *b); break;
      case 16: r = at::__lshift__(*a, *b); break;
      case 17: r = at::__rshift__(*a, *b); break;
      default: throw std::runtime_error("no such operator");
    }
    *out = reinterpret_cast<uintptr_t>(r.unsafeReleaseTensorImpl());
  });
}

// The same with a number on one side; `reversed` puts it on the left.
int32_t fb_binary_scalar(int32_t op, const at::Tensor* a, const fb_value* number, bool reversed, uintptr_t* out) {
  return guarded([&] {
    BelowAutograd below(is_plain(*a));
    auto s = to_scalar(*number);
    at::Tensor r;
    // A number as a tensor, as libtorch's Scalar overloads make it, but at once in the dtype that it
    // would be converted to. (Half types compute with the number in float: left to libtorch.)
    auto wrapped = [&] {
      auto dtype = a->scalar_type();
      bool same = (dtype == at::kFloat || dtype == at::kDouble) ? !s.isComplex() : (dtype == at::kLong && s.isIntegral(false));
      auto t = same ? at::detail::scalar_tensor_static(s, dtype, at::kCPU) : at::native::wrapped_scalar_tensor(s);
      t.unsafeGetTensorImpl()->set_wrapped_number(true);
      return t;
    };
    switch (op) {
      case 0: r = at::add(*a, wrapped()); break;
      case 1: r = reversed ? at::sub(wrapped(), *a) : at::sub(*a, wrapped()); break;
      case 2: r = at::mul(*a, wrapped()); break;
      case 3: r = reversed ? at::mul(at::reciprocal(*a), s) : at::div(*a, wrapped()); break;
      case 4: r = reversed ? at::remainder(s, *a) : at::remainder(*a, s); break;
      case 5: r = reversed ? at::pow(s, *a) : at::pow(*a, s); break;
      case 7: r = at::eq(*a, wrapped()); break;
      case 8: r = at::ne(*a, wrapped()); break;
      case 9: r = reversed ? at::gt(*a, wrapped()) : at::lt(*a, wrapped()); break;
      case 10: r = reversed ? at::ge(*a, wrapped()) : at::le(*a, wrapped()); break;
      case 11: r = reversed ? at::lt(*a, wrapped()) : at::gt(*a, wrapped()); break;
      case 12: r = reversed ? at::le(*a, wrapped()) : at::ge(*a, wrapped()); break;
      case 13: r = at::__and__(*a, s); break;
      case 14: r = at::__or__(*a, s); break;
      case 15: r = at::__xor__(*a, s); break;
      case 16: r = reversed ? at::__lshift__(at::full_like(*a, s), *a) : at::__lshift__(*a, s); break;
      case 17: r = reversed ? at::__rshift__(at::full_like(*a, s), *a) : at::__rshift__(*a, s); break;
      default: throw c10::TypeError({__func__, __FILE__, 0}, "matmul needs two tensors");
    }
    *out = reinterpret_cast<uintptr_t>(r.unsafeReleaseTensorImpl());
  });
}

// ---- what a tensor is ----

int32_t fb_dtype(const at::Tensor* t) { return t->defined() ? static_cast<int32_t>(t->scalar_type()) : -1; }
int32_t fb_layout(const at::Tensor* t) { return static_cast<int32_t>(t->layout()); }
void fb_device(const at::Tensor* t, int8_t* kind, int8_t* index) {
  if (!t->defined()) {
    *kind = 0;
    *index = -1;
    return;
  }
  auto d = t->device();
  *kind = static_cast<int8_t>(d.type());
  *index = static_cast<int8_t>(d.index());
}
int64_t fb_dim(const at::Tensor* t) { return t->defined() ? t->dim() : 0; }
int32_t fb_sizes(const at::Tensor* t, int64_t* out) {
  return guarded([&] {
    if (t->is_nested()) {
      // -1 where its tensors differ.
      for (int64_t i = 0; i < t->dim(); i++) {
        out[i] = i == 0 ? t->size(0) : at::native::get_nested_tensor_impl(*t)->opt_size(i).value_or(-1);
      }
      return;
    }
    auto s = t->sizes();
    std::memcpy(out, s.data(), s.size() * sizeof(int64_t));
  });
}
// As many as its tensors have together, for a nested one.
int32_t fb_numel(const at::Tensor* t, int64_t* out) {
  return guarded([&] { *out = t->numel(); });
}
int32_t fb_strides(const at::Tensor* t, int64_t* out) {
  return guarded([&] {
    auto s = t->strides();
    std::memcpy(out, s.data(), s.size() * sizeof(int64_t));
  });
}
bool fb_same(const at::Tensor* a, const at::Tensor* b) { return a->is_same(*b); }
int64_t fb_impl(const at::Tensor* t) { return reinterpret_cast<int64_t>(t->unsafeGetTensorImpl()); }
int64_t fb_version(const at::Tensor* t) { return t->is_inference() ? 0 : static_cast<int64_t>(t->_version()); }
bool fb_is_nested(const at::Tensor* t) { return t->defined() && t->is_nested(); }

int32_t fb_set_data(at::Tensor* t, const at::Tensor* data) {
  return guarded([&] { t->set_data(*data); });
}

int32_t fb_item(const at::Tensor* t, fb_value* out) {
  return guarded([&] { *out = from_ivalue(c10::IValue(t->item())); });
}

// The values of a contiguous CPU tensor, as doubles, integers or bools.
int32_t fb_data_address(const at::Tensor* t, int64_t* out) {
  return guarded([&] { *out = reinterpret_cast<int64_t>(t->const_data_ptr()); });
}
int32_t fb_data(const at::Tensor* t, const void** out) {
  return guarded([&] {
    TORCH_CHECK(t->is_contiguous() && t->device().is_cpu(), "the tensor must be contiguous and on the CPU");
    *out = t->const_data_ptr();
  });
}

}  // extern "C"
