#include "cuda/reason.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace flavr {

bool tellsOutOfMemory(const std::string& reason) noexcept {
  std::string lower = reason;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<const char*, 3> kWords = {"out of memory", "outofmemory", "could not be allocated"};
  return std::any_of(kWords.begin(), kWords.end(), [&](auto words) { return lower.find(words) != std::string::npos; });
}

Error failureOf(Device& device, const std::string& what, Code otherwise, const char* advice) noexcept {
  const auto memory = device.memory();
  if (!memory.ok() && memory.error().code == Code::kDeviceLost) return memory.error();
  if (!tellsOutOfMemory(what)) return {otherwise, what + advice};
  return {Code::kOutOfMemory, what + " Close what else uses the device, or use a smaller frame size or batch."};
}

}  // namespace flavr
