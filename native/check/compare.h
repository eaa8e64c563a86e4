// How far frames are from what they should be.
#ifndef FLAVR_CHECK_COMPARE_H
#define FLAVR_CHECK_COMPARE_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace flavr::check {

using Frames = std::vector<std::vector<std::uint8_t>>;

struct Difference {
  // Against the floats clamped to [0, 1]; the rounding to 8 bits counts as error, so that perfect frames have 58.9 dB.
  // Infinite where nothing differs.
  double psnr;
  // In steps of a byte: against the rounded floats, and against the floats themselves (0.5 and less: only rounding).
  int largest;
  double farthest;
};

Difference compare(const Frames& frames, const std::vector<std::vector<float>>& expected) noexcept;
Difference compare(const Frames& frames, const Frames& other) noexcept;

struct FloatDifference {
  // Of values clamped to [0, 1].
  double psnr;
  // In units of 1.0 = 255, not clamped.
  double largest;
};

// `made`: [k-1,3,H,W]. `expected`: [H,W,3] for each frame.
FloatDifference comparePlanar(const std::vector<float>& made, const std::vector<std::vector<float>>& expected) noexcept;

// Frames [H,W,3] as the [3,2C,H,W] in [0,1] that a graph of the raw form takes.
std::vector<float> planar(const Frames& frames) noexcept;

// Frames of repeatable noise.
Frames noise(std::size_t count, std::size_t bytes);

// The value below which `part` of the values lie; 0 where there are none.
double quantile(std::vector<double> values, double part) noexcept;

}  // namespace flavr::check

#endif
