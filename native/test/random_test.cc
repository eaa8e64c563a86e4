// Random videos through random sessions: every byte of every output proves that its window was the right one.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <random>
#include <thread>
#include <utility>

#include "test/harness.h"
#include "test/rig.h"

namespace flavr::test {
namespace {

// How the schedule is spoilt on purpose, to show that the check would see it.
enum class Mutation { kNone, kSwapInputs, kShiftSlot, kDropClamp };

using Random = std::mt19937;

std::size_t pick(Random& random, std::size_t least, std::size_t most) {
  return std::uniform_int_distribution<std::size_t>(least, most)(random);
}

// One video under way: its frames are uploaded as its windows need them and freed once no further window does.
class Video {
 public:
  Video(Rig& rig, std::size_t number, Random& random)
      : rig_(rig), number_(number), frames_(pick(random, 0, 14)), slots_(frames_) {
    const std::size_t c = rig.options().inputs / 2;
    // What the latest window holds, and all that a batch of windows from other shots can add.
    lane_ = rig.session().openLane(2 * c * (rig.options().batch + 1) + pick(random, 0, 5));
    for (std::size_t i = 0; i + 1 < frames_; ++i) cut_.push_back(pick(random, 0, 5) == 0);
  }

  bool done() const { return next_ + 1 >= frames_; }
  // The next gap that is no cut, or nothing.
  std::optional<std::size_t> nextGap() {
    while (!done() && cut_[next_]) ++next_;
    if (done()) return std::nullopt;
    return next_++;
  }
  // Frames i-C+1 … i+C, clamped to the shot of the gap.
  std::vector<std::size_t> frameIndices(std::size_t gap) const {
    const std::size_t c = rig_.options().inputs / 2;
    std::size_t first = gap;
    std::size_t last = gap + 1;
    while (first > 0 && !cut_[first - 1] && gap - first + 1 < c) --first;
    while (last + 1 < frames_ && !cut_[last] && last - gap < c) ++last;
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < 2 * c; ++i) {
      indices.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(gap + 1 + i) - static_cast<std::int64_t>(c),
                                                 static_cast<std::int64_t>(first), static_cast<std::int64_t>(last)));
    }
    return indices;
  }
  // Frees what lies before the latest window. Between batches: a slot is needed until its windows are handed over.
  void freeOld() {
    for (std::size_t i = 0; i < oldest_; ++i) {
      if (slots_[i]) CHECK(lane_->free(*std::exchange(slots_[i], std::nullopt)).ok());
    }
  }
  void upload(const std::vector<std::size_t>& indices, Random& random) {
    oldest_ = indices.front();
    for (std::size_t i = indices.front(); i <= indices.back(); ++i) {
      if (slots_[i]) continue;
      auto frame = pick(random, 0, 1) == 0 ? rig_.foreign(number_, i) : rig_.owned(number_, i);
      slots_[i] = rig_.session().upload(*lane_, std::move(frame)).value();
    }
  }
  Window window(std::vector<std::size_t> indices, Mutation mutation) const {
    if (mutation == Mutation::kSwapInputs) std::swap(indices[0], indices.back());
    if (mutation == Mutation::kShiftSlot) indices[1] = indices[0];
    if (mutation == Mutation::kDropClamp) indices[0] = indices.back();
    Window made;
    for (const std::size_t index : indices) made.slots.push_back({lane_->device(), *slots_[index]});
    return made;
  }
  void close() { rig_.session().closeLane(*lane_); }
  std::size_t number() const { return number_; }

 private:
  Rig& rig_;
  std::size_t number_;
  std::size_t frames_;
  std::unique_ptr<Lane> lane_;
  std::vector<bool> cut_;
  std::vector<std::optional<std::uint32_t>> slots_;
  std::size_t next_ = 0;
  std::size_t oldest_ = 0;
};

struct Expected {
  std::size_t video;
  std::vector<std::size_t> indices;
};
struct Batch {
  Awaited awaited;
  std::vector<Expected> windows;
};

struct Tally {
  std::size_t windows = 0;
  std::size_t wrong = 0;
  std::size_t aborted = 0;
};

class RandomRun {
 public:
  RandomRun(std::uint32_t seed, Mutation mutation) : random_(seed), mutation_(mutation), rig_(options(random_)) {}

  Tally run() {
    rig_.control().copyLatencyUs = static_cast<std::int64_t>(pick(random_, 0, 1) * pick(random_, 0, 40));
    rig_.open();
    for (std::size_t number = pick(random_, 1, 4); number > 0; --number) videos_.emplace_back(rig_, number, random_);
    abortAt_ = pick(random_, 0, 3) == 0 ? pick(random_, 0, 12) : SIZE_MAX;
    while (next()) {
    }
    while (!running_.empty()) settle();
    for (Video& video : videos_) video.close();
    hoard_.clear();
    rig_.close();
    return tally_;
  }

 private:
  static RigOptions options(Random& random) {
    RigOptions options;
    options.width = pick(random, 1, 40);
    options.height = pick(random, 1, 6);
    options.rowPadding = pick(random, 0, 1) * pick(random, 0, 9);
    options.inputs = 2 * pick(random, 1, 3);
    options.batch = pick(random, 1, 4);
    options.inFlight = pick(random, 1, 4);
    options.ringFrames = pick(random, 0, 30);
    options.lendable = pick(random, 0, 8);
    options.factors = {pick(random, 2, 4)};
    options.graphs = pick(random, 0, 1) == 0;
    options.computeUs = static_cast<std::int64_t>(pick(random, 0, 1) * pick(random, 0, 60));
    return options;
  }

  // Hands one batch over; false once the videos are through or the caller gave up.
  bool next() {
    Batch batch;
    std::vector<Window> windows;
    const std::size_t most = pick(random_, 1, rig_.options().batch);
    for (Video& video : videos_) video.freeOld();
    while (windows.size() < most) {
      std::vector<Video*> open;
      for (Video& video : videos_) {
        if (!video.done()) open.push_back(&video);
      }
      if (open.empty()) break;
      Video& video = *open[pick(random_, 0, open.size() - 1)];
      const auto gap = video.nextGap();
      if (!gap) continue;
      const auto indices = video.frameIndices(*gap);
      video.upload(indices, random_);
      windows.push_back(video.window(indices, mutation_));
      batch.windows.push_back({video.number(), indices});
    }
    if (windows.empty()) return false;
    if (running_.size() == rig_.options().inFlight + pick(random_, 0, 1)) settle();
    rig_.session().infer(rig_.options().factors[0], std::move(windows), batch.awaited.slot());
    running_.push_back(std::move(batch));
    if (handedOver_++ == abortAt_) rig_.session().cancel();
    return handedOver_ < abortAt_ + 3 || abortAt_ == SIZE_MAX;
  }

  void settle() {
    Batch batch = std::move(running_.front());
    running_.pop_front();
    auto outcome = batch.awaited.take();
    if (!outcome.ok()) {
      CHECK_EQUAL(codeName(outcome.error().code), std::string("ABORTED"));
      tally_.aborted += batch.windows.size();
      return;
    }
    auto& frames = outcome.value();
    const std::size_t outputs = rig_.options().factors[0] - 1;
    CHECK_EQUAL(frames.size(), batch.windows.size() * outputs);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Expected& expected = batch.windows[i / outputs];
      ++tally_.windows;
      if (!rig_.matches(frames[i], expected.video, expected.indices, i % outputs)) ++tally_.wrong;
      if (pick(random_, 0, 2) == 0) hoard_.push_back(std::move(frames[i]));
    }
    if (hoard_.size() > 6) hoard_.erase(hoard_.begin(), hoard_.begin() + 3);
  }

  Random random_;
  Mutation mutation_;
  Rig rig_;
  std::deque<Video> videos_;
  std::deque<Batch> running_;
  std::vector<HostFrame> hoard_;
  std::size_t handedOver_ = 0;
  std::size_t abortAt_ = SIZE_MAX;
  Tally tally_;
};

Tally runAll(std::uint32_t count, Mutation mutation) {
  Tally total;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t number = seed() + i;
    try {
      const Tally one = RandomRun(number, mutation).run();
      total.windows += one.windows;
      total.wrong += one.wrong;
      total.aborted += one.aborted;
      if (mutation == Mutation::kNone) CHECK_EQUAL(one.wrong, 0U);
    } catch (const Failure& failure) {
      throw Failure("run " + std::to_string(number) + ": " + failure.what());
    }
  }
  return total;
}

TEST("every output pixel proves its window, for random videos, cuts, batches, rings and abort points") {
  const Tally tally = runAll(runs(), Mutation::kNone);
  std::printf("NOTE %u runs: %zu outputs checked, %zu windows aborted, none wrong\n", runs(), tally.windows,
              tally.aborted);
  CHECK(tally.windows > 0);
  CHECK(runs() < 100 || tally.aborted > 0);
}

TEST("two inputs swapped are caught") { CHECK(runAll(20, Mutation::kSwapInputs).wrong > 0); }
TEST("a slot shifted by one frame is caught") { CHECK(runAll(20, Mutation::kShiftSlot).wrong > 0); }
TEST("a dropped clamp is caught") { CHECK(runAll(20, Mutation::kDropClamp).wrong > 0); }

}  // namespace
}  // namespace flavr::test
