// The simulated device. It proves order, ownership, overlap and failure paths, and no number of FLAVR's.
#ifndef FLAVR_SIM_DEVICE_H
#define FLAVR_SIM_DEVICE_H

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "engine/device.h"
#include "sim/control.h"
#include "sim/stream.h"

namespace flavr::sim {

class SimDevice final : public Device {
 public:
  explicit SimDevice(std::shared_ptr<Control> control) noexcept : control_(std::move(control)) {}
  ~SimDevice() override;

  Status makeCurrent() noexcept override;
  Result<MemoryInfo> memory() noexcept override;
  Result<DeviceAddress> allocate(std::size_t bytes) noexcept override;
  void free(DeviceAddress address) noexcept override;
  Result<void*> allocatePinned(std::size_t bytes) noexcept override;
  void freePinned(void* memory) noexcept override;
  Result<StreamHandle> createStream() noexcept override;
  void destroyStream(StreamHandle stream) noexcept override;
  Result<EventHandle> createEvent(EventKind kind) noexcept override;
  void destroyEvent(EventHandle event) noexcept override;
  Status record(EventHandle event, StreamHandle stream) noexcept override;
  Status wait(StreamHandle stream, EventHandle event) noexcept override;
  Status synchronize(EventHandle event) noexcept override;
  Result<float> elapsedMs(EventHandle start, EventHandle end) noexcept override;
  Status copyUp(DeviceAddress to, const void* from, const Rows& rows, StreamHandle stream) noexcept override;
  Status copyDown(void* to, DeviceAddress from, const Rows& rows, StreamHandle stream) noexcept override;
  Status copyWithin(DeviceAddress to, DeviceAddress from, std::size_t bytes, StreamHandle stream) noexcept override;
  Status beginCapture(StreamHandle stream) noexcept override;
  Result<GraphHandle> endCapture(StreamHandle stream) noexcept override;
  Status launch(GraphHandle graph, StreamHandle stream) noexcept override;
  void destroyGraph(GraphHandle graph) noexcept override;

  // For the simulated engine: enqueues an operation whose ends run on the stream's thread unless the device is lost.
  Status push(StreamHandle stream, Operation operation) noexcept;
  // True if the bytes lie in one live allocation; a violation is noted otherwise. Called when an operation runs.
  bool usable(const void* memory, std::size_t bytes, const char* what) noexcept;
  Control& control() noexcept { return *control_; }

 private:
  struct Capture {
    std::vector<Operation> operations;
    Status failure;
  };
  struct SimGraph {
    std::vector<Operation> operations;
    std::shared_ptr<std::atomic<int>> running = std::make_shared<std::atomic<int>>(0);
  };
  enum class Space : std::uint8_t { kDevice, kPinned };
  struct Allocation {
    std::size_t bytes;
    Space space;
  };

  Status alive() noexcept;
  Result<void*> take(std::size_t bytes, Space space) noexcept;
  void giveBack(void* memory, Space space) noexcept;
  std::chrono::microseconds copyTime(std::size_t bytes) const noexcept;
  Status copy(void* to, std::size_t toPitch, const void* from, std::size_t fromPitch, std::size_t rowBytes,
              std::size_t rows, std::atomic<std::int64_t>& busy, StreamHandle stream) noexcept;
  std::shared_ptr<Event> find(EventHandle event) noexcept;

  std::shared_ptr<Control> control_;
  std::atomic<bool> lost_{false};
  std::mutex mutex_;  // guards everything below
  std::uintptr_t nextHandle_ = 1;
  std::map<std::uintptr_t, Allocation> allocations_;
  std::unordered_map<std::uintptr_t, std::unique_ptr<Stream>> streams_;
  std::unordered_map<std::uintptr_t, std::shared_ptr<Event>> events_;
  std::unordered_map<std::uintptr_t, std::unique_ptr<SimGraph>> graphs_;
  std::unordered_map<std::uintptr_t, Capture> captures_;
};

}  // namespace flavr::sim

#endif
