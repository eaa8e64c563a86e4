#include "cuda/network.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

#include <unistd.h>

#include "cuda/reason.h"
#include "engine/sinks.h"

namespace flavr {

namespace {

class TensorRtContext final : public ExecutionContext {
 public:
  TensorRtContext(family::LoadedContext* context, std::size_t inputs, const std::string& title)
      : context_(context), title_(title) {
    for (std::size_t i = 0; i < inputs; i++) inputNames_.push_back("frame" + std::to_string(i));
  }

  Status setActivationMemory(DeviceAddress address, std::size_t bytes) noexcept override {
    context_->setActivationMemory(address, bytes);
    return {};
  }

  bool capturable(StreamHandle stream) const noexcept override {
    return context_->capturable(reinterpret_cast<void*>(stream));
  }

  Status enqueue(const Bindings& bindings, StreamHandle stream) noexcept override {
    bool bound = bindings.inputs.size() == inputNames_.size();
    for (std::size_t i = 0; bound && i < inputNames_.size(); i++) {
      bound = context_->bind(inputNames_[i].c_str(), bindings.inputs[i]);
    }
    bound = bound && context_->bind("interpolated", bindings.interpolated) && context_->bind("peak", bindings.peak);
    if (!bound) return Error{Code::kInferenceFailed, title_ + " did not take the address of a tensor."};
    BytesSink reason;
    if (context_->enqueue(reinterpret_cast<void*>(stream), reason)) return {};
    return Error{Code::kInferenceFailed, title_ + " could not enqueue a window: " + reason.text()};
  }

 private:
  struct Destroy {
    void operator()(family::LoadedContext* context) const noexcept { context->destroy(); }
  };

  const std::unique_ptr<family::LoadedContext, Destroy> context_;
  const std::string title_;
  std::vector<std::string> inputNames_;
};

std::vector<std::byte> readFile(const std::string& path) {
  std::vector<std::byte> bytes;
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  bytes.assign(data, data + text.size());
  return bytes;
}

// Under a name of this process first: another one may do the same at this moment.
void replaceFile(const std::string& path, const std::vector<std::byte>& bytes) {
  const std::string temporary = path + "." + std::to_string(getpid()) + ".tmp";
  std::ofstream file(temporary, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) std::remove(temporary.c_str());
}

}  // namespace

Result<std::unique_ptr<Network>> TensorRtNetwork::load(const TensorRtLibrary& library,
                                                       const std::shared_ptr<CudaDevice>& device, const void* plan,
                                                       std::size_t bytes, const std::string& kernelCache) noexcept {
  auto code = library.familyCode();
  if (!code.ok()) return std::move(code).error();
  auto kernels = kernelCache.empty() ? std::vector<std::byte>() : readFile(kernelCache);
  BytesSink reason;
  OwnedEngine engine(
      code.value()->load(library.entryPoints(), {plan, bytes}, {kernels.data(), kernels.size()}, reason));
  if (engine == nullptr) {
    return failureOf(
        *device, library.title() + " could not load the engine: " + reason.text(), Code::kEngineIncompatible,
        " An engine fits one version of TensorRT and the GPUs it was built for. Build it again with: flavr "
        "build");
  }
  auto shape = checkTensors(*engine);
  if (!shape.ok()) return std::move(shape).error();
  return std::unique_ptr<Network>(
      new TensorRtNetwork(library.title(), device, std::move(engine), shape.value(), kernelCache, std::move(kernels)));
}

TensorRtNetwork::TensorRtNetwork(std::string title, std::shared_ptr<CudaDevice> device, OwnedEngine engine,
                                 const NetworkShape& shape, std::string kernelCache,
                                 std::vector<std::byte> kernels) noexcept
    : title_(std::move(title)),
      device_(std::move(device)),
      engine_(std::move(engine)),
      shape_(shape),
      kernelCache_(std::move(kernelCache)),
      kernels_(std::move(kernels)) {}

TensorRtNetwork::~TensorRtNetwork() {
  // The last owner may be a thread without a context, where the CUDA runtime would start the first GPU to free
  // anything.
  const CudaScope scope(device_->context());
  saveKernels();
  engine_.reset();
}

Result<std::unique_ptr<ExecutionContext>> TensorRtNetwork::createContext() noexcept {
  BytesSink reason;
  auto* context = engine_->createContext(reason);
  if (context == nullptr) {
    return failureOf(*device_, title_ + " could not make an execution context: " + reason.text(),
                     Code::kInferenceFailed);
  }
  // Kernels are compiled as the context is made: keep them now, for processes that end without disposing.
  saveKernels();
  return std::unique_ptr<ExecutionContext>(new TensorRtContext(context, shape_.inputs, title_));
}

void TensorRtNetwork::saveKernels() noexcept {
  if (kernelCache_.empty()) return;
  BytesSink kernels;
  engine_->saveKernels(kernels);
  if (kernels.bytes.empty() || kernels.bytes == kernels_) return;
  kernels_ = std::move(kernels.bytes);
  replaceFile(kernelCache_, kernels_);
}

}  // namespace flavr
