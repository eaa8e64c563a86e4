#ifndef FLAVR_FAMILY_ENGINE_H
#define FLAVR_FAMILY_ENGINE_H

#include "family/family.h"

namespace flavr::family {

// See Family::load.
LoadedEngine* load(const EntryPoints& library, const Span& plan, const Span& kernels, Sink& reason) noexcept;

}  // namespace flavr::family

#endif
