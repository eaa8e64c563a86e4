#ifndef FLAVR_BINDING_SESSION_H
#define FLAVR_BINDING_SESSION_H

#include <napi.h>

namespace flavr::binding {

// openSession(request: NativeSessionRequest): Promise<NativeSession>. Engines are loaded and memory is taken off the
// JavaScript thread.
Napi::Value openSession(const Napi::CallbackInfo& info);

// releaseFrame(frame: Uint8Array): void, for frames of any session of this environment, also after its end.
void releaseFrame(const Napi::CallbackInfo& info);

}  // namespace flavr::binding

#endif
