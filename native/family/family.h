#ifndef FLAVR_FAMILY_FAMILY_H
#define FLAVR_FAMILY_FAMILY_H

#include <cstddef>
#include <cstdint>

// What the addon and the objects compiled per TensorRT family say to each other. Only plain data and virtual calls pass
// here: each side may carry its own C++ runtime, so no string, vector or exception does. Nothing throws.
namespace flavr::family {

// Raised with every change of this file, so that files of two builds never mix.
constexpr uint32_t kInterface = 3;

struct Span {
  const void* data;
  std::size_t size;
};

// Takes bytes that the caller owns; they are valid only during the call. Called any number of times, in order.
class Sink {
 public:
  virtual void take(const void* data, std::size_t size) noexcept = 0;

 protected:
  ~Sink() = default;
};

// Follows a build. Calls come from TensorRT's threads, several at a time.
class BuildObserver {
 public:
  virtual void phaseStarted(const char* phase, const char* parent, int32_t steps) noexcept = 0;
  // @returns false to cancel the build.
  virtual bool stepCompleted(const char* phase, int32_t step) noexcept = 0;
  virtual void phaseFinished(const char* phase) noexcept = 0;

 protected:
  ~BuildObserver() = default;
};

// Entry points of an opened TensorRT and its ONNX parser (null where only engines are run).
struct EntryPoints {
  // As the library's own getInferLibVersion reports it.
  int32_t version;
  void* createBuilder;
  void* createRuntime;
  void* createParser;
};

struct BuildOptions {
  Span model;
  // Most scratch memory a layer may use; 0 leaves TensorRT's own limit.
  uint64_t workspaceBytes;
  // 0 to 5; negative leaves TensorRT's own level.
  int32_t optimizationLevel;
  bool allowTf32;
  // What an earlier build gave out; empty for none.
  Span timingCache;
  // Targets as major * 10 + minor, TensorRT-RTX only; none means a portable engine.
  const int32_t* computeCapabilities;
  std::size_t computeCapabilityCount;
};

enum class BuildOutcome : int32_t { kBuilt, kCancelled, kNoBuilder, kModelRefused, kFailed };

enum class TensorType : int32_t { kUint8, kFloat32, kOther };

constexpr int32_t kMostDimensions = 8;

struct TensorInfo {
  // Lives as long as the engine.
  const char* name;
  bool isInput;
  TensorType type;
  // Elements lie in device memory one after the other, the last dimension fastest.
  bool linear;
  int32_t rank;
  int64_t dimensions[kMostDimensions];
};

// Runs an engine; one thread at a time. Addresses and streams are the driver's.
class LoadedContext {
 public:
  virtual void setActivationMemory(uint64_t address, uint64_t bytes) noexcept = 0;
  virtual bool bind(const char* tensor, uint64_t address) noexcept = 0;
  // False where the runtime knows that enqueue() on this stream cannot be captured; true where it cannot be asked.
  virtual bool capturable(void* stream) const noexcept = 0;
  // `reason` is called only where it fails.
  virtual bool enqueue(void* stream, Sink& reason) noexcept = 0;
  virtual void destroy() noexcept = 0;

 protected:
  ~LoadedContext() = default;
};

// A deserialised engine; outlives its contexts.
class LoadedEngine {
 public:
  virtual int32_t tensorCount() const noexcept = 0;
  virtual TensorInfo tensor(int32_t index) const noexcept = 0;
  // Scratch memory of one context.
  virtual uint64_t activationBytes() const noexcept = 0;
  // A context without scratch memory; null where it fails.
  virtual LoadedContext* createContext(Sink& reason) noexcept = 0;
  // The kernels that were compiled on this device so far; nothing where the family compiles none.
  virtual void saveKernels(Sink& kernels) const noexcept = 0;
  virtual void destroy() noexcept = 0;

 protected:
  ~LoadedEngine() = default;
};

// One TensorRT family, compiled against its headers.
class Family {
 public:
  // Blocks until the engine is built. `engine` and `timingCache` are called only if it was; `reason` otherwise.
  virtual BuildOutcome build(const EntryPoints& library, const BuildOptions& options, BuildObserver& observer,
                             Sink& engine, Sink& timingCache, Sink& reason) noexcept = 0;
  // Deserialises an engine in the current CUDA context; null where it fails. `kernels`: what saveKernels() gave before.
  virtual LoadedEngine* load(const EntryPoints& library, const Span& plan, const Span& kernels,
                             Sink& reason) noexcept = 0;

 protected:
  ~Family() = default;
};

// The one exported symbol of a family object, `flavrFamily`. Null if `interface` is not its own.
using GetFamily = Family*(uint32_t interface) noexcept;

}  // namespace flavr::family

#endif
