// What TensorRT says while it works. TensorRT keeps the logger of its first caller for the whole process, so there is
// one per family object, never destroyed, and a scope that collects what is said during one call.
#ifndef FLAVR_FAMILY_LOG_H
#define FLAVR_FAMILY_LOG_H

#include <NvInferRuntime.h>

#include <mutex>
#include <string>

namespace flavr::family {

nvinfer1::ILogger& logger() noexcept;

// While it lives, errors logged on its thread go to it; those of TensorRT's own threads go to every open scope.
class LogScope {
 public:
  LogScope() noexcept;
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
  ~LogScope();

  void add(const char* text) noexcept;
  // The errors so far, joined; a word for silence if there are none.
  std::string errors() const;

 private:
  LogScope* const outer_;
  mutable std::mutex mutex_;
  std::string errors_;
};

}  // namespace flavr::family

#endif
