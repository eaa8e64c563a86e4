#include "family/log.h"

#include <algorithm>
#include <vector>

namespace flavr::family {

namespace {

thread_local LogScope* currentScope = nullptr;

struct OpenScopes {
  std::mutex mutex;
  std::vector<LogScope*> scopes;
};

OpenScopes& openScopes() noexcept {
  static auto* const scopes = new OpenScopes;
  return *scopes;
}

class Logger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, nvinfer1::AsciiChar const* text) noexcept override {
    if (severity > Severity::kERROR) return;
    if (currentScope != nullptr) {
      currentScope->add(text);
      return;
    }
    auto& open = openScopes();
    const std::lock_guard<std::mutex> lock(open.mutex);
    for (auto* scope : open.scopes) scope->add(text);
  }
};

}  // namespace

nvinfer1::ILogger& logger() noexcept {
  static auto* const instance = new Logger;
  return *instance;
}

LogScope::LogScope() noexcept : outer_(currentScope) {
  currentScope = this;
  auto& open = openScopes();
  const std::lock_guard<std::mutex> lock(open.mutex);
  open.scopes.push_back(this);
}

LogScope::~LogScope() {
  currentScope = outer_;
  auto& open = openScopes();
  const std::lock_guard<std::mutex> lock(open.mutex);
  open.scopes.erase(std::remove(open.scopes.begin(), open.scopes.end(), this), open.scopes.end());
}

void LogScope::add(const char* text) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!errors_.empty()) errors_ += "; ";
  errors_ += text;
}

std::string LogScope::errors() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return errors_.empty() ? "TensorRT gave no reason." : errors_ + ".";
}

}  // namespace flavr::family
