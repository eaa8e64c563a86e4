#include "check/player.h"

#include <chrono>
#include <utility>

namespace flavr::check {

Result<std::unique_ptr<Player>> Player::open(Machine& machine, const Graph& graph, const std::vector<std::byte>& plan,
                                             const PlayOptions& options) noexcept {
  auto network = machine.load(plan);
  if (!network.ok()) return std::move(network).error();
  std::vector<std::unique_ptr<Network>> networks;
  networks.push_back(std::move(network).value());
  SessionOptions session;
  session.width = graph.width;
  session.height = graph.height;
  session.hostPitch = graph.width * 3;
  session.inFlight = options.inFlight;
  session.ringFrames = graph.inputs + options.inFlight;
  session.lendableFrames = options.ahead * (graph.factor - 1) + graph.inputs;
  session.graphs = options.graphs;
  auto opened = Session::open(machine.device(), session, std::move(networks));
  if (!opened.ok()) return std::move(opened).error();
  return std::unique_ptr<Player>(new Player(std::move(opened).value(), graph, options));
}

Player::Player(std::unique_ptr<Session> session, const Graph& graph, const PlayOptions& options) noexcept
    : factor_(graph.factor),
      inputs_(graph.inputs),
      frameBytes_(graph.frameBytes()),
      ahead_(options.ahead),
      lane_(session->openLane(graph.inputs)),
      session_(std::move(session)) {}

Status Player::upload(const std::vector<std::uint8_t>& frame) noexcept {
  // The frame that no window needs any more: work that still reads it comes first on the device.
  if (slots_.size() == inputs_) {
    FLAVR_TRY(lane_->free(slots_.front()));
    slots_.pop_front();
  }
  HostFrame host = session_->copy(frame.data());
  if (!host.bytes) return Error{Code::kOutOfMemory, "There is no host memory left for a frame."};
  auto slot = session_->upload(*lane_, std::move(host));
  if (!slot.ok()) return std::move(slot).error();
  slots_.push_back(slot.value());
  return {};
}

void Player::infer(std::size_t number) noexcept {
  Window window;
  for (const std::uint32_t slot : slots_) window.slots.push_back({lane_->device(), slot});
  std::vector<Window> windows;
  windows.push_back(std::move(window));
  const auto start = std::chrono::steady_clock::now();
  session_->infer(factor_, std::move(windows), [this, number, start](Outcome outcome) {
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    const std::lock_guard lock(mutex_);
    arrivals_.push_back({number, took.count(), std::move(outcome)});
    arrived_.notify_one();
  });
}

Player::Arrival Player::await() noexcept {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return !arrivals_.empty(); });
  Arrival arrival = std::move(arrivals_.front());
  arrivals_.pop_front();
  return arrival;
}

Status Player::play(const Frames& clip, std::size_t windows, const std::function<bool(const Played&)>& each) noexcept {
  std::size_t out = 0;
  Status status;
  const auto takeOne = [&] {
    Arrival arrival = await();
    --out;
    if (!status.ok()) return;
    if (!arrival.outcome.ok()) {
      status = std::move(arrival.outcome).error();
    } else if (!each({arrival.number, arrival.milliseconds, std::move(arrival.outcome).value()})) {
      windows = 0;
    }
  };
  for (std::size_t frame = 0; status.ok() && frame < inputs_ - 1; ++frame) {
    status = upload(clip[frame % clip.size()]);
  }
  for (std::size_t number = 0; status.ok() && number < windows; ++number) {
    status = upload(clip[(number + inputs_ - 1) % clip.size()]);
    if (!status.ok()) break;
    infer(number);
    ++out;
    if (out == ahead_) takeOne();
  }
  while (out > 0) takeOne();
  return status;
}

Result<Frames> Player::window(const Frames& frames) noexcept {
  Frames result;
  FLAVR_TRY(play(frames, 1, [&](const Played& played) {
    for (const HostFrame& frame : played.frames) {
      result.emplace_back(frame.bytes.get(), frame.bytes.get() + frameBytes_);
    }
    return true;
  }));
  return result;
}

}  // namespace flavr::check
