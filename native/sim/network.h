// The simulated engine. Per byte: sum over the 2C inputs of weight(c) * frame_c, plus a term for the output's index,
// modulo 256. The weights are distinct and odd, so that a swapped, shifted or repeated input changes the sum.
#ifndef FLAVR_SIM_NETWORK_H
#define FLAVR_SIM_NETWORK_H

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/network.h"
#include "sim/device.h"

namespace flavr::sim {

constexpr std::uint32_t weight(std::size_t input) noexcept { return static_cast<std::uint32_t>(2 * input + 3); }
constexpr std::uint32_t outputTerm(std::size_t output) noexcept {
  return static_cast<std::uint32_t>(29 * (output + 1));
}

// What a plan file of the simulator says.
struct Plan {
  NetworkShape shape;
  // Whether its context takes captures.
  bool capturable;
  std::int64_t computeUs;
};

std::vector<std::uint8_t> writePlan(const Plan& plan);
// kEngineIncompatible for anything that writePlan() did not write.
Result<Plan> readPlan(const void* bytes, std::size_t size) noexcept;

class SimNetwork final : public Network {
 public:
  SimNetwork(std::shared_ptr<SimDevice> device, const Plan& plan) noexcept : device_(std::move(device)), plan_(plan) {}

  const NetworkShape& shape() const noexcept override { return plan_.shape; }
  Result<std::unique_ptr<ExecutionContext>> createContext() noexcept override;

 private:
  std::shared_ptr<SimDevice> device_;
  Plan plan_;
};

}  // namespace flavr::sim

#endif
