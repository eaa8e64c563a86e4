#include "engine/slab.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace flavr {

Status SlabAllocator::reserve(std::size_t count) noexcept {
  auto slab = std::make_unique<Slab>();
  FLAVR_TRY(acquire(slab->memory, device_, device_->allocate(count * frameStride_)));
  slab->slots.resize(count);
  for (std::size_t index = 0; index < count; ++index) {
    Slot& slot = slab->slots[index];
    slot.address = slab->memory.get() + index * frameStride_;
    FLAVR_TRY(acquire(slot.uploaded, device_, device_->createEvent(EventKind::kOrder)));
  }
  slab->free.emplace(0, count);
  slabs_.push_back(std::move(slab));
  return {};
}

Result<SlotRange> SlabAllocator::place(std::size_t count) noexcept {
  for (auto& slab : slabs_) {
    const auto fits = std::find_if(slab->free.begin(), slab->free.end(), [&](auto& r) { return r.second >= count; });
    if (fits == slab->free.end()) continue;
    const auto [first, length] = *fits;
    slab->free.erase(fits);
    if (length > count) slab->free.emplace(first + count, length - count);
    return SlotRange{&slab->slots[first], count};
  }
  FLAVR_TRY(reserve(count));
  auto& slab = slabs_.back();
  slab->free.clear();
  return SlotRange{slab->slots.data(), count};
}

void SlabAllocator::release(const SlotRange& range) noexcept {
  const auto owner = std::find_if(slabs_.begin(), slabs_.end(), [&](auto& slab) {
    return range.first >= slab->slots.data() && range.first < slab->slots.data() + slab->slots.size();
  });
  if (owner == slabs_.end()) return;
  auto& free = (*owner)->free;
  auto at = free.emplace(range.first - (*owner)->slots.data(), range.count).first;
  if (const auto next = std::next(at); next != free.end() && at->first + at->second == next->first) {
    at->second += next->second;
    free.erase(next);
  }
  if (at == free.begin()) return;
  if (const auto before = std::prev(at); before->first + before->second == at->first) {
    before->second += at->second;
    free.erase(at);
  }
}

}  // namespace flavr
