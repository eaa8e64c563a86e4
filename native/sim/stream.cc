#include "sim/stream.h"

#include <algorithm>
#include <utility>

namespace flavr::sim {

std::uint64_t Event::announce() noexcept {
  const std::lock_guard lock(mutex_);
  return ++announced_;
}

std::uint64_t Event::latest() const noexcept {
  const std::lock_guard lock(mutex_);
  return announced_;
}

void Event::complete(std::uint64_t number, Clock::time_point time) noexcept {
  {
    const std::lock_guard lock(mutex_);
    completed_ = std::max(completed_, number);
    time_ = time;
  }
  changed_.notify_all();
}

Clock::time_point Event::await(std::uint64_t number) noexcept {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return completed_ >= number; });
  return time_;
}

Stream::Stream() : thread_([this] { run(); }) {}

Stream::~Stream() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Stream::push(Operation operation) noexcept {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(operation), Clock::now()});
  }
  changed_.notify_one();
}

void Stream::run() noexcept {
  while (true) {
    Queued queued;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      queued = std::move(queue_.front());
      queue_.pop_front();
    }
    carryOut(queued);
  }
}

void Stream::carryOut(const Queued& queued) noexcept {
  const Operation& operation = queued.operation;
  clock_ = std::max(clock_, queued.at);
  if (operation.event) {
    if (operation.waits) {
      clock_ = std::max(clock_, operation.event->await(operation.record));
    } else {
      operation.event->complete(operation.record, clock_);
    }
    return;
  }
  operation.begin();
  clock_ += operation.duration;
  if (operation.duration.count() > 0) std::this_thread::sleep_until(clock_);
  operation.finish();
}

}  // namespace flavr::sim
