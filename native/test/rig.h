// A session on a simulated device, and what a caller does with it: videos whose frames are told apart by every byte,
// and windows whose outputs prove which frames they were made from.
#ifndef FLAVR_TEST_RIG_H
#define FLAVR_TEST_RIG_H

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/session.h"
#include "sim/control.h"
#include "sim/network.h"
#include "sim/platform.h"

namespace flavr::test {

struct RigOptions {
  std::size_t width = 5;
  std::size_t height = 3;
  std::size_t rowPadding = 0;
  std::size_t inputs = 4;
  std::size_t batch = 1;
  std::size_t inFlight = 2;
  std::size_t ringFrames = 16;
  std::size_t lendable = 16;
  std::vector<std::size_t> factors = {2};
  bool graphs = true;
  bool capturable = true;
  std::int64_t computeUs = 0;

  SessionOptions session() const;
  std::size_t pitch() const { return width * 3 + rowPadding; }
};

// A plan for one factor of these options.
sim::Plan plan(const RigOptions& options, std::size_t factor);

// A callback's result, waited for by the test's thread.
class Awaited {
 public:
  // Hand this to infer(); the outcome is kept until take().
  std::function<void(Outcome)> slot();
  Outcome take();

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable arrived;
    std::optional<Outcome> outcome;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class Rig {
 public:
  explicit Rig(const RigOptions& options = {});
  // Opens a session, or gives the error.
  Result<std::unique_ptr<Session>> tryOpen();
  // Opens the session; the test fails if it does not.
  Session& open();
  // Closes the session and waits for that. Then nothing may be alive and nothing may have been violated.
  void close();
  void expectNothingLeft();

  Session& session() { return *session_; }
  sim::Control& control() { return *control_; }
  const RigOptions& options() const { return options_; }
  std::unique_ptr<Network> network(std::size_t factor);

  // The bytes of frame `index` of `video`: rows with their padding.
  std::vector<std::uint8_t> frame(std::size_t video, std::size_t index) const;
  // As an ordinary frame of the caller, freed with its last owner.
  HostFrame foreign(std::size_t video, std::size_t index) const;
  // In a block of the session, if it has one to spare; else as an ordinary frame.
  HostFrame owned(std::size_t video, std::size_t index);
  // Whether `got` is output `output` of the window of these frames (bytes as frame() gives them).
  bool matches(const HostFrame& got, const std::vector<std::vector<std::uint8_t>>& window, std::size_t output) const;
  bool matches(const HostFrame& got, std::size_t video, const std::vector<std::size_t>& window,
               std::size_t output) const;

 private:
  RigOptions options_;
  std::shared_ptr<sim::Control> control_ = std::make_shared<sim::Control>();
  sim::SimPlatform platform_{control_};
  std::shared_ptr<Device> device_;
  std::unique_ptr<Session> session_;
};

}  // namespace flavr::test

#endif
