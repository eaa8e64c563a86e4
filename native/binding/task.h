// Something that takes long, on a thread of its own, whose end settles a promise.
#ifndef FLAVR_BINDING_TASK_H
#define FLAVR_BINDING_TASK_H

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "binding/environment.h"

namespace flavr::binding {

class Task final : public Work {
 public:
  // Settles the promise, on the JavaScript thread.
  using Settle = std::function<void(Napi::Env, const Napi::Promise::Deferred&)>;
  // Runs on the task's thread.
  using Body = std::function<Settle(Task&)>;
  using Call = std::function<void(Napi::Env, Napi::Function)>;

  // `callback`: what send() calls. Once `cancelled` is set the body should end soon; an ending environment sets it too.
  static Napi::Promise start(Napi::Env env, Napi::Function callback, std::shared_ptr<std::atomic<bool>> cancelled,
                             Body body);
  ~Task() override { close(); }

  bool cancelled() const noexcept { return *cancelled_; }
  // From any thread, while the body runs: has the callback called on the JavaScript thread.
  void send(Call call) noexcept;

  void close() noexcept override;

 private:
  Task(Napi::Env env, Napi::Function callback, std::shared_ptr<std::atomic<bool>> cancelled, Body body);
  void run() noexcept;

  const Napi::Promise::Deferred deferred_;
  const std::shared_ptr<std::atomic<bool>> cancelled_;
  const Body body_;
  std::mutex mutex_;
  bool open_ = true;
  Napi::ThreadSafeFunction toJs_;
  std::thread thread_;
};

}  // namespace flavr::binding

#endif
