// What happens when the device refuses, fails or goes away.
#include <future>
#include <string>

#include "test/harness.h"
#include "test/rig.h"

namespace flavr::test {
namespace {

struct Scene {
  explicit Scene(const RigOptions& options = {}) : rig(options) {
    Session& session = rig.open();
    lane = session.openLane(8);
    for (std::size_t index = 0; index < 4; ++index) add(index);
  }
  void add(std::size_t index) {
    const auto slot = rig.session().upload(*lane, rig.foreign(0, index));
    CHECK(slot.ok());
    slots.push_back({lane->device(), slot.value()});
  }
  Outcome infer() {
    Awaited awaited;
    rig.session().infer(2, {{{slots.end() - 4, slots.end()}, {}}}, awaited.slot());
    return awaited.take();
  }
  std::string code() {
    const auto outcome = infer();
    return outcome.ok() ? "" : codeName(outcome.error().code);
  }

  Rig rig;
  std::unique_ptr<Lane> lane;
  std::vector<LaneSlot> slots;
};

TEST("a refused run fails its batch and the session goes on") {
  Scene scene;
  CHECK_EQUAL(scene.code(), "");
  scene.rig.control().launchFailure.set(1);
  CHECK_EQUAL(scene.code(), "INFERENCE_FAILED");
  CHECK_EQUAL(scene.code(), "");
  scene.rig.close();
}

TEST("a refused graph launch fails its batch and the session goes on") {
  Scene scene;
  for (int i = 0; i < 6; ++i) CHECK_EQUAL(scene.code(), "");
  CHECK(scene.rig.session().stats().graphs > 0);
  scene.rig.control().launchFailure.set(1);
  CHECK_EQUAL(scene.code(), "INFERENCE_FAILED");
  CHECK_EQUAL(scene.code(), "");
  scene.rig.close();
}

TEST("a failed upload fails the windows that use the frame and no other") {
  Scene scene;
  CHECK_EQUAL(scene.code(), "");
  scene.rig.control().copyFailure.set(1);
  scene.add(4);
  CHECK_EQUAL(scene.code(), "INFERENCE_FAILED");
  for (std::size_t index = 5; index < 9; ++index) {
    CHECK(scene.lane->free(scene.slots[index - 5].slot).ok());
    scene.add(index);
  }
  CHECK_EQUAL(scene.code(), "");
  scene.rig.close();
}

TEST("a failed download fails its batch, and its blocks come back") {
  Scene scene;
  CHECK_EQUAL(scene.code(), "");
  const auto free = scene.rig.session().stats().blocksFree;
  scene.rig.control().copyFailure.set(1);
  CHECK_EQUAL(scene.code(), "INFERENCE_FAILED");
  CHECK_EQUAL(scene.rig.session().stats().blocksFree, free);
  CHECK_EQUAL(scene.code(), "");
  scene.rig.close();
}

TEST("a non-finite peak is a numeric failure of its batch") {
  Scene scene;
  scene.rig.control().badPeak.set(1);
  CHECK_EQUAL(scene.code(), "NUMERIC_FAILURE");
  CHECK_EQUAL(scene.code(), "");
  scene.rig.close();
}

TEST("a window that needs a kept output of a failed batch fails with that batch's error") {
  Scene scene;
  Session& session = scene.rig.session();
  const LaneSlot kept{scene.lane->device(), scene.lane->take().value()};
  scene.rig.control().launchFailure.set(1);
  Awaited first;
  Awaited second;
  session.infer(2, {{scene.slots, {kept}}}, first.slot());
  session.infer(2, {{{scene.slots[0], scene.slots[1], kept, scene.slots[2]}, {}}}, second.slot());
  CHECK(!first.take().ok());
  const auto outcome = second.take();
  CHECK(!outcome.ok());
  CHECK_EQUAL(outcome.error().message, std::string("A simulated engine run was refused."));
  scene.rig.close();
}

TEST("a lane that finds no device memory fails its windows and leaves the others alone") {
  RigOptions options;
  options.ringFrames = 8;
  Scene scene(options);
  CHECK_EQUAL(scene.code(), "");
  scene.rig.control().outOfMemory.set(1);
  auto lane = scene.rig.session().openLane(8);
  const LaneSlot slot{lane->device(), scene.rig.session().upload(*lane, scene.rig.foreign(1, 0)).value()};
  Awaited awaited;
  scene.rig.session().infer(2, {{{slot, slot, slot, slot}, {}}}, awaited.slot());
  const auto outcome = awaited.take();
  CHECK(!outcome.ok());
  CHECK_EQUAL(codeName(outcome.error().code), std::string("OUT_OF_MEMORY"));
  CHECK_EQUAL(scene.code(), "");
  scene.rig.close();
}

TEST("whichever allocation fails, opening a session gives OUT_OF_MEMORY and leaves nothing") {
  int refused = 0;
  for (int allocation = 1;; ++allocation) {
    RigOptions options;
    options.batch = 2;
    Rig rig(options);
    rig.control().outOfMemory.set(allocation);
    auto session = rig.tryOpen();
    if (session.ok()) break;
    ++refused;
    CHECK_EQUAL(codeName(session.error().code), std::string("OUT_OF_MEMORY"));
    rig.expectNothingLeft();
  }
  CHECK(refused > 10);
}

TEST("wherever the device is lost, every batch settles, settled frames stay whole and nothing is left") {
  int lost = 0;
  for (int operation = 1; operation < 400; operation += 3) {
    RigOptions options;
    options.inFlight = 3;
    Rig rig(options);
    rig.control().deviceLost.set(operation);
    auto opened = rig.tryOpen();
    if (!opened.ok()) {
      CHECK_EQUAL(codeName(opened.error().code), std::string("DEVICE_LOST"));
      rig.expectNothingLeft();
      continue;
    }
    auto session = std::move(opened).value();
    auto lane = session->openLane(12);
    std::vector<LaneSlot> slots;
    for (std::size_t i = 0; i < 12; ++i) {
      slots.push_back({lane->device(), session->upload(*lane, rig.foreign(0, i)).value()});
    }
    std::vector<Awaited> all(9);
    for (std::size_t i = 0; i < 9; ++i) {
      session->infer(2, {{{slots.begin() + i, slots.begin() + i + 4}, {}}}, all[i].slot());
    }
    std::vector<std::pair<std::size_t, HostFrame>> settled;
    for (std::size_t i = 0; i < 9; ++i) {
      auto outcome = all[i].take();
      if (outcome.ok()) {
        settled.emplace_back(i, std::move(outcome.value()[0]));
      } else {
        CHECK_EQUAL(codeName(outcome.error().code), std::string("DEVICE_LOST"));
        ++lost;
      }
    }
    session.reset();
    for (const auto& [i, frame] : settled) CHECK(rig.matches(frame, 0, {i, i + 1, i + 2, i + 3}, 0));
    settled.clear();
    rig.expectNothingLeft();
  }
  CHECK(lost > 100);
}

TEST("a slow engine delays its batches and changes nothing else") {
  Scene scene;
  scene.rig.control().extraComputeUs = 20000;
  auto outcome = scene.infer();
  CHECK(outcome.ok() && scene.rig.matches(outcome.value()[0], 0, {0, 1, 2, 3}, 0));
  CHECK(scene.rig.session().stats().inferMs >= 20.0);
  outcome = Error{Code::kAborted, ""};
  scene.rig.close();
}

TEST("a file that is no plan is refused") {
  sim::SimPlatform platform(std::make_shared<sim::Control>());
  auto device = platform.openDevice(0).value();
  const std::string text = "not a plan";
  CHECK(!platform.loadPlan(device, text.data(), text.size(), {}).ok());
}

}  // namespace
}  // namespace flavr::test
