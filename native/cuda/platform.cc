// The platform of the shipped addon: CUDA and TensorRT.
#include "engine/platform.h"

#include <utility>

#include "cuda/device.h"
#include "cuda/network.h"
#include "engine/tensorrt_library.h"

namespace flavr {

namespace {

class TensorRtPlatform final : public Platform {
 public:
  explicit TensorRtPlatform(TensorRtLibrary library) noexcept : library_(std::move(library)) {}

  Result<std::shared_ptr<Device>> openDevice(int ordinal) noexcept override {
    auto context = CudaContext::retain(ordinal);
    if (!context.ok()) return std::move(context).error();
    return std::shared_ptr<Device>(std::make_shared<CudaDevice>(context.value()));
  }

  Result<std::unique_ptr<Network>> loadPlan(const std::shared_ptr<Device>& device, const void* plan, std::size_t bytes,
                                            const PlanOptions& options) noexcept override {
    auto current = device->makeCurrent();
    if (!current.ok()) return std::move(current).error();
    return TensorRtNetwork::load(library_, std::static_pointer_cast<CudaDevice>(device), plan, bytes,
                                 options.kernelCache);
  }

 private:
  const TensorRtLibrary library_;
};

}  // namespace

Result<std::shared_ptr<Platform>> openPlatform(const PlatformOptions& options) noexcept {
  const auto driver = CudaDriver::load();
  if (!driver.ok()) return driver.error();
  auto library = TensorRtLibrary::open(options.library);
  if (!library.ok()) {
    return Error{Code::kBackendUnavailable, options.library + " cannot be used: " + library.error().message + "."};
  }
  const bool isRtx = library.value().identity().family == Family::kTensorRtRtx;
  if (isRtx != (options.family == "tensorrt-rtx")) {
    return Error{Code::kEngineIncompatible, "The engine is for " + options.family + "; " + library.value().path() +
                                                " is " + library.value().title()};
  }
  return std::shared_ptr<Platform>(std::make_shared<TensorRtPlatform>(std::move(library).value()));
}

}  // namespace flavr
