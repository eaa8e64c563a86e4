// The real machine: the CUDA driver, and the TensorRT library that the addon would take.
#include <fstream>
#include <optional>
#include <utility>

#include "check/machine.h"
#include "check/raw_engine.h"
#include "check/search.h"
#include "engine/builder.h"
#include "engine/cuda_driver.h"
#include "engine/device_peak.h"
#include "engine/platform.h"
#include "engine/tensorrt_library.h"

namespace flavr::check {

namespace {

// The driver's release, such as 570.86.10; the driver API knows only the newest CUDA that it supports.
std::string driverRelease() {
  std::ifstream file("/sys/module/nvidia/version");
  std::string release;
  std::getline(file, release);
  return release.empty() ? "unknown" : release;
}

std::string dotted(int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); }

int capabilityOf(const DeviceInfo& gpu) noexcept {
  return gpu.computeCapabilityMajor * 10 + gpu.computeCapabilityMinor;
}

bool isRtx(const TensorRtLibrary& library) noexcept { return library.identity().family == Family::kTensorRtRtx; }

// TensorRT-RTX runs on these alone; its portable engines on fewer (ts/engine/probe.ts).
bool runsRtx(const DeviceInfo& gpu) noexcept {
  const int capability = capabilityOf(gpu);
  return capability == 75 || capability == 80 || capability == 86 || capability == 89 || capability == 120 ||
         capability == 121;
}

bool runsPortableRtx(const DeviceInfo& gpu) noexcept {
  const int capability = capabilityOf(gpu);
  return capability == 86 || capability == 89 || capability == 120;
}

class CudaMachine final : public Machine {
 public:
  CudaMachine(DriverInfo driver, int ordinal, TensorRtLibrary library, std::shared_ptr<Platform> platform,
              std::shared_ptr<Device> device)
      : driver_(std::move(driver)),
        ordinal_(ordinal),
        library_(std::move(library)),
        platform_(std::move(platform)),
        device_(std::move(device)) {}

  bool simulated() const noexcept override { return false; }

  JsonObject describe() const override {
    const DeviceInfo& gpu = info();
    return JsonObject()
        .put("device", gpu.name)
        .put("devices", std::uint64_t{driver_.devices.size()})
        .put("computeCapability", dotted(gpu.computeCapabilityMajor, gpu.computeCapabilityMinor))
        .put("memoryBytes", std::uint64_t{gpu.memoryBytes})
        .put("multiprocessors", gpu.multiprocessors)
        .put("clockMHz", gpu.clockKhz / 1e3)
        .put("peakTeraflopsFp16", peakTeraflops("fp16"))
        .put("peakTeraflopsFp32", peakTeraflops("fp32"))
        .put("driver", driverRelease())
        .put("cuda", dotted(driver_.version / 1000, driver_.version % 1000 / 10))
        .put("library", library_.title())
        .put("libraryPath", library_.path());
  }

  double peakTeraflops(const std::string& precision) const noexcept override {
    const auto peak = peakOf(info());
    if (!peak.has_value()) return 0;
    return precision == "fp16" ? peak->half : peak->single;
  }

  std::shared_ptr<Device> device() const noexcept override { return device_; }

  Result<std::vector<std::byte>> build(const Graph& /*graph*/, std::vector<std::byte> model) noexcept override {
    BuildRequest request;
    request.library = library_.path();
    request.device = ordinal_;
    request.model = std::move(model);
    request.timingCache = timingCache_;
    if (isRtx(library_) && !runsPortableRtx(info())) request.computeCapabilities = {capabilityOf(info())};
    auto built = buildEngine(request, {[](double, const std::string&) {}, [] { return false; }});
    if (!built.ok()) return std::move(built).error();
    timingCache_ = std::move(built.value().timingCache);
    return std::move(built.value().plan);
  }

  Result<std::unique_ptr<Network>> load(const std::vector<std::byte>& plan) noexcept override {
    return platform_->loadPlan(device_, plan.data(), plan.size(), {});
  }

  Result<std::vector<float>> runRaw(const Graph& graph, const std::vector<std::byte>& plan,
                                    const std::vector<float>& frames) noexcept override {
    return check::runRaw(library_, device_, plan, frames, (graph.factor - 1) * graph.frameBytes());
  }

 private:
  const DeviceInfo& info() const noexcept { return driver_.devices[static_cast<std::size_t>(ordinal_)]; }

  const DriverInfo driver_;
  const int ordinal_;
  const TensorRtLibrary library_;
  const std::shared_ptr<Platform> platform_;
  const std::shared_ptr<Device> device_;
  // One for all builds: most layers of one graph are in the others too.
  std::vector<std::byte> timingCache_;
};

// The first candidate that can build and run on this GPU; else why none can.
Result<TensorRtLibrary> findLibrary(const std::string& named, const DeviceInfo& gpu) {
  std::string reasons;
  const auto reject = [&](const std::string& name, const std::string& reason) {
    reasons += (reasons.empty() ? "" : "; ") + name + ": " + reason;
  };
  for (const std::string& name : libraryCandidates(named)) {
    auto library = TensorRtLibrary::open(name);
    if (!library.ok()) {
      reject(name, library.error().message);
    } else if (isRtx(library.value()) && !runsRtx(gpu)) {
      reject(name, "TensorRT-RTX does not run on compute capability " +
                       dotted(gpu.computeCapabilityMajor, gpu.computeCapabilityMinor));
    } else if (auto parser = library.value().openParser(); !parser.ok()) {
      reject(name, parser.error().message);
    } else if (auto code = library.value().familyCode(); !code.ok()) {
      reject(name, code.error().message);
    } else {
      return library;
    }
  }
  return Error{Code::kBackendUnavailable,
               "No TensorRT library was found that runs here (" + reasons +
                   "). Install TensorRT, or name its folder with --tensorrt or FLAVR_TENSORRT_PATH."};
}

}  // namespace

Result<std::unique_ptr<Machine>> openMachine(const MachineOptions& options) noexcept {
  auto loaded = CudaDriver::load();
  if (!loaded.ok()) return std::move(loaded).error();
  auto driver = describeDriver(*loaded.value());
  if (!driver.ok()) return std::move(driver).error();
  const auto& devices = driver.value().devices;
  if (devices.empty()) {
    return Error{Code::kBackendUnavailable,
                 "The NVIDIA driver works but sees no GPU. Check CUDA_VISIBLE_DEVICES and nvidia-smi."};
  }
  if (options.device < 0 || static_cast<std::size_t>(options.device) >= devices.size()) {
    return Error{Code::kBadArgument, "--device must be one of the " + std::to_string(devices.size()) +
                                         " GPUs here, from 0; got " + std::to_string(options.device) + "."};
  }
  auto library = findLibrary(options.tensorrt, devices[static_cast<std::size_t>(options.device)]);
  if (!library.ok()) return std::move(library).error();
  auto platform = openPlatform({isRtx(library.value()) ? "tensorrt-rtx" : "tensorrt", library.value().path()});
  if (!platform.ok()) return std::move(platform).error();
  auto device = platform.value()->openDevice(options.device);
  if (!device.ok()) return std::move(device).error();
  return std::unique_ptr<Machine>(std::make_unique<CudaMachine>(std::move(driver).value(), options.device,
                                                                std::move(library).value(), std::move(platform).value(),
                                                                std::move(device).value()));
}

}  // namespace flavr::check
