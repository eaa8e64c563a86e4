#include "engine/tensorrt_library.h"

namespace flavr {

namespace {

constexpr const char* parserName(Family family) noexcept {
  switch (family) {
    case Family::kTensorRt10:
      return "libnvonnxparser.so.10";
    case Family::kTensorRt11:
      return "libnvonnxparser.so.11";
    case Family::kTensorRtRtx:
      return "libtensorrt_onnxparser_rtx.so.1";
  }
  return "";
}

}  // namespace

Result<TensorRtLibrary> TensorRtLibrary::open(const std::string& name) noexcept {
  auto library = SharedLibrary::open(name);
  if (!library.ok()) return std::move(library).error();
  auto* reportVersion = library.value().function<int32_t()>("getInferLibVersion");
  if (reportVersion == nullptr) {
    return Error{Code::kBackendUnavailable, "it is no TensorRT library (it has no getInferLibVersion)"};
  }
  auto identity = identify(reportVersion());
  if (!identity.ok()) return std::move(identity).error();
  return TensorRtLibrary(std::move(library).value(), identity.value());
}

std::string TensorRtLibrary::folder() const noexcept {
  const std::string file = path();
  return file.substr(0, file.rfind('/') + 1);
}

Result<SharedLibrary> TensorRtLibrary::openParser() const noexcept {
  const char* name = parserName(identity_.family);
  auto beside = SharedLibrary::open(folder() + name);
  if (beside.ok()) return beside;
  auto found = SharedLibrary::open(name);
  if (found.ok()) return found;
  return Error{Code::kBackendUnavailable, title() + " was found at " + path() + ", but not its ONNX parser " + name +
                                              " (" + beside.error().message + "). Install the parser beside it."};
}

family::EntryPoints TensorRtLibrary::entryPoints() const noexcept {
  const Version& version = identity_.version;
  return {version.major * 10000 + version.minor * 100 + version.patch, library_.symbol("createInferBuilder_INTERNAL"),
          library_.symbol("createInferRuntime_INTERNAL"), nullptr};
}

Result<family::Family*> TensorRtLibrary::familyCode() const noexcept {
  static const char anchor = 0;
  const std::string file = folderOf(&anchor) + "flavr-" + familyName(identity_.family) + ".so";
  auto library = SharedLibrary::open(file);
  if (!library.ok()) {
    return Error{Code::kBackendUnavailable, "flavr's own code for " + title() + " could not be loaded (" +
                                                library.error().message +
                                                "). Reinstall flavr, or build it with: npm run build:native"};
  }
  auto* getFamily = library.value().function<family::GetFamily>("flavrFamily");
  family::Family* code = getFamily == nullptr ? nullptr : getFamily(family::kInterface);
  if (code == nullptr) {
    return Error{Code::kBackendUnavailable,
                 file + " is of another build of flavr than the addon beside it. Reinstall flavr."};
  }
  return code;
}

}  // namespace flavr
