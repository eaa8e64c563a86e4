// Who may hold which block.
#include "engine/block_pool.h"

#include "sim/device.h"
#include "test/harness.h"

namespace flavr::test {
namespace {

struct Fixture {
  std::shared_ptr<sim::Control> control = std::make_shared<sim::Control>();
  std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>(std::make_shared<sim::SimDevice>(control), 100);
};

TEST("callers never get a block that downloads may need") {
  Fixture fixture;
  CHECK(fixture.pool->grow(2, 1).ok());
  const auto lent = fixture.pool->allocate();
  CHECK(lent != nullptr);
  CHECK(fixture.pool->allocate() == nullptr);
  const auto first = fixture.pool->take();
  const auto second = fixture.pool->take();
  CHECK(first && second);
  CHECK(!fixture.pool->lend(first));
}

TEST("a block comes back with its last owner, and may then be lent again") {
  Fixture fixture;
  CHECK(fixture.pool->grow(0, 1).ok());
  auto lent = fixture.pool->allocate();
  auto upload = lent;
  lent.reset();
  CHECK(fixture.pool->allocate() == nullptr);
  CHECK_EQUAL(fixture.pool->lentBlocks(), 1U);
  upload.reset();
  CHECK_EQUAL(fixture.pool->lentBlocks(), 0U);
  CHECK(fixture.pool->allocate() != nullptr);
}

TEST("only a lent block is found by its address") {
  Fixture fixture;
  CHECK(fixture.pool->grow(1, 1).ok());
  auto block = fixture.pool->take();
  CHECK(fixture.pool->find(block->data()) == nullptr);
  CHECK(fixture.pool->lend(block));
  CHECK(fixture.pool->find(block->data()) == block);
  const auto* data = block->data();
  CHECK(fixture.pool->find(data + 1) == nullptr);
  block.reset();
  CHECK(fixture.pool->find(data) == nullptr);
}

TEST("growing keeps what is lent and refuses with the pool unchanged where memory ends") {
  Fixture fixture;
  CHECK(fixture.pool->grow(1, 1).ok());
  const auto lent = fixture.pool->allocate();
  fixture.control->outOfMemory.set(2);
  CHECK(!fixture.pool->grow(4, 1).ok());
  CHECK_EQUAL(fixture.control->pinnedAllocations.load(), 2);
  CHECK(fixture.pool->grow(4, 1).ok());
  CHECK_EQUAL(fixture.control->pinnedAllocations.load(), 5);
  CHECK_EQUAL(fixture.pool->freeBlocks(), 4U);
}

TEST("closing frees the free blocks at once and a lent one when it comes back") {
  Fixture fixture;
  CHECK(fixture.pool->grow(2, 2).ok());
  auto lent = fixture.pool->allocate();
  fixture.pool->close();
  CHECK_EQUAL(fixture.control->pinnedAllocations.load(), 1);
  fixture.pool.reset();
  lent.reset();
  CHECK_EQUAL(fixture.control->pinnedAllocations.load(), 0);
  CHECK(fixture.control->takeViolations().empty());
}

}  // namespace
}  // namespace flavr::test
