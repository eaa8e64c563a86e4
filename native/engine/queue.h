// An unbounded queue from any thread to one. What bounds it is the caller: at most inFlight batches, and their frames.
#ifndef FLAVR_ENGINE_QUEUE_H
#define FLAVR_ENGINE_QUEUE_H

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace flavr {

template <class T>
class Queue {
 public:
  void push(T item) noexcept {
    pushQuietly(std::move(item));
    filled_.notify_one();
  }

  // The same without waking the thread, for what is of no use before the next push(): waking is most of what a push
  // costs.
  void pushQuietly(T item) noexcept {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
  }

  // Blocks until there is an item.
  T pop() noexcept {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return !items_.empty(); });
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<T> items_;
};

}  // namespace flavr

#endif
