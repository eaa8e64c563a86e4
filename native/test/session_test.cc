// What one session does, one behaviour at a time.
#include <future>
#include <string>
#include <utility>

#include "test/harness.h"
#include "test/rig.h"

namespace flavr::test {
namespace {

// Uploads frames 0 … count-1 of a video and names them.
std::vector<LaneSlot> uploadAll(Rig& rig, Lane& lane, std::size_t count, std::size_t video = 0) {
  std::vector<LaneSlot> slots;
  for (std::size_t index = 0; index < count; ++index) {
    auto slot = rig.session().upload(lane, rig.foreign(video, index));
    CHECK(slot.ok());
    slots.push_back({lane.device(), slot.value()});
  }
  return slots;
}

Window window(const std::vector<LaneSlot>& slots, const std::vector<std::size_t>& indices) {
  Window made;
  for (const std::size_t index : indices) made.slots.push_back(slots[index]);
  return made;
}

Outcome inferNow(Session& session, std::size_t factor, std::vector<Window> windows) {
  Awaited awaited;
  session.infer(factor, std::move(windows), awaited.slot());
  return awaited.take();
}

TEST("a window gives the frames of its gap, made from its own frames in order") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  {
    auto outcome = inferNow(session, 2, {window(slots, {0, 1, 2, 3})});
    CHECK(outcome.ok());
    CHECK_EQUAL(outcome.value().size(), 1U);
    CHECK(rig.matches(outcome.value()[0], 0, {0, 1, 2, 3}, 0));
  }
  rig.close();
}

TEST("all outputs of a factor come back in order of time") {
  Rig rig([] {
    RigOptions options;
    options.factors = {8};
    return options;
  }());
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  {
    auto outcome = inferNow(session, 8, {window(slots, {0, 1, 2, 3})});
    CHECK(outcome.ok());
    CHECK_EQUAL(outcome.value().size(), 7U);
    for (std::size_t output = 0; output < 7; ++output) {
      CHECK(rig.matches(outcome.value()[output], 0, {0, 1, 2, 3}, output));
    }
  }
  rig.close();
}

TEST("a row stride is kept out of the device and put back on the way down") {
  RigOptions options;
  options.rowPadding = 7;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  {
    auto outcome = inferNow(session, 2, {window(slots, {0, 1, 2, 3})});
    CHECK(outcome.ok() && rig.matches(outcome.value()[0], 0, {0, 1, 2, 3}, 0));
  }
  rig.close();
}

TEST("consecutive gaps of one shot are bound in place, and nothing is gathered") {
  RigOptions options;
  options.batch = 3;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(6);
  const auto slots = uploadAll(rig, *lane, 6);
  {
    auto outcome =
        inferNow(session, 2, {window(slots, {0, 1, 2, 3}), window(slots, {1, 2, 3, 4}), window(slots, {2, 3, 4, 5})});
    CHECK(outcome.ok());
    for (std::size_t gap = 0; gap < 3; ++gap) {
      CHECK(rig.matches(outcome.value()[gap], 0, {gap, gap + 1, gap + 2, gap + 3}, 0));
    }
  }
  CHECK_EQUAL(session.stats().gathers, 0U);
  rig.close();
}

TEST("a batch of clamped, short or mixed windows is gathered on the device and counted once") {
  RigOptions options;
  options.batch = 3;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(4);
  auto other = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4, 0);
  const auto others = uploadAll(rig, *other, 4, 1);
  {
    auto outcome = inferNow(session, 2, {window(slots, {0, 0, 1, 2}), window(others, {0, 1, 2, 3})});
    CHECK(outcome.ok());
    CHECK_EQUAL(outcome.value().size(), 2U);
    CHECK(rig.matches(outcome.value()[0], 0, {0, 0, 1, 2}, 0));
    CHECK(rig.matches(outcome.value()[1], 1, {0, 1, 2, 3}, 0));
  }
  CHECK_EQUAL(session.stats().gathers, 1U);
  CHECK_EQUAL(session.stats().windows, 2U);
  rig.close();
}

TEST("a batch of one window is never gathered, whatever its slots") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  {
    auto outcome = inferNow(session, 2, {window(slots, {3, 0, 0, 1})});
    CHECK(outcome.ok() && rig.matches(outcome.value()[0], 0, {3, 0, 0, 1}, 0));
  }
  CHECK_EQUAL(session.stats().gathers, 0U);
  rig.close();
}

TEST("outputs that are kept are the next pass's inputs without crossing the bus") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  auto second = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  Window first = window(slots, {0, 1, 2, 3});
  const LaneSlot kept{second->device(), second->take().value()};
  first.keep = {kept};
  {
    auto outcome = inferNow(session, 2, {first});
    CHECK(outcome.ok());
    Window next;
    next.slots = {slots[0], slots[1], kept, slots[2]};
    auto nextOutcome = inferNow(session, 2, {next});
    CHECK(nextOutcome.ok());
    const auto& middle = outcome.value()[0];
    const std::vector<std::uint8_t> bytes(middle.bytes.get(), middle.bytes.get() + session.frameBytes());
    CHECK(rig.matches(nextOutcome.value()[0], {rig.frame(0, 0), rig.frame(0, 1), bytes, rig.frame(0, 2)}, 0));
  }
  CHECK_EQUAL(session.stats().hostCopiesIn, 4U);
  rig.close();
}

TEST("owned frames are read in place and lent blocks written in place: no host copy") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  std::vector<LaneSlot> slots;
  for (std::size_t index = 0; index < 4; ++index) {
    slots.push_back({lane->device(), session.upload(*lane, rig.owned(0, index)).value()});
  }
  CHECK(inferNow(session, 2, {window(slots, {0, 1, 2, 3})}).ok());
  CHECK_EQUAL(session.stats().hostCopiesIn, 0U);
  CHECK_EQUAL(session.stats().hostCopiesOut, 0U);
  rig.close();
}

TEST("a foreign frame costs one host copy") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  CHECK(inferNow(session, 2, {window(slots, {0, 1, 2, 3})}).ok());
  CHECK_EQUAL(session.stats().hostCopiesIn, 4U);
  rig.close();
}

TEST("a caller who releases nothing gets ordinary memory with one copy each, and the pipeline goes on") {
  RigOptions options;
  options.lendable = 0;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  std::vector<HostFrame> hoard;
  for (int round = 0; round < 50; ++round) {
    auto outcome = inferNow(session, 2, {window(slots, {0, 1, 2, 3})});
    CHECK(outcome.ok());
    CHECK(!outcome.value()[0].pinned);
    hoard.push_back(std::move(outcome.value()[0]));
  }
  CHECK_EQUAL(session.stats().hostCopiesOut, 50U);
  for (const auto& frame : hoard) CHECK(rig.matches(frame, 0, {0, 1, 2, 3}, 0));
  rig.close();
}

TEST("a lent frame outlives its session, and its memory goes with its last owner") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  HostFrame held = std::move(inferNow(session, 2, {window(slots, {0, 1, 2, 3})}).value()[0]);
  std::promise<void> closed;
  session.close([&] { closed.set_value(); });
  closed.get_future().get();
  CHECK_EQUAL(rig.control().pinnedAllocations.load(), 1);
  CHECK_EQUAL(rig.control().deviceAllocations.load(), 0);
  CHECK(rig.matches(held, 0, {0, 1, 2, 3}, 0));
  held = {};
  rig.expectNothingLeft();
}

TEST("a lane gives its slots round and round, and refuses more than its capacity") {
  Lane lane(3, 4);
  std::vector<std::uint32_t> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(lane.take().value());
  CHECK(!lane.take().ok());
  CHECK(lane.free(taken[0]).ok());
  CHECK_EQUAL(lane.take().value(), 3U);
  CHECK(lane.free(taken[1]).ok());
  CHECK_EQUAL(lane.take().value(), 0U);
  CHECK(!lane.free(1).ok());
}

TEST("lanes beyond the reserve take more device memory, and closed ones give theirs to the next") {
  RigOptions options;
  options.ringFrames = 4;
  Rig rig(options);
  Session& session = rig.open();
  const auto before = rig.control().deviceAllocations.load();
  for (int round = 0; round < 20; ++round) {
    auto lane = session.openLane(4);
    auto other = session.openLane(4);
    const auto slots = uploadAll(rig, *lane, 4, 0);
    const auto others = uploadAll(rig, *other, 4, 1);
    auto outcome = inferNow(session, 2, {window(others, {0, 1, 2, 3})});
    CHECK(outcome.ok() && rig.matches(outcome.value()[0], 1, {0, 1, 2, 3}, 0));
    session.closeLane(*lane);
    session.closeLane(*other);
  }
  CHECK_EQUAL(rig.control().deviceAllocations.load(), before + 1);
  rig.close();
}

TEST("runs with the same addresses are replayed by a bounded number of graphs, with the same bytes") {
  RigOptions options;
  options.inFlight = 3;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(6);
  std::deque<LaneSlot> ring;
  for (std::size_t index = 0; index < 100; ++index) {
    ring.push_back({lane->device(), session.upload(*lane, rig.owned(0, index)).value()});
    if (index < 3) continue;
    auto outcome = inferNow(session, 2, {{{ring.begin(), ring.end()}, {}}});
    CHECK(outcome.ok());
    CHECK(rig.matches(outcome.value()[0], 0, {index - 3, index - 2, index - 1, index}, 0));
    CHECK(lane->free(ring.front().slot).ok());
    ring.pop_front();
  }
  // One per position in the ring: it has a whole number of rounds over the output sets.
  CHECK_EQUAL(session.stats().graphs, 6U);
  rig.close();
}

TEST("an engine that cannot be captured runs plainly, and that is told") {
  RigOptions options;
  options.capturable = false;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  for (int round = 0; round < 5; ++round) CHECK(inferNow(session, 2, {window(slots, {0, 1, 2, 3})}).ok());
  CHECK_EQUAL(session.stats().graphs, 0U);
  CHECK(session.stats().graphsFailed);
  rig.close();
}

TEST("options that no session can have are refused") {
  for (std::size_t RigOptions::* const size :
       {&RigOptions::batch, &RigOptions::inFlight, &RigOptions::width, &RigOptions::height, &RigOptions::rowPadding}) {
    RigOptions options;
    options.*size = size == &RigOptions::batch ? 0 : std::size_t{1} << 40;
    Rig rig;
    sim::SimPlatform platform(std::make_shared<sim::Control>());
    std::vector<std::unique_ptr<Network>> networks;
    networks.push_back(rig.network(2));
    auto session = Session::open(platform.openDevice(0).value(), options.session(), std::move(networks));
    CHECK(!session.ok());
    CHECK_EQUAL(codeName(session.error().code), std::string("BAD_ARGUMENT"));
  }
}

TEST("a failed capture turns graphs off for the session, and is told") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  rig.control().captureFailure.set(1);
  for (int round = 0; round < 10; ++round) CHECK(inferNow(session, 2, {window(slots, {0, 1, 2, 3})}).ok());
  CHECK(session.stats().graphsFailed);
  CHECK_EQUAL(session.stats().graphs, 0U);
  rig.close();
}

TEST("a factor prepared later enlarges the session's memory and runs beside the first") {
  Rig rig;
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  CHECK(!inferNow(session, 4, {window(slots, {0, 1, 2, 3})}).ok());
  std::promise<Status> prepared;
  std::vector<std::unique_ptr<Network>> networks;
  networks.push_back(rig.network(4));
  session.prepare(std::move(networks), [&](Status status) { prepared.set_value(std::move(status)); });
  CHECK(prepared.get_future().get().ok());
  for (const std::size_t factor : {4, 2, 4}) {
    auto outcome = inferNow(session, factor, {window(slots, {0, 1, 2, 3})});
    CHECK(outcome.ok());
    CHECK_EQUAL(outcome.value().size(), factor - 1);
    CHECK(rig.matches(outcome.value().back(), 0, {0, 1, 2, 3}, factor - 2));
  }
  rig.close();
}

TEST("a session that does not fit is refused with the numbers before memory is taken") {
  RigOptions options;
  options.ringFrames = 1 << 20;
  Rig rig(options);
  rig.control().totalMemory = std::size_t{64} << 20;
  auto session = rig.tryOpen();
  CHECK(!session.ok());
  CHECK_EQUAL(codeName(session.error().code), std::string("OUT_OF_MEMORY"));
  CHECK(session.error().message.find("64 MiB are free") != std::string::npos);
  rig.expectNothingLeft();
}

TEST("an engine for another size or batch is refused, saying what differs") {
  RigOptions options;
  Rig rig(options);
  RigOptions larger = options;
  larger.batch = 2;
  const auto bytes = sim::writePlan(plan(larger, 2));
  sim::SimPlatform platform(std::make_shared<sim::Control>());
  auto device = platform.openDevice(0).value();
  std::vector<std::unique_ptr<Network>> networks;
  networks.push_back(platform.loadPlan(device, bytes.data(), bytes.size(), {}).value());
  auto session = Session::open(device, options.session(), std::move(networks));
  CHECK(!session.ok());
  CHECK_EQUAL(
      session.error().message,
      std::string("The engine was built for another batch: expected 1, got 2. Build it again for this session."));
}

TEST("cancelling stops every batch that was not enqueued, and no other") {
  RigOptions options;
  options.inFlight = 1;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  CHECK(inferNow(session, 2, {window(slots, {0, 1, 2, 3})}).ok());
  rig.control().gate.shut();
  std::vector<Awaited> all(3);
  for (auto& each : all) session.infer(2, {window(slots, {0, 1, 2, 3})}, each.slot());
  session.cancel();
  rig.control().gate.open();
  // At most the first had begun, and then it was finished.
  if (auto first = all[0].take(); first.ok()) CHECK(rig.matches(first.value()[0], 0, {0, 1, 2, 3}, 0));
  for (std::size_t i = 1; i < all.size(); ++i) {
    const auto outcome = all[i].take();
    CHECK(!outcome.ok());
    CHECK_EQUAL(codeName(outcome.error().code), std::string("ABORTED"));
  }
  rig.close();
}

TEST("closing finishes every batch that was handed over") {
  RigOptions options;
  options.computeUs = 300;
  Rig rig(options);
  Session& session = rig.open();
  auto lane = session.openLane(4);
  const auto slots = uploadAll(rig, *lane, 4);
  std::vector<Awaited> all(10);
  for (auto& each : all) session.infer(2, {window(slots, {0, 1, 2, 3})}, each.slot());
  std::promise<void> closed;
  session.close([&] { closed.set_value(); });
  closed.get_future().get();
  for (auto& each : all) CHECK(each.take().ok());
  rig.expectNothingLeft();
}

TEST("a session that is dropped while it runs stops what was not enqueued and leaves nothing") {
  RigOptions options;
  options.computeUs = 300;
  Rig rig(options);
  std::vector<Awaited> all(10);
  {
    auto session = rig.tryOpen().value();
    auto lane = session->openLane(4);
    std::vector<LaneSlot> slots;
    for (std::size_t index = 0; index < 4; ++index) {
      slots.push_back({lane->device(), session->upload(*lane, rig.foreign(0, index)).value()});
    }
    for (auto& each : all) session->infer(2, {window(slots, {0, 1, 2, 3})}, each.slot());
  }
  for (auto& each : all) static_cast<void>(each.take().ok());
  rig.expectNothingLeft();
}

}  // namespace
}  // namespace flavr::test
