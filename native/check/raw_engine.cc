#include "check/raw_engine.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "cuda/reason.h"
#include "engine/resource.h"
#include "engine/sinks.h"

namespace flavr::check {

namespace {

struct Destroy {
  template <class Owned>
  void operator()(Owned* owned) const noexcept {
    owned->destroy();
  }
};

// The bytes of a float32 tensor, or 0 where the engine has none of that name and direction.
std::size_t floatBytes(const family::LoadedEngine& engine, const std::string& name, bool isInput) {
  for (int32_t i = 0; i < engine.tensorCount(); ++i) {
    const family::TensorInfo tensor = engine.tensor(i);
    if (name != tensor.name || tensor.isInput != isInput || tensor.type != family::TensorType::kFloat32) continue;
    std::size_t bytes = sizeof(float);
    for (int32_t axis = 0; axis < tensor.rank; ++axis) {
      bytes *= static_cast<std::size_t>(std::max<int64_t>(tensor.dimensions[axis], 0));
    }
    return bytes;
  }
  return 0;
}

}  // namespace

Result<std::vector<float>> runRaw(const TensorRtLibrary& library, const std::shared_ptr<Device>& device,
                                  const std::vector<std::byte>& plan, const std::vector<float>& frames,
                                  std::size_t values) noexcept {
  FLAVR_TRY(device->makeCurrent());
  auto code = library.familyCode();
  if (!code.ok()) return std::move(code).error();
  BytesSink reason;
  const std::unique_ptr<family::LoadedEngine, Destroy> engine(
      code.value()->load(library.entryPoints(), {plan.data(), plan.size()}, {nullptr, 0}, reason));
  if (engine == nullptr)
    return failureOf(*device, "the engine did not load: " + reason.text(), Code::kEngineIncompatible);
  const std::size_t bytesIn = frames.size() * sizeof(float);
  const std::size_t bytesOut = values * sizeof(float);
  if (engine->tensorCount() != 2 || floatBytes(*engine, "frames", true) != bytesIn ||
      floatBytes(*engine, "interpolated", false) != bytesOut) {
    return Error{Code::kEngineIncompatible, "the engine's tensors are not those of its graph"};
  }

  Stream stream;
  Event done;
  DeviceMemory activation;
  DeviceMemory in;
  DeviceMemory out;
  PinnedMemory staging;
  FLAVR_TRY(acquire(stream, device, device->createStream()));
  FLAVR_TRY(acquire(done, device, device->createEvent(EventKind::kOrder)));
  FLAVR_TRY(acquire(activation, device, device->allocate(std::max<std::size_t>(engine->activationBytes(), 1))));
  FLAVR_TRY(acquire(in, device, device->allocate(bytesIn)));
  FLAVR_TRY(acquire(out, device, device->allocate(bytesOut)));
  FLAVR_TRY(acquire(staging, device, device->allocatePinned(std::max(bytesIn, bytesOut))));

  const std::unique_ptr<family::LoadedContext, Destroy> context(engine->createContext(reason));
  if (context == nullptr) return Error{Code::kInferenceFailed, "no execution context: " + reason.text()};
  context->setActivationMemory(activation.get(), engine->activationBytes());
  if (!context->bind("frames", in.get()) || !context->bind("interpolated", out.get())) {
    return Error{Code::kInferenceFailed, "the engine did not take the address of a tensor"};
  }
  std::memcpy(staging.get(), frames.data(), bytesIn);
  FLAVR_TRY(device->copyUp(in.get(), staging.get(), {bytesIn, 1, bytesIn}, stream.get()));
  const bool enqueued = context->enqueue(reinterpret_cast<void*>(stream.get()), reason);
  const Status copied = device->copyDown(staging.get(), out.get(), {bytesOut, 1, bytesOut}, stream.get());
  // Whatever was enqueued must be over before memory is freed.
  FLAVR_TRY(device->record(done.get(), stream.get()));
  FLAVR_TRY(device->synchronize(done.get()));
  if (!enqueued) return Error{Code::kInferenceFailed, "the engine could not be enqueued: " + reason.text()};
  FLAVR_TRY(copied);
  std::vector<float> made(values);
  std::memcpy(made.data(), staging.get(), bytesOut);
  return made;
}

}  // namespace flavr::check
