#include "binding/mailbox.h"

#include <utility>

namespace flavr::binding {

std::shared_ptr<Mailbox> Mailbox::create(Napi::Env env) {
  std::shared_ptr<Mailbox> mailbox(new Mailbox(env));
  auto* shared = new std::shared_ptr<Mailbox>(mailbox);
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "flavr session"), 0, 1, shared,
      [](napi_env, void* data, void*) {
        const std::unique_ptr<std::shared_ptr<Mailbox>> last(static_cast<std::shared_ptr<Mailbox>*>(data));
        const std::lock_guard lock((*last)->mutex_);
        (*last)->wake_ = nullptr;
      },
      mailbox.get(),
      [](napi_env target, napi_value, void* context, void*) {
        // No environment: it is going away, and nothing may be called in it.
        if (target != nullptr) static_cast<Mailbox*>(context)->drain(target);
      },
      &mailbox->wake_);
  if (status != napi_ok) {
    delete shared;
    throw Napi::Error::New(env);
  }
  mailbox->keepAlive(false);
  return mailbox;
}

void Mailbox::post(Message message) noexcept {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  messages_.push_back(std::move(message));
  if (!woken_) woken_ = napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking) == napi_ok;
}

void Mailbox::drain(Napi::Env env) {
  const auto self = shared_from_this();
  std::vector<Message> messages;
  {
    const std::lock_guard lock(mutex_);
    messages.swap(messages_);
    woken_ = false;
  }
  for (Message& message : messages) {
    try {
      message(env);
    } catch (const Napi::Error&) {
      // The environment is being terminated and takes no more values: whoever waits for them is gone too.
    }
  }
}

void Mailbox::keepAlive(bool alive) noexcept {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return;
  if (alive) {
    napi_ref_threadsafe_function(env_, wake_);
  } else {
    napi_unref_threadsafe_function(env_, wake_);
  }
}

void Mailbox::close() noexcept {
  std::vector<Message> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(messages_);
  if (wake_ != nullptr) napi_release_threadsafe_function(std::exchange(wake_, nullptr), napi_tsfn_release);
}

}  // namespace flavr::binding
