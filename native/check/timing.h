// How fast an engine runs through sessions, how busy that keeps the device, and what memory it takes.
#ifndef FLAVR_CHECK_TIMING_H
#define FLAVR_CHECK_TIMING_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "check/folder.h"
#include "check/json.h"
#include "check/machine.h"
#include "engine/result.h"

namespace flavr::check {

struct Timing {
  // As many windows at a time as a session takes: what the device does.
  std::size_t windows;
  double callsPerSecond;
  // The part of that time in which the device computed: what is missing to 1 was waiting for copies or for this
  // program.
  double busyShare;
  // From one end of a window's compute part to the other, on the device's own clock.
  double computeMs;
  std::uint64_t graphs;
  // The same without graphs.
  double plainCallsPerSecond;
  // One window at a time, from frames handed over to frames back: what a caller waits.
  double medianMs;
  double p99Ms;
  // What the session said that it would take on the device, and what is gone there after it ran, its engine included.
  std::uint64_t plannedBytes;
  double takenBytes;

  // Useful operations in TFLOP/s.
  double teraflops(const Graph& graph) const noexcept { return callsPerSecond * graph.flops / 1e12; }
};

// What is free on the device now; 0 where it does not tell any more.
double freeBytes(Machine& machine) noexcept;

// `seconds`: of each of the three measurements.
Result<Timing> measure(Machine& machine, const Graph& graph, const std::vector<std::byte>& plan,
                       double seconds) noexcept;

JsonObject describe(const Timing& timing, const Graph& graph, const Machine& machine);

}  // namespace flavr::check

#endif
