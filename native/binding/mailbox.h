// The way from a session's threads to its environment's: what is posted anywhere is carried out there, in order.
#ifndef FLAVR_BINDING_MAILBOX_H
#define FLAVR_BINDING_MAILBOX_H

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace flavr::binding {

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  using Message = std::function<void(Napi::Env)>;

  static std::shared_ptr<Mailbox> create(Napi::Env env);

  // Any thread. After close() the message is dropped.
  void post(Message message) noexcept;

  // --- The environment's thread ---

  // Whether waiting messages keep the process alive; not so at first.
  void keepAlive(bool alive) noexcept;
  // Drops what is waiting. Idempotent.
  void close() noexcept;

 private:
  explicit Mailbox(Napi::Env env) : env_(env) {}
  void drain(Napi::Env env);

  const Napi::Env env_;
  std::mutex mutex_;  // guards what follows
  // Null once closed or finalized. Node frees the function some time after its environment began to end, and says so by
  // finalizing it; calling it later would be a use after free, so calls are made under the lock.
  napi_threadsafe_function wake_ = nullptr;
  bool woken_ = false;
  std::vector<Message> messages_;
};

}  // namespace flavr::binding

#endif
