#include "sim/network.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace flavr::sim {
namespace {

constexpr char kMagic[8] = {'F', 'L', 'A', 'V', 'R', 'S', 'I', 'M'};
constexpr std::size_t kFields = 8;
constexpr std::uint64_t kMostInputs = 64;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 32;

class SimContext final : public ExecutionContext {
 public:
  SimContext(std::shared_ptr<SimDevice> device, const Plan& plan) noexcept : device_(std::move(device)), plan_(plan) {
    ++device_->control().contexts;
  }
  ~SimContext() override { --device_->control().contexts; }

  Status setActivationMemory(DeviceAddress address, std::size_t bytes) noexcept override {
    if (bytes < plan_.shape.activationBytes) return Error{Code::kBadArgument, "Too little activation memory."};
    activation_ = reinterpret_cast<std::uint8_t*>(address);
    return {};
  }

  bool capturable(StreamHandle /*stream*/) const noexcept override { return plan_.capturable; }
  Status enqueue(const Bindings& bindings, StreamHandle stream) noexcept override;

 private:
  std::shared_ptr<SimDevice> device_;
  Plan plan_;
  std::uint8_t* activation_ = nullptr;
  std::uint8_t run_ = 0;
};

// One run, on the stream's thread. The first half of each frame is computed when it starts and the second when its time
// is over, so that inputs overwritten or outputs read in between show in the bytes.
class Run {
 public:
  Run(SimDevice& device, const Plan& plan, Bindings bindings, std::uint8_t* activation, std::uint8_t mark,
      bool badPeak) noexcept
      : device_(device),
        shape_(plan.shape),
        bindings_(std::move(bindings)),
        activation_(activation),
        mark_(mark),
        badPeak_(badPeak) {}

  void begin() noexcept {
    device_.control().gate.pass();
    if (!usable()) return;
    std::memset(activation_, mark_, shape_.activationBytes);
    compute(0, shape_.frameBytes / 2);
  }

  void finish() noexcept {
    if (!usable()) return;
    const auto* end = activation_ + shape_.activationBytes;
    if (std::any_of(static_cast<const std::uint8_t*>(activation_), end, [&](auto byte) { return byte != mark_; })) {
      device_.control().violation("activation memory was shared by two runs at a time");
    }
    compute(shape_.frameBytes / 2, shape_.frameBytes);
    auto* peak = reinterpret_cast<float*>(bindings_.peak);
    std::fill(peak, peak + shape_.batch, badPeak_ ? std::numeric_limits<float>::quiet_NaN() : 1.0F);
  }

 private:
  bool usable() noexcept {
    const auto at = [](DeviceAddress address) { return reinterpret_cast<const void*>(address); };
    bool good = device_.usable(activation_, shape_.activationBytes, "the engine's activation");
    for (const auto input : bindings_.inputs) {
      good = good && device_.usable(at(input), (shape_.batch - 1) * shape_.frameStride + shape_.frameBytes, "an input");
    }
    good =
        good && device_.usable(at(bindings_.interpolated), shape_.batch * shape_.outputs * shape_.frameBytes, "output");
    return good && device_.usable(at(bindings_.peak), shape_.batch * sizeof(float), "peak");
  }

  void compute(std::size_t first, std::size_t last) noexcept {
    auto* out = reinterpret_cast<std::uint8_t*>(bindings_.interpolated);
    for (std::size_t window = 0; window < shape_.batch; ++window) {
      for (std::size_t byte = first; byte < last; ++byte) {
        std::uint32_t sum = 0;
        for (std::size_t c = 0; c < shape_.inputs; ++c) {
          const auto* input = reinterpret_cast<const std::uint8_t*>(bindings_.inputs[c]);
          sum += weight(c) * input[window * shape_.frameStride + byte];
        }
        for (std::size_t output = 0; output < shape_.outputs; ++output) {
          out[(window * shape_.outputs + output) * shape_.frameBytes + byte] =
              static_cast<std::uint8_t>(sum + outputTerm(output));
        }
      }
    }
  }

  SimDevice& device_;  // its streams, on which runs live, end before it
  NetworkShape shape_;
  Bindings bindings_;
  std::uint8_t* activation_;
  std::uint8_t mark_;
  bool badPeak_;
};

Status SimContext::enqueue(const Bindings& bindings, StreamHandle stream) noexcept {
  Control& control = device_->control();
  // Like TensorRT, it does not say whether the device is lost.
  if (!device_->makeCurrent().ok() || control.launchFailure.strikes()) {
    return Error{Code::kInferenceFailed, "A simulated engine run was refused."};
  }
  if (activation_ == nullptr) return Error{Code::kBadArgument, "The context has no activation memory."};
  if (bindings.inputs.size() != plan_.shape.inputs) return Error{Code::kBadArgument, "An input is not bound."};
  auto addresses = bindings.inputs;
  addresses.insert(addresses.end(), {bindings.interpolated, bindings.peak});
  if (std::any_of(addresses.begin(), addresses.end(),
                  [](auto address) { return address == 0 || address % 256 != 0; })) {
    control.violation("a tensor was bound to an address that is no multiple of 256");
  }
  auto run = std::make_shared<Run>(*device_, plan_, bindings, activation_, ++run_, control.badPeak.strikes());
  Operation operation;
  operation.duration = std::chrono::microseconds(plan_.computeUs + control.extraComputeUs);
  operation.begin = [run] { run->begin(); };
  operation.finish = [run] { run->finish(); };
  operation.busyUs = &control.computeUs;
  return device_->push(stream, std::move(operation));
}

}  // namespace

std::vector<std::uint8_t> writePlan(const Plan& plan) {
  const NetworkShape& shape = plan.shape;
  const std::uint64_t fields[kFields] = {shape.inputs,
                                         shape.batch,
                                         shape.outputs,
                                         shape.frameBytes,
                                         shape.frameStride,
                                         shape.activationBytes,
                                         plan.capturable ? 1U : 0U,
                                         static_cast<std::uint64_t>(plan.computeUs)};
  std::vector<std::uint8_t> bytes(sizeof kMagic + sizeof fields);
  std::memcpy(bytes.data(), kMagic, sizeof kMagic);
  std::memcpy(bytes.data() + sizeof kMagic, fields, sizeof fields);
  return bytes;
}

Result<Plan> readPlan(const void* bytes, std::size_t size) noexcept {
  std::uint64_t fields[kFields];
  if (size != sizeof kMagic + sizeof fields || std::memcmp(bytes, kMagic, sizeof kMagic) != 0) {
    return Error{Code::kEngineIncompatible, "This is no plan of the simulator."};
  }
  std::memcpy(fields, static_cast<const char*>(bytes) + sizeof kMagic, sizeof fields);
  const auto [inputs, batch, outputs, frameBytes, frameStride, activationBytes, capturable, computeUs] = fields;
  const bool sane = inputs >= 1 && inputs <= kMostInputs && batch >= 1 && batch <= kMostInputs && outputs >= 1 &&
                    outputs <= kMostInputs && frameBytes >= 1 && frameBytes <= frameStride && frameStride % 256 == 0 &&
                    frameStride <= kMostBytes && activationBytes >= 1 && activationBytes <= kMostBytes;
  if (!sane) return Error{Code::kEngineIncompatible, "The simulator's plan has impossible sizes."};
  return Plan{{inputs, batch, outputs, frameBytes, frameStride, activationBytes},
              capturable != 0,
              static_cast<std::int64_t>(computeUs)};
}

Result<std::unique_ptr<ExecutionContext>> SimNetwork::createContext() noexcept {
  return std::unique_ptr<ExecutionContext>(std::make_unique<SimContext>(device_, plan_));
}

}  // namespace flavr::sim
