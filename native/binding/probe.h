#ifndef FLAVR_BINDING_PROBE_H
#define FLAVR_BINDING_PROBE_H

#include <napi.h>

namespace flavr::binding {

// probe(libraries: string[]): Promise<NativeProbe>, off the JavaScript thread.
Napi::Value probe(const Napi::CallbackInfo& info);

}  // namespace flavr::binding

#endif
