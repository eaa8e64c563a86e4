#ifndef FLAVR_BINDING_SURFACE_H
#define FLAVR_BINDING_SURFACE_H

#include <napi.h>

namespace flavr::binding {

// The addon's whole JavaScript surface; ts/native.ts types it. Once per environment.
Napi::Object defineSurface(Napi::Env env, Napi::Object exports);

}  // namespace flavr::binding

#endif
