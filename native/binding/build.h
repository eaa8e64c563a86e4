#ifndef FLAVR_BINDING_BUILD_H
#define FLAVR_BINDING_BUILD_H

#include <napi.h>

namespace flavr::binding {

// build(request: NativeBuildRequest, onProgress: (fraction, phase) => void): { done: Promise<NativeEngine>, cancel():
// void }, on a thread of its own, since a build may take minutes.
Napi::Value build(const Napi::CallbackInfo& info);

}  // namespace flavr::binding

#endif
