#ifndef FLAVR_ENGINE_SHARED_LIBRARY_H
#define FLAVR_ENGINE_SHARED_LIBRARY_H

#include "engine/result.h"

#include <string>

namespace flavr {

// A library opened at run time. Nothing of CUDA or TensorRT is linked, so that the addon loads on machines with
// neither.
class SharedLibrary {
 public:
  // @param name a path, or a bare name for the loader's own search.
  static Result<SharedLibrary> open(const std::string& name) noexcept;

  SharedLibrary(SharedLibrary&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  SharedLibrary& operator=(SharedLibrary&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;
  ~SharedLibrary();

  // The function of that name, or null.
  template <typename Function>
  Function* function(const char* name) const noexcept {
    return reinterpret_cast<Function*>(symbol(name));
  }

  void* symbol(const char* name) const noexcept;

  // The file that the loader took.
  std::string path() const noexcept;

 private:
  explicit SharedLibrary(void* handle) noexcept : handle_(handle) {}

  void* handle_;
};

// The folder of the binary that holds `symbol`, with its last slash.
std::string folderOf(const void* symbol) noexcept;

}  // namespace flavr

#endif
