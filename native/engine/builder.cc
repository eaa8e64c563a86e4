#include "engine/builder.h"

#include <mutex>

#include "engine/build_progress.h"
#include "engine/cuda_context.h"
#include "engine/sinks.h"
#include "engine/tensorrt_library.h"

namespace flavr {

namespace {

class Observer final : public family::BuildObserver {
 public:
  explicit Observer(const BuildHooks& hooks) noexcept : hooks_(hooks) {}

  void phaseStarted(const char* phase, const char* parent, int32_t steps) noexcept override {
    report([&] { progress_.started(phase, parent == nullptr ? "" : parent, steps); });
  }
  bool stepCompleted(const char* phase, int32_t step) noexcept override {
    report([&] { progress_.stepped(phase, step); });
    return !hooks_.cancelled();
  }
  void phaseFinished(const char* phase) noexcept override {
    report([&] { progress_.finished(phase); });
  }

 private:
  template <class Change>
  void report(const Change& change) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    change();
    hooks_.progress(progress_.fraction(), progress_.phase());
  }

  const BuildHooks& hooks_;
  std::mutex mutex_;
  BuildProgress progress_;
};

// It stays the device of this thread, which is the build's own.
Status useDevice(int ordinal) noexcept {
  const auto context = CudaContext::retain(ordinal);
  if (!context.ok()) return context.error();
  const auto result = context.value().makeCurrent();
  if (result == cuda::kSuccess) return {};
  return Error{Code::kBackendUnavailable, "GPU " + std::to_string(ordinal) +
                                              " could not be used: " + context.value().driver().describe(result) + "."};
}

// TensorRT opens its builder's libraries by their bare names, and its own folder is not searched for them unless it is
// on the loader's path, which a process cannot change any more once it runs
// (https://github.com/NVIDIA/TensorRT/issues/2218).
bool lacksResources(const std::string& reason) {
  return reason.find("libnvinfer_builder_resource") != std::string::npos;
}

std::string pathAdvice(const TensorRtLibrary& library) {
  return " Start the process with LD_LIBRARY_PATH=" + library.folder() +
         " and have all of TensorRT's libraries there, or use an engine that was built elsewhere for this GPU.";
}

Error noBuilder(const TensorRtLibrary& library, const std::string& reason) {
  const std::string what = library.title() + " could not start its builder: " + reason;
  if (lacksResources(reason)) return {Code::kBackendUnavailable, what + pathAdvice(library)};
  const auto driver = CudaDriver::load();
  const std::string cause =
      driver.ok() ? "The driver works, so this GPU or driver may be too old for it." : driver.error().message;
  return {Code::kBackendUnavailable, what + " " + cause};
}

}  // namespace

Result<BuiltEngine> buildEngine(const BuildRequest& request, const BuildHooks& hooks) noexcept {
  auto library = TensorRtLibrary::open(request.library);
  if (!library.ok()) {
    return Error{Code::kBackendUnavailable, request.library + " cannot be used: " + library.error().message + "."};
  }
  auto parser = library.value().openParser();
  if (!parser.ok()) return std::move(parser).error();
  auto code = library.value().familyCode();
  if (!code.ok()) return std::move(code).error();

  family::EntryPoints entryPoints = library.value().entryPoints();
  entryPoints.createParser = parser.value().symbol("createNvOnnxParser_INTERNAL");
  const family::BuildOptions options{{request.model.data(), request.model.size()},
                                     request.workspaceBytes,
                                     request.optimizationLevel,
                                     request.allowTf32,
                                     {request.timingCache.data(), request.timingCache.size()},
                                     request.computeCapabilities.data(),
                                     request.computeCapabilities.size()};
  // TensorRT measures kernels on the thread's current device. Without a driver it is left to say so itself.
  if (library.value().identity().family != Family::kTensorRtRtx && CudaDriver::load().ok()) {
    FLAVR_TRY(useDevice(request.device));
  }
  Observer observer(hooks);
  BytesSink plan;
  BytesSink timingCache;
  BytesSink reason;
  const std::string title = library.value().title();
  switch (code.value()->build(entryPoints, options, observer, plan, timingCache, reason)) {
    case family::BuildOutcome::kBuilt:
      return BuiltEngine{library.value().identity(), std::move(plan.bytes), std::move(timingCache.bytes)};
    case family::BuildOutcome::kCancelled:
      return Error{Code::kAborted, "The engine's build was cancelled."};
    case family::BuildOutcome::kNoBuilder:
      return noBuilder(library.value(), reason.text());
    case family::BuildOutcome::kModelRefused:
      return Error{Code::kEngineBuildFailed, title + " refused the graph: " + reason.text()};
    case family::BuildOutcome::kFailed:
      break;
  }
  const std::string what = title + " could not build the engine: " + reason.text();
  if (lacksResources(what)) return Error{Code::kBackendUnavailable, what + pathAdvice(library.value())};
  return Error{Code::kEngineBuildFailed, what};
}

}  // namespace flavr
