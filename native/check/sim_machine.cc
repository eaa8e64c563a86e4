// The machine of the check's own tests. Its engine is the simulator's sum of bytes whatever the graph says, so a run on
// it shows that the check finds what is wrong, and nothing of FLAVR or of a GPU.
#include <cmath>
#include <cstdlib>
#include <utility>

#include "check/machine.h"
#include "sim/network.h"
#include "sim/platform.h"

namespace flavr::check {

namespace {

std::int64_t knob(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::strtoll(value, nullptr, 10);
}

// An engine of which one run, the n-th of the process, takes two frames the wrong way round.
class WrongContext final : public ExecutionContext {
 public:
  WrongContext(std::unique_ptr<ExecutionContext> right, sim::Countdown& wrong) noexcept
      : right_(std::move(right)), wrong_(wrong) {}

  Status setActivationMemory(DeviceAddress address, std::size_t bytes) noexcept override {
    return right_->setActivationMemory(address, bytes);
  }
  bool capturable(StreamHandle stream) const noexcept override { return right_->capturable(stream); }
  Status enqueue(const Bindings& bindings, StreamHandle stream) noexcept override {
    Bindings bound = bindings;
    if (wrong_.strikes()) std::swap(bound.inputs[0], bound.inputs[1]);
    return right_->enqueue(bound, stream);
  }

 private:
  const std::unique_ptr<ExecutionContext> right_;
  sim::Countdown& wrong_;
};

class WrongNetwork final : public Network {
 public:
  WrongNetwork(std::unique_ptr<Network> right, sim::Countdown& wrong) noexcept
      : right_(std::move(right)), wrong_(wrong) {}

  const NetworkShape& shape() const noexcept override { return right_->shape(); }
  Result<std::unique_ptr<ExecutionContext>> createContext() noexcept override {
    auto context = right_->createContext();
    if (!context.ok()) return context;
    return std::unique_ptr<ExecutionContext>(std::make_unique<WrongContext>(std::move(context).value(), wrong_));
  }

 private:
  const std::unique_ptr<Network> right_;
  sim::Countdown& wrong_;
};

class SimMachine final : public Machine {
 public:
  SimMachine(std::shared_ptr<sim::Control> control, std::shared_ptr<Device> device)
      : control_(std::move(control)), platform_(control_), device_(std::move(device)) {
    wrong_.set(knob("FLAVR_SIM_WRONG_RUN"));
  }

  bool simulated() const noexcept override { return true; }

  JsonObject describe() const override { return JsonObject().put("device", "simulated").put("library", "simulated"); }

  double peakTeraflops(const std::string& /*precision*/) const noexcept override { return 0; }

  std::shared_ptr<Device> device() const noexcept override { return device_; }

  Result<std::vector<std::byte>> build(const Graph& graph, std::vector<std::byte> /*model*/) noexcept override {
    const std::size_t stride = (graph.frameBytes() + 255) / 256 * 256;
    const auto plan = sim::writePlan(
        {{graph.inputs, 1, graph.factor - 1, graph.frameBytes(), stride, 4096}, true, knob("FLAVR_SIM_COMPUTE_US")});
    const auto* bytes = reinterpret_cast<const std::byte*>(plan.data());
    return std::vector<std::byte>(bytes, bytes + plan.size());
  }

  Result<std::unique_ptr<Network>> load(const std::vector<std::byte>& plan) noexcept override {
    auto network = platform_.loadPlan(device_, plan.data(), plan.size(), {});
    if (!network.ok()) return network;
    return std::unique_ptr<Network>(std::make_unique<WrongNetwork>(std::move(network).value(), wrong_));
  }

  // The same sum on floats, without a device.
  Result<std::vector<float>> runRaw(const Graph& graph, const std::vector<std::byte>& /*plan*/,
                                    const std::vector<float>& frames) noexcept override {
    const std::size_t pixels = graph.width * graph.height;
    std::vector<float> made;
    for (std::size_t output = 0; output + 1 < graph.factor; ++output) {
      for (std::size_t at = 0; at < 3 * pixels; ++at) {
        std::uint32_t sum = sim::outputTerm(output);
        for (std::size_t input = 0; input < graph.inputs; ++input) {
          const float value = frames[(at / pixels * graph.inputs + input) * pixels + at % pixels];
          sum += sim::weight(input) * static_cast<std::uint32_t>(std::lround(value * 255));
        }
        made.push_back(static_cast<float>(sum % 256) / 255);
      }
    }
    return made;
  }

 private:
  const std::shared_ptr<sim::Control> control_;
  sim::SimPlatform platform_;
  const std::shared_ptr<Device> device_;
  sim::Countdown wrong_;
};

}  // namespace

// FLAVR_SIM_ABSENT: there is no device. FLAVR_SIM_WRONG_RUN, FLAVR_SIM_DEVICE_LOST and FLAVR_SIM_CAPTURE_FAILURE: the
// occasion at which it happens.
Result<std::unique_ptr<Machine>> openMachine(const MachineOptions& /*options*/) noexcept {
  if (knob("FLAVR_SIM_ABSENT") != 0) {
    return Error{Code::kBackendUnavailable, "The simulated machine has no device."};
  }
  auto control = std::make_shared<sim::Control>();
  control->deviceLost.set(knob("FLAVR_SIM_DEVICE_LOST"));
  control->captureFailure.set(knob("FLAVR_SIM_CAPTURE_FAILURE"));
  auto device = sim::SimPlatform(control).openDevice(0);
  if (!device.ok()) return std::move(device).error();
  return std::unique_ptr<Machine>(std::make_unique<SimMachine>(std::move(control), std::move(device).value()));
}

}  // namespace flavr::check
