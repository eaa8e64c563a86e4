#include "cuda/device.h"

#include <cstring>
#include <string>

namespace flavr {

namespace {

cuda::Stream native(StreamHandle handle) noexcept { return reinterpret_cast<cuda::Stream>(handle); }
cuda::Event native(EventHandle handle) noexcept { return reinterpret_cast<cuda::Event>(handle); }
cuda::GraphExec native(GraphHandle handle) noexcept { return reinterpret_cast<cuda::GraphExec>(handle); }

template <class Handle, class Pointer>
Handle handleOf(Pointer pointer) noexcept {
  return static_cast<Handle>(reinterpret_cast<std::uintptr_t>(pointer));
}

// After these the context is unusable: every later call in this process gives the same error.
bool losesDevice(cuda::Result result) noexcept {
  switch (result) {
    case 46:   // CUDA_ERROR_DEVICE_UNAVAILABLE
    case 214:  // CUDA_ERROR_ECC_UNCORRECTABLE
    case 220:  // CUDA_ERROR_NVLINK_UNCORRECTABLE
    case 226:  // CUDA_ERROR_CONTAINED
    case 700:  // CUDA_ERROR_ILLEGAL_ADDRESS
    case 702:  // CUDA_ERROR_LAUNCH_TIMEOUT
    case 709:  // CUDA_ERROR_CONTEXT_IS_DESTROYED
    case 710:  // CUDA_ERROR_ASSERT
    case 714:  // CUDA_ERROR_HARDWARE_STACK_ERROR
    case 715:  // CUDA_ERROR_ILLEGAL_INSTRUCTION
    case 716:  // CUDA_ERROR_MISALIGNED_ADDRESS
    case 717:  // CUDA_ERROR_INVALID_ADDRESS_SPACE
    case 718:  // CUDA_ERROR_INVALID_PC
    case 719:  // CUDA_ERROR_LAUNCH_FAILED
    case 721:  // CUDA_ERROR_TENSOR_MEMORY_LEAK
    case 999:  // CUDA_ERROR_UNKNOWN, as when a GPU has fallen off the bus
      return true;
    default:
      return false;
  }
}

// A picture without padding between its rows is one long row, which is copied as a whole.
Rows joined(const Rows& rows) noexcept {
  const std::size_t bytes = rows.rowBytes * rows.rows;
  return rows.hostPitch == rows.rowBytes ? Rows{bytes, 1, bytes} : rows;
}

}  // namespace

Error CudaDevice::failure(cuda::Result result, const char* call) const noexcept {
  const std::string what = std::string(call) + " failed: " + driver_.describe(result) + ".";
  if (result == cuda::kOutOfMemory) return {Code::kOutOfMemory, what};
  if (losesDevice(result)) {
    return {Code::kDeviceLost, what + " The GPU's context is lost; only a new process can use this GPU again."};
  }
  return {Code::kInferenceFailed, what};
}

Status CudaDevice::status(cuda::Result result, const char* call) const noexcept {
  if (result == cuda::kSuccess) return {};
  return failure(result, call);
}

Status CudaDevice::makeCurrent() noexcept { return status(context_.makeCurrent(), "cuCtxSetCurrent"); }

Result<MemoryInfo> CudaDevice::memory() noexcept {
  const CudaScope scope(context_);
  MemoryInfo info{};
  const auto result = driver_.memGetInfo(&info.free, &info.total);
  if (result != cuda::kSuccess) return failure(result, "cuMemGetInfo");
  return info;
}

Result<DeviceAddress> CudaDevice::allocate(std::size_t bytes) noexcept {
  cuda::DevicePointer pointer = 0;
  const auto result = driver_.memAlloc(&pointer, bytes);
  if (result != cuda::kSuccess) return failure(result, "cuMemAlloc");
  return DeviceAddress{pointer};
}

void CudaDevice::free(DeviceAddress address) noexcept {
  const CudaScope scope(context_);
  driver_.memFree(address);
}

Result<void*> CudaDevice::allocatePinned(std::size_t bytes) noexcept {
  void* memory = nullptr;
  const auto result = driver_.memHostAlloc(&memory, bytes, cuda::kHostAllocPortable);
  if (result != cuda::kSuccess) return failure(result, "cuMemHostAlloc");
  std::memset(memory, 0, bytes);
  return memory;
}

void CudaDevice::freePinned(void* memory) noexcept {
  const CudaScope scope(context_);
  driver_.memFreeHost(memory);
}

Result<StreamHandle> CudaDevice::createStream() noexcept {
  cuda::Stream stream = nullptr;
  const auto result = driver_.streamCreate(&stream, cuda::kStreamNonBlocking);
  if (result != cuda::kSuccess) return failure(result, "cuStreamCreate");
  return handleOf<StreamHandle>(stream);
}

void CudaDevice::destroyStream(StreamHandle stream) noexcept {
  const CudaScope scope(context_);
  driver_.streamDestroy(native(stream));
}

Result<EventHandle> CudaDevice::createEvent(EventKind kind) noexcept {
  cuda::Event event = nullptr;
  const unsigned timing = kind == EventKind::kTimed ? 0 : cuda::kEventDisableTiming;
  const auto result = driver_.eventCreate(&event, cuda::kEventBlockingSync | timing);
  if (result != cuda::kSuccess) return failure(result, "cuEventCreate");
  return handleOf<EventHandle>(event);
}

void CudaDevice::destroyEvent(EventHandle event) noexcept {
  const CudaScope scope(context_);
  driver_.eventDestroy(native(event));
}

Status CudaDevice::record(EventHandle event, StreamHandle stream) noexcept {
  return status(driver_.eventRecord(native(event), native(stream)), "cuEventRecord");
}

Status CudaDevice::wait(StreamHandle stream, EventHandle event) noexcept {
  return status(driver_.streamWaitEvent(native(stream), native(event), 0), "cuStreamWaitEvent");
}

Status CudaDevice::synchronize(EventHandle event) noexcept {
  return status(driver_.eventSynchronize(native(event)), "cuEventSynchronize");
}

Result<float> CudaDevice::elapsedMs(EventHandle start, EventHandle end) noexcept {
  float milliseconds = 0;
  const auto result = driver_.eventElapsedTime(&milliseconds, native(start), native(end));
  if (result != cuda::kSuccess) return failure(result, "cuEventElapsedTime");
  return milliseconds;
}

Status CudaDevice::copyUp(DeviceAddress to, const void* from, const Rows& picture, StreamHandle stream) noexcept {
  const Rows rows = joined(picture);
  cuda::Copy2D copy{};
  copy.sourceType = cuda::kMemoryHost;
  copy.sourceHost = from;
  copy.sourcePitch = rows.hostPitch;
  copy.targetType = cuda::kMemoryDevice;
  copy.targetDevice = to;
  copy.targetPitch = rows.rowBytes;
  copy.widthBytes = rows.rowBytes;
  copy.height = rows.rows;
  return status(driver_.copy2D(&copy, native(stream)), "cuMemcpy2DAsync to the device");
}

Status CudaDevice::copyDown(void* to, DeviceAddress from, const Rows& picture, StreamHandle stream) noexcept {
  const Rows rows = joined(picture);
  cuda::Copy2D copy{};
  copy.sourceType = cuda::kMemoryDevice;
  copy.sourceDevice = from;
  copy.sourcePitch = rows.rowBytes;
  copy.targetType = cuda::kMemoryHost;
  copy.targetHost = to;
  copy.targetPitch = rows.hostPitch;
  copy.widthBytes = rows.rowBytes;
  copy.height = rows.rows;
  return status(driver_.copy2D(&copy, native(stream)), "cuMemcpy2DAsync to the host");
}

Status CudaDevice::copyWithin(DeviceAddress to, DeviceAddress from, std::size_t bytes, StreamHandle stream) noexcept {
  return status(driver_.copyOnDevice(to, from, bytes, native(stream)), "cuMemcpyDtoDAsync");
}

Status CudaDevice::beginCapture(StreamHandle stream) noexcept {
  return status(driver_.streamBeginCapture(native(stream), cuda::kCaptureThreadLocal), "cuStreamBeginCapture");
}

Result<GraphHandle> CudaDevice::endCapture(StreamHandle stream) noexcept {
  cuda::Graph graph = nullptr;
  auto result = driver_.streamEndCapture(native(stream), &graph);
  if (result != cuda::kSuccess) return failure(result, "cuStreamEndCapture");
  cuda::GraphExec exec = nullptr;
  result = driver_.graphInstantiate(&exec, graph, 0);
  driver_.graphDestroy(graph);
  if (result != cuda::kSuccess) return failure(result, "cuGraphInstantiate");
  return handleOf<GraphHandle>(exec);
}

Status CudaDevice::launch(GraphHandle graph, StreamHandle stream) noexcept {
  return status(driver_.graphLaunch(native(graph), native(stream)), "cuGraphLaunch");
}

void CudaDevice::destroyGraph(GraphHandle graph) noexcept {
  const CudaScope scope(context_);
  driver_.graphExecDestroy(native(graph));
}

}  // namespace flavr
