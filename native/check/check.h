// What is checked, and what counts as right.
#ifndef FLAVR_CHECK_CHECK_H
#define FLAVR_CHECK_CHECK_H

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check/compare.h"
#include "check/folder.h"
#include "check/json.h"
#include "check/machine.h"

namespace flavr::check {

struct Settings {
  // Only graphs whose name contains this.
  std::string only;
  std::size_t soakWindows = 5000;
  // Of each throughput measurement.
  double seconds = 5;
};

// The reference vectors' bounds. fp16: what half precision must keep, in floats and in bytes. fp32: in units of
// 1.0 = 255; a byte may then be no farther from the float than half a step and this.
constexpr double kHalfPsnr = 55;
constexpr double kFloatError = 2e-4;
// Two results of half precision, each within kHalfPsnr, whose errors are independent.
constexpr double kHalfApartPsnr = 52;

class Check {
 public:
  Check(const Folder& folder, Machine& machine, const Settings& settings) noexcept
      : folder_(folder), machine_(machine), settings_(settings) {}

  // Runs everything and prints a line for each step. `save` is called before each graph, for the figures so far not to
  // be lost with the process; false from it ends the check, and is what this returns then.
  bool run(const std::function<bool()>& save);

  bool passed() const noexcept { return failures_.empty(); }
  // Whether nothing was left out.
  bool whole() const noexcept { return examined_ == folder_.graphs.size(); }
  // All figures.
  void report(JsonObject& to) const;

 private:
  using Plan = std::vector<std::byte>;

  void examine(const Graph& graph);
  const Vector* vectorOf(const Graph& graph);
  void compareFloats(const Graph& graph, const Plan& plan);
  void compareWithVector(const Graph& graph, const Plan& plan);
  // What windows 0, 1, … over the clip give without graphs; empty where that failed, which is told.
  std::optional<std::vector<Frames>> plainRuns(const Graph& graph, const Plan& plan, const Frames& clip,
                                               std::size_t windows);
  void compareReplays(const Graph& graph, const Plan& plan);
  void compareLowerings();
  // Figures only: each precision was held against the vector.
  void comparePrecisions();
  void soak(const Graph& graph, const Plan& plan);
  void time(const Graph& graph, const Plan& plan);
  void fail(const std::string& what);

  const Folder& folder_;
  Machine& machine_;
  const Settings settings_;
  // By vector and precision: the frames of each lowering.
  std::map<std::pair<std::string, std::string>, std::map<std::string, Frames>> made_;
  std::vector<std::string> failures_;
  // The graph under examination.
  std::string running_;
  std::size_t examined_ = 0;
  JsonArray engines_;
  JsonArray floats_;
  JsonArray vectors_;
  JsonArray lowerings_;
  JsonArray precisions_;
  JsonArray replays_;
  JsonArray soaks_;
  JsonArray throughput_;
};

}  // namespace flavr::check

#endif
