// Engines of the raw form, which sessions do not take: floats in, floats out, for the bounds that bytes cannot show.
#ifndef FLAVR_CHECK_RAW_ENGINE_H
#define FLAVR_CHECK_RAW_ENGINE_H

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/device.h"
#include "engine/tensorrt_library.h"

namespace flavr::check {

// Runs the engine once on this thread: `frames` in, the `values` floats of `interpolated` out.
Result<std::vector<float>> runRaw(const TensorRtLibrary& library, const std::shared_ptr<Device>& device,
                                  const std::vector<std::byte>& plan, const std::vector<float>& frames,
                                  std::size_t values) noexcept;

}  // namespace flavr::check

#endif
