// A ring of device frames for one video, seen from the caller: which slots are held. What lies on the device is the
// enqueue thread's affair (LaneSlots), so that taking a slot waits for nothing.
#ifndef FLAVR_ENGINE_LANE_H
#define FLAVR_ENGINE_LANE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/result.h"
#include "engine/slab.h"

namespace flavr {

// The lane's range of slots. Enqueue thread only: placed at the lane's first use, given back when it closes.
struct LaneSlots {
  std::size_t count;
  SlotRange range;
  // Why the range could not be placed; every window of the lane fails with it.
  std::optional<Error> failure;
};

// Caller thread only.
class Lane {
 public:
  // `capacity` slots may be held at a time; the ring has `slots`, at least as many.
  Lane(std::size_t capacity, std::size_t slots)
      : capacity_(capacity), held_(slots), device_(std::make_shared<LaneSlots>(LaneSlots{slots, {}, {}})) {}

  // The next slot of the ring that is not held, so that frames taken one after another lie side by side. kBadArgument
  // if `capacity` slots are held or the lane was closed.
  Result<std::uint32_t> take() noexcept;
  Status free(std::uint32_t slot) noexcept;
  bool holds(std::uint32_t slot) const noexcept { return slot < held_.size() && held_[slot]; }
  void close() noexcept;

  bool open() const noexcept { return device_ != nullptr; }
  const std::shared_ptr<LaneSlots>& device() const noexcept { return device_; }

 private:
  const std::size_t capacity_;
  std::vector<bool> held_;
  std::size_t heldCount_ = 0;
  std::uint32_t next_ = 0;
  std::shared_ptr<LaneSlots> device_;
};

}  // namespace flavr

#endif
