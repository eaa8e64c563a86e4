#include "engine/device_peak.h"

#include <algorithm>
#include <iterator>

namespace flavr {

namespace {

struct Units {
  int computeCapability;
  // Floating-point operations of one multiprocessor in one clock.
  int half;
  int single;
};

// From the architectures' white papers; each line gives the figure of the card that it names, from that card's number
// of multiprocessors and boost clock: T4 65 and 8.1 TFLOP/s, A100 312 and 19.5, RTX 3090 142 and 35.6, RTX 4090 330 and
// 82.6, H100 SXM 989 and 67, B200 2250 and 75, RTX 5090 419 and 105.
constexpr Units kUnits[] = {
    {75, 1024, 128}, {80, 2048, 128},  {86, 1024, 256},  {89, 1024, 256},
    {90, 4096, 256}, {100, 8192, 256}, {120, 1024, 256},
};

}  // namespace

std::optional<DevicePeak> peakOf(const DeviceInfo& device) noexcept {
  const int capability = device.computeCapabilityMajor * 10 + device.computeCapabilityMinor;
  const auto* found = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const Units& units) { return units.computeCapability == capability; });
  if (found == std::end(kUnits) || device.multiprocessors <= 0 || device.clockKhz <= 0) return std::nullopt;
  const double clocks = static_cast<double>(device.multiprocessors) * device.clockKhz * 1e3 / 1e12;
  return DevicePeak{clocks * found->half, clocks * found->single};
}

}  // namespace flavr
