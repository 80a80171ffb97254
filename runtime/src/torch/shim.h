// The C face of the shim over libtorch: see shim.cpp for the rules of ownership.
#pragma once
#include <cstdint>

extern "C" {
// One argument or result. `tag` says which of the fields count.
struct fb_value {
  uint32_t tag;
  uint32_t len;
  int64_t a;
  int64_t b;
};

enum fb_tag : uint32_t {
  FB_DEFAULT = 0,
  FB_NONE,
  FB_TENSOR,
  FB_INT,
  FB_FLOAT,
  FB_BOOL,
  FB_COMPLEX,
  FB_STRING,
  FB_DEVICE,
  FB_GENERATOR,
  FB_INT_LIST,
  FB_FLOAT_LIST,
  FB_BOOL_LIST,
  FB_TENSOR_LIST,
  FB_OPT_TENSOR_LIST,
  FB_SCALAR_LIST,
  FB_STRING_LIST,
  FB_TUPLE,
  FB_OPAQUE,
};

enum fb_status : int32_t {
  FB_OK = 0,
  FB_ERROR,
  FB_INDEX_ERROR,
  FB_VALUE_ERROR,
  FB_TYPE_ERROR,
  FB_NOT_IMPLEMENTED,
  FB_OUT_OF_MEMORY,
  FB_LINALG_ERROR,
  FB_CALLBACK_ERROR,
  FB_LIMIT_ERROR,
  FB_PYTHON_ERROR,
};
}
