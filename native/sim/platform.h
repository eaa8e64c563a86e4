// The platform of the test addon and of the C++ tests.
#ifndef FLAVR_SIM_PLATFORM_H
#define FLAVR_SIM_PLATFORM_H

#include <memory>

#include "engine/platform.h"
#include "sim/control.h"

namespace flavr::sim {

// Two devices, which share what Control says and counts.
class SimPlatform final : public Platform {
 public:
  explicit SimPlatform(std::shared_ptr<Control> control) noexcept : control_(std::move(control)) {}

  Result<std::shared_ptr<Device>> openDevice(int ordinal) noexcept override;
  Result<std::unique_ptr<Network>> loadPlan(const std::shared_ptr<Device>& device, const void* plan, std::size_t bytes,
                                            const PlanOptions& options) noexcept override;

 private:
  std::shared_ptr<Control> control_;
};

// The one that openPlatform() of the test addon uses: of the process, as a real device is.
const std::shared_ptr<Control>& processControl();

}  // namespace flavr::sim

#endif
