// Compiled once per TensorRT family, against that family's headers.
#include "family/engine.h"

#include <NvInferRuntime.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "family/log.h"

namespace flavr::family {

namespace {

void tell(Sink& sink, const std::string& text) noexcept { sink.take(text.data(), text.size()); }

TensorType typeOf(nvinfer1::DataType type) noexcept {
  switch (type) {
    case nvinfer1::DataType::kUINT8:
      return TensorType::kUint8;
    case nvinfer1::DataType::kFLOAT:
      return TensorType::kFloat32;
    default:
      return TensorType::kOther;
  }
}

class Context final : public LoadedContext {
 public:
  explicit Context(std::unique_ptr<nvinfer1::IExecutionContext> context) noexcept : context_(std::move(context)) {}

  void setActivationMemory(uint64_t address, uint64_t bytes) noexcept override {
    context_->setDeviceMemoryV2(reinterpret_cast<void*>(address), static_cast<int64_t>(bytes));
  }
  bool bind(const char* tensor, uint64_t address) noexcept override {
    return context_->setTensorAddress(tensor, reinterpret_cast<void*>(address));
  }
  bool capturable([[maybe_unused]] void* stream) const noexcept override {
#if FLAVR_FAMILY_RTX
    return context_->isStreamCapturable(static_cast<cudaStream_t>(stream));
#else
    return true;
#endif
  }
  bool enqueue(void* stream, Sink& reason) noexcept override {
    const LogScope log;
    if (context_->enqueueV3(static_cast<cudaStream_t>(stream))) return true;
    tell(reason, log.errors());
    return false;
  }
  void destroy() noexcept override { delete this; }

 private:
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
};

// How contexts are made: in TensorRT-RTX they compile kernels, which are kept for the next process. The graphs that its
// runtime can capture by itself stay off, as is its default: it captures anew whenever a tensor's address changes,
// which in a session is with every window (https://github.com/pytorch/TensorRT/pull/4187).
class ContextFactory {
 public:
#if FLAVR_FAMILY_RTX
  ContextFactory(nvinfer1::ICudaEngine& engine, const Span& kernels) noexcept
      : engine_(engine), config_(engine.createRuntimeConfig()) {
    if (config_ == nullptr) return;
    config_->setExecutionContextAllocationStrategy(nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED);
    cache_.reset(config_->createRuntimeCache());
    // Kernels of another device, driver or version are refused and simply compiled anew.
    if (cache_ != nullptr && kernels.size > 0) cache_->deserialize(kernels.data, kernels.size);
    if (cache_ != nullptr) config_->setRuntimeCache(*cache_);
  }
  nvinfer1::IExecutionContext* create() const noexcept {
    return config_ == nullptr ? nullptr : engine_.createExecutionContext(config_.get());
  }
  void save(Sink& kernels) const noexcept {
    const std::unique_ptr<nvinfer1::IHostMemory> bytes(cache_ == nullptr ? nullptr : cache_->serialize());
    if (bytes != nullptr) kernels.take(bytes->data(), bytes->size());
  }

 private:
  nvinfer1::ICudaEngine& engine_;
  std::unique_ptr<nvinfer1::IRuntimeConfig> config_;
  std::unique_ptr<nvinfer1::IRuntimeCache> cache_;
#else
  ContextFactory(nvinfer1::ICudaEngine& engine, const Span& /*kernels*/) noexcept : engine_(engine) {}
  nvinfer1::IExecutionContext* create() const noexcept {
    return engine_.createExecutionContext(nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED);
  }
  void save(Sink& /*kernels*/) const noexcept {}

 private:
  nvinfer1::ICudaEngine& engine_;
#endif
};

class Engine final : public LoadedEngine {
 public:
  Engine(std::unique_ptr<nvinfer1::IRuntime> runtime, std::unique_ptr<nvinfer1::ICudaEngine> engine,
         const Span& kernels) noexcept
      : runtime_(std::move(runtime)), engine_(std::move(engine)), contexts_(*engine_, kernels) {}

  int32_t tensorCount() const noexcept override { return engine_->getNbIOTensors(); }
  TensorInfo tensor(int32_t index) const noexcept override {
    const char* name = engine_->getIOTensorName(index);
    const nvinfer1::Dims shape = engine_->getTensorShape(name);
    TensorInfo info{name,
                    engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT,
                    typeOf(engine_->getTensorDataType(name)),
                    engine_->getTensorLocation(name) == nvinfer1::TensorLocation::kDEVICE &&
                        engine_->getTensorFormat(name) == nvinfer1::TensorFormat::kLINEAR,
                    std::clamp(shape.nbDims, 0, kMostDimensions),
                    {}};
    std::copy_n(shape.d, info.rank, info.dimensions);
    return info;
  }
  uint64_t activationBytes() const noexcept override {
    return static_cast<uint64_t>(std::max<int64_t>(engine_->getDeviceMemorySizeV2(), 0));
  }
  LoadedContext* createContext(Sink& reason) noexcept override {
    const LogScope log;
    std::unique_ptr<nvinfer1::IExecutionContext> context(contexts_.create());
    if (context != nullptr) return new Context(std::move(context));
    tell(reason, log.errors());
    return nullptr;
  }
  void saveKernels(Sink& kernels) const noexcept override { contexts_.save(kernels); }
  void destroy() noexcept override { delete this; }

 private:
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::unique_ptr<nvinfer1::ICudaEngine> engine_;
  ContextFactory contexts_;
};

}  // namespace

LoadedEngine* load(const EntryPoints& library, const Span& plan, const Span& kernels, Sink& reason) noexcept {
  const LogScope log;
  const auto fail = [&]() -> LoadedEngine* {
    tell(reason, log.errors());
    return nullptr;
  };
  auto* createRuntime = reinterpret_cast<decltype(&createInferRuntime_INTERNAL)>(library.createRuntime);
  if (createRuntime == nullptr) return fail();
  std::unique_ptr<nvinfer1::IRuntime> runtime(
      static_cast<nvinfer1::IRuntime*>(createRuntime(&logger(), library.version)));
  if (runtime == nullptr) return fail();
  std::unique_ptr<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(plan.data, plan.size));
  if (engine == nullptr) return fail();
  return new Engine(std::move(runtime), std::move(engine), kernels);
}

}  // namespace flavr::family
