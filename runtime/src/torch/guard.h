// No C++ exception crosses into Rust: every entry of the shim that can throw runs in `guarded`, which
// returns a status and keeps the message, without C++ frames, for `fb_message`.
#pragma once

#include "shim.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

// The message of the last error of this thread.
extern thread_local std::string message;

// Thrown through libtorch when a callback into Rust failed; the error itself waits in Rust.
struct CallbackError : std::exception {
  const char* what() const noexcept override { return "a callback failed"; }
};

struct LimitError : std::exception {
  std::string text;
  explicit LimitError(std::string t) : text(std::move(t)) {}
  const char* what() const noexcept override { return text.c_str(); }
};

// Throws what tells that a callback into Rust failed: an exception of Python where one was given for it, else
// `CallbackError`.
[[noreturn]] void throw_callback_error();

// Whether an exception of Python came through libtorch; if so, Rust has it now.
bool is_python_error(const std::exception& e);

template <class F>
int32_t guarded(F&& run) {
  try {
    run();
    return FB_OK;
  } catch (const CallbackError&) {
    message = "a callback failed";
    return FB_CALLBACK_ERROR;
  } catch (const LimitError& e) {
    message = e.what();
    return FB_LIMIT_ERROR;
  } catch (const c10::IndexError& e) {
    message = e.what_without_backtrace();
    return FB_INDEX_ERROR;
  } catch (const c10::ValueError& e) {
    message = e.what_without_backtrace();
    return FB_VALUE_ERROR;
  } catch (const c10::TypeError& e) {
    message = e.what_without_backtrace();
    return FB_TYPE_ERROR;
  } catch (const c10::NotImplementedError& e) {
    message = e.what_without_backtrace();
    return FB_NOT_IMPLEMENTED;
  } catch (const c10::OutOfMemoryError& e) {
    message = e.what_without_backtrace();
    return FB_OUT_OF_MEMORY;
  } catch (const c10::LinAlgError& e) {
    message = e.what_without_backtrace();
    return FB_LINALG_ERROR;
  } catch (const c10::Error& e) {
    message = e.what_without_backtrace();
    return FB_ERROR;
  } catch (const std::bad_alloc&) {
    message = "not enough memory";
    return FB_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    message = e.what();
    return is_python_error(e) ? FB_PYTHON_ERROR : FB_ERROR;
  } catch (...) {
    message = "an unknown C++ exception";
    return FB_ERROR;
  }
}
