#include "binding/build.h"

#include <atomic>
#include <memory>
#include <utility>

#include "binding/task.h"
#include "binding/values.h"
#include "engine/builder.h"

namespace flavr::binding {

namespace {

Task::Settle run(Task& task, const BuildRequest& request) {
  BuildHooks hooks;
  hooks.progress = [&task](double fraction, const std::string& phase) {
    task.send([fraction, phase](Napi::Env env, Napi::Function onProgress) {
      onProgress.Call({Napi::Number::New(env, fraction), Napi::String::New(env, phase)});
    });
  };
  hooks.cancelled = [&task] { return task.cancelled(); };
  auto result = std::make_shared<Result<BuiltEngine>>(buildEngine(request, hooks));
  return [result](Napi::Env env, const Napi::Promise::Deferred& promise) {
    if (!result->ok()) return promise.Reject(toJs(env, result->error()).Value());
    BuiltEngine& engine = result->value();
    Napi::Object object = toJs(env, engine.library);
    object.Set("plan", toJs(env, std::move(engine.plan)));
    object.Set("timingCache", toJs(env, std::move(engine.timingCache)));
    promise.Resolve(object);
  };
}

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
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto handle = Napi::Object::New(env);
  handle.Set("done", Task::start(env, info[1].As<Napi::Function>(), cancelled,
                                 [request = requestFromJs(info[0].As<Napi::Object>())](Task& task) {
                                   return run(task, request);
                                 }));
  handle.Set("cancel", Napi::Function::New(env, [cancelled](const Napi::CallbackInfo&) { *cancelled = true; }));
  return handle;
}

}  // namespace flavr::binding
