#include "engine/block_pool.h"

#include <utility>

namespace flavr {

Status BlockPool::grow(std::size_t reserved, std::size_t lendable) noexcept {
  std::size_t missing = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t wanted = reserved + lendable;
    missing = wanted > blocks_.size() ? wanted - blocks_.size() : 0;
  }
  // Pinning takes long, so the lock is not held meanwhile; only the session's own thread grows the pool.
  std::vector<std::unique_ptr<Block>> made;
  for (; missing > 0; --missing) {
    PinnedMemory memory;
    FLAVR_TRY(acquire(memory, device_, device_->allocatePinned(blockBytes_)));
    made.push_back(std::unique_ptr<Block>(new Block(std::move(memory))));
  }
  const std::lock_guard lock(mutex_);
  for (auto& block : made) {
    free_.push_back(block.get());
    blocks_.emplace(block->data(), std::move(block));
  }
  reserved_ = reserved;
  return {};
}

BlockRef BlockPool::takeLocked() noexcept {
  if (free_.empty()) return nullptr;
  Block* block = free_.back();
  free_.pop_back();
  // The deleter keeps the pool, and with it the device, for as long as a frame is out.
  BlockRef ref(block, [pool = shared_from_this()](Block* last) { pool->giveBack(last); });
  block->holders_ = ref;
  return ref;
}

BlockRef BlockPool::take() noexcept {
  const std::lock_guard lock(mutex_);
  return takeLocked();
}

bool BlockPool::lend(const BlockRef& block) noexcept {
  const std::lock_guard lock(mutex_);
  if (lent_ + reserved_ >= blocks_.size()) return false;
  block->lent_ = true;
  ++lent_;
  return true;
}

BlockRef BlockPool::allocate() noexcept {
  const std::lock_guard lock(mutex_);
  if (closed_ || lent_ + reserved_ >= blocks_.size()) return nullptr;
  BlockRef ref = takeLocked();
  if (ref) {
    ref->lent_ = true;
    ++lent_;
  }
  return ref;
}

BlockRef BlockPool::find(const void* data) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(data);
  return found == blocks_.end() || !found->second->lent_ ? nullptr : found->second->holders_.lock();
}

void BlockPool::giveBack(Block* block) noexcept {
  std::unique_ptr<Block> freed;  // unpinned after the lock is gone
  const std::lock_guard lock(mutex_);
  if (block->lent_) --lent_;
  block->lent_ = false;
  block->holders_.reset();  // its control block holds the pool: kept, the two would hold each other
  if (!closed_) {
    free_.push_back(block);
    return;
  }
  const auto found = blocks_.find(block->data());
  freed = std::move(found->second);
  blocks_.erase(found);
}

void BlockPool::close() noexcept {
  std::vector<std::unique_ptr<Block>> freed;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (Block* block : free_) {
    const auto found = blocks_.find(block->data());
    freed.push_back(std::move(found->second));
    blocks_.erase(found);
  }
  free_.clear();
}

std::size_t BlockPool::freeBlocks() const noexcept {
  const std::lock_guard lock(mutex_);
  return free_.size();
}

std::size_t BlockPool::lentBlocks() const noexcept {
  const std::lock_guard lock(mutex_);
  return lent_;
}

}  // namespace flavr
