#include "engine/cuda_driver.h"

#include <array>

namespace flavr {

namespace {

// Fills the table from one library, remembering the first function that is not there.
class Binder {
 public:
  explicit Binder(const SharedLibrary& library) noexcept : library_(library) {}

  template <typename Function>
  void bind(Function*& slot, const char* name) noexcept {
    slot = library_.function<Function>(name);
    if (slot == nullptr && missing_ == nullptr) missing_ = name;
  }
  const char* missing() const noexcept { return missing_; }

 private:
  const SharedLibrary& library_;
  const char* missing_ = nullptr;
};

const char* bindAll(CudaDriver& driver, const SharedLibrary& library) noexcept {
  Binder binder(library);
  binder.bind(driver.init, "cuInit");
  binder.bind(driver.driverGetVersion, "cuDriverGetVersion");
  binder.bind(driver.getErrorName, "cuGetErrorName");
  binder.bind(driver.getErrorString, "cuGetErrorString");
  binder.bind(driver.deviceGetCount, "cuDeviceGetCount");
  binder.bind(driver.deviceGet, "cuDeviceGet");
  binder.bind(driver.deviceGetName, "cuDeviceGetName");
  binder.bind(driver.deviceTotalMem, "cuDeviceTotalMem_v2");
  binder.bind(driver.deviceGetAttribute, "cuDeviceGetAttribute");
  binder.bind(driver.primaryContextRetain, "cuDevicePrimaryCtxRetain");
  binder.bind(driver.contextSetCurrent, "cuCtxSetCurrent");
  binder.bind(driver.contextPush, "cuCtxPushCurrent_v2");
  binder.bind(driver.contextPop, "cuCtxPopCurrent_v2");
  binder.bind(driver.memGetInfo, "cuMemGetInfo_v2");
  binder.bind(driver.memAlloc, "cuMemAlloc_v2");
  binder.bind(driver.memFree, "cuMemFree_v2");
  binder.bind(driver.memHostAlloc, "cuMemHostAlloc");
  binder.bind(driver.memFreeHost, "cuMemFreeHost");
  binder.bind(driver.copy2D, "cuMemcpy2DAsync_v2");
  binder.bind(driver.copyOnDevice, "cuMemcpyDtoDAsync_v2");
  binder.bind(driver.streamCreate, "cuStreamCreate");
  binder.bind(driver.streamDestroy, "cuStreamDestroy_v2");
  binder.bind(driver.streamWaitEvent, "cuStreamWaitEvent");
  binder.bind(driver.streamBeginCapture, "cuStreamBeginCapture_v2");
  binder.bind(driver.streamEndCapture, "cuStreamEndCapture");
  binder.bind(driver.eventCreate, "cuEventCreate");
  binder.bind(driver.eventDestroy, "cuEventDestroy_v2");
  binder.bind(driver.eventRecord, "cuEventRecord");
  binder.bind(driver.eventSynchronize, "cuEventSynchronize");
  binder.bind(driver.eventElapsedTime, "cuEventElapsedTime");
  binder.bind(driver.graphInstantiate, "cuGraphInstantiateWithFlags");
  binder.bind(driver.graphLaunch, "cuGraphLaunch");
  binder.bind(driver.graphExecDestroy, "cuGraphExecDestroy");
  binder.bind(driver.graphDestroy, "cuGraphDestroy");
  return binder.missing();
}

constexpr const char* kInstall =
    "Install an NVIDIA driver; in a container, start it with the NVIDIA container runtime (--gpus all).";

// What to do where cuInit fails.
const char* fixFor(cuda::Result result) noexcept {
  switch (result) {
    case 34:  // CUDA_ERROR_STUB_LIBRARY
      return "This is the CUDA toolkit's stand-in for a driver: take its folder out of LD_LIBRARY_PATH.";
    case 100:  // CUDA_ERROR_NO_DEVICE
      return "Check nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, start it with the NVIDIA container runtime "
             "(--gpus all).";
    case 802:  // CUDA_ERROR_SYSTEM_NOT_READY
      return "Start the service nvidia-fabricmanager.";
    case 803:  // CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
      return "The driver was changed while the machine ran: restart it.";
    case 804:  // CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE
      return "Take CUDA's compat folder out of LD_LIBRARY_PATH, or install a newer driver.";
    case 999:  // CUDA_ERROR_UNKNOWN
      return "Load its kernel modules (sudo modprobe nvidia_uvm), or restart the machine.";
    default:
      return kInstall;
  }
}

Result<CudaDriver> open() noexcept {
  auto library = SharedLibrary::open("libcuda.so.1");
  if (!library.ok()) {
    return Error{Code::kBackendUnavailable,
                 "No NVIDIA driver was found (" + library.error().message + "). " + kInstall};
  }
  CudaDriver driver{};
  if (const char* missing = bindAll(driver, library.value()); missing != nullptr) {
    return Error{Code::kBackendUnavailable, "The NVIDIA driver " + library.value().path() + " lacks " + missing +
                                                ", so it is too old. Install driver 525 or newer."};
  }
  if (const cuda::Result started = driver.init(0); started != cuda::kSuccess) {
    return Error{Code::kBackendUnavailable, "The NVIDIA driver " + library.value().path() + " could not start: " +
                                                driver.describe(started) + ". " + fixFor(started)};
  }
  return driver;
}

Error failed(const CudaDriver& driver, const char* call, cuda::Result result) {
  return {Code::kBackendUnavailable, std::string(call) + " failed: " + driver.describe(result)};
}

}  // namespace

Result<const CudaDriver*> CudaDriver::load() noexcept {
  // A driver that appears while the process runs is not looked for again: CUDA itself cannot start twice.
  static Result<CudaDriver> opened = open();
  if (!opened.ok()) return opened.error();
  return &opened.value();
}

std::string CudaDriver::describe(cuda::Result error) const noexcept {
  const char* name = nullptr;
  const char* text = nullptr;
  if (getErrorName(error, &name) != cuda::kSuccess || name == nullptr) return "CUDA error " + std::to_string(error);
  if (getErrorString(error, &text) != cuda::kSuccess || text == nullptr) return name;
  return std::string(name) + ": " + text;
}

Result<DriverInfo> describeDriver(const CudaDriver& driver) noexcept {
  DriverInfo info{};
  if (const auto result = driver.driverGetVersion(&info.version); result != cuda::kSuccess) {
    return failed(driver, "cuDriverGetVersion", result);
  }
  int count = 0;
  if (const auto result = driver.deviceGetCount(&count); result != cuda::kSuccess) {
    return failed(driver, "cuDeviceGetCount", result);
  }
  for (int ordinal = 0; ordinal < count; ordinal++) {
    cuda::Device device = 0;
    std::array<char, 256> name{};
    DeviceInfo found{};
    auto result = driver.deviceGet(&device, ordinal);
    if (result == cuda::kSuccess) result = driver.deviceGetName(name.data(), static_cast<int>(name.size()), device);
    if (result == cuda::kSuccess) result = driver.deviceTotalMem(&found.memoryBytes, device);
    if (result == cuda::kSuccess) {
      result = driver.deviceGetAttribute(&found.computeCapabilityMajor, cuda::kComputeCapabilityMajor, device);
    }
    if (result == cuda::kSuccess) {
      result = driver.deviceGetAttribute(&found.computeCapabilityMinor, cuda::kComputeCapabilityMinor, device);
    }
    if (result == cuda::kSuccess) {
      result = driver.deviceGetAttribute(&found.multiprocessors, cuda::kMultiprocessors, device);
    }
    if (result == cuda::kSuccess) result = driver.deviceGetAttribute(&found.clockKhz, cuda::kClockKhz, device);
    if (result != cuda::kSuccess) return failed(driver, "Reading a device's properties", result);
    found.name = name.data();
    info.devices.push_back(std::move(found));
  }
  return info;
}

}  // namespace flavr
