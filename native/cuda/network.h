// A real engine behind the interface that sessions see.
#ifndef FLAVR_CUDA_NETWORK_H
#define FLAVR_CUDA_NETWORK_H

#include <memory>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "engine/network.h"
#include "engine/tensorrt_library.h"

namespace flavr {

class TensorRtNetwork final : public Network {
 public:
  // Deserialises a plan in the context that is current on this thread and checks its tensors one by one.
  // `kernelCache`: a file for kernels compiled on the device; empty: none.
  static Result<std::unique_ptr<Network>> load(const TensorRtLibrary& library,
                                               const std::shared_ptr<CudaDevice>& device, const void* plan,
                                               std::size_t bytes, const std::string& kernelCache) noexcept;
  TensorRtNetwork(const TensorRtNetwork&) = delete;
  TensorRtNetwork& operator=(const TensorRtNetwork&) = delete;
  ~TensorRtNetwork() override;

  const NetworkShape& shape() const noexcept override { return shape_; }
  Result<std::unique_ptr<ExecutionContext>> createContext() noexcept override;

 private:
  struct Destroy {
    void operator()(family::LoadedEngine* engine) const noexcept { engine->destroy(); }
  };
  using OwnedEngine = std::unique_ptr<family::LoadedEngine, Destroy>;

  TensorRtNetwork(std::string title, std::shared_ptr<CudaDevice> device, OwnedEngine engine, const NetworkShape& shape,
                  std::string kernelCache, std::vector<std::byte> kernels) noexcept;
  // Writes the compiled kernels if there are new ones. Failing to is no failure: they are compiled again next time.
  void saveKernels() noexcept;

  const std::string title_;
  const std::shared_ptr<CudaDevice> device_;
  OwnedEngine engine_;
  const NetworkShape shape_;
  const std::string kernelCache_;
  // As they are in the file.
  std::vector<std::byte> kernels_;
};

// What a session may take an engine with these tensors for. kEngineIncompatible names the tensor that differs.
Result<NetworkShape> checkTensors(const family::LoadedEngine& engine) noexcept;

}  // namespace flavr

#endif
