// What a session needs of one device. The real one stands on the CUDA driver API and the device's primary context; the
// simulated one (native/sim) on threads. Handles are owned through resource.h, never by hand.
#ifndef FLAVR_ENGINE_DEVICE_H
#define FLAVR_ENGINE_DEVICE_H

#include <cstddef>
#include <cstdint>

#include "engine/result.h"

namespace flavr {

// An address in device memory; what allocate() returns is aligned to 256 bytes.
using DeviceAddress = std::uint64_t;

enum class StreamHandle : std::uintptr_t { kNone = 0 };
enum class EventHandle : std::uintptr_t { kNone = 0 };
enum class GraphHandle : std::uintptr_t { kNone = 0 };

// kOrder is cheaper; only kTimed may be given to elapsedMs(). Waiting for either must block the thread, not spin.
enum class EventKind : std::uint8_t { kOrder, kTimed };

struct MemoryInfo {
  std::size_t free;
  std::size_t total;
};

// A picture in host memory: rows of `rowBytes`, one every `hostPitch` bytes. Device pictures are always dense.
struct Rows {
  std::size_t rowBytes;
  std::size_t rows;
  std::size_t hostPitch;
};

// Any thread may call any function, after makeCurrent() on that thread; functions that free or destroy see to the
// context themselves, because the last owner of a pinned frame may be a thread that knows nothing of the device.
// Freeing waits for nothing: the caller guarantees that no work on a stream still uses the resource.
// After a kDeviceLost every function may fail with it; freeing and destroying stay safe.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  // Makes the device's primary context current on the calling thread. Every thread of a session begins with it.
  virtual Status makeCurrent() noexcept = 0;
  virtual Result<MemoryInfo> memory() noexcept = 0;

  // kOutOfMemory where there is none left.
  virtual Result<DeviceAddress> allocate(std::size_t bytes) noexcept = 0;
  virtual void free(DeviceAddress address) noexcept = 0;
  // Page-locked host memory that every context may copy from and to. Its content is zero.
  virtual Result<void*> allocatePinned(std::size_t bytes) noexcept = 0;
  virtual void freePinned(void* memory) noexcept = 0;

  // A stream that does not synchronise with the default stream.
  virtual Result<StreamHandle> createStream() noexcept = 0;
  virtual void destroyStream(StreamHandle stream) noexcept = 0;

  // An event that was never recorded counts as having happened.
  virtual Result<EventHandle> createEvent(EventKind kind) noexcept = 0;
  virtual void destroyEvent(EventHandle event) noexcept = 0;
  virtual Status record(EventHandle event, StreamHandle stream) noexcept = 0;
  // What is enqueued on `stream` from now on starts after what the latest record() of `event` covers.
  virtual Status wait(StreamHandle stream, EventHandle event) noexcept = 0;
  // Blocks the calling thread until the latest record() has happened. Gives the error of work that failed before it.
  virtual Status synchronize(EventHandle event) noexcept = 0;
  virtual Result<float> elapsedMs(EventHandle start, EventHandle end) noexcept = 0;

  // Asynchronous copies. Host memory must be pinned and stay untouched until an event recorded after the copy.
  virtual Status copyUp(DeviceAddress to, const void* from, const Rows& rows, StreamHandle stream) noexcept = 0;
  virtual Status copyDown(void* to, DeviceAddress from, const Rows& rows, StreamHandle stream) noexcept = 0;
  virtual Status copyWithin(DeviceAddress to, DeviceAddress from, std::size_t bytes, StreamHandle stream) noexcept = 0;

  // Graphs. Between begin and end (thread-local capture mode) work enqueued on the stream by this thread is kept, not
  // run. endCapture() must be called even when something in between failed; it then fails too and leaves no graph.
  virtual Status beginCapture(StreamHandle stream) noexcept = 0;
  virtual Result<GraphHandle> endCapture(StreamHandle stream) noexcept = 0;
  virtual Status launch(GraphHandle graph, StreamHandle stream) noexcept = 0;
  virtual void destroyGraph(GraphHandle graph) noexcept = 0;
};

}  // namespace flavr

#endif
