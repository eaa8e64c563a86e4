// A device's primary context: the one that TensorRT, through the CUDA runtime, works in. Never another one.
#ifndef FLAVR_ENGINE_CUDA_CONTEXT_H
#define FLAVR_ENGINE_CUDA_CONTEXT_H

#include "engine/cuda_driver.h"

namespace flavr {

// Retained once per device and then kept for as long as the process lives: releasing the last hold would reset the
// context (cuDevicePrimaryCtxRelease), and TensorRT, which is never unloaded, may keep things of its own in it.
class CudaContext {
 public:
  // kBackendUnavailable where there is no driver, kBadArgument where it has no such device.
  static Result<CudaContext> retain(int ordinal) noexcept;

  const CudaDriver& driver() const noexcept { return *driver_; }
  cuda::Context get() const noexcept { return context_; }
  cuda::Result makeCurrent() const noexcept { return driver_->contextSetCurrent(context_); }

 private:
  CudaContext(const CudaDriver* driver, cuda::Context context) noexcept : driver_(driver), context_(context) {}

  const CudaDriver* driver_;
  cuda::Context context_;
};

// Makes the context current for a scope on a thread that may belong to someone else, such as JavaScript's.
class CudaScope {
 public:
  explicit CudaScope(const CudaContext& context) noexcept
      : driver_(context.driver()), pushed_(driver_.contextPush(context.get()) == cuda::kSuccess) {}
  CudaScope(const CudaScope&) = delete;
  CudaScope& operator=(const CudaScope&) = delete;
  ~CudaScope() {
    cuda::Context popped = nullptr;
    if (pushed_) driver_.contextPop(&popped);
  }

 private:
  const CudaDriver& driver_;
  const bool pushed_;
};

}  // namespace flavr

#endif
