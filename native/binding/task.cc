#include "binding/task.h"

#include <system_error>
#include <utility>

#include "binding/values.h"

namespace flavr::binding {

Task::Task(Napi::Env env, Napi::Function callback, std::shared_ptr<std::atomic<bool>> cancelled, Body body)
    : deferred_(Napi::Promise::Deferred::New(env)),
      cancelled_(std::move(cancelled)),
      body_(std::move(body)),
      toJs_(Napi::ThreadSafeFunction::New(env, callback, "flavr task", 0, 1)) {}

Napi::Promise Task::start(Napi::Env env, Napi::Function callback, std::shared_ptr<std::atomic<bool>> cancelled,
                          Body body) {
  std::unique_ptr<Task> task(new Task(env, callback, std::move(cancelled), std::move(body)));
  Task& started = *task;
  const Napi::Promise promise = task->deferred_.Promise();
  // In an ending environment the promise stays open: nothing of it runs any more.
  if (!Environment::of(env).add(std::move(task))) return promise;
  try {
    started.thread_ = std::thread([&started] { started.run(); });
  } catch (const std::system_error& error) {
    started.deferred_.Reject(toJs(env, noThread(error)).Value());
    started.toJs_.Release();
    Environment::of(env).remove(&started);
  }
  return promise;
}

void Task::run() noexcept {
  auto settle = body_(*this);
  send([this, settle = std::move(settle)](Napi::Env env, Napi::Function) {
    settle(env, deferred_);
    Environment::of(env).remove(this);
  });
  const std::lock_guard<std::mutex> lock(mutex_);
  if (open_) toJs_.Release();
}

// A function that was closed because its environment goes away frees itself: it must not be called again.
void Task::send(Call call) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (open_ && toJs_.NonBlockingCall(std::move(call)) != napi_ok) open_ = false;
}

void Task::close() noexcept {
  *cancelled_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace flavr::binding
