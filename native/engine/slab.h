// Device memory for frames: slabs of equally spaced slots, of which lanes take consecutive ranges.
#ifndef FLAVR_ENGINE_SLAB_H
#define FLAVR_ENGINE_SLAB_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/device.h"
#include "engine/resource.h"
#include "engine/result.h"

namespace flavr {

// One frame on the device, as the enqueue thread knows it.
struct Slot {
  DeviceAddress address = 0;
  // Recorded on the up stream after the latest upload into this slot.
  Event uploaded;
  // Whether the compute stream has yet to wait for `uploaded`.
  bool uploading = false;
  // The latest batch that reads or writes the slot on the compute stream; 0: none.
  std::uint64_t lastBatch = 0;
  // Why there is no frame here: an upload or the batch that should have written it failed.
  std::optional<Error> failure;
};

struct SlotRange {
  Slot* first = nullptr;
  std::size_t count = 0;
};

// Enqueue thread only. Slots stay where they are and keep their state when a range goes from one lane to another: work
// of the old lane may still be running.
class SlabAllocator {
 public:
  SlabAllocator(std::shared_ptr<Device> device, std::size_t frameStride) noexcept
      : device_(std::move(device)), frameStride_(frameStride) {}

  // `count` consecutive slots; takes another slab from the device where no free range is long enough.
  Result<SlotRange> place(std::size_t count) noexcept;
  void release(const SlotRange& range) noexcept;
  // Makes sure that ranges up to `count` slots in all need no new memory.
  Status reserve(std::size_t count) noexcept;

 private:
  struct Slab {
    DeviceMemory memory;
    std::vector<Slot> slots;
    // Free ranges: first slot -> count. Neighbours are merged.
    std::map<std::size_t, std::size_t> free;
  };

  const std::shared_ptr<Device> device_;
  const std::size_t frameStride_;
  std::vector<std::unique_ptr<Slab>> slabs_;
};

}  // namespace flavr

#endif
