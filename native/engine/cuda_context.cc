#include "engine/cuda_context.h"

#include <string>

namespace flavr {

Result<CudaContext> CudaContext::retain(int ordinal) noexcept {
  auto loaded = CudaDriver::load();
  if (!loaded.ok()) return std::move(loaded).error();
  const CudaDriver* driver = loaded.value();
  cuda::Device device = 0;
  if (const auto result = driver->deviceGet(&device, ordinal); result != cuda::kSuccess) {
    return Error{Code::kBadArgument,
                 "There is no GPU with the number " + std::to_string(ordinal) + ": " + driver->describe(result) + "."};
  }
  cuda::Context context = nullptr;
  if (const auto result = driver->primaryContextRetain(&context, device); result != cuda::kSuccess) {
    return Error{Code::kBackendUnavailable, "GPU " + std::to_string(ordinal) + " could not be opened: " +
                                                driver->describe(result) + ". Look at nvidia-smi for what holds it."};
  }
  return CudaContext(driver, device, context);
}

CudaContext::~CudaContext() {
  if (context_ != nullptr) driver_->primaryContextRelease(device_);
}

}  // namespace flavr
