#include "engine/version.h"

namespace flavr {

namespace {

struct Accepted {
  Family family;
  const char* product;
  int32_t major;
  // The first minor that has every method we call: device memory of 64-bit size (10.1), strong typing as the only
  // kind of network (RTX 1.5).
  int32_t firstMinor;
};

constexpr Accepted kAccepted[] = {
    {Family::kTensorRt10, "TensorRT", 10, 1},
    {Family::kTensorRt11, "TensorRT", 11, 0},
    {Family::kTensorRtRtx, "TensorRT-RTX", 1, 5},
};

constexpr const char* kAcceptedText = "TensorRT 10.1 or newer, TensorRT 11 and TensorRT-RTX 1.5 or newer";

struct Reported {
  const char* product;
  Version version;
};

// TensorRT up to 9 reports major * 1000 + minor * 100 + patch; since 10, and in RTX from 1.0, it is
// major * 10000 + minor * 100 + patch. RTX is still in single digits, so the ranges do not meet.
Reported decode(int32_t number) noexcept {
  if (number < 10000) return {"TensorRT", {number / 1000, number / 100 % 10, number % 100}};
  const Version version{number / 10000, number / 100 % 100, number % 100};
  return {version.major < 10 ? "TensorRT-RTX" : "TensorRT", version};
}

}  // namespace

const char* familyName(Family family) noexcept {
  switch (family) {
    case Family::kTensorRt10:
      return "tensorrt-10";
    case Family::kTensorRt11:
      return "tensorrt-11";
    case Family::kTensorRtRtx:
      return "tensorrt-rtx";
  }
  return "";
}

std::string toString(const Version& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
}

std::string title(const LibraryIdentity& identity) {
  return std::string(identity.family == Family::kTensorRtRtx ? "TensorRT-RTX " : "TensorRT ") +
         toString(identity.version);
}

Result<LibraryIdentity> identify(int32_t reported) noexcept {
  const Reported found = decode(reported);
  for (const Accepted& accepted : kAccepted) {
    const bool sameProduct = std::string(accepted.product) == found.product;
    if (sameProduct && accepted.major == found.version.major && found.version.minor >= accepted.firstMinor) {
      return LibraryIdentity{accepted.family, found.version};
    }
  }
  return Error{Code::kBackendUnavailable, std::string("it is ") + found.product + " " + toString(found.version) +
                                              "; flavr works with " + kAcceptedText};
}

}  // namespace flavr
