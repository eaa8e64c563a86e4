#include "binding/probe.h"

#include <string>
#include <vector>

#include "binding/values.h"
#include "engine/cuda_driver.h"
#include "engine/tensorrt_library.h"

namespace flavr::binding {

namespace {

class ProbeWorker final : public Napi::AsyncWorker {
 public:
  ProbeWorker(Napi::Env env, std::vector<std::string> names)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), names_(std::move(names)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  struct Library {
    std::string path;
    LibraryIdentity identity;
    // Empty if its ONNX parser was found.
    std::string parserProblem;
  };

  void Execute() override {
    auto driver = CudaDriver::load();
    driver_ = driver.ok() ? describeDriver(*driver.value()) : Result<DriverInfo>(driver.error());
    for (const auto& name : names_) libraries_.push_back(inspect(name));
  }

  static Result<Library> inspect(const std::string& name) {
    auto library = TensorRtLibrary::open(name);
    if (!library.ok()) return std::move(library).error();
    const auto parser = library.value().openParser();
    return Library{library.value().path(), library.value().identity(), parser.ok() ? "" : parser.error().message};
  }

  void OnOK() override {
    const Napi::Env env = Env();
    auto result = Napi::Object::New(env);
    result.Set("driver", driverToJs(env));
    auto libraries = Napi::Array::New(env, libraries_.size());
    for (std::size_t i = 0; i < libraries_.size(); i++) {
      libraries.Set(static_cast<uint32_t>(i), libraryToJs(env, names_[i], libraries_[i]));
    }
    result.Set("libraries", libraries);
    deferred_.Resolve(result);
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  Napi::Object driverToJs(Napi::Env env) {
    auto object = Napi::Object::New(env);
    if (!driver_.ok()) {
      object.Set("problem", driver_.error().message);
      return object;
    }
    const DriverInfo& driver = driver_.value();
    object.Set("cudaVersion", std::to_string(driver.version / 1000) + "." + std::to_string(driver.version % 1000 / 10));
    auto devices = Napi::Array::New(env, driver.devices.size());
    for (std::size_t i = 0; i < driver.devices.size(); i++) {
      const DeviceInfo& device = driver.devices[i];
      auto entry = Napi::Object::New(env);
      entry.Set("name", device.name);
      entry.Set("computeCapability",
                std::to_string(device.computeCapabilityMajor) + "." + std::to_string(device.computeCapabilityMinor));
      entry.Set("memoryBytes", static_cast<double>(device.memoryBytes));
      devices.Set(static_cast<uint32_t>(i), entry);
    }
    object.Set("devices", devices);
    return object;
  }

  static Napi::Object libraryToJs(Napi::Env env, const std::string& name, Result<Library>& library) {
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

  Napi::Promise::Deferred deferred_;
  std::vector<std::string> names_;
  Result<DriverInfo> driver_ = DriverInfo{};
  std::vector<Result<Library>> libraries_;
};

}  // namespace

Napi::Value probe(const Napi::CallbackInfo& info) {
  auto* worker = new ProbeWorker(info.Env(), stringsFromJs(info[0]));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace flavr::binding
