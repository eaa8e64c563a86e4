// A hold on a device's primary context: the one that TensorRT, through the CUDA runtime, works in. Never another one.
#ifndef FLAVR_ENGINE_CUDA_CONTEXT_H
#define FLAVR_ENGINE_CUDA_CONTEXT_H

#include <utility>

#include "engine/cuda_driver.h"

namespace flavr {

class CudaContext {
 public:
  // kBackendUnavailable where there is no driver, kBadArgument where it has no such device.
  static Result<CudaContext> retain(int ordinal) noexcept;

  CudaContext(CudaContext&& other) noexcept
      : driver_(other.driver_), device_(other.device_), context_(std::exchange(other.context_, nullptr)) {}
  CudaContext& operator=(CudaContext&&) = delete;
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;
  ~CudaContext();

  const CudaDriver& driver() const noexcept { return *driver_; }
  cuda::Context get() const noexcept { return context_; }
  cuda::Result makeCurrent() const noexcept { return driver_->contextSetCurrent(context_); }

 private:
  CudaContext(const CudaDriver* driver, cuda::Device device, cuda::Context context) noexcept
      : driver_(driver), device_(device), context_(context) {}

  const CudaDriver* driver_;
  cuda::Device device_;
  cuda::Context context_;
};

}  // namespace flavr

#endif
