#include "sim/platform.h"

#include <string>

#include "sim/device.h"
#include "sim/network.h"

namespace flavr {
namespace sim {

namespace {
constexpr int kDevices = 2;
}  // namespace

Result<std::shared_ptr<Device>> SimPlatform::openDevice(int ordinal) noexcept {
  if (ordinal < 0 || ordinal >= kDevices) {
    return Error{Code::kBackendUnavailable, "The simulator has devices 0 to " + std::to_string(kDevices - 1) + "."};
  }
  return std::shared_ptr<Device>(std::make_shared<SimDevice>(control_));
}

Result<std::unique_ptr<Network>> SimPlatform::loadPlan(const std::shared_ptr<Device>& device, const void* plan,
                                                       std::size_t bytes, const PlanOptions& /*options*/) noexcept {
  auto read = readPlan(plan, bytes);
  if (!read.ok()) return std::move(read).error();
  return std::unique_ptr<Network>(
      std::make_unique<SimNetwork>(std::static_pointer_cast<SimDevice>(device), read.value()));
}

const std::shared_ptr<Control>& processControl() {
  static const auto control = std::make_shared<Control>();
  return control;
}

}  // namespace sim

Result<std::shared_ptr<Platform>> openPlatform(const PlatformOptions& /*options*/) noexcept {
  return std::shared_ptr<Platform>(std::make_shared<sim::SimPlatform>(sim::processControl()));
}

}  // namespace flavr
