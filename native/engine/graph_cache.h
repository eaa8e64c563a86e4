// Captured runs, by what they are bound to. A graph has its addresses baked in, so there is one for each position in
// the ring and each output set; their number is bounded, and whatever is not in the cache runs plainly.
#ifndef FLAVR_ENGINE_GRAPH_CACHE_H
#define FLAVR_ENGINE_GRAPH_CACHE_H

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/device.h"
#include "engine/network.h"
#include "engine/resource.h"

namespace flavr {

// Enqueue thread only.
class GraphCache {
 public:
  GraphCache(std::shared_ptr<Device> device, std::size_t capacity) noexcept
      : device_(std::move(device)), capacity_(capacity) {}

  // Runs `context` on `stream`: by a graph if these bindings were seen before, else plainly. `batch` counts runs,
  // `completed` says which of them are over.
  Status run(ExecutionContext& context, const Bindings& bindings, StreamHandle stream, std::uint64_t batch,
             std::uint64_t completed) noexcept;
  // Drops all graphs; none may be running.
  void clear() noexcept { entries_.clear(); }

  std::size_t size() const noexcept;
  // Set once a capture failed: from then on everything runs plainly.
  bool failed() const noexcept { return failed_; }

 private:
  struct Entry {
    const ExecutionContext* context;
    Bindings bindings;
    Graph graph;
    std::uint64_t lastBatch;
  };
  Entry* find(const ExecutionContext& context, const Bindings& bindings) noexcept;
  void remember(const ExecutionContext& context, const Bindings& bindings, std::uint64_t batch,
                std::uint64_t completed) noexcept;
  Status capture(ExecutionContext& context, Entry& entry, StreamHandle stream) noexcept;

  const std::shared_ptr<Device> device_;
  std::size_t capacity_;
  bool failed_ = false;
  std::vector<Entry> entries_;
};

}  // namespace flavr

#endif
