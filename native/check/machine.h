// What the check runs on: a GPU with a TensorRT library, or in its own tests the simulated device. One definition of
// openMachine() is linked.
#ifndef FLAVR_CHECK_MACHINE_H
#define FLAVR_CHECK_MACHINE_H

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "check/folder.h"
#include "check/json.h"
#include "engine/device.h"
#include "engine/network.h"
#include "engine/result.h"

namespace flavr::check {

class Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  virtual ~Machine() = default;

  // Nothing measured on it is a figure of a GPU.
  virtual bool simulated() const noexcept = 0;
  // Device, driver and library, for the file that is sent back.
  virtual JsonObject describe() const = 0;
  // What the device could do at most in `fp16` or `fp32`; 0 where that is not known.
  virtual double peakTeraflops(const std::string& precision) const noexcept = 0;
  virtual std::shared_ptr<Device> device() const noexcept = 0;
  // Blocks for as long as the engine's build takes.
  virtual Result<std::vector<std::byte>> build(const Graph& graph, std::vector<std::byte> model) noexcept = 0;
  virtual Result<std::unique_ptr<Network>> load(const std::vector<std::byte>& plan) noexcept = 0;
  // Runs an engine of the raw form once: `frames` [1,3,2C,H,W] in, `interpolated` [1,k-1,3,H,W] out.
  virtual Result<std::vector<float>> runRaw(const Graph& graph, const std::vector<std::byte>& plan,
                                            const std::vector<float>& frames) noexcept = 0;
};

struct MachineOptions {
  // A TensorRT library, or a folder with one; empty: FLAVR_TENSORRT_PATH, then the addon's own search.
  std::string tensorrt;
  int device = 0;
};

// kBackendUnavailable where there is nothing to run on, with what is missing.
Result<std::unique_ptr<Machine>> openMachine(const MachineOptions& options) noexcept;

}  // namespace flavr::check

#endif
