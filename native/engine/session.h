// A model on a device, for frames of one size: the caller's side of the pipeline.
//
// Three threads meet here. The caller's (JavaScript's) only hands over: every function returns at once and what it
// hands over is one command in a queue. The enqueue thread carries the commands out in order; everything in Pipeline is
// its own. The wait thread blocks on events and gives results back. At most `inFlight` batches are on the device.
#ifndef FLAVR_ENGINE_SESSION_H
#define FLAVR_ENGINE_SESSION_H

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "engine/block_pool.h"
#include "engine/device.h"
#include "engine/lane.h"
#include "engine/network.h"
#include "engine/pipeline.h"
#include "engine/queue.h"
#include "engine/result.h"

namespace flavr {

struct LaneSlot {
  std::shared_ptr<LaneSlots> lane;
  std::uint32_t slot;
};

// A window as the caller names it: 2C slots in order of time, and k-1 slots in which its outputs also stay (or none).
struct Window {
  std::vector<LaneSlot> slots;
  std::vector<LaneSlot> keep;
};

// The new frames of a batch, window by window, in order of time.
using Outcome = Result<std::vector<HostFrame>>;

struct SessionStats {
  std::uint64_t windows;
  std::uint64_t batches;
  std::uint64_t hostCopiesIn;
  std::uint64_t hostCopiesOut;
  std::uint64_t gathers;
  std::uint64_t graphs;
  bool graphsFailed;
  std::size_t blocksFree;
  std::size_t blocksLent;
  double inferMs;
  std::uint64_t deviceBytes;
  std::uint64_t pinnedBytes;
};

class Session {
 public:
  // Blocks while memory is taken: call it from a thread that may. The networks are those of the factors at hand.
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<Device> device, const SessionOptions& options,
                                               std::vector<std::unique_ptr<Network>> networks) noexcept;
  // Stops what has not been enqueued and blocks until the rest is over, if close() was not called before. Never on one
  // of the session's own threads.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // --- Caller thread. Callbacks come on the session's threads, each exactly once, and must not block. ---

  // Takes further factors in once everything enqueued before is over.
  void prepare(std::vector<std::unique_ptr<Network>> networks, std::function<void(Status)> done) noexcept;
  std::unique_ptr<Lane> openLane(std::size_t capacity) const;
  // No window of the lane may be handed over after this; those handed over before still run.
  void closeLane(Lane& lane) noexcept;
  // Hands a frame over and gives its slot. `frame` is dropped when its bytes are not needed any more.
  Result<std::uint32_t> upload(Lane& lane, HostFrame frame) noexcept;
  // Runs up to B windows of one factor. Batches run in the order in which they are handed over.
  void infer(std::size_t factor, std::vector<Window> windows, std::function<void(Outcome)> done) noexcept;
  // Stops every batch that has not been enqueued: each ends with kAborted.
  void cancel() noexcept { cancelled_ = true; }
  // Finishes what was handed over, frees everything but the frames that are lent, then calls `done`, which is the last
  // thing the session's threads do. Nothing may be handed over after it.
  void close(std::function<void()> done) noexcept;

  // A frame for the caller to fill: pinned if a block can be spared, else bytes is null.
  HostFrame allocate() noexcept;
  // The frame that this session lent at this address, else bytes is null.
  HostFrame find(const void* data) noexcept;
  // A copy of the caller's bytes: pinned if a block can be spared, else in ordinary memory (null if there is none).
  HostFrame copy(const void* data) noexcept;
  std::size_t frameBytes() const noexcept { return pool_->blockBytes(); }
  std::size_t batch() const noexcept { return options_.batch; }
  SessionStats stats() const noexcept;

 private:
  struct UploadCommand {
    LaneSlot slot;
    HostFrame frame;
  };
  struct InferCommand {
    std::size_t outputs;
    std::vector<Window> windows;
    std::function<void(Outcome)> done;
  };
  struct PrepareCommand {
    std::vector<std::unique_ptr<Network>> networks;
    std::function<void(Status)> done;
  };
  struct CloseLaneCommand {
    std::shared_ptr<LaneSlots> lane;
  };
  struct CloseCommand {
    std::function<void()> done;
  };
  using Command = std::variant<UploadCommand, InferCommand, PrepareCommand, CloseLaneCommand, CloseCommand>;

  // What the wait thread waits for: a frame whose upload reads it in place, a batch, or the end.
  struct Uploaded {
    EventHandle event;
    HostFrame frame;
  };
  struct Enqueued {
    Run run;
    std::function<void(Outcome)> done;
  };
  struct Stop {};
  // What the device has done.
  struct Work {
    std::uint64_t windows = 0;
    std::uint64_t batches = 0;
    double ms = 0;
  };
  using Pending = std::variant<Uploaded, Enqueued, Stop>;

  Session(std::shared_ptr<Device> device, const SessionOptions& options);
  Status start() noexcept;

  // Enqueue thread.
  void enqueueLoop() noexcept;
  void carryOut(UploadCommand& command) noexcept;
  void carryOut(InferCommand& command) noexcept;
  void carryOut(PrepareCommand& command) noexcept;
  void carryOut(CloseLaneCommand& command) noexcept;
  void carryOut(CloseCommand& command) noexcept;
  Result<Slot*> resolve(const LaneSlot& slot) noexcept;
  Result<std::vector<RunWindow>> resolve(const std::vector<Window>& windows) noexcept;
  // Blocks until at most `count` batches are on the device.
  void awaitInFlight(std::size_t count) noexcept;

  // Wait thread.
  void waitLoop() noexcept;
  void handOver(Enqueued& enqueued) noexcept;
  Outcome collect(Run& run) noexcept;

  const std::shared_ptr<Device> device_;
  const SessionOptions options_;
  const std::shared_ptr<BlockPool> pool_;
  PipelineCounters counters_;
  std::atomic<std::uint64_t> copiesIn_{0};
  std::atomic<std::uint64_t> copiesOut_{0};
  std::atomic<bool> cancelled_{false};
  bool closing_ = false;  // caller thread

  // Enqueue thread.
  std::unique_ptr<Pipeline> pipeline_;
  Status opened_;
  std::uint64_t enqueued_ = 0;

  // Written by the wait thread, awaited by the enqueue thread.
  mutable std::mutex mutex_;
  std::condition_variable completedChanged_;
  std::atomic<std::uint64_t> completed_{0};
  Work work_;  // under mutex_: a time and windows that do not belong to each other are no time per window

  Queue<Command> commands_;
  Queue<Pending> pending_;
  std::thread waiter_;
  std::thread enqueuer_;
};

}  // namespace flavr

#endif
