// The entry of the addon on the simulated device: the shipped surface, and `simulator`, through which tests set its
// speed, its faults and the runtime's refusals, and see what is alive.
#include <napi.h>

#include <string>
#include <unordered_map>

#include "binding/environment.h"
#include "binding/surface.h"
#include "sim/network.h"
#include "sim/platform.h"

namespace flavr::test {

namespace {

using Info = const Napi::CallbackInfo&;

std::int64_t number(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Int64Value();
}

// plan({ inputs, batch, factor, width, height, activationBytes, computeUs }): Uint8Array
Napi::Value makePlan(Info info) {
  const auto object = info[0].As<Napi::Object>();
  const auto size = [&](const char* name) { return static_cast<std::size_t>(number(object, name)); };
  const std::size_t frameBytes = size("width") * size("height") * 3;
  const std::size_t stride = (frameBytes + 255) / 256 * 256;
  const auto bytes =
      sim::writePlan({{size("inputs"), size("batch"), size("factor") - 1, frameBytes, stride, size("activationBytes")},
                      true,
                      number(object, "computeUs")});
  return Napi::Buffer<std::uint8_t>::Copy(info.Env(), bytes.data(), bytes.size());
}

// set({ copyLatencyUs?, totalMemory?, launchFailure?, … }): a fault's number says at which occasion it strikes.
void set(Info info) {
  sim::Control& control = *sim::processControl();
  const std::unordered_map<std::string, std::atomic<std::int64_t>*> values = {
      {"copyLatencyUs", &control.copyLatencyUs},
      {"copyBytesPerUs", &control.copyBytesPerUs},
      {"extraComputeUs", &control.extraComputeUs}};
  const std::unordered_map<std::string, sim::Countdown*> faults = {
      {"outOfMemory", &control.outOfMemory}, {"launchFailure", &control.launchFailure},
      {"copyFailure", &control.copyFailure}, {"captureFailure", &control.captureFailure},
      {"deviceLost", &control.deviceLost},   {"badPeak", &control.badPeak}};
  const auto object = info[0].As<Napi::Object>();
  const auto names = object.GetPropertyNames();
  for (std::uint32_t index = 0; index < names.Length(); ++index) {
    const std::string name = names.Get(index).As<Napi::String>();
    const std::int64_t value = number(object, name.c_str());
    if (const auto found = values.find(name); found != values.end()) {
      *found->second = value;
    } else if (const auto fault = faults.find(name); fault != faults.end()) {
      fault->second->set(value);
    } else if (name == "totalMemory") {
      control.totalMemory = static_cast<std::size_t>(value);
    } else {
      throw Napi::Error::New(info.Env(), "The simulator has no " + name);
    }
  }
}

// gauges(): what is alive, how long each stage was busy, and what was done wrong since the last call.
Napi::Value gauges(Info info) {
  const Napi::Env env = info.Env();
  sim::Control& control = *sim::processControl();
  auto object = Napi::Object::New(env);
  const auto put = [&](const char* name, auto value) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  put("deviceAllocations", control.deviceAllocations.load());
  put("pinnedAllocations", control.pinnedAllocations.load());
  put("streams", control.streams.load());
  put("events", control.events.load());
  put("graphs", control.graphs.load());
  put("contexts", control.contexts.load());
  put("upUs", control.upUs.load());
  put("computeUs", control.computeUs.load());
  put("downUs", control.downUs.load());
  auto violations = Napi::Array::New(env);
  for (const auto& violation : control.takeViolations()) {
    violations.Set(violations.Length(), Napi::String::New(env, violation));
  }
  object.Set("violations", violations);
  return object;
}

void refuseExternalBuffers(Info info) { binding::Environment::of(info.Env()).lender().refuseExternalBuffers(); }

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto simulator = Napi::Object::New(env);
  simulator.Set("plan", Napi::Function::New(env, makePlan));
  simulator.Set("set", Napi::Function::New(env, set));
  simulator.Set("gauges", Napi::Function::New(env, gauges));
  simulator.Set("refuseExternalBuffers", Napi::Function::New(env, refuseExternalBuffers));
  exports.Set("simulator", simulator);
  return binding::defineSurface(env, exports);
}

}  // namespace

NODE_API_MODULE(flavr, initialise)

}  // namespace flavr::test
