// The knobs and gauges of the simulated device: how fast it is, what fails next, what is alive, what was done wrong.
#ifndef FLAVR_SIM_CONTROL_H
#define FLAVR_SIM_CONTROL_H

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace flavr::sim {

// A fault that strikes once, at the n-th occasion from when it was set.
class Countdown {
 public:
  // 0 disarms.
  void set(std::int64_t occasions) noexcept { left_ = occasions; }
  bool strikes() noexcept { return left_.load() > 0 && left_.fetch_sub(1) == 1; }

 private:
  std::atomic<std::int64_t> left_{0};
};

// While it is shut, what comes to it waits: a test decides how long the device is busy.
class Gate {
 public:
  void shut() noexcept {
    const std::lock_guard lock(mutex_);
    shut_ = true;
  }
  void open() noexcept {
    {
      const std::lock_guard lock(mutex_);
      shut_ = false;
    }
    opened_.notify_all();
  }
  void pass() noexcept {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [&] { return !shut_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool shut_ = false;
};

struct Control {
  // Speed of each copy: fixed part, and bytes per microsecond (0: no time per byte).
  std::atomic<std::int64_t> copyLatencyUs{0};
  std::atomic<std::int64_t> copyBytesPerUs{0};
  // Added to the plan's own time per run: the slow engine.
  std::atomic<std::int64_t> extraComputeUs{0};
  // Before each run of an engine.
  Gate gate;
  std::atomic<std::size_t> totalMemory{std::size_t{8} << 30};

  Countdown outOfMemory;    // an allocation, on the device or pinned
  Countdown launchFailure;  // an engine run is refused
  Countdown copyFailure;    // a copy is refused
  Countdown captureFailure;
  Countdown deviceLost;  // an operation finds the device gone; everything after it too
  Countdown badPeak;     // a run reports a non-finite peak

  // What is alive now.
  std::atomic<std::size_t> deviceBytes{0};
  std::atomic<std::int64_t> deviceAllocations{0};
  std::atomic<std::int64_t> pinnedAllocations{0};
  std::atomic<std::int64_t> streams{0};
  std::atomic<std::int64_t> events{0};
  std::atomic<std::int64_t> graphs{0};
  std::atomic<std::int64_t> contexts{0};
  // Sums of simulated durations, in microseconds: what a stage was busy.
  std::atomic<std::int64_t> upUs{0};
  std::atomic<std::int64_t> computeUs{0};
  std::atomic<std::int64_t> downUs{0};

  // Use of freed or foreign memory, a graph destroyed while it ran, and the like.
  void violation(std::string what) noexcept {
    const std::lock_guard lock(mutex_);
    violations_.push_back(std::move(what));
  }
  std::vector<std::string> takeViolations() noexcept {
    const std::lock_guard lock(mutex_);
    return std::exchange(violations_, {});
  }
  std::int64_t alive() const noexcept {
    return deviceAllocations + pinnedAllocations + streams + events + graphs + contexts;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> violations_;
};

}  // namespace flavr::sim

#endif
