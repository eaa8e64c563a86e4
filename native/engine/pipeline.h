// The device side of a session: three streams, the slabs, the output sets and the programs, and the order between them.
//
//   up       frame -> slot
//   compute  (gather) -> engine -> (kept outputs -> slots)
//   down     outputs, peaks -> pinned blocks
//
// Order across streams is kept by events alone; no thread waits for the device to enqueue more work on it.
#ifndef FLAVR_ENGINE_PIPELINE_H
#define FLAVR_ENGINE_PIPELINE_H

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/block_pool.h"
#include "engine/graph_cache.h"
#include "engine/memory_plan.h"
#include "engine/network.h"
#include "engine/slab.h"

namespace flavr {

// A frame in host memory, with whatever keeps it alive: a pinned block, or ordinary memory. The last owner may be any
// thread.
struct HostFrame {
  std::shared_ptr<std::uint8_t> bytes;
  // The device may read and write it in place.
  bool pinned = false;
};

// Where a batch's results lie on the device, and the events of the batch that uses it.
struct OutputSet {
  DeviceMemory interpolated;
  DeviceMemory peak;
  PinnedMemory hostPeak;
  Event started;
  Event computed;
  Event downloaded;
};

// A batch on the device. Made by the enqueue thread, finished by the wait thread.
struct Run {
  // Counts from 1 in order of enqueueing; batch n uses output set n % inFlight.
  std::uint64_t number = 0;
  std::size_t windows = 0;
  OutputSet* outputs = nullptr;
  // windows * (k-1) blocks, in order.
  std::vector<BlockRef> blocks;
  Status status;
};

// Slots of one window, and where its outputs stay on the device if they do (else empty).
struct RunWindow {
  std::vector<Slot*> slots;
  std::vector<Slot*> keep;
};

struct PipelineCounters {
  std::atomic<std::uint64_t> gathers{0};
  std::atomic<std::uint64_t> stagedCopies{0};
  std::atomic<std::uint64_t> graphs{0};
  std::atomic<bool> graphsFailed{false};
  std::atomic<std::uint64_t> deviceBytes{0};
  std::atomic<std::uint64_t> pinnedBytes{0};
};

// Enqueue thread only, except where it says otherwise.
class Pipeline {
 public:
  Pipeline(std::shared_ptr<Device> device, const SessionOptions& options, std::shared_ptr<BlockPool> pool,
           PipelineCounters& counters) noexcept;

  // Streams. Once, first.
  Status open() noexcept;
  // Takes networks in and whatever memory they need beyond what is held, all of it checked first. Nothing may run.
  Status prepare(std::vector<std::unique_ptr<Network>> networks) noexcept;

  // Enqueues the upload of a frame and gives the event after which its bytes are free, or none if they are already.
  Result<EventHandle> upload(Slot& slot, const HostFrame& frame, std::uint64_t completed) noexcept;
  // Enqueues a batch with k-1 = `outputs`; the caller has made sure that batch `run.number - inFlight` is complete. A
  // failure is left in run.status; run.outputs->downloaded covers whatever was enqueued all the same.
  void run(Run& run, std::vector<RunWindow>& windows, std::size_t outputs, std::uint64_t completed) noexcept;
  // Blocks until the streams have done everything.
  void drain() noexcept;

  SlabAllocator& slabs() noexcept { return *slabs_; }
  bool prepared() const noexcept { return slabs_.has_value(); }

  // Wait thread: blocks until the batch is over, then checks its peaks. Gives the time its compute part took.
  Result<float> finish(const Run& run) noexcept;

 private:
  // An engine of one factor and its context.
  struct Program {
    std::unique_ptr<Network> network;
    std::unique_ptr<ExecutionContext> context;
  };
  struct Stage {
    PinnedMemory memory;
    Event read;
  };

  Status checkShape(const NetworkShape& shape) const noexcept;
  Status takeMemory(const NetworkShape& shape) noexcept;
  Result<OutputSet> makeOutputSet(const NetworkShape& shape) noexcept;
  Program* find(std::size_t outputs) noexcept;
  Status checkWindows(const std::vector<RunWindow>& windows, std::size_t outputs) const noexcept;
  // Orders the compute stream, which is about to use the slot, after a pending upload into it.
  Status awaitUpload(Slot& slot) noexcept;
  Result<Bindings> bind(const Run& run, std::vector<RunWindow>& windows) noexcept;
  Status compute(Run& run, std::vector<RunWindow>& windows, Program& program, std::uint64_t completed) noexcept;
  Status keep(const Run& run, std::vector<RunWindow>& windows, std::size_t outputs) noexcept;
  Status download(Run& run, std::size_t outputs) noexcept;

  const std::shared_ptr<Device> device_;
  const SessionOptions options_;
  const std::shared_ptr<BlockPool> pool_;
  PipelineCounters& counters_;
  const Rows hostRows_;

  // Members are destroyed from the last up: graphs before the contexts they were captured from, contexts before
  // engines, streams after all that ran on them, and memory last. Nothing runs any more then, but on a lost device,
  // which nobody could wait for: there the end of the streams is the end of what still touches memory.

  // The largest of each field over the programs, and what it made us take.
  NetworkShape shape_{};
  MemoryPlan held_;
  DeviceMemory activation_;
  DeviceMemory gathered_;
  std::optional<SlabAllocator> slabs_;
  std::vector<OutputSet> outputs_;
  std::array<Stage, kUploadStages> stages_;
  std::size_t nextStage_ = 0;
  Stream up_;
  Stream compute_;
  Stream down_;
  std::vector<Program> programs_;
  GraphCache graphs_;
};

}  // namespace flavr

#endif
