#include "binding/js_session.h"

#include <system_error>
#include <utility>

#include "binding/environment.h"
#include "binding/values.h"

namespace flavr::binding {

namespace {

[[noreturn]] void raise(Napi::Env env, const Error& error) { throw toJs(env, error); }

Error badArgument(const char* message) { return {Code::kBadArgument, message}; }

}  // namespace

struct JsSession::Load {
  std::vector<PlanRequest> plans;
  Settled settled;
  std::list<std::thread>::iterator thread;
  // Written by the loader thread before it posts.
  std::vector<std::unique_ptr<Network>> networks;
  std::unique_ptr<Session> opened;
  Status status;
};

JsSession::JsSession(Napi::Env env, SessionRequest request)
    : env_(env), request_(std::move(request)), mailbox_(Mailbox::create(env)) {}

void JsSession::begin() {
  if (pending_++ == 0) mailbox_->keepAlive(true);
}

void JsSession::end() {
  if (--pending_ == 0) mailbox_->keepAlive(false);
}

// --- Loading ---

Status JsSession::loadPlans(Load& load) noexcept {
  if (!device_) {
    auto platform = openPlatform(request_.platform);
    FLAVR_TRY(platform);
    auto device = platform.value()->openDevice(request_.device);
    FLAVR_TRY(device);
    platform_ = std::move(platform).value();
    device_ = std::move(device).value();
  }
  for (const PlanRequest& plan : load.plans) {
    auto network = platform_->loadPlan(device_, plan.bytes, plan.size, plan.options);
    FLAVR_TRY(network);
    load.networks.push_back(std::move(network).value());
  }
  if (session_) return {};
  auto session = Session::open(device_, request_.session, std::move(load.networks));
  FLAVR_TRY(session);
  load.opened = std::move(session).value();
  return {};
}

void JsSession::load(std::vector<PlanRequest> plans, Settled settled) {
  if (closed_) raise(env_, {Code::kDisposed, "The session was closed."});
  begin();
  auto load = std::make_shared<Load>();
  load->plans = std::move(plans);
  load->settled = std::move(settled);
  load->thread = loaders_.emplace(loaders_.end());
  try {
    *load->thread = std::thread([this, load] {
      load->status = loadPlans(*load);
      mailbox_->post([this, load](Napi::Env) { finishLoad(*load); });
    });
  } catch (const std::system_error& error) {
    loaders_.erase(load->thread);
    end();
    load->settled(env_, noThread(error));
  }
}

void JsSession::finishLoad(Load& load) {
  load.thread->join();
  loaders_.erase(load.thread);
  if (load.opened) session_ = std::move(load.opened);
  if (closed_) {
    if (loaders_.empty()) startClosing();
    load.status = Error{Code::kDisposed, "The session was closed while an engine was loaded."};
  }
  if (!load.status.ok() || load.networks.empty()) {
    end();
    return load.settled(env_, load.status);  // which may be the end of this session
  }
  session_->prepare(std::move(load.networks), [this, settled = load.settled](const Status& status) {
    mailbox_->post([this, settled, status](Napi::Env env) {
      end();
      settled(env, status);
    });
  });
}

// --- Lanes and frames ---

Session& JsSession::session() {
  if (closed_ || !session_) raise(env_, {Code::kDisposed, "The session was closed."});
  return *session_;
}

Lane& JsSession::lane(std::uint32_t number) {
  const auto found = lanes_.find(number);
  if (found == lanes_.end()) raise(env_, badArgument("There is no such lane; it may have been closed."));
  return *found->second;
}

std::uint32_t JsSession::openLane(std::size_t capacity) {
  lanes_.emplace(nextLane_, session().openLane(capacity));
  return nextLane_++;
}

void JsSession::closeLane(std::uint32_t number) {
  const auto found = lanes_.find(number);
  if (found == lanes_.end()) return;
  if (!closed_) session_->closeLane(*found->second);
  lanes_.erase(found);
}

// A frame of this session's own is read where it is. Any other is kept from collection until its bytes are on the
// device; its owner keeps it from changing.
HostFrame JsSession::hostFrame(Napi::Uint8Array frame, bool copy) {
  std::uint8_t* data = frame.Data();
  if (copy) {
    HostFrame copied = session().copy(data);
    if (!copied.bytes) raise(env_, {Code::kOutOfMemory, "There is no host memory left for a copy of the frame."});
    return copied;
  }
  if (HostFrame own = session().find(data); own.bytes) return own;
  napi_ref reference = nullptr;
  if (napi_create_reference(env_, frame, 1, &reference) != napi_ok) throw Napi::Error::New(env_);
  const auto release = [mailbox = mailbox_, reference](std::uint8_t*) {
    // Dropped unread only when the environment ends, which drops its references too.
    mailbox->post([reference](Napi::Env env) { napi_delete_reference(env, reference); });
  };
  return {{data, release}, false};
}

std::uint32_t JsSession::upload(std::uint32_t laneNumber, Napi::Uint8Array frame, bool copy) {
  if (frame.ByteLength() != session().frameBytes()) raise(env_, badArgument("The frame has another size."));
  auto slot = session().upload(lane(laneNumber), hostFrame(frame, copy));
  if (!slot.ok()) raise(env_, slot.error());
  return slot.value();
}

void JsSession::free(std::uint32_t laneNumber, std::uint32_t slot) {
  if (const auto freed = lane(laneNumber).free(slot); !freed.ok()) raise(env_, freed.error());
}

Napi::Value JsSession::allocFrame() {
  const HostFrame frame = session().allocate();
  if (!frame.bytes) return env_.Undefined();
  return Environment::of(env_).lender().lend(env_, frame, session().frameBytes()).frame;
}

// --- Batches ---

std::vector<Window> JsSession::windows(const Napi::Uint32Array& slots, const Napi::Uint32Array& keep) {
  const std::size_t count = keep.ElementLength();
  if (count == 0 || slots.ElementLength() % (2 * count) != 0) {
    raise(env_, badArgument("A batch has at least one window, and all of them have as many slots."));
  }
  const std::uint32_t* pairs = slots.Data();
  const std::size_t inputs = slots.ElementLength() / (2 * count);
  std::vector<Window> made(count);
  for (Window& window : made) {
    for (std::size_t input = 0; input < inputs; ++input, pairs += 2) {
      const Lane& from = lane(pairs[0]);
      if (!from.holds(pairs[1])) raise(env_, badArgument("A window names a slot that its lane does not hold."));
      window.slots.push_back({from.device(), pairs[1]});
    }
  }
  return made;
}

void JsSession::keepOutputs(Window& window, std::uint32_t laneNumber, std::size_t outputs, Kept& kept) {
  Lane& target = lane(laneNumber);
  for (std::size_t output = 0; output < outputs; ++output) {
    auto slot = target.take();
    if (!slot.ok()) {
      freeKept(kept);
      raise(env_, slot.error());
    }
    window.keep.push_back({target.device(), slot.value()});
    kept.emplace_back(laneNumber, slot.value());
  }
}

void JsSession::freeKept(const Kept& kept) noexcept {
  for (const auto& [number, slot] : kept) {
    const auto found = lanes_.find(number);
    if (found != lanes_.end()) static_cast<void>(found->second->free(slot).ok());
  }
}

Napi::Value JsSession::infer(std::size_t factor, const Napi::Uint32Array& slots, const Napi::Uint32Array& keep) {
  if (factor < 2) raise(env_, badArgument("A factor is at least 2."));
  Session& target = session();
  std::vector<Window> batch = windows(slots, keep);
  Kept kept;
  for (std::size_t window = 0; window < batch.size(); ++window) {
    if (keep[window] != 0) keepOutputs(batch[window], keep[window], factor - 1, kept);
  }
  const auto deferred = Napi::Promise::Deferred::New(env_);
  begin();
  target.infer(factor, std::move(batch), [this, deferred, kept = std::move(kept)](Outcome outcome) {
    mailbox_->post([this, deferred, kept, outcome = std::move(outcome)](Napi::Env env) {
      end();
      if (outcome.ok()) return deferred.Resolve(results(env, outcome.value(), kept));
      // The slots of a failed batch go back to their lanes.
      freeKept(kept);
      deferred.Reject(toJs(env, outcome.error()).Value());
    });
  });
  return deferred.Promise();
}

// `{ frames: Uint8Array[], kept: number[] }`
Napi::Object JsSession::results(Napi::Env env, const std::vector<HostFrame>& frames, const Kept& kept) {
  auto made = Napi::Array::New(env, frames.size());
  for (std::size_t index = 0; index < frames.size(); ++index) {
    auto lent = Environment::of(env).lender().lend(env, frames[index], session_->frameBytes());
    if (lent.copied) ++copiesOut_;
    made.Set(static_cast<std::uint32_t>(index), lent.frame);
  }
  auto slots = Napi::Array::New(env, kept.size());
  for (std::size_t index = 0; index < kept.size(); ++index) {
    slots.Set(static_cast<std::uint32_t>(index), Napi::Number::New(env, kept[index].second));
  }
  auto result = Napi::Object::New(env);
  result.Set("frames", made);
  result.Set("kept", slots);
  return result;
}

Napi::Object JsSession::stats() {
  const SessionStats now = session().stats();
  auto object = Napi::Object::New(env_);
  const auto set = [&](const char* name, auto value) {
    object.Set(name, Napi::Number::New(env_, static_cast<double>(value)));
  };
  set("windows", now.windows);
  set("batches", now.batches);
  set("hostCopiesIn", now.hostCopiesIn);
  set("hostCopiesOut", now.hostCopiesOut + copiesOut_);
  set("gathers", now.gathers);
  set("graphs", now.graphs);
  set("framesPooled", now.blocksFree);
  set("framesLent", now.blocksLent);
  set("inferMs", now.inferMs);
  set("deviceBytes", now.deviceBytes);
  set("pinnedBytes", now.pinnedBytes);
  object.Set("graphsFailed", Napi::Boolean::New(env_, now.graphsFailed));
  return object;
}

// --- The end ---

void JsSession::close(std::function<void(Napi::Env)> closed) {
  if (closed_) return;
  closed_ = true;
  begin();
  whenClosed_ = std::move(closed);
  // A loader that is under way calls it when it is through.
  if (loaders_.empty()) startClosing();
}

void JsSession::startClosing() {
  session_->close([this] {
    mailbox_->post([this](Napi::Env env) {
      end();
      shutDown();
      const auto closed = std::move(whenClosed_);
      closed(env);  // the end of this session, if nobody else holds it
    });
  });
}

void JsSession::shutDown() noexcept {
  closed_ = true;
  if (session_) session_->cancel();
  for (std::thread& loader : loaders_) loader.join();
  loaders_.clear();
  // Joins the session's threads: from here on nothing is posted.
  session_.reset();
  mailbox_->close();
  lanes_.clear();
}

}  // namespace flavr::binding
