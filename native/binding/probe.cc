#include "binding/probe.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding/task.h"
#include "binding/values.h"
#include "engine/cuda_driver.h"
#include "engine/device_peak.h"
#include "engine/tensorrt_library.h"

namespace flavr::binding {

namespace {

struct Library {
  std::string path;
  LibraryIdentity identity;
  // Empty if its ONNX parser was found.
  std::string parserProblem;
};

struct Findings {
  Result<DriverInfo> driver;
  std::vector<Result<Library>> libraries;
};

Result<DriverInfo> inspectDriver() {
  auto driver = CudaDriver::load();
  if (!driver.ok()) return std::move(driver).error();
  return describeDriver(*driver.value());
}

Result<Library> inspectLibrary(const std::string& name) {
  auto library = TensorRtLibrary::open(name);
  if (!library.ok()) return std::move(library).error();
  const auto parser = library.value().openParser();
  return Library{library.value().path(), library.value().identity(), parser.ok() ? "" : parser.error().message};
}

Napi::Object driverToJs(Napi::Env env, Result<DriverInfo>& found) {
  auto object = Napi::Object::New(env);
  if (!found.ok()) {
    object.Set("problem", found.error().message);
    return object;
  }
  const DriverInfo& driver = found.value();
  object.Set("cudaVersion", std::to_string(driver.version / 1000) + "." + std::to_string(driver.version % 1000 / 10));
  auto devices = Napi::Array::New(env, driver.devices.size());
  for (std::size_t i = 0; i < driver.devices.size(); i++) {
    const DeviceInfo& device = driver.devices[i];
    auto entry = Napi::Object::New(env);
    entry.Set("name", device.name);
    entry.Set("computeCapability",
              std::to_string(device.computeCapabilityMajor) + "." + std::to_string(device.computeCapabilityMinor));
    entry.Set("memoryBytes", static_cast<double>(device.memoryBytes));
    if (const auto peak = peakOf(device); peak.has_value()) {
      auto rates = Napi::Object::New(env);
      rates.Set("fp16", peak->half);
      rates.Set("fp32", peak->single);
      entry.Set("peakTeraflops", rates);
    }
    devices.Set(static_cast<uint32_t>(i), entry);
  }
  object.Set("devices", devices);
  return object;
}

Napi::Object libraryToJs(Napi::Env env, const std::string& name, Result<Library>& library) {
  if (!library.ok()) {
    auto object = Napi::Object::New(env);
    object.Set("name", name);
    object.Set("problem", library.error().message);
    return object;
  }
  Napi::Object object = toJs(env, library.value().identity);
  object.Set("name", name);
  object.Set("path", library.value().path);
  if (!library.value().parserProblem.empty()) object.Set("parserProblem", library.value().parserProblem);
  return object;
}

Task::Settle run(const std::vector<std::string>& names) {
  auto findings = std::make_shared<Findings>(Findings{inspectDriver(), {}});
  for (const auto& name : names) findings->libraries.push_back(inspectLibrary(name));
  return [names, findings](Napi::Env env, const Napi::Promise::Deferred& promise) {
    auto libraries = Napi::Array::New(env, names.size());
    for (std::size_t i = 0; i < names.size(); i++) {
      libraries.Set(static_cast<uint32_t>(i), libraryToJs(env, names[i], findings->libraries[i]));
    }
    auto result = Napi::Object::New(env);
    result.Set("driver", driverToJs(env, findings->driver));
    result.Set("libraries", libraries);
    promise.Resolve(result);
  };
}

}  // namespace

Napi::Value probe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Task::start(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}),
                     std::make_shared<std::atomic<bool>>(false),
                     [names = stringsFromJs(info[0])](Task&) { return run(names); });
}

}  // namespace flavr::binding
