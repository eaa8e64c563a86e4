// The pinned blocks that frames cross the bus in. A block is free, or taken by a batch to be downloaded into, or lent
// to the caller; a part of the pool is never lent, so that a download always finds a block whatever the caller holds.
#ifndef FLAVR_ENGINE_BLOCK_POOL_H
#define FLAVR_ENGINE_BLOCK_POOL_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/device.h"
#include "engine/resource.h"
#include "engine/result.h"

namespace flavr {

class BlockPool;

// One frame's worth of pinned memory.
class Block {
 public:
  std::uint8_t* data() const noexcept { return static_cast<std::uint8_t*>(memory_.get()); }

 private:
  friend class BlockPool;
  explicit Block(PinnedMemory memory) noexcept : memory_(std::move(memory)) {}

  PinnedMemory memory_;
  // Guarded by the pool's mutex.
  bool lent_ = false;
  std::weak_ptr<Block> holders_;
};

// Shared by everyone who still needs the bytes (the caller, an upload that reads them). The last one gives it back.
using BlockRef = std::shared_ptr<Block>;

// Any thread may call anything.
class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  BlockPool(std::shared_ptr<Device> device, std::size_t blockBytes) noexcept
      : device_(std::move(device)), blockBytes_(blockBytes) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // Enlarges the pool to `reserved` blocks for downloads and `lendable` for callers. Never shrinks it.
  Status grow(std::size_t reserved, std::size_t lendable) noexcept;
  // For a download. Never null while at most `reserved` blocks are taken and not lent.
  BlockRef take() noexcept;
  // Lets the caller keep a taken block; false if that would eat into the reserve.
  bool lend(const BlockRef& block) noexcept;
  // A block for the caller to fill, or null if none can be spared.
  BlockRef allocate() noexcept;
  // The lent block that begins at this address, or null.
  BlockRef find(const void* data) noexcept;
  // Frees what is free now, and every other block when it comes back.
  void close() noexcept;

  std::size_t blockBytes() const noexcept { return blockBytes_; }
  std::size_t freeBlocks() const noexcept;
  std::size_t lentBlocks() const noexcept;

 private:
  BlockRef takeLocked() noexcept;
  void giveBack(Block* block) noexcept;

  const std::shared_ptr<Device> device_;
  const std::size_t blockBytes_;
  mutable std::mutex mutex_;  // guards what follows
  std::size_t reserved_ = 0;
  std::size_t lent_ = 0;
  bool closed_ = false;
  std::map<const void*, std::unique_ptr<Block>> blocks_;
  std::vector<Block*> free_;
};

}  // namespace flavr

#endif
