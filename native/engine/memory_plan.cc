#include "engine/memory_plan.h"

#include <string>

namespace flavr {
namespace {

constexpr std::size_t kAlignment = 256;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string mebibytes(std::size_t bytes) { return std::to_string((bytes + (std::size_t{1} << 20) - 1) >> 20) + " MiB"; }

}  // namespace

std::size_t hostFrameBytes(const SessionOptions& options) noexcept {
  return options.hostPitch * (options.height - 1) + options.width * 3;
}

std::size_t interpolatedBytes(const SessionOptions& options, const NetworkShape& shape) noexcept {
  return aligned(options.batch * shape.outputs * shape.frameBytes);
}

std::size_t peakBytes(const SessionOptions& options) noexcept { return aligned(options.batch * sizeof(float)); }

MemoryPlan planMemory(const SessionOptions& options, const NetworkShape& shape) noexcept {
  MemoryPlan plan;
  plan.ring = options.ringFrames * shape.frameStride;
  // A batch of one window binds any slots as they lie.
  plan.gather = options.batch > 1 ? shape.inputs * options.batch * shape.frameStride : 0;
  plan.outputs = options.inFlight * (interpolatedBytes(options, shape) + peakBytes(options));
  plan.activation = shape.activationBytes;
  plan.graphs = options.graphs ? kMostGraphs * kGraphBytes : 0;
  // One batch more than can be enqueued: the one whose frames are being handed over.
  plan.reservedBlocks = (options.inFlight + 1) * options.batch * shape.outputs;
  plan.pinned = (plan.reservedBlocks + options.lendableFrames + kUploadStages) * hostFrameBytes(options);
  return plan;
}

Status checkMemory(const MemoryPlan& plan, const MemoryPlan& held, const MemoryInfo& memory) noexcept {
  // What grows is taken anew before the smaller one is freed, so it counts in full.
  const auto taken = [&](auto part) { return plan.*part > held.*part ? plan.*part : 0; };
  const std::size_t activation = taken(&MemoryPlan::activation);
  const std::size_t frames = taken(&MemoryPlan::ring) + taken(&MemoryPlan::gather);
  const std::size_t outputs = taken(&MemoryPlan::outputs);
  const std::size_t graphs = taken(&MemoryPlan::graphs);
  const std::size_t needed = activation + frames + outputs + graphs;
  if (needed <= memory.free) return {};
  return Error{Code::kOutOfMemory,
               "The session needs " + mebibytes(needed) + " on the device (activations " + mebibytes(activation) +
                   ", frames " + mebibytes(frames) + ", outputs " + mebibytes(outputs) + ", graphs " +
                   mebibytes(graphs) + "), and " + mebibytes(memory.free) + " of its " + mebibytes(memory.total) +
                   " are free. Use a smaller frame size, batch or inFlight, or close what else uses the device."};
}

}  // namespace flavr
