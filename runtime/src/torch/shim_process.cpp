// The part of the shim that belongs to the whole process: defaults, random numbers, devices, and the
// allocators of CPU tensors.

#include "guard.h"
#include "shim.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DefaultDtype.h>

#include <dlfcn.h>

#include <atomic>
#include <mutex>
#include <string>

extern "C" {
void* mi_malloc_aligned(size_t size, size_t alignment);
void mi_free(void* block);
bool mi_is_in_heap_region(const void* block);
}

namespace {

// Small blocks of CPU tensors from mimalloc: libtorch's own allocator asks posix_memalign, which costs
// more than a small operator's arithmetic. Larger blocks stay with libtorch. (torch's memory profiler
// does not see the small ones.)
struct SmallBlockAllocator final : at::Allocator {
  // Beyond that it gives pages back to the system within milliseconds, and they are faulted in again.
  static constexpr size_t largest = 32768;
  static constexpr size_t alignment = 64;  // c10::gAlignment: what vectorised kernels expect
  // Up to here mimalloc has free blocks of each power of two at hand, which lie aligned; for other sizes it takes a
  // larger block and aligns within, which costs several times as much, also to free.
  static constexpr size_t at_hand = 1024;
  const at::Device device{at::kCPU};
  at::Allocator* inner = nullptr;

  static size_t rounded(size_t n) {
    if (n > at_hand) return n;
    auto size = alignment;
    while (size < n) size *= 2;
    return size;
  }

  static void release(void* block) { mi_free(block); }

  // What raw_allocate gave, of either kind: oneDNN's scratch memory for convolutions goes this way.
  static void release_any(void* block) {
    static auto release_large = c10::GetDefaultCPUAllocator()->raw_deleter();
    if (mi_is_in_heap_region(block)) {
      mi_free(block);
    } else {
      release_large(block);
    }
  }

  at::DataPtr allocate(size_t n) override {
    if (n == 0 || n > largest) return inner->allocate(n);
    auto block = mi_malloc_aligned(rounded(n), alignment);
    if (!block) return inner->allocate(n);
    return at::DataPtr(block, block, &release, device);
  }

  at::DeleterFnPtr raw_deleter() const override { return &release_any; }
  void copy_data(void* dest, const void* src, std::size_t count) const override { inner->copy_data(dest, src, count); }
};

// Counts what tensors on the CPU hold, and refuses beyond a limit. Each block has a header that holds
// its size, so that one deleter serves all: raw_allocate asks for that.
struct CountingAllocator final : at::Allocator {
  static constexpr size_t header = 64;  // keeps the alignment of what follows
  at::Allocator* inner = nullptr;
  std::atomic<int64_t> used{0};
  std::atomic<int64_t> peak{0};
  std::atomic<int64_t> limit{INT64_MAX};

  static void release(void* data);

  at::DataPtr allocate(size_t n) override {
    auto bytes = static_cast<int64_t>(n);
    auto now = used += bytes;
    if (now > limit || bytes < 0) {
      used -= bytes;
      throw LimitError(
          "tensors would hold " + std::to_string(now) + " bytes, the limit is " + std::to_string(limit.load()));
    }
    auto high = peak.load();
    while (now > high && !peak.compare_exchange_weak(high, now)) {
    }
    try {
      auto block = static_cast<char*>(inner->raw_allocate(n + header));
      std::memcpy(block, &bytes, sizeof bytes);
      return at::DataPtr(block + header, block + header, &release, at::Device(at::kCPU));
    } catch (...) {
      used -= bytes;
      throw;
    }
  }

  at::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* dest, const void* src, std::size_t count) const override { inner->copy_data(dest, src, count); }
};

CountingAllocator& counting() {
  static auto* allocator = new CountingAllocator();
  return *allocator;
}

void CountingAllocator::release(void* data) {
  if (!data) return;
  auto block = static_cast<char*>(data) - header;
  int64_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  counting().used -= bytes;
  counting().inner->raw_deallocate(block);
}

}  // namespace

extern "C" {

int32_t fb_default_dtype() { return static_cast<int32_t>(c10::get_default_dtype_as_scalartype()); }
int32_t fb_set_default_dtype(int32_t dtype) {
  return guarded([&] { c10::set_default_dtype(c10::scalarTypeToTypeMeta(static_cast<c10::ScalarType>(dtype))); });
}
const char* fb_library() {
  // A function that only libtorch_cpu defines.
  static const std::string path = [] {
    Dl_info info;
    bool found = dladdr(reinterpret_cast<void*>(&at::detail::getDefaultCPUGenerator), &info) != 0;
    return std::string(found && info.dli_fname ? info.dli_fname : "");
  }();
  return path.c_str();
}
int32_t fb_set_threads(int32_t within, int32_t between) {
  return guarded([&] {
    if (within > 0) at::set_num_threads(within);
    if (between > 0) at::set_num_interop_threads(between);
  });
}
int32_t fb_manual_seed(uint64_t seed) {
  return guarded([&] { at::manual_seed(seed); });
}
int32_t fb_generator(int8_t kind, int8_t index, void** out) {
  return guarded([&] {
    c10::Device device(static_cast<c10::DeviceType>(kind), index);
    if (device.is_cpu()) {
      *out = new at::Generator(at::detail::createCPUGenerator());
    } else {
      *out = new at::Generator(at::globalContext().getAcceleratorHooksInterface(device.type()).getNewGenerator(index < 0 ? 0 : index));
    }
  });
}
int32_t fb_default_generator(int8_t kind, int8_t index, void** out) {
  return guarded([&] {
    *out = new at::Generator(at::globalContext().defaultGenerator(c10::Device(static_cast<c10::DeviceType>(kind), index)));
  });
}
void* fb_generator_clone(const at::Generator* g) { return new at::Generator(*g); }
void fb_generator_free(at::Generator* g) { delete g; }
int32_t fb_generator_seed(at::Generator* g, uint64_t seed) {
  return guarded([&] {
    std::lock_guard<std::mutex> lock(g->mutex());
    g->set_current_seed(seed);
  });
}
uint64_t fb_generator_initial_seed(const at::Generator* g) { return g->current_seed(); }
int32_t fb_generator_state(const at::Generator* g, at::Tensor** out) {
  return guarded([&] { *out = new at::Tensor(g->get_state()); });
}
int32_t fb_generator_set_state(at::Generator* g, const at::Tensor* state) {
  return guarded([&] { g->set_state(*state); });
}
void fb_generator_device(const at::Generator* g, int8_t* kind, int8_t* index) {
  *kind = static_cast<int8_t>(g->device().type());
  *index = static_cast<int8_t>(g->device().index());
}

bool fb_cuda_built() { return at::globalContext().hasCUDA(); }

// Bytes on a CUDA device: allocated now, its peak, reserved now, its peak.
int32_t fb_cuda_memory(int8_t index, int64_t* out) {
  return guarded([&] {
    auto stats = at::getDeviceAllocator(c10::DeviceType::CUDA)->getDeviceStats(index);
    const auto all = 0;
    out[0] = stats.allocated_bytes[all].current;
    out[1] = stats.allocated_bytes[all].peak;
    out[2] = stats.reserved_bytes[all].current;
    out[3] = stats.reserved_bytes[all].peak;
  });
}
int32_t fb_cuda_empty_cache() {
  return guarded([&] { at::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache(); });
}
int32_t fb_cuda_reset_peak(int8_t index) {
  return guarded([&] { at::getDeviceAllocator(c10::DeviceType::CUDA)->resetPeakStats(index); });
}

// Serves small CPU tensors from mimalloc, from the first call on.
void fb_small_blocks() {
  static auto* allocator = [] {
    auto made = new SmallBlockAllocator();
    made->inner = c10::GetCPUAllocator();
    c10::SetCPUAllocator(made, 150);
    return made;
  }();
  (void)allocator;
}

// From the first call on, counts the bytes of CPU tensors; a negative limit only counts.
void fb_memory_limit(int64_t bytes) {
  auto& allocator = counting();
  allocator.limit = bytes < 0 ? INT64_MAX : bytes;
  if (!allocator.inner) {
    allocator.inner = c10::GetCPUAllocator();
    c10::SetCPUAllocator(&allocator, 200);
  }
}
int64_t fb_memory_used() { return counting().used; }
int64_t fb_memory_peak() { return counting().peak; }

}  // extern "C"
