// What TensorRT's own words mean: its calls tell only whether they succeeded.
#ifndef FLAVR_CUDA_REASON_H
#define FLAVR_CUDA_REASON_H

#include <string>

#include "engine/device.h"
#include "engine/result.h"

namespace flavr {

// The error of a call that failed, from what was said of it: kDeviceLost, kOutOfMemory, or kBackendUnavailable for a
// driver that is too old, where it is that; else `otherwise` with that code's own advice behind it.
Error failureOf(Device& device, const std::string& what, Code otherwise, const char* advice = "") noexcept;

}  // namespace flavr

#endif
