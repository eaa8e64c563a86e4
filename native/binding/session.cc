#include "binding/session.h"

#include <memory>
#include <string>
#include <utility>

#include "binding/environment.h"
#include "binding/js_session.h"
#include "binding/values.h"

namespace flavr::binding {

namespace {

using SharedSession = std::shared_ptr<JsSession>;

// Ends the session with its environment. The JavaScript object shares it, and may be collected before or after.
class SessionWork final : public Work {
 public:
  explicit SessionWork(SharedSession session) : session_(std::move(session)) {}
  void close() noexcept override { session_->shutDown(); }

 private:
  const SharedSession session_;
};

struct Abandoned {
  SharedSession session;
  const Work* work;
};

std::size_t sizeFromJs(const Napi::Object& object, const char* name) {
  return static_cast<std::size_t>(object.Get(name).As<Napi::Number>().Int64Value());
}

SessionRequest requestFromJs(const Napi::Object& object) {
  SessionRequest request;
  request.platform.family = object.Get("family").As<Napi::String>();
  request.platform.library = object.Get("library").As<Napi::String>();
  request.device = object.Get("device").As<Napi::Number>();
  request.session.width = sizeFromJs(object, "width");
  request.session.height = sizeFromJs(object, "height");
  request.session.hostPitch = sizeFromJs(object, "stride");
  request.session.batch = sizeFromJs(object, "batch");
  request.session.inFlight = sizeFromJs(object, "inFlight");
  request.session.ringFrames = sizeFromJs(object, "ringFrames");
  request.session.lendableFrames = sizeFromJs(object, "lendableFrames");
  request.session.graphs = object.Get("graphs").As<Napi::Boolean>();
  return request;
}

std::vector<PlanRequest> plansFromJs(const Napi::Array& array) {
  std::vector<PlanRequest> plans;
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    const auto object = array.Get(index).As<Napi::Object>();
    auto bytes = object.Get("plan").As<Napi::Uint8Array>();
    plans.push_back({bytes.Data(),
                     bytes.ByteLength(),
                     {object.Get("kernelCache").As<Napi::String>()},
                     Napi::ObjectReference::New(bytes, 1)});
  }
  return plans;
}

std::uint32_t number(const Napi::CallbackInfo& info, std::size_t index) { return info[index].As<Napi::Number>(); }

Napi::Promise prepare(JsSession& session, const Napi::CallbackInfo& info) {
  const auto deferred = Napi::Promise::Deferred::New(info.Env());
  session.load(plansFromJs(info[0].As<Napi::Array>()), [deferred](Napi::Env env, const Status& status) {
    status.ok() ? deferred.Resolve(env.Undefined()) : deferred.Reject(toJs(env, status.error()).Value());
  });
  return deferred.Promise();
}

Napi::Promise close(const SharedSession& session, const Work* work, const Napi::CallbackInfo& info) {
  const auto deferred = Napi::Promise::Deferred::New(info.Env());
  session->close([deferred, work](Napi::Env env) {
    deferred.Resolve(env.Undefined());
    Environment::of(env).remove(work);
  });
  return deferred.Promise();
}

// The NativeSession of ts/native.ts. Each function holds the session, so that it is there for as long as it can be
// called.
Napi::Object handle(Napi::Env env, const SharedSession& session, const Work* work) {
  auto object = Napi::Object::New(env);
  const auto define = [&](const char* name, auto body) {
    object.Set(name, Napi::Function::New(
                         env, [session, body](const Napi::CallbackInfo& info) { return body(*session, info); }, name));
  };
  using Info = const Napi::CallbackInfo&;
  define("prepare", [](JsSession& self, Info info) -> Napi::Value { return prepare(self, info); });
  define("openLane", [](JsSession& self, Info info) -> Napi::Value {
    return Napi::Number::New(info.Env(), self.openLane(number(info, 0)));
  });
  define("closeLane", [](JsSession& self, Info info) { self.closeLane(number(info, 0)); });
  define("upload", [](JsSession& self, Info info) -> Napi::Value {
    const bool copy = info[2].As<Napi::Boolean>();
    return Napi::Number::New(info.Env(), self.upload(number(info, 0), info[1].As<Napi::Uint8Array>(), copy));
  });
  define("free", [](JsSession& self, Info info) { self.free(number(info, 0), number(info, 1)); });
  define("infer", [](JsSession& self, Info info) {
    return self.infer(number(info, 0), info[1].As<Napi::Uint32Array>(), info[2].As<Napi::Uint32Array>());
  });
  define("allocFrame", [](JsSession& self, Info) { return self.allocFrame(); });
  define("stats", [](JsSession& self, Info) -> Napi::Value { return self.stats(); });
  object.Set("close",
             Napi::Function::New(
                 env, [session, work](Info info) -> Napi::Value { return close(session, work, info); }, "close"));
  // An owner that forgot to close it.
  object.AddFinalizer(
      [](Napi::Env, Abandoned* abandoned) {
        const std::unique_ptr<Abandoned> ended(abandoned);
        ended->session->close([work = ended->work](Napi::Env target) { Environment::of(target).remove(work); });
      },
      new Abandoned{session, work});
  return object;
}

}  // namespace

Napi::Value openSession(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto request = info[0].As<Napi::Object>();
  const auto deferred = Napi::Promise::Deferred::New(env);
  auto session = std::make_shared<JsSession>(env, requestFromJs(request));
  auto owned = std::make_unique<SessionWork>(session);
  const Work* work = owned.get();
  if (!Environment::of(env).add(std::move(owned))) {
    deferred.Reject(toJs(env, Error{Code::kDisposed, "The process is ending."}).Value());
    return deferred.Promise();
  }
  // Held weakly: what waits in the session's own mailbox must not keep the session.
  const std::weak_ptr<JsSession> weak = session;
  session->load(plansFromJs(request.Get("plans").As<Napi::Array>()),
                [deferred, weak, work](Napi::Env target, const Status& status) {
                  const SharedSession opened = weak.lock();
                  if (status.ok()) return deferred.Resolve(handle(target, opened, work));
                  Environment::of(target).remove(work);
                  deferred.Reject(toJs(target, status.error()).Value());
                });
  return deferred.Promise();
}

void releaseFrame(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).lender().release(info[0].As<Napi::Uint8Array>());
}

}  // namespace flavr::binding
