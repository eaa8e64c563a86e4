#include "binding/environment.h"

namespace flavr::binding {

namespace {

// process.exit() of the main thread ends the process without clean-up hooks, while its libraries' destructors run: a
// thread that still works inside one of them would crash. The event `exit` is the last moment to join it.
void closeOnExit(Napi::Env env) {
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto close =
      Napi::Function::New(env, [](const Napi::CallbackInfo& info) { Environment::of(info.Env()).close(); });
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), close});
}

}  // namespace

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::install(Napi::Env env) {
  auto* environment = new Environment;
  env.SetInstanceData<Environment>(environment);
  env.AddCleanupHook([](Environment* self) { self->close(); }, environment);
  closeOnExit(env);
}

bool Environment::add(std::unique_ptr<Work> work) {
  if (closed_) return false;
  const Work* key = work.get();
  work_.emplace(key, std::move(work));
  return true;
}

void Environment::remove(const Work* work) { work_.erase(work); }

void Environment::close() noexcept {
  closed_ = true;
  for (auto& entry : work_) entry.second->close();
  work_.clear();
}

}  // namespace flavr::binding
