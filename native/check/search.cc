#include "check/search.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace flavr::check {

namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kNames = {"libnvinfer.so.11", "libnvinfer.so.10", "libtensorrt_rtx.so.1"};

// The libraries in a folder or its `lib`. None: the path itself, which then fails to open with a reason that names it.
std::vector<std::string> librariesAt(const std::string& path) {
  std::error_code ignored;
  std::vector<std::string> found;
  if (fs::is_directory(path, ignored)) {
    for (const fs::path& folder : {fs::path(path), fs::path(path) / "lib"}) {
      for (const char* name : kNames) {
        if (fs::exists(folder / name, ignored)) found.push_back((folder / name).string());
      }
    }
  }
  if (found.empty()) found.push_back(path);
  return found;
}

// The site-packages folders of the Python on PATH; none where there is no Python.
std::vector<std::string> pythonPackageFolders() {
  FILE* python = popen(  // NOLINT(cert-env33-c): a fixed command line
      "python3 -c 'import site; print(*site.getsitepackages(), site.getusersitepackages(), sep=\"\\n\")' 2>/dev/null",
      "r");
  if (python == nullptr) return {};
  std::vector<std::string> folders;
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), python) != nullptr) {
    std::string folder = line.data();
    while (!folder.empty() && folder.back() == '\n') folder.pop_back();
    folders.push_back(folder);
  }
  pclose(python);
  return folders;
}

}  // namespace

std::vector<std::string> libraryCandidates(const std::string& named) {
  if (!named.empty()) return librariesAt(named);
  const char* variable = std::getenv("FLAVR_TENSORRT_PATH");
  if (variable != nullptr && *variable != '\0') return librariesAt(variable);
  std::vector<std::string> candidates(kNames.begin(), kNames.end());
  for (const std::string& folder : pythonPackageFolders()) {
    for (const char* wheel : {"tensorrt_libs", "tensorrt_rtx_libs"}) {
      std::error_code ignored;
      const fs::path path = fs::path(folder) / wheel;
      if (!fs::exists(path, ignored)) continue;
      for (std::string& library : librariesAt(path.string())) candidates.push_back(std::move(library));
    }
  }
  return candidates;
}

}  // namespace flavr::check
