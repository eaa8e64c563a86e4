// The addon's whole JavaScript surface; ts/native.ts types it.
#include <napi.h>

#include "binding/build.h"
#include "binding/environment.h"
#include "binding/probe.h"

namespace flavr::binding {

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  Environment::install(env);
  exports.Set("probe", Napi::Function::New(env, probe, "probe"));
  exports.Set("build", Napi::Function::New(env, build, "build"));
  return exports;
}

}  // namespace

NODE_API_MODULE(flavr, initialise)

}  // namespace flavr::binding
