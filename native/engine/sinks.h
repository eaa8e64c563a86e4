// Takes what a family object hands over.
#ifndef FLAVR_ENGINE_SINKS_H
#define FLAVR_ENGINE_SINKS_H

#include <cstddef>
#include <string>
#include <vector>

#include "family/family.h"

namespace flavr {

class BytesSink final : public family::Sink {
 public:
  void take(const void* data, std::size_t size) noexcept override {
    const auto* from = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), from, from + size);
  }
  std::string text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  std::vector<std::byte> bytes;
};

}  // namespace flavr

#endif
