#include "check/weights.h"

#include <cmath>
#include <cstring>

namespace flavr::check {

namespace {

std::uint32_t fnv1a(const std::string& text) noexcept {
  std::uint32_t hash = 0x811C9DC5U;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x01000193U;
  return hash;
}

// The rule's u in [0, 1) for an element.
double uniform(std::uint32_t seed, std::int64_t element) noexcept {
  const std::uint32_t state = seed + (static_cast<std::uint32_t>(element) + 1) * 0x6D2B79F5U;
  std::uint32_t t = (state ^ (state >> 15)) * (state | 1);
  t = (t + (t ^ (t >> 7)) * (t | 61)) ^ t;
  return (t ^ (t >> 14)) / 4294967296.0;
}

}  // namespace

std::size_t Fill::elements() const noexcept {
  std::size_t product = 1;
  for (const Digit& digit : digits) product *= digit.count;
  return product;
}

std::uint16_t toHalf(float value) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, &value, sizeof word);
  const std::uint32_t sign = (word >> 16) & 0x8000U;
  const std::uint32_t magnitude = word & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude >= 0x47800000U) {
    half = magnitude > 0x7F800000U ? 0x7E00U : 0x7C00U;
  } else if (magnitude >= 0x38800000U) {
    const std::uint32_t rebiased = magnitude - 0x38000000U;
    half = (rebiased + 0x0FFFU + ((rebiased >> 13) & 1)) >> 13;
  } else if (magnitude >= 0x33000000U) {
    // Subnormal: the mantissa with its hidden bit, in units of 2^-24.
    const std::uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
    const std::uint32_t shift = 126 - (magnitude >> 23);
    half = (mantissa + (1U << (shift - 1)) - 1 + ((mantissa >> shift) & 1)) >> shift;
  }
  return static_cast<std::uint16_t>(sign | half);
}

void writeWeights(const Fill& fill, std::byte* to) noexcept {
  const std::uint32_t seed = fnv1a(fill.tensor);
  const double bound = std::sqrt(6 / fill.fan);
  std::vector<std::size_t> turned(fill.digits.size());
  std::int64_t element = fill.first;
  for (std::size_t left = fill.elements(); left > 0; --left) {
    const auto value = static_cast<float>((2 * uniform(seed, element) - 1) * bound * fill.gain);
    if (fill.half) {
      const std::uint16_t bits = toHalf(value);
      std::memcpy(to, &bits, sizeof bits);
      to += sizeof bits;
    } else {
      std::memcpy(to, &value, sizeof value);
      to += sizeof value;
    }
    for (std::size_t i = 0; i < turned.size(); ++i) {
      const Digit& digit = fill.digits[i];
      element += digit.stride;
      if (++turned[i] < digit.count) break;
      element -= digit.stride * static_cast<std::int64_t>(digit.count);
      turned[i] = 0;
    }
  }
}

}  // namespace flavr::check
