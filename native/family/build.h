#ifndef FLAVR_FAMILY_BUILD_H
#define FLAVR_FAMILY_BUILD_H

#include "family/family.h"

namespace flavr::family {

// See Family::build.
BuildOutcome build(const EntryPoints& library, const BuildOptions& options, BuildObserver& observer, Sink& engine,
                   Sink& timingCache, Sink& reason) noexcept;

}  // namespace flavr::family

#endif
