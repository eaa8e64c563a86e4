// A deserialised engine and what runs it. The tensors are those of the framed and ring forms of our graphs: inputs
// `frame0` … `frame{2C-1}`, uint8 [B, frameStride]; outputs `interpolated`, uint8 [B, k-1, frameBytes], and `peak`,
// float32 [B]. Whoever implements Network has checked the engine's tensors against exactly that.
#ifndef FLAVR_ENGINE_NETWORK_H
#define FLAVR_ENGINE_NETWORK_H

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/device.h"
#include "engine/result.h"

namespace flavr {

struct NetworkShape {
  // 2C: frames in a window.
  std::size_t inputs;
  // B: windows in one run.
  std::size_t batch;
  // k-1: new frames per window.
  std::size_t outputs;
  // H*W*3.
  std::size_t frameBytes;
  // From one window's frame to the next in an input tensor: a multiple of 256, at least frameBytes.
  std::size_t frameStride;
  // Scratch memory of one execution context; handed to it with setActivationMemory().
  std::size_t activationBytes;
};

// Addresses of one run; each a multiple of 256. Two runs with equal bindings may share a captured graph.
struct Bindings {
  std::vector<DeviceAddress> inputs;
  DeviceAddress interpolated = 0;
  DeviceAddress peak = 0;

  friend bool operator==(const Bindings& a, const Bindings& b) noexcept {
    return a.interpolated == b.interpolated && a.peak == b.peak && a.inputs == b.inputs;
  }
};

// Used by one thread only. It reads addresses while enqueue() runs, not later.
class ExecutionContext {
 public:
  ExecutionContext() = default;
  ExecutionContext(const ExecutionContext&) = delete;
  ExecutionContext& operator=(const ExecutionContext&) = delete;
  virtual ~ExecutionContext() = default;

  // Before the first enqueue(); again only when nothing of this context runs. The memory may be shared with contexts
  // whose runs are on the same stream.
  virtual Status setActivationMemory(DeviceAddress address, std::size_t bytes) noexcept = 0;
  // Whether enqueue() on this stream may be tried in a capture; the runtime may know that it cannot.
  virtual bool capturable(StreamHandle stream) const noexcept = 0;
  virtual Status enqueue(const Bindings& bindings, StreamHandle stream) noexcept = 0;
};

// Outlives the contexts made from it.
class Network {
 public:
  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  virtual const NetworkShape& shape() const noexcept = 0;
  // A context without activation memory.
  virtual Result<std::unique_ptr<ExecutionContext>> createContext() noexcept = 0;
};

}  // namespace flavr

#endif
