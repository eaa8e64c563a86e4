#include "engine/build_progress.h"

#include <algorithm>

namespace flavr {

void BuildProgress::started(const std::string& phase, const std::string& parent, std::int32_t steps) {
  running_.push_back({phase, parent, std::max(steps, 1), 0});
}

void BuildProgress::stepped(const std::string& phase, std::int32_t step) {
  for (auto& running : running_) {
    if (running.name == phase) running.done = std::min(step + 1, running.steps);
  }
}

void BuildProgress::finished(const std::string& phase) {
  const auto ends = [&](const Phase& running) { return running.name == phase; };
  if (std::any_of(running_.begin(), running_.end(), [&](const Phase& p) { return ends(p) && p.parent.empty(); })) {
    reported_ = 1;
  }
  running_.erase(std::remove_if(running_.begin(), running_.end(), ends), running_.end());
}

double BuildProgress::part(const Phase& phase) const noexcept {
  double inside = 0;
  for (const auto& child : running_) {
    if (child.parent == phase.name) inside = std::max(inside, part(child));
  }
  return std::min(1.0, (phase.done + inside) / phase.steps);
}

double BuildProgress::fraction() noexcept {
  for (const auto& phase : running_) {
    if (phase.parent.empty()) reported_ = std::max(reported_, part(phase));
  }
  return reported_;
}

std::string BuildProgress::phase() const { return running_.empty() ? std::string() : running_.back().name; }

}  // namespace flavr
