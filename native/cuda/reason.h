// What TensorRT's own words mean: its calls tell only whether they succeeded.
#ifndef FLAVR_CUDA_REASON_H
#define FLAVR_CUDA_REASON_H

#include <string>

#include "engine/device.h"
#include "engine/result.h"

namespace flavr {

// Whether TensorRT says that memory ran out.
bool tellsOutOfMemory(const std::string& reason) noexcept;

// The error of a call that failed, from what was said of it: kDeviceLost and kOutOfMemory where it is that, else
// `otherwise` with that code's own advice behind it.
Error failureOf(Device& device, const std::string& what, Code otherwise, const char* advice = "") noexcept;

}  // namespace flavr

#endif
