#include "family/family.h"

#include "family/build.h"
#include "family/engine.h"

namespace flavr::family {

namespace {

class ThisFamily final : public Family {
 public:
  BuildOutcome build(const EntryPoints& library, const BuildOptions& options, BuildObserver& observer, Sink& engine,
                     Sink& timingCache, Sink& reason) noexcept override {
    return family::build(library, options, observer, engine, timingCache, reason);
  }
  LoadedEngine* load(const EntryPoints& library, const Span& plan, const Span& kernels,
                     Sink& reason) noexcept override {
    return family::load(library, plan, kernels, reason);
  }
};

}  // namespace

extern "C" __attribute__((visibility("default"))) Family* flavrFamily(uint32_t interface) noexcept {
  static ThisFamily family;
  return interface == kInterface ? &family : nullptr;
}

}  // namespace flavr::family
