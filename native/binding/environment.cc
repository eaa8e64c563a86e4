#include "binding/environment.h"

namespace flavr::binding {

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::install(Napi::Env env) {
  auto* environment = new Environment;
  env.SetInstanceData<Environment>(environment);
  env.AddCleanupHook([](Environment* self) { self->close(); }, environment);
}

void Environment::add(std::unique_ptr<Work> work) {
  const Work* key = work.get();
  work_.emplace(key, std::move(work));
}

void Environment::remove(const Work* work) { work_.erase(work); }

void Environment::close() noexcept {
  for (auto& entry : work_) entry.second->close();
  work_.clear();
}

}  // namespace flavr::binding
