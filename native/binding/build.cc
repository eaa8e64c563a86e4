#include "binding/build.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "binding/environment.h"
#include "binding/values.h"
#include "engine/builder.h"

namespace flavr::binding {

namespace {

class BuildWork final : public Work {
 public:
  BuildWork(const Napi::Env& env, BuildRequest request, const Napi::Function& onProgress)
      : request_(std::move(request)),
        deferred_(Napi::Promise::Deferred::New(env)),
        toJs_(Napi::ThreadSafeFunction::New(env, onProgress, "flavr build", 0, 1)) {}
  ~BuildWork() override { close(); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  Napi::Promise promise() const { return deferred_.Promise(); }
  std::shared_ptr<std::atomic<bool>> cancelled() const { return cancelled_; }

  void close() noexcept override {
    *cancelled_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() noexcept {
    BuildHooks hooks;
    hooks.progress = [this](double fraction, const std::string& phase) {
      send([fraction, phase](Napi::Env env, Napi::Function onProgress) {
        onProgress.Call({Napi::Number::New(env, fraction), Napi::String::New(env, phase)});
      });
    };
    hooks.cancelled = [this] { return cancelled_->load(); };
    auto result = std::make_shared<Result<BuiltEngine>>(buildEngine(request_, hooks));
    send([this, result](Napi::Env env, Napi::Function) { settle(env, *result); });
    const std::lock_guard<std::mutex> lock(mutex_);
    if (open_) toJs_.Release();
  }

  // On the builder's threads. A function that was closed because its environment goes away frees itself: it must not be
  // called again.
  template <class Call>
  void send(Call call) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (open_ && toJs_.NonBlockingCall(call) != napi_ok) open_ = false;
  }

  // On the JavaScript thread; destroys this.
  void settle(Napi::Env env, Result<BuiltEngine>& result) {
    if (result.ok()) {
      BuiltEngine& engine = result.value();
      Napi::Object object = binding::toJs(env, engine.library);
      object.Set("plan", binding::toJs(env, std::move(engine.plan)));
      object.Set("timingCache", binding::toJs(env, std::move(engine.timingCache)));
      deferred_.Resolve(object);
    } else {
      deferred_.Reject(binding::toJs(env, result.error()).Value());
    }
    Environment::of(env).remove(this);
  }

  const BuildRequest request_;
  const Napi::Promise::Deferred deferred_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex_;
  bool open_ = true;
  Napi::ThreadSafeFunction toJs_;
  std::thread thread_;
};

BuildRequest requestFromJs(const Napi::Object& object) {
  BuildRequest request;
  request.library = object.Get("library").As<Napi::String>();
  request.device = object.Get("device").As<Napi::Number>();
  request.model = bytesFromJs(object.Get("model"));
  request.workspaceBytes = static_cast<uint64_t>(object.Get("workspaceBytes").As<Napi::Number>().Int64Value());
  request.optimizationLevel = object.Get("optimizationLevel").As<Napi::Number>();
  request.allowTf32 = object.Get("allowTf32").As<Napi::Boolean>();
  request.timingCache = bytesFromJs(object.Get("timingCache"));
  const auto targets = object.Get("computeCapabilities").As<Napi::Array>();
  for (uint32_t i = 0; i < targets.Length(); i++) {
    request.computeCapabilities.push_back(targets.Get(i).As<Napi::Number>());
  }
  return request;
}

}  // namespace

Napi::Value build(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto work = std::make_unique<BuildWork>(env, requestFromJs(info[0].As<Napi::Object>()), info[1].As<Napi::Function>());
  auto handle = Napi::Object::New(env);
  handle.Set("done", work->promise());
  handle.Set("cancel", Napi::Function::New(
                           env, [cancelled = work->cancelled()](const Napi::CallbackInfo&) { *cancelled = true; }));
  BuildWork& started = *work;
  Environment::of(env).add(std::move(work));
  started.start();
  return handle;
}

}  // namespace flavr::binding
