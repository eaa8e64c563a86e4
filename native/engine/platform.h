// Where devices and networks come from. The binding asks openPlatform() and knows nothing else: the shipped addon links
// the definition that stands on CUDA and TensorRT, the test addon the one in native/sim.
#ifndef FLAVR_ENGINE_PLATFORM_H
#define FLAVR_ENGINE_PLATFORM_H

#include <cstddef>
#include <memory>
#include <string>

#include "engine/device.h"
#include "engine/network.h"
#include "engine/result.h"

namespace flavr {

struct PlatformOptions {
  // `tensorrt` or `tensorrt-rtx`.
  std::string family;
  // The library to open, as the probe found it.
  std::string library;
};

struct PlanOptions {
  // A file where the runtime keeps kernels that it compiled on the device; empty: none.
  std::string kernelCache;
};

// Any thread may call it.
class Platform {
 public:
  Platform() = default;
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;
  virtual ~Platform() = default;

  virtual Result<std::shared_ptr<Device>> openDevice(int ordinal) noexcept = 0;
  // Deserialises an engine for `device` and checks its tensors. kEngineIncompatible says what differs.
  virtual Result<std::unique_ptr<Network>> loadPlan(const std::shared_ptr<Device>& device, const void* plan,
                                                    std::size_t bytes, const PlanOptions& options) noexcept = 0;
};

// kBackendUnavailable with the fix where this machine cannot.
Result<std::shared_ptr<Platform>> openPlatform(const PlatformOptions& options) noexcept;

}  // namespace flavr

#endif
