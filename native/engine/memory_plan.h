// What a session will take, added up before any of it is taken.
#ifndef FLAVR_ENGINE_MEMORY_PLAN_H
#define FLAVR_ENGINE_MEMORY_PLAN_H

#include <cstddef>

#include "engine/device.h"
#include "engine/network.h"
#include "engine/result.h"

namespace flavr {

struct SessionOptions {
  std::size_t width = 0;
  std::size_t height = 0;
  // Bytes from one row of a host frame to the next, at least width * 3.
  std::size_t hostPitch = 0;
  // Most windows in a batch: B of the networks.
  std::size_t batch = 1;
  // Most batches enqueued at a time.
  std::size_t inFlight = 2;
  // Device frames taken when the session opens. Lanes that need more take it when they are first used.
  std::size_t ringFrames = 0;
  // Pinned blocks that callers may hold at a time, beyond those that downloads need.
  std::size_t lendableFrames = 16;
  // Whether runs may be captured into device graphs.
  bool graphs = true;
};

// Graphs kept at a time, and what one is taken to cost on the device: CUDA does not tell before it is made.
constexpr std::size_t kMostGraphs = 32;
constexpr std::size_t kGraphBytes = std::size_t{1} << 20;
// Pinned blocks in which frames from ordinary memory are staged on their way up.
constexpr std::size_t kUploadStages = 3;

struct MemoryPlan {
  std::size_t ring = 0;
  std::size_t gather = 0;
  std::size_t outputs = 0;
  std::size_t activation = 0;
  std::size_t graphs = 0;
  std::size_t pinned = 0;
  // Blocks of the pool that downloads need.
  std::size_t reservedBlocks = 0;

  std::size_t device() const noexcept { return ring + gather + outputs + activation + graphs; }
};

// Bytes that a host frame occupies; the last row needs no padding behind it.
std::size_t hostFrameBytes(const SessionOptions& options) noexcept;
// Of one output set: the frames of a batch, and its peaks.
std::size_t interpolatedBytes(const SessionOptions& options, const NetworkShape& shape) noexcept;
std::size_t peakBytes(const SessionOptions& options) noexcept;
// `shape`: the largest of each field over the session's networks.
MemoryPlan planMemory(const SessionOptions& options, const NetworkShape& shape) noexcept;
// kOutOfMemory with the numbers if `plan`, less what the session `held` already, is more than is free.
Status checkMemory(const MemoryPlan& plan, const MemoryPlan& held, const MemoryInfo& memory) noexcept;

}  // namespace flavr

#endif
