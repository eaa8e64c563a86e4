#include "check/timing.h"

#include <chrono>
#include <limits>

#include "check/player.h"

namespace flavr::check {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWarmUp = 16;
constexpr std::size_t kForever = std::numeric_limits<std::size_t>::max();

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Pace {
  std::size_t windows = 0;
  double seconds = 0;
  // Of the device, over the same time; it may be ahead of whoever takes the windows.
  double computeMs = 0;
  std::size_t computed = 0;
  SessionStats stats{};

  double callsPerSecond() const noexcept { return static_cast<double>(windows) / seconds; }
};

Result<Pace> runAhead(Player& player, const Frames& clip, double seconds) {
  Pace pace;
  Clock::time_point start;
  SessionStats before{};
  FLAVR_TRY(player.play(clip, kForever, [&](const Player::Played& window) {
    if (window.number == kWarmUp) {
      start = Clock::now();
      before = player.stats();
    }
    if (window.number <= kWarmUp) return true;
    pace.windows = window.number - kWarmUp;
    // Within the time that is taken afterwards: this thread may have to wait for a core in between.
    const SessionStats now = player.stats();
    pace.computeMs = now.inferMs - before.inferMs;
    pace.computed = now.windows - before.windows;
    pace.seconds = secondsSince(start);
    return pace.windows < kWarmUp || pace.seconds < seconds;
  }));
  pace.stats = player.stats();
  return pace;
}

Result<std::vector<double>> runOneByOne(Player& player, const Frames& clip, double seconds) {
  std::vector<double> waits;
  const auto start = Clock::now();
  FLAVR_TRY(player.play(clip, kForever, [&](const Player::Played& window) {
    if (window.number >= kWarmUp) waits.push_back(window.milliseconds);
    return window.number < 2 * kWarmUp || secondsSince(start) < seconds;
  }));
  return waits;
}

}  // namespace

double freeBytes(Machine& machine) noexcept {
  const auto memory = machine.device()->memory();
  return memory.ok() ? static_cast<double>(memory.value().free) : 0;
}

Result<Timing> measure(Machine& machine, const Graph& graph, const std::vector<std::byte>& plan,
                       double seconds) noexcept {
  const Frames clip = noise(graph.inputs + 3, graph.frameBytes());
  Timing timing{};
  {
    const double before = freeBytes(machine);
    auto player = Player::open(machine, graph, plan, {});
    FLAVR_TRY(player);
    auto pace = runAhead(*player.value(), clip, seconds);
    FLAVR_TRY(pace);
    const Pace& found = pace.value();
    timing.windows = found.windows;
    timing.callsPerSecond = found.callsPerSecond();
    timing.busyShare = found.computeMs / 1e3 / found.seconds;
    timing.computeMs = found.computeMs / static_cast<double>(found.computed);
    timing.graphs = found.stats.graphs;
    timing.plannedBytes = found.stats.deviceBytes;
    timing.takenBytes = before - freeBytes(machine);
  }
  {
    auto player = Player::open(machine, graph, plan, {/*graphs=*/false});
    FLAVR_TRY(player);
    auto pace = runAhead(*player.value(), clip, seconds);
    FLAVR_TRY(pace);
    timing.plainCallsPerSecond = pace.value().callsPerSecond();
  }
  auto player = Player::open(machine, graph, plan, {/*graphs=*/true, /*inFlight=*/1, /*ahead=*/1});
  FLAVR_TRY(player);
  auto waits = runOneByOne(*player.value(), clip, seconds);
  FLAVR_TRY(waits);
  timing.medianMs = quantile(waits.value(), 0.5);
  timing.p99Ms = quantile(waits.value(), 0.99);
  return timing;
}

JsonObject describe(const Timing& timing, const Graph& graph, const Machine& machine) {
  const double teraflops = timing.teraflops(graph);
  JsonObject entry;
  entry.put("graph", graph.name)
      .put("width", std::uint64_t{graph.width})
      .put("height", std::uint64_t{graph.height})
      .put("factor", std::uint64_t{graph.factor})
      .put("precision", graph.precision)
      .put("lowering", graph.lowering)
      .put("windows", std::uint64_t{timing.windows})
      .put("callsPerSecond", timing.callsPerSecond)
      .put("newFramesPerSecond", timing.callsPerSecond * static_cast<double>(graph.factor - 1))
      .put("busyShare", timing.busyShare)
      .put("computeMs", timing.computeMs)
      .put("teraflops", teraflops);
  const double peak = machine.peakTeraflops(graph.precision);
  if (peak > 0) entry.put("shareOfPeak", teraflops / peak);
  return entry.put("graphs", timing.graphs)
      .put("plainCallsPerSecond", timing.plainCallsPerSecond)
      .put("medianMs", timing.medianMs)
      .put("p99Ms", timing.p99Ms)
      .put("plannedBytes", timing.plannedBytes)
      .put("takenBytes", timing.takenBytes);
}

}  // namespace flavr::check
