#include "engine/lane.h"

#include <string>

namespace flavr {

Result<std::uint32_t> Lane::take() noexcept {
  if (!open()) return Error{Code::kBadArgument, "The lane was closed; open another for further frames."};
  if (heldCount_ == capacity_) {
    return Error{Code::kBadArgument, "The lane was opened for " + std::to_string(capacity_) +
                                         " frames and holds as many; free a slot before taking another."};
  }
  while (held_[next_]) next_ = (next_ + 1) % held_.size();
  const std::uint32_t slot = next_;
  held_[slot] = true;
  ++heldCount_;
  next_ = (next_ + 1) % held_.size();
  return slot;
}

Status Lane::free(std::uint32_t slot) noexcept {
  if (!open()) return {};
  if (!holds(slot)) return Error{Code::kBadArgument, "A slot was freed that its lane does not hold."};
  held_[slot] = false;
  --heldCount_;
  return {};
}

void Lane::close() noexcept {
  device_.reset();
  held_.assign(held_.size(), false);
  heldCount_ = 0;
}

}  // namespace flavr
