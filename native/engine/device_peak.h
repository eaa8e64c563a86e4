// What a GPU could do at most: what shares of the peak are held against.
#ifndef FLAVR_ENGINE_DEVICE_PEAK_H
#define FLAVR_ENGINE_DEVICE_PEAK_H

#include <optional>

#include "engine/cuda_driver.h"

namespace flavr {

// In TFLOP/s at the highest clock that the driver names; multiply and add count as two.
struct DevicePeak {
  // Dense matrix products of half precision, accumulated in half precision, on the tensor cores. GeForce cards take
  // twice the time where they accumulate in float32.
  double half;
  // Single precision without tensor cores, as engines with TF32 off run.
  double single;
};

// None for a compute capability whose units NVIDIA has not published so that they could be checked here, and where the
// driver tells no clock.
std::optional<DevicePeak> peakOf(const DeviceInfo& device) noexcept;

}  // namespace flavr

#endif
