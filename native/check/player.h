// Plays a clip through a real Session, as the backend above it would: each frame is uploaded once, windows overlap.
#ifndef FLAVR_CHECK_PLAYER_H
#define FLAVR_CHECK_PLAYER_H

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "check/compare.h"
#include "check/machine.h"
#include "engine/session.h"

namespace flavr::check {

struct PlayOptions {
  bool graphs = true;
  // Most batches on the device.
  std::size_t inFlight = 3;
  // Most windows handed over and not back: one waits in the session while the others are on the device.
  std::size_t ahead = 4;
};

class Player {
 public:
  static Result<std::unique_ptr<Player>> open(Machine& machine, const Graph& graph, const std::vector<std::byte>& plan,
                                              const PlayOptions& options) noexcept;

  // What a window gave, and how long it took from being handed over until it was back.
  struct Played {
    std::size_t number;
    double milliseconds;
    std::vector<HostFrame> frames;
  };
  // Plays `windows` windows over `clip` in a loop: window n takes the 2C frames from frame n on. `each` comes on this
  // thread, in order; false ends the playing.
  Status play(const Frames& clip, std::size_t windows, const std::function<bool(const Played&)>& each) noexcept;
  // The one window of exactly these frames.
  Result<Frames> window(const Frames& frames) noexcept;

  SessionStats stats() const noexcept { return session_->stats(); }

 private:
  struct Arrival {
    std::size_t number;
    double milliseconds;
    Outcome outcome;
  };

  Player(std::unique_ptr<Session> session, const Graph& graph, const PlayOptions& options) noexcept;
  Status upload(const std::vector<std::uint8_t>& frame) noexcept;
  void infer(std::size_t number) noexcept;
  Arrival await() noexcept;

  const std::size_t factor_;
  const std::size_t inputs_;
  const std::size_t frameBytes_;
  const std::size_t ahead_;
  std::unique_ptr<Lane> lane_;
  std::deque<std::uint32_t> slots_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Arrival> arrivals_;
  // Last: its threads use what is above.
  std::unique_ptr<Session> session_;
};

}  // namespace flavr::check

#endif
