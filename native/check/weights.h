// Weights that anyone can make again from a rule (test/fixtures/README.md), so that a graph of 42 million of them
// travels in a few kilobytes.
#ifndef FLAVR_CHECK_WEIGHTS_H
#define FLAVR_CHECK_WEIGHTS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace flavr::check {

// A walk over a tensor's elements: `count` times `stride` elements on. The first digit turns fastest.
struct Digit {
  std::size_t count;
  std::int64_t stride;
};

struct Fill {
  std::string tensor;
  // IEEE half precision; else float32.
  bool half = false;
  // Product of all dimensions of the tensor but the first.
  double fan = 1;
  double gain = 1;
  // The element that comes first, and how the others follow.
  std::int64_t first = 0;
  std::vector<Digit> digits;

  std::size_t elements() const noexcept;
  std::size_t bytes() const noexcept { return elements() * (half ? 2 : 4); }
};

// float32 to the bits of a half, rounded to nearest, ties to even.
std::uint16_t toHalf(float value) noexcept;

// Writes fill.bytes() bytes, little-endian.
void writeWeights(const Fill& fill, std::byte* to) noexcept;

}  // namespace flavr::check

#endif
