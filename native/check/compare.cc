#include "check/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace flavr::check {

namespace {

// `expected(frame, i)` in [0, 255], not rounded. Frames of another number or size are as wrong as can be.
template <class Expected>
Difference measure(const Frames& frames, std::size_t count, std::size_t bytes, const Expected& expected) noexcept {
  const auto fits = [&](const auto& frame) { return frame.size() == bytes; };
  if (frames.size() != count || !std::all_of(frames.begin(), frames.end(), fits)) return {0, 255, 255};
  double sum = 0;
  int largest = 0;
  double farthest = 0;
  for (std::size_t frame = 0; frame < count; ++frame) {
    for (std::size_t i = 0; i < bytes; ++i) {
      const double want = expected(frame, i);
      const double off = frames[frame][i] - want;
      sum += off * off / (255 * 255);
      farthest = std::max(farthest, std::abs(off));
      // The default rounding mode: half to even.
      largest = std::max(largest, std::abs(frames[frame][i] - static_cast<int>(std::nearbyint(want))));
    }
  }
  const double mean = sum / static_cast<double>(count * bytes);
  return {mean > 0 ? -10 * std::log10(mean) : std::numeric_limits<double>::infinity(), largest, farthest};
}

}  // namespace

Difference compare(const Frames& frames, const std::vector<std::vector<float>>& expected) noexcept {
  const std::size_t bytes = expected.empty() ? 0 : expected[0].size();
  return measure(frames, expected.size(), bytes, [&](std::size_t frame, std::size_t i) {
    return std::clamp(static_cast<double>(expected[frame][i]), 0.0, 1.0) * 255;
  });
}

Difference compare(const Frames& frames, const Frames& other) noexcept {
  const std::size_t bytes = other.empty() ? 0 : other[0].size();
  return measure(frames, other.size(), bytes,
                 [&](std::size_t frame, std::size_t i) { return static_cast<double>(other[frame][i]); });
}

FloatDifference comparePlanar(const std::vector<float>& made,
                              const std::vector<std::vector<float>>& expected) noexcept {
  const std::size_t values = expected.empty() ? 0 : expected[0].size();
  const std::size_t pixels = values / 3;
  if (made.size() != expected.size() * values) return {0, std::numeric_limits<double>::infinity()};
  double sum = 0;
  double largest = 0;
  for (std::size_t at = 0; at < made.size(); ++at) {
    const double found = made[at];
    const double want = expected[at / values][at % pixels * 3 + at % values / pixels];
    const double off = std::clamp(found, 0.0, 1.0) - std::clamp(want, 0.0, 1.0);
    sum += off * off;
    // What is no number is as far off as can be.
    if (!(std::abs(found - want) <= largest)) largest = std::isnan(found) ? HUGE_VAL : std::abs(found - want);
  }
  return {sum > 0 ? -10 * std::log10(sum / static_cast<double>(made.size())) : HUGE_VAL, largest};
}

std::vector<float> planar(const Frames& frames) noexcept {
  const std::size_t pixels = frames.empty() ? 0 : frames[0].size() / 3;
  std::vector<float> values;
  values.reserve(frames.size() * pixels * 3);
  for (std::size_t channel = 0; channel < 3; ++channel) {
    for (const auto& frame : frames) {
      for (std::size_t i = 0; i < pixels; ++i) values.push_back(static_cast<float>(frame[i * 3 + channel] / 255.0));
    }
  }
  return values;
}

// Frames of repeatable noise.
Frames noise(std::size_t count, std::size_t bytes) {
  Frames frames(count, std::vector<std::uint8_t>(bytes));
  std::uint32_t state = 1;
  for (auto& frame : frames) {
    for (auto& byte : frame) {
      state = state * 1664525U + 1013904223U;
      byte = static_cast<std::uint8_t>(state >> 24);
    }
  }
  return frames;
}

double quantile(std::vector<double> values, double part) noexcept {
  if (values.empty()) return 0;
  const auto at = std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

}  // namespace flavr::check
