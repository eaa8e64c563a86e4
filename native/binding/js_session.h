// A session as its environment holds it. All of it is used on the environment's thread; the session's own threads, and
// the one that loads engines, only post to the mailbox.
#ifndef FLAVR_BINDING_JS_SESSION_H
#define FLAVR_BINDING_JS_SESSION_H

#include <napi.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "binding/mailbox.h"
#include "engine/platform.h"
#include "engine/session.h"

namespace flavr::binding {

struct SessionRequest {
  PlatformOptions platform;
  int device = 0;
  SessionOptions session;
};

// A serialized engine in a Uint8Array that the caller leaves alone until it is loaded.
struct PlanRequest {
  const void* bytes;
  std::size_t size;
  PlanOptions options;
  // Keeps the array; made and dropped on the environment's thread.
  Napi::ObjectReference array;
};

class JsSession {
 public:
  JsSession(Napi::Env env, SessionRequest request);
  // Stops what was not enqueued and waits for the rest.
  ~JsSession() { shutDown(); }
  JsSession(const JsSession&) = delete;
  JsSession& operator=(const JsSession&) = delete;

  using Settled = std::function<void(Napi::Env, Status)>;
  // Opens the platform and device if that was not done, loads the engines, and makes the session or adds to it.
  void load(std::vector<PlanRequest> plans, Settled settled);

  std::uint32_t openLane(std::size_t capacity);
  void closeLane(std::uint32_t lane);
  std::uint32_t upload(std::uint32_t lane, Napi::Uint8Array frame, bool copy);
  void free(std::uint32_t lane, std::uint32_t slot);
  // `slots`: for each window 2C pairs of lane and slot. `keep`: for each window the lane its outputs stay in, or 0.
  Napi::Value infer(std::size_t factor, const Napi::Uint32Array& slots, const Napi::Uint32Array& keep);
  // A frame for the caller to fill; undefined if no pinned block can be spared.
  Napi::Value allocFrame();
  Napi::Object stats();
  // Finishes what runs, frees everything but lent frames, then calls `closed`. Once; later calls have no effect.
  void close(std::function<void(Napi::Env)> closed);
  // The same at once and without JavaScript, for the environment's end. Idempotent.
  void shutDown() noexcept;

 private:
  // Engines being loaded.
  struct Load;
  // Lane and slot of each output that stays on the device, in order.
  using Kept = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

  // Throws DISPOSED once close() was called.
  Session& session();
  Lane& lane(std::uint32_t number);
  HostFrame hostFrame(Napi::Uint8Array frame, bool copy);
  std::vector<Window> windows(const Napi::Uint32Array& slots, const Napi::Uint32Array& keep);
  void keepOutputs(Window& window, std::uint32_t laneNumber, std::size_t outputs, Kept& kept);
  void freeKept(const Kept& kept) noexcept;
  Napi::Object results(Napi::Env env, const std::vector<HostFrame>& frames, const Kept& kept);
  void finishLoad(Load& load);
  void startClosing();
  // Loader thread.
  Status loadPlans(Load& load) noexcept;
  void begin();
  void end();

  const Napi::Env env_;
  const SessionRequest request_;
  const std::shared_ptr<Mailbox> mailbox_;
  // Written by the first loader, read by later ones: loads come one after another.
  std::shared_ptr<Platform> platform_;
  std::shared_ptr<Device> device_;
  std::list<std::thread> loaders_;
  std::unique_ptr<Session> session_;
  bool closed_ = false;
  std::function<void(Napi::Env)> whenClosed_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Lane>> lanes_;
  std::uint32_t nextLane_ = 1;
  // Promises to settle; the process stays alive while there are any.
  std::size_t pending_ = 0;
  // Outputs copied because the runtime allows no ArrayBuffer over our memory.
  std::uint64_t copiesOut_ = 0;
};

}  // namespace flavr::binding

#endif
