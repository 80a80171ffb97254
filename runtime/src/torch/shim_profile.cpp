// The part of the shim that asks torch's own profiler.

#include "guard.h"
#include "shim.h"

#include <ATen/Context.h>
#include <libkineto.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace profiler = torch::autograd::profiler;
namespace impl = torch::profiler::impl;

namespace {

struct Row {
  int64_t calls = 0;
  int64_t own = 0;
  int64_t total = 0;
  int64_t device = 0;
};

std::string shapes_of(const profiler::KinetoEvent& event) {
  std::string text;
  for (const auto& shape : event.shapes()) {
    // Numbers and flags have none.
    if (shape.empty()) continue;
    if (!text.empty()) text += ", ";
    text += "[";
    for (size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
    text += "]";
  }
  return text;
}

using Key = std::pair<std::string, std::string>;

std::map<Key, Row> rows_of(const std::vector<profiler::KinetoEvent>& events) {
  std::vector<const profiler::KinetoEvent*> calls;
  // Time on a device, by the call that asked for it.
  std::unordered_map<uint64_t, int64_t> on_device;
  for (const auto& event : events) {
    if (event.deviceType() != at::kCPU) {
      on_device[event.linkedCorrelationId()] += event.durationNs();
    } else if (event.scope() == static_cast<uint8_t>(at::RecordScope::FUNCTION) && !event.isPythonFunction() &&
               event.activityType() == 0) {
      calls.push_back(&event);
    }
  }
  // A call's own time is what is left of it without the calls in it.
  std::stable_sort(calls.begin(), calls.end(), [](auto a, auto b) {
    if (a->startThreadId() != b->startThreadId()) return a->startThreadId() < b->startThreadId();
    if (a->startNs() != b->startNs()) return a->startNs() < b->startNs();
    return a->endNs() > b->endNs();
  });
  std::map<Key, Row> rows;
  struct Open {
    const profiler::KinetoEvent* event;
    Row* row;
    bool outermost;
  };
  std::vector<Open> open;
  for (auto call : calls) {
    while (!open.empty() && (open.back().event->startThreadId() != call->startThreadId() ||
                             open.back().event->endNs() <= call->startNs())) {
      open.pop_back();
    }
    auto& row = rows[{call->name(), shapes_of(*call)}];
    int64_t duration = call->durationNs();
    if (!open.empty()) open.back().row->own -= duration;
    // Of an operator that calls itself the outer call has all the time.
    bool outermost = std::none_of(open.begin(), open.end(), [&](auto& o) { return o.row == &row; });
    row.calls += 1;
    row.own += duration;
    if (outermost) row.total += duration;
    if (auto found = on_device.find(call->correlationId()); found != on_device.end()) row.device += found->second;
    open.push_back({call, &row, outermost});
  }
  return rows;
}

std::set<impl::ActivityType> activities() {
  std::set<impl::ActivityType> all = {impl::ActivityType::CPU};
  if (at::globalContext().hasCUDA()) all.insert(impl::ActivityType::CUDA);
  return all;
}

}  // namespace

extern "C" {

// Begins to record the operators that this thread calls.
int32_t fb_profile_start(bool shapes) {
  return guarded([&] {
    // Without it the profiler's library reports each start, and each device that it does not find, on standard error;
    // it reads this when it is first asked.
    static bool quiet = setenv("KINETO_LOG_LEVEL", "99", 0) == 0;
    // Its client was registered by the thread that has opened libtorch; a complaint about that is not for the user.
    static bool ours = (libkineto::api().registerClient(libkineto::api().client()), true);
    (void)quiet, (void)ours;
    impl::ProfilerConfig config(impl::ProfilerState::KINETO, shapes);
    profiler::prepareProfiler(config, activities());
    profiler::enableProfiler(config, activities());
  });
}

// Ends it; `row` gets name, shapes and their lengths, calls, and nanoseconds: own, in all, on a device.
int32_t fb_profile_stop(void* user, void (*row)(void*, const char*, size_t, const char*, size_t, const int64_t*)) {
  return guarded([&] {
    auto result = profiler::disableProfiler();
    if (!result) return;
    for (const auto& [key, found] : rows_of(result->events())) {
      const int64_t numbers[] = {found.calls, found.own, found.total, found.device};
      row(user, key.first.data(), key.first.size(), key.second.data(), key.second.size(), numbers);
    }
  });
}

// Where the elements are kept and how many bytes that takes; false where a layout has no such place.
bool fb_storage(const at::Tensor* t, int64_t* out) {
  if (!t->defined() || !t->has_storage()) return false;
  out[0] = reinterpret_cast<int64_t>(t->storage().unsafeGetStorageImpl());
  out[1] = static_cast<int64_t>(t->storage().nbytes());
  return true;
}

// Has the place of the elements keep its size: nothing resizes it while another thread reads it.
void fb_fix_storage(const at::Tensor* t) {
  if (!t->defined() || !t->has_storage()) return;
  auto* storage = t->storage().unsafeGetStorageImpl();
  if (storage->resizable()) storage->set_resizable(false);
}
}
