// An opened TensorRT library whose family and version are known, and the object compiled against that family's headers.
#ifndef FLAVR_ENGINE_TENSORRT_LIBRARY_H
#define FLAVR_ENGINE_TENSORRT_LIBRARY_H

#include <string>

#include "engine/shared_library.h"
#include "engine/version.h"
#include "family/family.h"

namespace flavr {

class TensorRtLibrary {
 public:
  // `name`: a path, or a bare name for the loader's own search. kBackendUnavailable says why it cannot be used.
  static Result<TensorRtLibrary> open(const std::string& name) noexcept;

  const LibraryIdentity& identity() const noexcept { return identity_; }
  // The file that the loader took.
  std::string path() const noexcept { return library_.path(); }
  // Its folder, with the last slash.
  std::string folder() const noexcept;
  // `TensorRT-RTX 1.7.1`.
  std::string title() const { return flavr::title(identity_); }

  // The ONNX parser that belongs to it: beside it, else where the loader finds it.
  Result<SharedLibrary> openParser() const noexcept;
  // createInferBuilder and createInferRuntime of this library; the parser's entry point is left null.
  family::EntryPoints entryPoints() const noexcept;
  // The code compiled for this family, from the folder of the addon. kBackendUnavailable where the file is not there.
  Result<family::Family*> familyCode() const noexcept;

 private:
  TensorRtLibrary(SharedLibrary library, const LibraryIdentity& identity) noexcept
      : library_(std::move(library)), identity_(identity) {}

  SharedLibrary library_;
  LibraryIdentity identity_;
};

}  // namespace flavr

#endif
