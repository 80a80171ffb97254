// Autograd: what it knows of a tensor, backward passes, hooks, nodes whose backward is a callback, and its modes.
// See shim.cpp for the rules of ownership.

#include "guard.h"
#include "shim.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <cstring>
#include <memory>
#include <string>

namespace {

// A node of the autograd graph whose backward is a callback.
using NodeCallback = int32_t (*)(void* data, at::Tensor* const* grads, uint32_t n, at::Tensor** out, uint32_t m);
using DropCallback = void (*)(void* data);

struct ScriptNode : torch::autograd::Node {
  NodeCallback callback;
  DropCallback drop;
  void* data;
  std::string label;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    std::vector<at::Tensor*> in;
    in.reserve(grads.size());
    for (auto& g : grads) in.push_back(g.defined() ? &g : nullptr);
    std::vector<at::Tensor*> out(num_outputs(), nullptr);
    if (callback(data, in.data(), static_cast<uint32_t>(in.size()), out.data(), static_cast<uint32_t>(out.size())) != 0) {
      for (auto p : out) delete p;
      throw_callback_error();
    }
    torch::autograd::variable_list result(out.size());
    for (size_t i = 0; i < out.size(); i++) {
      if (out[i]) {
        result[i] = std::move(*out[i]);
        delete out[i];
      }
    }
    return result;
  }
  std::string name() const override { return label; }
  ~ScriptNode() override { drop(data); }
};

}  // namespace

extern "C" {

bool fb_is_leaf(const at::Tensor* t) { return t->is_leaf(); }
bool fb_retains_grad(const at::Tensor* t) { return t->retains_grad(); }
int64_t fb_output_nr(const at::Tensor* t) { return t->output_nr(); }

// The name of the autograd node that made `t`, malloc'ed; null for a leaf.
char* fb_grad_fn_name(const at::Tensor* t) {
  char* out = nullptr;
  guarded([&] {
    if (!t->defined() || t->is_inference()) return;
    auto node = t->grad_fn();
    if (node) out = strdup(node->name().c_str());
  });
  return out;
}

int32_t fb_set_grad(at::Tensor* t, const at::Tensor* grad) {
  return guarded([&] {
    if (!grad) {
      t->mutable_grad() = at::Tensor();
      return;
    }
    TORCH_CHECK(grad->sizes() == t->sizes(), "a gradient of shape ", grad->sizes(), " does not fit a tensor of shape ", t->sizes());
    TORCH_CHECK(grad->device() == t->device(), "a gradient on ", grad->device(), " does not fit a tensor on ", t->device());
    t->mutable_grad() = *grad;
  });
}

// ---- autograd ----

int32_t fb_backward(at::Tensor* const* roots, uint32_t n, at::Tensor* const* grads, bool retain, bool create, at::Tensor* const* inputs, uint32_t n_inputs) {
  return guarded([&] {
    torch::autograd::variable_list r, g, in;
    for (uint32_t i = 0; i < n; i++) r.push_back(*roots[i]);
    for (uint32_t i = 0; i < n; i++) g.push_back(grads[i] ? *grads[i] : at::Tensor());
    for (uint32_t i = 0; i < n_inputs; i++) in.push_back(*inputs[i]);
    torch::autograd::backward(r, g, retain, create, in);
  });
}

int32_t fb_grad(at::Tensor* const* roots, uint32_t n, at::Tensor* const* grads, at::Tensor* const* inputs, uint32_t n_inputs, bool retain, bool create, bool allow_unused, at::Tensor** out) {
  return guarded([&] {
    torch::autograd::variable_list r, g, in;
    for (uint32_t i = 0; i < n; i++) r.push_back(*roots[i]);
    for (uint32_t i = 0; i < n; i++) g.push_back(grads[i] ? *grads[i] : at::Tensor());
    for (uint32_t i = 0; i < n_inputs; i++) in.push_back(*inputs[i]);
    auto result = torch::autograd::grad(r, in, g, retain, create, allow_unused);
    for (uint32_t i = 0; i < n_inputs; i++) out[i] = result[i].defined() ? new at::Tensor(result[i]) : nullptr;
  });
}

// A hook on a tensor's gradient. `callback` gets the gradient and writes a replacement or null.
int32_t fb_register_hook(const at::Tensor* t, NodeCallback callback, DropCallback drop, void* data, uint32_t* id) {
  auto holder = std::shared_ptr<void>(data, drop);
  return guarded([&] {
    *id = t->register_hook([callback, holder](at::Tensor grad) -> at::Tensor {
      at::Tensor* in = &grad;
      at::Tensor* out = nullptr;
      if (callback(holder.get(), &in, 1, &out, 1) != 0) {
        delete out;
        throw_callback_error();
      }
      if (!out) return grad;
      at::Tensor result = std::move(*out);
      delete out;
      return result;
    });
  });
}

int32_t fb_remove_hook(const at::Tensor* t, uint32_t id) {
  return guarded([&] { t->remove_hook(id); });
}

// Gives `outputs` (computed without a graph) one node whose backward is `callback`.
int32_t fb_attach_node(const char* label, at::Tensor* const* inputs, uint32_t n, at::Tensor* const* outputs, uint32_t m, NodeCallback callback, DropCallback drop, void* data) {
  std::shared_ptr<ScriptNode> node;
  auto status = guarded([&] {
    node = std::shared_ptr<ScriptNode>(new ScriptNode(), torch::autograd::deleteNode);
    node->callback = callback;
    node->drop = drop;
    node->data = data;
    node->label = label;
  });
  if (status != FB_OK) {
    drop(data);
    return status;
  }
  return guarded([&] {
    torch::autograd::variable_list in;
    for (uint32_t i = 0; i < n; i++) in.push_back(*inputs[i]);
    node->set_next_edges(torch::autograd::collect_next_edges(in));
    for (uint32_t i = 0; i < m; i++) torch::autograd::set_history(*outputs[i], node);
  });
}

bool fb_grad_enabled() { return at::GradMode::is_enabled(); }
void fb_set_grad_enabled(bool on) { at::GradMode::set_enabled(on); }
void* fb_inference_enter(bool on) { return new c10::InferenceMode(on); }
void fb_inference_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }
bool fb_inference_enabled() { return c10::InferenceMode::is_enabled(); }
bool fb_anomaly_enabled() { return torch::autograd::AnomalyMode::is_enabled(); }
void fb_set_anomaly(bool on) { torch::autograd::AnomalyMode::set_enabled(on, true); }

}  // extern "C"
