#include "engine/cuda_context.h"

#include <map>
#include <mutex>
#include <string>

namespace flavr {

namespace {

struct Retained {
  std::mutex mutex;
  std::map<int, CudaContext> byOrdinal;
};

// Never destroyed: a thread may still open a device while the process ends.
Retained& retained() noexcept {
  static auto* const instance = new Retained;
  return *instance;
}

}  // namespace

Result<CudaContext> CudaContext::retain(int ordinal) noexcept {
  auto loaded = CudaDriver::load();
  if (!loaded.ok()) return std::move(loaded).error();
  const CudaDriver* driver = loaded.value();
  Retained& all = retained();
  const std::lock_guard lock(all.mutex);
  if (const auto found = all.byOrdinal.find(ordinal); found != all.byOrdinal.end()) return found->second;
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
  return all.byOrdinal.emplace(ordinal, CudaContext(driver, context)).first->second;
}

}  // namespace flavr
