#include "binding/lender.h"

#include <cstring>
#include <unordered_map>
#include <utility>

namespace flavr::binding {

// One per address: memory is lent again only after its frame was released or collected.
struct Lender::Leases {
  std::unordered_map<const void*, Lease*> byAddress;
};

// Lives until the ArrayBuffer is finalized; holds the frame until then or until it is released.
struct Lender::Lease {
  std::shared_ptr<Leases> leases;
  HostFrame frame;

  void end() noexcept {
    if (!frame.bytes) return;
    leases->byAddress.erase(frame.bytes.get());
    frame = {};
  }
};

std::shared_ptr<Lender::Leases> Lender::makeLeases() { return std::make_shared<Leases>(); }

Lender::Lent Lender::lend(Napi::Env env, const HostFrame& frame, std::size_t bytes) {
  if (external_) {
    auto lease = std::make_unique<Lease>(Lease{leases_, frame});
    napi_value buffer = nullptr;
    const napi_status status = napi_create_external_arraybuffer(
        env, frame.bytes.get(), bytes,
        [](napi_env, void*, void* hint) {
          const std::unique_ptr<Lease> ended(static_cast<Lease*>(hint));
          ended->end();
        },
        lease.get(), &buffer);
    if (status == napi_ok) {
      leases_->byAddress[frame.bytes.get()] = lease.release();
      return {Napi::Uint8Array::New(env, bytes, Napi::ArrayBuffer(env, buffer), 0), false};
    }
    if (status != napi_no_external_buffers_allowed) throw Napi::Error::New(env);
    external_ = false;
  }
  auto copy = Napi::Uint8Array::New(env, bytes);
  std::memcpy(copy.Data(), frame.bytes.get(), bytes);
  return {copy, true};
}

void Lender::release(const Napi::Uint8Array& frame) {
  const auto found = leases_->byAddress.find(frame.Data());
  if (found == leases_->byAddress.end()) return;
  Napi::ArrayBuffer buffer = frame.ArrayBuffer();
  // A view of another buffer that begins at the same address cannot be; a part of the frame can.
  if (frame.ByteLength() != buffer.ByteLength()) return;
  Lease* lease = found->second;
  // Memory that JavaScript could still reach must not be lent to the next frame: then it waits for the collection.
  if (napi_detach_arraybuffer(frame.Env(), buffer) == napi_ok) lease->end();
}

}  // namespace flavr::binding
