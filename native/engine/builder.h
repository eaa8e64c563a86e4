// Builds an engine with whatever TensorRT library it is given: blocks, off the JavaScript thread.
#ifndef FLAVR_ENGINE_BUILDER_H
#define FLAVR_ENGINE_BUILDER_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/result.h"
#include "engine/version.h"

namespace flavr {

struct BuildRequest {
  // The TensorRT library: a path, or a bare name for the loader's own search.
  std::string library;
  // The GPU that TensorRT builds on and for; TensorRT-RTX needs none and ignores it.
  std::int32_t device = 0;
  // A serialised ONNX ModelProto.
  std::vector<std::byte> model;
  // Most scratch memory a layer may use; 0 leaves TensorRT's own limit.
  std::uint64_t workspaceBytes = 0;
  // 0 to 5; negative leaves TensorRT's own level.
  std::int32_t optimizationLevel = -1;
  bool allowTf32 = false;
  std::vector<std::byte> timingCache;
  // Targets of a TensorRT-RTX engine as major * 10 + minor; none: portable over all GPUs it supports from 8.0.
  std::vector<std::int32_t> computeCapabilities;
};

struct BuiltEngine {
  LibraryIdentity library;
  std::vector<std::byte> plan;
  // For the next build on this device; empty where the family has none.
  std::vector<std::byte> timingCache;
};

// Both may be called from any thread, several at a time.
struct BuildHooks {
  // The part of the build that is done, from 0 to 1, and the name of the phase that goes on.
  std::function<void(double fraction, const std::string& phase)> progress;
  std::function<bool()> cancelled;
};

Result<BuiltEngine> buildEngine(const BuildRequest& request, const BuildHooks& hooks) noexcept;

}  // namespace flavr

#endif
