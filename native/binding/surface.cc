#include "binding/surface.h"

#include "binding/build.h"
#include "binding/environment.h"
#include "binding/probe.h"
#include "binding/session.h"

namespace flavr::binding {

Napi::Object defineSurface(Napi::Env env, Napi::Object exports) {
  Environment::install(env);
  exports.Set("probe", Napi::Function::New(env, probe, "probe"));
  exports.Set("build", Napi::Function::New(env, build, "build"));
  exports.Set("openSession", Napi::Function::New(env, openSession, "openSession"));
  exports.Set("releaseFrame", Napi::Function::New(env, releaseFrame, "releaseFrame"));
  return exports;
}

}  // namespace flavr::binding
