#ifndef FLAVR_ENGINE_CUDA_DRIVER_H
#define FLAVR_ENGINE_CUDA_DRIVER_H

#include "engine/shared_library.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace flavr {

// The part of the CUDA driver API that flavr calls, declared here so that no CUDA toolkit is needed to build.
// Names and signatures are those of libcuda.so.1 (the ABI's versioned symbols behind cuda.h's macros).
namespace cuda {

using Result = int;
using Device = int;
using DevicePointer = unsigned long long;
using Context = struct CUctx_st*;
using Stream = struct CUstream_st*;
using Event = struct CUevent_st*;
using Graph = struct CUgraph_st*;
using GraphExec = struct CUgraphExec_st*;

constexpr Result kSuccess = 0;
constexpr Result kOutOfMemory = 2;
constexpr unsigned kHostAllocPortable = 1;
constexpr unsigned kStreamNonBlocking = 1;
constexpr unsigned kEventBlockingSync = 1;
constexpr unsigned kEventDisableTiming = 2;
constexpr int kCaptureThreadLocal = 1;
constexpr int kMemoryHost = 1;
constexpr int kMemoryDevice = 2;
constexpr int kClockKhz = 13;
constexpr int kMultiprocessors = 16;
constexpr int kComputeCapabilityMajor = 75;
constexpr int kComputeCapabilityMinor = 76;

// CUDA_MEMCPY2D.
struct Copy2D {
  std::size_t sourceX;
  std::size_t sourceY;
  int sourceType;
  const void* sourceHost;
  DevicePointer sourceDevice;
  void* sourceArray;
  std::size_t sourcePitch;
  std::size_t targetX;
  std::size_t targetY;
  int targetType;
  void* targetHost;
  DevicePointer targetDevice;
  void* targetArray;
  std::size_t targetPitch;
  std::size_t widthBytes;
  std::size_t height;
};

}  // namespace cuda

// The functions of an opened driver. Plain pointers: the library stays open as long as the process.
struct CudaDriver {
  cuda::Result (*init)(unsigned flags);
  cuda::Result (*driverGetVersion)(int* version);
  cuda::Result (*getErrorName)(cuda::Result error, const char** name);
  cuda::Result (*getErrorString)(cuda::Result error, const char** text);

  cuda::Result (*deviceGetCount)(int* count);
  cuda::Result (*deviceGet)(cuda::Device* device, int ordinal);
  cuda::Result (*deviceGetName)(char* name, int length, cuda::Device device);
  cuda::Result (*deviceTotalMem)(std::size_t* bytes, cuda::Device device);
  cuda::Result (*deviceGetAttribute)(int* value, int attribute, cuda::Device device);
  cuda::Result (*primaryContextRetain)(cuda::Context* context, cuda::Device device);
  cuda::Result (*contextSetCurrent)(cuda::Context context);
  cuda::Result (*contextPush)(cuda::Context context);
  cuda::Result (*contextPop)(cuda::Context* context);

  cuda::Result (*memGetInfo)(std::size_t* free, std::size_t* total);
  cuda::Result (*memAlloc)(cuda::DevicePointer* pointer, std::size_t bytes);
  cuda::Result (*memFree)(cuda::DevicePointer pointer);
  cuda::Result (*memHostAlloc)(void** pointer, std::size_t bytes, unsigned flags);
  cuda::Result (*memFreeHost)(void* pointer);
  cuda::Result (*copy2D)(const cuda::Copy2D* copy, cuda::Stream stream);
  cuda::Result (*copyOnDevice)(cuda::DevicePointer to, cuda::DevicePointer from, std::size_t bytes,
                               cuda::Stream stream);

  cuda::Result (*streamCreate)(cuda::Stream* stream, unsigned flags);
  cuda::Result (*streamDestroy)(cuda::Stream stream);
  cuda::Result (*streamWaitEvent)(cuda::Stream stream, cuda::Event event, unsigned flags);
  cuda::Result (*streamBeginCapture)(cuda::Stream stream, int mode);
  cuda::Result (*streamEndCapture)(cuda::Stream stream, cuda::Graph* graph);

  cuda::Result (*eventCreate)(cuda::Event* event, unsigned flags);
  cuda::Result (*eventDestroy)(cuda::Event event);
  cuda::Result (*eventRecord)(cuda::Event event, cuda::Stream stream);
  cuda::Result (*eventSynchronize)(cuda::Event event);
  cuda::Result (*eventElapsedTime)(float* milliseconds, cuda::Event start, cuda::Event end);

  cuda::Result (*graphInstantiate)(cuda::GraphExec* exec, cuda::Graph graph, unsigned long long flags);
  cuda::Result (*graphLaunch)(cuda::GraphExec exec, cuda::Stream stream);
  cuda::Result (*graphExecDestroy)(cuda::GraphExec exec);
  cuda::Result (*graphDestroy)(cuda::Graph graph);

  // Opens the driver and initialises it. Later calls return the first call's driver.
  // @returns BACKEND_UNAVAILABLE with the fix where there is no driver, or one that is too old or cannot start.
  static flavr::Result<const CudaDriver*> load() noexcept;

  // `CUDA_ERROR_…: what the driver says of it`.
  std::string describe(cuda::Result error) const noexcept;
};

struct DeviceInfo {
  std::string name;
  int computeCapabilityMajor;
  int computeCapabilityMinor;
  std::size_t memoryBytes;
  int multiprocessors;
  // The highest.
  int clockKhz;
};

struct DriverInfo {
  // As the driver counts: 12040 is CUDA 12.4, the newest CUDA it supports.
  int version;
  std::vector<DeviceInfo> devices;
};

Result<DriverInfo> describeDriver(const CudaDriver& driver) noexcept;

}  // namespace flavr

#endif
