// Compiled once per TensorRT family, against that family's headers.
#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <atomic>
#include <memory>
#include <string>

#include "family/build.h"
#include "family/log.h"

namespace flavr::family {

namespace {

#if FLAVR_FAMILY_10
constexpr nvinfer1::NetworkDefinitionCreationFlags kStronglyTyped =
    1U << static_cast<uint32_t>(nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED);
#else
// Networks of the later families are always strongly typed.
constexpr nvinfer1::NetworkDefinitionCreationFlags kStronglyTyped = 0;
#endif

class Monitor final : public nvinfer1::IProgressMonitor {
 public:
  explicit Monitor(BuildObserver& observer) noexcept : observer_(observer) {}

  void phaseStart(char const* phase, char const* parent, int32_t steps) noexcept override {
    observer_.phaseStarted(phase, parent, steps);
  }
  bool stepComplete(char const* phase, int32_t step) noexcept override {
    const bool goOn = observer_.stepCompleted(phase, step);
    if (!goOn) cancelled_ = true;
    return goOn;
  }
  void phaseFinish(char const* phase) noexcept override { observer_.phaseFinished(phase); }

  bool cancelled() const noexcept { return cancelled_; }

 private:
  BuildObserver& observer_;
  std::atomic<bool> cancelled_{false};
};

void tell(Sink& sink, const std::string& text) noexcept { sink.take(text.data(), text.size()); }

void tellParserErrors(Sink& reason, const nvonnxparser::IParser& parser) {
  for (int32_t i = 0; i < parser.getNbErrors(); i++) {
    const nvonnxparser::IParserError& error = *parser.getError(i);
    std::string line = i == 0 ? "" : "; ";
    if (error.node() >= 0) {
      line += "node " + std::to_string(error.node()) + " \"" + error.nodeName() + "\" (" + error.nodeOperator() + "): ";
    }
    tell(reason, line + error.desc());
  }
}

// Sessions read and write tensors row by row. By default a builder may choose any format for those that go in and out.
void keepLinear(nvinfer1::INetworkDefinition& network) noexcept {
  constexpr auto kLinear = 1U << static_cast<uint32_t>(nvinfer1::TensorFormat::kLINEAR);
  for (int32_t i = 0; i < network.getNbInputs(); i++) network.getInput(i)->setAllowedFormats(kLinear);
  for (int32_t i = 0; i < network.getNbOutputs(); i++) network.getOutput(i)->setAllowedFormats(kLinear);
}

bool configure(nvinfer1::IBuilderConfig& config, const BuildOptions& options, Sink& reason) {
  if (options.workspaceBytes > 0) {
    config.setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, options.workspaceBytes);
  }
  if (options.optimizationLevel >= 0) config.setBuilderOptimizationLevel(options.optimizationLevel);
  if (options.allowTf32) {
    config.setFlag(nvinfer1::BuilderFlag::kTF32);
  } else {
    config.clearFlag(nvinfer1::BuilderFlag::kTF32);
  }
#if FLAVR_FAMILY_RTX
  // The session gives all memory, and has counted it; memory that the runtime took by itself would forbid capturing
  // too.
  config.setFlag(nvinfer1::BuilderFlag::kREQUIRE_USER_ALLOCATION);
  if (!config.setNbComputeCapabilities(static_cast<int32_t>(options.computeCapabilityCount))) {
    tell(reason, "the number of compute capabilities was not taken");
    return false;
  }
  for (std::size_t i = 0; i < options.computeCapabilityCount; i++) {
    const auto target = static_cast<nvinfer1::ComputeCapability>(options.computeCapabilities[i]);
    if (!config.setComputeCapability(target, static_cast<int32_t>(i))) {
      tell(reason, "compute capability " + std::to_string(options.computeCapabilities[i]) + " was not taken");
      return false;
    }
  }
#else
  if (options.computeCapabilityCount > 0) {
    tell(reason, "only TensorRT-RTX builds for named compute capabilities");
    return false;
  }
#endif
  return true;
}

// What the builder learned of this device's kernels, for the next build. TensorRT-RTX chooses kernels when it runs.
class TimingCache {
 public:
#if FLAVR_FAMILY_RTX
  TimingCache(nvinfer1::IBuilderConfig& /*config*/, const Span& /*saved*/) noexcept {}
  void save(Sink& /*to*/) const noexcept {}
#else
  // A cache of another device or version is no error: the build then starts with an empty one.
  TimingCache(nvinfer1::IBuilderConfig& config, const Span& saved) noexcept {
    if (!attach(config, saved)) attach(config, {nullptr, 0});
  }
  void save(Sink& to) const noexcept {
    const std::unique_ptr<nvinfer1::IHostMemory> bytes(cache_ == nullptr ? nullptr : cache_->serialize());
    if (bytes != nullptr) to.take(bytes->data(), bytes->size());
  }

 private:
  bool attach(nvinfer1::IBuilderConfig& config, const Span& saved) noexcept {
    cache_.reset(config.createTimingCache(saved.data, saved.size));
    return cache_ != nullptr && config.setTimingCache(*cache_, false);
  }

  std::unique_ptr<nvinfer1::ITimingCache> cache_;
#endif
};

}  // namespace

BuildOutcome build(const EntryPoints& library, const BuildOptions& options, BuildObserver& observer, Sink& engine,
                   Sink& timingCache, Sink& reason) noexcept {
  const LogScope log;
  auto* createBuilder = reinterpret_cast<decltype(&createInferBuilder_INTERNAL)>(library.createBuilder);
  auto* createParser = reinterpret_cast<decltype(&createNvOnnxParser_INTERNAL)>(library.createParser);
  const auto fail = [&](BuildOutcome outcome) {
    tell(reason, log.errors());
    return outcome;
  };
  if (createBuilder == nullptr || createParser == nullptr) {
    tell(reason, "the library or its parser lacks its entry point");
    return BuildOutcome::kNoBuilder;
  }
  const std::unique_ptr<nvinfer1::IBuilder> builder(
      static_cast<nvinfer1::IBuilder*>(createBuilder(&logger(), library.version)));
  if (builder == nullptr) return fail(BuildOutcome::kNoBuilder);
  const std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(kStronglyTyped));
  if (network == nullptr) return fail(BuildOutcome::kFailed);
  const std::unique_ptr<nvonnxparser::IParser> parser(
      static_cast<nvonnxparser::IParser*>(createParser(network.get(), &logger(), NV_ONNX_PARSER_VERSION)));
  if (parser == nullptr) return fail(BuildOutcome::kFailed);
  if (!parser->parse(options.model.data, options.model.size)) {
    tellParserErrors(reason, *parser);
    return BuildOutcome::kModelRefused;
  }
  keepLinear(*network);
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
  if (config == nullptr) return fail(BuildOutcome::kFailed);
  if (!configure(*config, options, reason)) return BuildOutcome::kFailed;
  const TimingCache cache(*config, options.timingCache);
  Monitor monitor(observer);
  config->setProgressMonitor(&monitor);
  const std::unique_ptr<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
  if (monitor.cancelled()) return BuildOutcome::kCancelled;
  if (plan == nullptr) return fail(BuildOutcome::kFailed);
  engine.take(plan->data(), plan->size());
  cache.save(timingCache);
  return BuildOutcome::kBuilt;
}

}  // namespace flavr::family
