#include "engine/shared_library.h"

#include <dlfcn.h>
#include <link.h>

namespace flavr {

Result<SharedLibrary> SharedLibrary::open(const std::string& name) noexcept {
  // NODELETE: CUDA and TensorRT keep threads and exit handlers that would outlive an unload.
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return Error{Code::kBackendUnavailable, reason != nullptr ? reason : name + " could not be opened"};
  }
  return SharedLibrary(handle);
}

SharedLibrary::~SharedLibrary() {
  if (handle_ != nullptr) dlclose(handle_);
}

void* SharedLibrary::symbol(const char* name) const noexcept { return dlsym(handle_, name); }

std::string SharedLibrary::path() const noexcept {
  const link_map* map = nullptr;
  if (dlinfo(handle_, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0 || map == nullptr) return {};
  return map->l_name;
}

std::string folderOf(const void* symbol) noexcept {
  Dl_info info{};
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string file = info.dli_fname;
  return file.substr(0, file.rfind('/') + 1);
}

}  // namespace flavr
