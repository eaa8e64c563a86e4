// The real device: the CUDA driver API in the device's primary context.
#ifndef FLAVR_CUDA_DEVICE_H
#define FLAVR_CUDA_DEVICE_H

#include "engine/cuda_context.h"
#include "engine/device.h"

namespace flavr {

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(const CudaContext& context) noexcept : context_(context), driver_(context_.driver()) {}

  const CudaContext& context() const noexcept { return context_; }

  Status makeCurrent() noexcept override;
  Result<MemoryInfo> memory() noexcept override;
  Result<DeviceAddress> allocate(std::size_t bytes) noexcept override;
  void free(DeviceAddress address) noexcept override;
  Result<void*> allocatePinned(std::size_t bytes) noexcept override;
  void freePinned(void* memory) noexcept override;
  Result<StreamHandle> createStream() noexcept override;
  void destroyStream(StreamHandle stream) noexcept override;
  Result<EventHandle> createEvent(EventKind kind) noexcept override;
  void destroyEvent(EventHandle event) noexcept override;
  Status record(EventHandle event, StreamHandle stream) noexcept override;
  Status wait(StreamHandle stream, EventHandle event) noexcept override;
  Status synchronize(EventHandle event) noexcept override;
  Result<float> elapsedMs(EventHandle start, EventHandle end) noexcept override;
  Status copyUp(DeviceAddress to, const void* from, const Rows& rows, StreamHandle stream) noexcept override;
  Status copyDown(void* to, DeviceAddress from, const Rows& rows, StreamHandle stream) noexcept override;
  Status copyWithin(DeviceAddress to, DeviceAddress from, std::size_t bytes, StreamHandle stream) noexcept override;
  Status beginCapture(StreamHandle stream) noexcept override;
  Result<GraphHandle> endCapture(StreamHandle stream) noexcept override;
  Status launch(GraphHandle graph, StreamHandle stream) noexcept override;
  void destroyGraph(GraphHandle graph) noexcept override;

 private:
  Status status(cuda::Result result, const char* call) const noexcept;
  Error failure(cuda::Result result, const char* call) const noexcept;

  const CudaContext context_;
  const CudaDriver& driver_;
};

}  // namespace flavr

#endif
