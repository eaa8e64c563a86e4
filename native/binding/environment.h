// What the addon keeps per JavaScript environment (the main thread's and every worker's): the work that is under way,
// and the frames it lent.
#ifndef FLAVR_BINDING_ENVIRONMENT_H
#define FLAVR_BINDING_ENVIRONMENT_H

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "binding/lender.h"

namespace flavr::binding {

// Something with threads of its own, which must end before its environment does.
class Work {
 public:
  Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  virtual ~Work() = default;

  // Stops and joins every thread. On the JavaScript thread, while the environment goes away: calls no JavaScript.
  virtual void close() noexcept = 0;
};

// Used on the environment's own thread only.
class Environment {
 public:
  static Environment& of(Napi::Env env);
  // Once per environment, when the module is loaded.
  static void install(Napi::Env env);

  // Keeps the work alive until remove(). False, with the work destroyed, when the environment is ending.
  bool add(std::unique_ptr<Work> work);
  void remove(const Work* work);

  Lender& lender() { return lender_; }

  // At the end, by the process's event or by the clean-up hook, whichever comes first. Idempotent.
  void close() noexcept;

 private:
  std::unordered_map<const Work*, std::unique_ptr<Work>> work_;
  Lender lender_;
  bool closed_ = false;
};

}  // namespace flavr::binding

#endif
