// Which runs are captured, and how many graphs there may be.
#include "engine/graph_cache.h"

#include "test/harness.h"
#include "test/rig.h"

namespace flavr::test {
namespace {

struct Fixture {
  std::shared_ptr<sim::Control> control = std::make_shared<sim::Control>();
  sim::SimPlatform platform{control};
  std::shared_ptr<Device> device = platform.openDevice(0).value();
  std::unique_ptr<Network> network;
  std::unique_ptr<ExecutionContext> context;
  DeviceMemory memory;
  Stream stream;

  Fixture() {
    const auto bytes = sim::writePlan(plan(RigOptions{}, 2));
    network = platform.loadPlan(device, bytes.data(), bytes.size(), {}).value();
    context = network->createContext().value();
    CHECK(acquire(memory, device, device->allocate(std::size_t{1} << 20)).ok());
    CHECK(acquire(stream, device, device->createStream()).ok());
    CHECK(context->setActivationMemory(memory.get(), network->shape().activationBytes).ok());
  }
  // The n-th of many places where a run's tensors may lie.
  Bindings at(std::size_t n) const {
    const DeviceAddress base = memory.get() + 4096 + n * 256;
    return {std::vector<DeviceAddress>(4, base), base + 65536, base + 131072};
  }
  Status run(GraphCache& cache, std::size_t place, std::uint64_t batch) {
    return cache.run(*context, at(place), stream.get(), batch, batch - 1);
  }
};

TEST("a run is captured when its addresses come for the second time") {
  Fixture fixture;
  GraphCache cache(fixture.device, 4);
  CHECK(fixture.run(cache, 0, 1).ok());
  CHECK_EQUAL(cache.size(), 0U);
  CHECK(fixture.run(cache, 0, 2).ok());
  CHECK_EQUAL(cache.size(), 1U);
  CHECK(fixture.run(cache, 0, 3).ok());
  CHECK_EQUAL(fixture.control->graphs.load(), 1);
  fixture.stream.reset();
}

TEST("more addresses than the cache holds run plainly and do not chase each other out of it") {
  Fixture fixture;
  GraphCache cache(fixture.device, 4);
  for (std::uint64_t batch = 1; batch <= 60; ++batch) CHECK(fixture.run(cache, batch % 6, batch).ok());
  CHECK_EQUAL(cache.size(), 4U);
  fixture.stream.reset();
}

TEST("addresses that are no longer used make room for those that are") {
  Fixture fixture;
  GraphCache cache(fixture.device, 2);
  std::uint64_t batch = 0;
  const auto round = [&](std::size_t first) {
    for (int i = 0; i < 40; ++i) {
      const auto status = fixture.run(cache, first + i % 2, ++batch);
      CHECK(status.ok());
    }
  };
  round(0);
  fixture.stream.reset();  // runs dry, as the session knows when it says that batch - 1 is complete
  CHECK(acquire(fixture.stream, fixture.device, fixture.device->createStream()).ok());
  round(10);
  CHECK_EQUAL(cache.size(), 2U);
  fixture.stream.reset();
  cache.clear();
  CHECK_EQUAL(fixture.control->graphs.load(), 0);
  CHECK(fixture.control->takeViolations().empty());
}

}  // namespace
}  // namespace flavr::test
