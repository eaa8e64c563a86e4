#include "check/check.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <optional>

#include "check/player.h"
#include "check/timing.h"

namespace flavr::check {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReplayWindows = 64;
constexpr std::size_t kSoakClip = 12;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool same(const std::vector<HostFrame>& frames, const Frames& expected) {
  return std::equal(frames.begin(), frames.end(), expected.begin(), expected.end(),
                    [](const HostFrame& frame, const std::vector<std::uint8_t>& bytes) {
                      return std::memcmp(frame.bytes.get(), bytes.data(), bytes.size()) == 0;
                    });
}

Frames copied(const std::vector<HostFrame>& frames, std::size_t bytes) {
  Frames copies;
  for (const HostFrame& frame : frames) copies.emplace_back(frame.bytes.get(), frame.bytes.get() + bytes);
  return copies;
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::string described(const Difference& difference) {
  char text[96];
  std::snprintf(text, sizeof text, "%.2f dB, at most %d in a byte", difference.psnr, difference.largest);
  return text;
}

JsonObject& put(JsonObject& object, const Difference& difference) {
  // Equal frames have no finite figure: null.
  return object.put("psnr", difference.psnr).put("largest", difference.largest).put("farthest", difference.farthest);
}

}  // namespace

bool Check::run(const std::function<bool()>& save) {
  for (const Graph& graph : folder_.graphs) {
    if (graph.name.find(settings_.only) == std::string::npos) continue;
    running_ = graph.name;
    if (!save()) return false;
    ++examined_;
    examine(graph);
  }
  running_.clear();
  if (examined_ == 0) fail("no graph's name contains " + settings_.only);
  compareLowerings();
  comparePrecisions();
  return true;
}

void Check::report(JsonObject& to) const {
  JsonArray failures;
  for (const std::string& failure : failures_) failures.add(failure);
  const JsonObject settings = JsonObject()
                                  .put("only", settings_.only)
                                  .put("soakWindows", std::uint64_t{settings_.soakWindows})
                                  .put("seconds", settings_.seconds);
  to.put("settings", settings)
      .put("graphs", std::uint64_t{folder_.graphs.size()})
      .put("examined", std::uint64_t{examined_});
  // Where the file ends with this, the program did: by a signal, or because it was stopped.
  if (!running_.empty()) to.put("running", running_);
  to.put("engines", engines_)
      .put("floats", floats_)
      .put("vectors", vectors_)
      .put("lowerings", lowerings_)
      .put("precisions", precisions_)
      .put("replays", replays_)
      .put("soaks", soaks_)
      .put("throughput", throughput_)
      .put("failures", failures);
}

void Check::fail(const std::string& what) {
  say("FAILED " + what);
  failures_.push_back(what);
}

void Check::examine(const Graph& graph) {
  auto model = readGraph(graph.file);
  if (!model.ok()) return fail(graph.name + ": " + model.error().message);
  const auto start = Clock::now();
  auto plan = machine_.build(graph, std::move(model).value());
  if (!plan.ok()) return fail(graph.name + ": " + plan.error().message);
  JsonObject engine;
  engine.put("graph", graph.name)
      .put("buildSeconds", secondsSince(start))
      .put("planBytes", std::uint64_t{plan.value().size()});
  say("built  " + graph.name);
  if (graph.purpose == Purpose::kRaw) {
    engines_.add(engine);
    return compareFloats(graph, plan.value());
  }
  const double before = freeBytes(machine_);
  auto network = machine_.load(plan.value());
  if (!network.ok()) {
    engines_.add(engine);
    return fail(graph.name + ": " + network.error().message);
  }
  const NetworkShape shape = network.value()->shape();
  const double loaded = before - freeBytes(machine_);
  network.value().reset();
  engines_.add(engine.put("activationBytes", std::uint64_t{shape.activationBytes}).put("loadedBytes", loaded));
  if (graph.purpose == Purpose::kTiming) return time(graph, plan.value());
  compareWithVector(graph, plan.value());
  compareReplays(graph, plan.value());
  if (graph.purpose == Purpose::kSoak) soak(graph, plan.value());
}

const Vector* Check::vectorOf(const Graph& graph) {
  for (const Vector& vector : folder_.vectors) {
    if (vector.name == graph.vector) return &vector;
  }
  fail(graph.name + ": there is no vector " + graph.vector);
  return nullptr;
}

void Check::compareFloats(const Graph& graph, const Plan& plan) {
  const Vector* vector = vectorOf(graph);
  if (vector == nullptr) return;
  auto made = machine_.runRaw(graph, plan, planar(vector->frames));
  if (!made.ok()) return fail(graph.name + ": " + made.error().message);
  const FloatDifference difference = comparePlanar(made.value(), vector->expected);
  const bool right = graph.precision == "fp16" ? difference.psnr >= kHalfPsnr : difference.largest <= kFloatError;
  floats_.add(JsonObject()
                  .put("graph", graph.name)
                  .put("passed", right)
                  .put("psnr", difference.psnr)
                  .put("largest", difference.largest));
  char text[96];
  std::snprintf(text, sizeof text, "%.2f dB, at most %.2g", difference.psnr, difference.largest);
  if (!right) return fail(graph.name + ": the vector's floats are off, " + text);
  say("vector " + graph.name + ": " + text);
}

void Check::compareWithVector(const Graph& graph, const Plan& plan) {
  const Vector* vector = vectorOf(graph);
  if (vector == nullptr) return;
  auto player = Player::open(machine_, graph, plan, {});
  if (!player.ok()) return fail(graph.name + ": " + player.error().message);
  auto frames = player.value()->window(vector->frames);
  if (!frames.ok()) return fail(graph.name + ": " + frames.error().message);
  const Difference difference = compare(frames.value(), vector->expected);
  const bool right =
      graph.precision == "fp16" ? difference.psnr >= kHalfPsnr : difference.farthest <= 0.5 + 255 * kFloatError;
  JsonObject entry;
  entry.put("graph", graph.name).put("passed", right);
  vectors_.add(put(entry, difference));
  if (!right) return fail(graph.name + ": the vector's frames are off, " + described(difference));
  say("vector " + graph.name + ": " + described(difference));
  made_[{graph.vector, graph.precision}][graph.lowering] = std::move(frames).value();
}

std::optional<std::vector<Frames>> Check::plainRuns(const Graph& graph, const Plan& plan, const Frames& clip,
                                                    std::size_t windows) {
  std::vector<Frames> made;
  const auto failed = [&](const Error& error) {
    fail(graph.name + ": without graphs: " + error.message);
    return std::nullopt;
  };
  auto player = Player::open(machine_, graph, plan, {/*graphs=*/false});
  if (!player.ok()) return failed(player.error());
  const Status played = player.value()->play(clip, windows, [&](const Player::Played& window) {
    made.push_back(copied(window.frames, graph.frameBytes()));
    return true;
  });
  if (!played.ok()) return failed(played.error());
  return made;
}

// Bit for bit: a captured run and a plain one are the same kernels.
void Check::compareReplays(const Graph& graph, const Plan& plan) {
  const Frames clip = noise(graph.inputs + 1, graph.frameBytes());
  const auto plain = plainRuns(graph, plan, clip, kReplayWindows);
  if (!plain) return;
  auto player = Player::open(machine_, graph, plan, {});
  if (!player.ok()) return fail(graph.name + ": " + player.error().message);
  std::size_t different = 0;
  const Status played = player.value()->play(clip, kReplayWindows, [&](const Player::Played& window) {
    if (!same(window.frames, (*plain)[window.number])) ++different;
    return true;
  });
  if (!played.ok()) return fail(graph.name + ": with graphs: " + played.error().message);
  const SessionStats stats = player.value()->stats();
  const bool captured = stats.graphs > 0 && !stats.graphsFailed;
  replays_.add(JsonObject()
                   .put("graph", graph.name)
                   .put("windows", std::uint64_t{kReplayWindows})
                   .put("graphs", stats.graphs)
                   .put("different", std::uint64_t{different})
                   .put("passed", different == 0 && captured));
  if (different > 0) {
    return fail(graph.name + ": " + std::to_string(different) + " windows differ between replayed and plain runs");
  }
  if (!captured) return fail(graph.name + ": no run was captured into a graph");
  say("replay " + graph.name + ": " + std::to_string(kReplayWindows) + " windows equal, " +
      std::to_string(stats.graphs) + " graphs");
}

void Check::compareLowerings() {
  for (const auto& [key, lowerings] : made_) {
    const auto three = lowerings.find("3d");
    const auto two = lowerings.find("2d");
    if (three == lowerings.end() || two == lowerings.end()) continue;
    const auto& [vector, precision] = key;
    const Difference difference = compare(three->second, two->second);
    const bool right = precision == "fp16" ? difference.psnr >= kHalfApartPsnr : difference.largest <= 1;
    JsonObject entry;
    entry.put("vector", vector).put("precision", precision).put("passed", right);
    lowerings_.add(put(entry, difference));
    const std::string what = key.first + " " + key.second + ", 3d against 2d: " + described(difference);
    if (right) {
      say("same   " + what);
    } else {
      fail(what);
    }
  }
}

void Check::comparePrecisions() {
  for (const auto& [key, lowerings] : made_) {
    const auto& [vector, precision] = key;
    const auto single = made_.find({vector, "fp32"});
    if (precision != "fp16" || single == made_.end()) continue;
    for (const auto& [lowering, frames] : lowerings) {
      const auto other = single->second.find(lowering);
      if (other == single->second.end()) continue;
      const Difference difference = compare(frames, other->second);
      JsonObject entry;
      entry.put("vector", vector).put("lowering", lowering);
      precisions_.add(put(entry, difference));
      say("figure " + vector + " " + lowering + ", fp16 against fp32: " + described(difference));
    }
  }
}

void Check::soak(const Graph& graph, const Plan& plan) {
  const Frames clip = noise(kSoakClip, graph.frameBytes());
  const auto first = plainRuns(graph, plan, clip, clip.size());
  if (!first) return;
  auto player = Player::open(machine_, graph, plan, {});
  if (!player.ok()) return fail(graph.name + ": " + player.error().message);
  std::size_t different = 0;
  std::size_t windows = 0;
  double freeBefore = 0;
  const Status played = player.value()->play(clip, settings_.soakWindows, [&](const Player::Played& window) {
    ++windows;
    if (!same(window.frames, (*first)[window.number % clip.size()])) ++different;
    // Graphs have been captured by then; what is free from here on should stay free.
    if (window.number == settings_.soakWindows / 2) freeBefore = freeBytes(machine_);
    return true;
  });
  if (!played.ok()) {
    return fail(graph.name + ": the soak ended after " + std::to_string(windows) +
                " windows: " + played.error().message);
  }
  const double leaked = freeBefore - freeBytes(machine_);
  const SessionStats stats = player.value()->stats();
  soaks_.add(JsonObject()
                 .put("graph", graph.name)
                 .put("windows", std::uint64_t{windows})
                 .put("different", std::uint64_t{different})
                 .put("deviceBytesTakenInSecondHalf", leaked)
                 .put("graphs", stats.graphs)
                 .put("gathers", stats.gathers)
                 .put("hostCopiesOut", stats.hostCopiesOut)
                 .put("passed", different == 0));
  if (different > 0) {
    return fail(graph.name + ": " + std::to_string(different) + " of " + std::to_string(windows) +
                " windows of the soak differ from the first pass");
  }
  say("soak   " + graph.name + ": " + std::to_string(windows) + " windows, each as in the first pass");
}

void Check::time(const Graph& graph, const Plan& plan) {
  const auto measured = measure(machine_, graph, plan, settings_.seconds);
  if (!measured.ok()) return fail(graph.name + ": " + measured.error().message);
  const Timing& timing = measured.value();
  throughput_.add(describe(timing, graph, machine_));
  char line[160];
  std::snprintf(line, sizeof line, ": %.1f calls/s (%.1f without graphs), the device busy %.0f %%, one call %.2f ms",
                timing.callsPerSecond, timing.plainCallsPerSecond, timing.busyShare * 100, timing.medianMs);
  say((machine_.simulated() ? "simulated, no figure of a GPU: " : "timing ") + graph.name + line);
}

}  // namespace flavr::check
