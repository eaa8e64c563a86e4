// Frames in the hands of JavaScript: an ArrayBuffer of its own over each one's memory, or a copy of it where the
// runtime allows no ArrayBuffer over foreign memory (Electron).
#ifndef FLAVR_BINDING_LENDER_H
#define FLAVR_BINDING_LENDER_H

#include <napi.h>

#include <cstddef>
#include <memory>

#include "engine/pipeline.h"

namespace flavr::binding {

// One per environment; used on its thread only. Frames may outlive their session.
class Lender {
 public:
  struct Lent {
    Napi::Uint8Array frame;
    // The frame was copied, and its memory is free already.
    bool copied;
  };
  Lent lend(Napi::Env env, const HostFrame& frame, std::size_t bytes);
  // Gives the frame's memory back at once and detaches its ArrayBuffer, so that nobody reads what comes there next. No
  // effect on a frame that was not lent here, or not as a whole.
  void release(const Napi::Uint8Array& frame);
  // As if the runtime had refused an ArrayBuffer over foreign memory.
  void refuseExternalBuffers() { external_ = false; }

 private:
  struct Lease;
  struct Leases;

  // Shared with the finalizers, which may come after the environment's own end.
  std::shared_ptr<Leases> leases_ = makeLeases();
  static std::shared_ptr<Leases> makeLeases();
  // False once the runtime refused: it never changes its mind.
  bool external_ = true;
};

}  // namespace flavr::binding

#endif
