// Ranges of slots in device memory.
#include "engine/slab.h"

#include "sim/device.h"
#include "test/harness.h"

namespace flavr::test {
namespace {

struct Fixture {
  std::shared_ptr<sim::Control> control = std::make_shared<sim::Control>();
  SlabAllocator slabs{std::make_shared<sim::SimDevice>(control), 256};
};

TEST("a range is consecutive in device memory") {
  Fixture fixture;
  const auto range = fixture.slabs.place(4).value();
  for (std::size_t i = 0; i < range.count; ++i) CHECK_EQUAL(range.first[i].address, range.first[0].address + i * 256);
}

TEST("neighbouring free ranges join, so that a longer lane fits where shorter ones were") {
  Fixture fixture;
  CHECK(fixture.slabs.reserve(9).ok());
  const auto a = fixture.slabs.place(3).value();
  const auto b = fixture.slabs.place(3).value();
  const auto c = fixture.slabs.place(3).value();
  fixture.slabs.release(a);
  fixture.slabs.release(c);
  fixture.slabs.release(b);
  CHECK(fixture.slabs.place(9).ok());
  CHECK_EQUAL(fixture.control->deviceAllocations.load(), 1);
}

TEST("a lane for which there is no device memory is refused and leaves nothing behind") {
  Fixture fixture;
  fixture.control->outOfMemory.set(1);
  auto range = fixture.slabs.place(4);
  CHECK(!range.ok() && range.error().code == Code::kOutOfMemory);
  CHECK_EQUAL(fixture.control->alive(), 0);
  CHECK(fixture.slabs.place(4).ok());
}

}  // namespace
}  // namespace flavr::test
