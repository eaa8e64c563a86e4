#include "engine/graph_cache.h"

#include <algorithm>
#include <utility>

namespace flavr {
namespace {

// An entry makes room only if it was not used for this many times the cache's size: capturing costs more than a run
// gains, so a working set that is too large must not chase itself through the cache.
constexpr std::uint64_t kIdleRounds = 4;

}  // namespace

std::size_t GraphCache::size() const noexcept {
  return std::count_if(entries_.begin(), entries_.end(), [](auto& entry) { return static_cast<bool>(entry.graph); });
}

GraphCache::Entry* GraphCache::find(const ExecutionContext& context, const Bindings& bindings) noexcept {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](auto& entry) { return entry.context == &context && entry.bindings == bindings; });
  return found == entries_.end() ? nullptr : &*found;
}

void GraphCache::remember(const ExecutionContext& context, const Bindings& bindings, std::uint64_t batch,
                          std::uint64_t completed) noexcept {
  if (entries_.size() < capacity_) {
    entries_.push_back({&context, bindings, {}, batch});
    return;
  }
  const auto oldest =
      std::min_element(entries_.begin(), entries_.end(), [](auto& a, auto& b) { return a.lastBatch < b.lastBatch; });
  const bool idle = oldest->lastBatch <= completed && oldest->lastBatch + kIdleRounds * capacity_ < batch;
  if (idle) *oldest = Entry{&context, bindings, {}, batch};
}

Status GraphCache::capture(ExecutionContext& context, Entry& entry, StreamHandle stream) noexcept {
  if (!context.capturable(stream)) return Error{Code::kInferenceFailed, "The engine cannot be captured into a graph."};
  FLAVR_TRY(device_->beginCapture(stream));
  auto enqueued = context.enqueue(entry.bindings, stream);
  Graph graph;
  auto ended = acquire(graph, device_, device_->endCapture(stream));
  if (!enqueued.ok()) return enqueued;
  if (ended.ok()) entry.graph = std::move(graph);
  return ended;
}

Status GraphCache::run(ExecutionContext& context, const Bindings& bindings, StreamHandle stream, std::uint64_t batch,
                       std::uint64_t completed) noexcept {
  Entry* entry = capacity_ == 0 || failed_ ? nullptr : find(context, bindings);
  if (entry == nullptr) {
    // The plain run is also the warm-up that must come before a capture.
    if (capacity_ > 0 && !failed_) remember(context, bindings, batch, completed);
    return context.enqueue(bindings, stream);
  }
  entry->lastBatch = batch;
  if (!entry->graph && !capture(context, *entry, stream).ok()) {
    failed_ = true;
    return context.enqueue(bindings, stream);
  }
  return device_->launch(entry->graph.get(), stream);
}

}  // namespace flavr
