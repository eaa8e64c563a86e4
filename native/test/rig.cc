#include "test/rig.h"

#include <cstdlib>
#include <cstring>
#include <future>

#include "test/harness.h"

namespace flavr::test {

SessionOptions RigOptions::session() const {
  return {width, height, pitch(), batch, inFlight, ringFrames, lendable, graphs};
}

sim::Plan plan(const RigOptions& options, std::size_t factor) {
  const std::size_t frameBytes = options.width * options.height * 3;
  const std::size_t stride = (frameBytes + 255) / 256 * 256;
  return {{options.inputs, options.batch, factor - 1, frameBytes, stride, 256 + 64 * factor},
          options.capturable,
          options.computeUs};
}

std::function<void(Outcome)> Awaited::slot() {
  return [state = state_](Outcome outcome) {
    const std::lock_guard lock(state->mutex);
    if (state->outcome) std::abort();  // a callback came twice
    state->outcome.emplace(std::move(outcome));
    state->arrived.notify_all();
  };
}

Outcome Awaited::take() {
  std::unique_lock lock(state_->mutex);
  state_->arrived.wait(lock, [&] { return state_->outcome.has_value(); });
  return std::move(*state_->outcome);
}

Rig::Rig(const RigOptions& options) : options_(options) { device_ = platform_.openDevice(0).value(); }

std::unique_ptr<Network> Rig::network(std::size_t factor) {
  const auto bytes = sim::writePlan(plan(options_, factor));
  return platform_.loadPlan(device_, bytes.data(), bytes.size(), {}).value();
}

Result<std::unique_ptr<Session>> Rig::tryOpen() {
  std::vector<std::unique_ptr<Network>> networks;
  for (const std::size_t factor : options_.factors) networks.push_back(network(factor));
  return Session::open(device_, options_.session(), std::move(networks));
}

Session& Rig::open() {
  auto session = tryOpen();
  if (!session.ok()) throw Failure("the session did not open: " + session.error().message);
  session_ = std::move(session).value();
  return *session_;
}

void Rig::close() {
  std::promise<void> closed;
  session_->close([&] { closed.set_value(); });
  closed.get_future().get();
  session_.reset();
  expectNothingLeft();
}

void Rig::expectNothingLeft() {
  CHECK_EQUAL(control_->alive(), 0);
  CHECK_EQUAL(control_->deviceBytes.load(), std::size_t{0});
  for (const auto& violation : control_->takeViolations()) throw Failure(violation);
}

std::vector<std::uint8_t> Rig::frame(std::size_t video, std::size_t index) const {
  std::vector<std::uint8_t> bytes(hostFrameBytes(options_.session()));
  std::uint64_t state = (video + 1) * 0x9E3779B97F4A7C15U + index * 0xD1B54A32D192ED03U;
  for (auto& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::uint8_t>(state >> 56);
  }
  return bytes;
}

HostFrame Rig::foreign(std::size_t video, std::size_t index) const {
  const auto bytes = frame(video, index);
  auto* memory = static_cast<std::uint8_t*>(std::malloc(bytes.size()));
  std::memcpy(memory, bytes.data(), bytes.size());
  return {{memory, &std::free}, false};
}

HostFrame Rig::owned(std::size_t video, std::size_t index) {
  HostFrame block = session_->allocate();
  if (!block.bytes) return foreign(video, index);
  const auto bytes = frame(video, index);
  std::memcpy(block.bytes.get(), bytes.data(), bytes.size());
  return block;
}

bool Rig::matches(const HostFrame& got, const std::vector<std::vector<std::uint8_t>>& window,
                  std::size_t output) const {
  for (std::size_t y = 0; y < options_.height; ++y) {
    for (std::size_t x = 0; x < options_.width * 3; ++x) {
      const std::size_t at = y * options_.pitch() + x;
      std::uint32_t sum = sim::outputTerm(output);
      for (std::size_t c = 0; c < window.size(); ++c) sum += sim::weight(c) * window[c][at];
      if (got.bytes.get()[at] != static_cast<std::uint8_t>(sum)) return false;
    }
  }
  return true;
}

bool Rig::matches(const HostFrame& got, std::size_t video, const std::vector<std::size_t>& window,
                  std::size_t output) const {
  std::vector<std::vector<std::uint8_t>> frames;
  for (const std::size_t index : window) frames.push_back(frame(video, index));
  return matches(got, frames, output);
}

}  // namespace flavr::test
