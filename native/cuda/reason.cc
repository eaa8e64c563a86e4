#include "cuda/reason.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace flavr {

namespace {

constexpr std::array<const char*, 3> kOutOfMemory = {"out of memory", "outofmemory", "could not be allocated"};
// The texts of the CUDA runtime's errors 35 and 36, and their numbers where the texts are left out.
constexpr std::array<const char*, 4> kOldDriver = {"driver version is insufficient", "installed cuda driver",
                                                   "cudaerror 35", "error: 35"};

template <class Phrases>
bool tells(const std::string& what, const Phrases& phrases) {
  std::string lower = what;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](auto phrase) { return lower.find(phrase) != std::string::npos; });
}

}  // namespace

Error failureOf(Device& device, const std::string& what, Code otherwise, const char* advice) noexcept {
  const auto memory = device.memory();
  if (!memory.ok() && memory.error().code == Code::kDeviceLost) return memory.error();
  if (tells(what, kOldDriver)) {
    return {Code::kBackendUnavailable, what + " The NVIDIA driver is too old for this library. Install a newer one."};
  }
  if (tells(what, kOutOfMemory)) {
    return {Code::kOutOfMemory, what + " Close what else uses the device, or use a smaller frame size or batch."};
  }
  return {otherwise, what + advice};
}

}  // namespace flavr
