// A simulated stream: a real thread that carries out operations in order, each until its own absolute deadline.
#ifndef FLAVR_SIM_STREAM_H
#define FLAVR_SIM_STREAM_H

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace flavr::sim {

using Clock = std::chrono::steady_clock;

// Counts records; waiting is always for a particular one, so that recording again never shortens a wait.
class Event {
 public:
  // Enqueue side: the number of a new record.
  std::uint64_t announce() noexcept;
  std::uint64_t latest() const noexcept;
  // Stream side: record `number` happened at `time` of the stream's clock.
  void complete(std::uint64_t number, Clock::time_point time) noexcept;
  // Blocks; gives the time at which record `number` (or a later one) happened.
  Clock::time_point await(std::uint64_t number) noexcept;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t announced_ = 0;
  std::uint64_t completed_ = 0;
  Clock::time_point time_{};
};

struct Operation {
  // Done when the operation starts and when its time is over: a copy moves one half of its bytes at either end, so that
  // memory which is touched too early or too late shows.
  std::function<void()> begin;
  std::function<void()> finish;
  std::chrono::microseconds duration{0};
  // Where the duration is added once the operation is enqueued for real, not merely captured.
  std::atomic<std::int64_t>* busyUs = nullptr;
  // Set for a record or a wait; then there is nothing else.
  std::shared_ptr<Event> event;
  std::uint64_t record = 0;
  bool waits = false;
};

class Stream {
 public:
  Stream();
  // Finishes what is enqueued.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void push(Operation operation) noexcept;

 private:
  struct Queued {
    Operation operation;
    Clock::time_point at;
  };
  void run() noexcept;
  void carryOut(const Queued& queued) noexcept;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Queued> queue_;
  bool closing_ = false;
  // Stream thread only: when the operation before was over by its deadline. The next starts then, not when a sleep
  // happened to return, or overshoot would add up and be measured as work.
  Clock::time_point clock_{};
  std::thread thread_;
};

}  // namespace flavr::sim

#endif
