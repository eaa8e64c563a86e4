#ifndef FLAVR_ENGINE_VERSION_H
#define FLAVR_ENGINE_VERSION_H

#include "engine/result.h"

#include <cstdint>
#include <string>

namespace flavr {

// The TensorRT libraries that flavr has headers for. Their classes have the same names and different vtables.
enum class Family { kTensorRt10, kTensorRt11, kTensorRtRtx };

// `tensorrt-10`, `tensorrt-11` or `tensorrt-rtx`.
const char* familyName(Family family) noexcept;

struct Version {
  int32_t major;
  int32_t minor;
  int32_t patch;
};

std::string toString(const Version& version);

// Which TensorRT a library is.
struct LibraryIdentity {
  Family family;
  Version version;
};

// `TensorRT-RTX 1.7.1`.
std::string title(const LibraryIdentity& identity);

// What a library is, from the number that its getInferLibVersion reports. The libraries hand builders to callers of any
// version, so this check is the only one there is: kBackendUnavailable names what was found and what is accepted.
Result<LibraryIdentity> identify(int32_t reported) noexcept;

}  // namespace flavr

#endif
