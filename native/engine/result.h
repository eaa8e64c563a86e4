// Failures are values here: nothing in native/engine throws, and every function that can fail says so in its type.
#ifndef FLAVR_ENGINE_RESULT_H
#define FLAVR_ENGINE_RESULT_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace flavr {

// The subset of FlavrErrorCode (ts/errors.ts) that native code can give.
enum class Code : std::uint8_t {
  kBadArgument,
  kBackendUnavailable,
  kGraphInvalid,
  kEngineBuildFailed,
  kEngineIncompatible,
  kOutOfMemory,
  kInferenceFailed,
  kNumericFailure,
  kDeviceLost,
  kAborted,
  kDisposed,
};

// The word that a JavaScript program tests for.
constexpr const char* codeName(Code code) noexcept {
  switch (code) {
    case Code::kBadArgument:
      return "BAD_ARGUMENT";
    case Code::kBackendUnavailable:
      return "BACKEND_UNAVAILABLE";
    case Code::kGraphInvalid:
      return "GRAPH_INVALID";
    case Code::kEngineBuildFailed:
      return "ENGINE_BUILD_FAILED";
    case Code::kEngineIncompatible:
      return "ENGINE_INCOMPATIBLE";
    case Code::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case Code::kInferenceFailed:
      return "INFERENCE_FAILED";
    case Code::kNumericFailure:
      return "NUMERIC_FAILURE";
    case Code::kDeviceLost:
      return "DEVICE_LOST";
    case Code::kAborted:
      return "ABORTED";
    case Code::kDisposed:
      return "DISPOSED";
  }
  return "INFERENCE_FAILED";
}

struct Error {
  Code code;
  // For people: what was expected, what came, what to do.
  std::string message;
};

// Success, or the error.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(Error error) noexcept
      : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor): reads as `return error;`

  bool ok() const noexcept { return !error_.has_value(); }
  const Error& error() const& noexcept { return *error_; }
  Error&& error() && noexcept { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

// A value, or the error. Ask ok() before taking either.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) noexcept : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error) noexcept
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const noexcept { return state_.index() == 0; }
  const T& value() const& noexcept { return *std::get_if<0>(&state_); }
  T& value() & noexcept { return *std::get_if<0>(&state_); }
  T&& value() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace flavr

// Leaves the function with the error of a Status or Result, if it is one.
#define FLAVR_TRY(expression)                                                      \
  do {                                                                             \
    if (auto&& tried = (expression); !tried.ok()) return std::move(tried).error(); \
  } while (false)

#endif
