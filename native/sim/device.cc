#include "sim/device.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace flavr::sim {
namespace {

constexpr std::size_t kAlignment = 256;
// What memory holds before its first write and after its release.
constexpr int kFresh = 0xCD;
constexpr int kFreed = 0xDD;

Error lost() { return {Code::kDeviceLost, "The simulated device was lost."}; }
std::size_t padded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

SimDevice::~SimDevice() {
  if (!allocations_.empty()) control_->violation("memory was still allocated when the device was closed");
  if (!streams_.empty()) control_->violation("a stream was still alive when the device was closed");
}

Status SimDevice::alive() noexcept {
  if (control_->deviceLost.strikes()) lost_ = true;
  if (lost_) return lost();
  return {};
}

Status SimDevice::makeCurrent() noexcept { return alive(); }

Result<MemoryInfo> SimDevice::memory() noexcept {
  if (auto status = alive(); !status.ok()) return std::move(status).error();
  const std::size_t total = control_->totalMemory;
  const std::size_t used = control_->deviceBytes;
  return MemoryInfo{used < total ? total - used : 0, total};
}

Result<void*> SimDevice::take(std::size_t bytes, Space space) noexcept {
  if (auto status = alive(); !status.ok()) return std::move(status).error();
  const bool full = space == Space::kDevice && control_->deviceBytes + bytes > control_->totalMemory;
  void* memory = full || control_->outOfMemory.strikes() ? nullptr : std::aligned_alloc(kAlignment, padded(bytes));
  if (memory == nullptr) {
    return Error{Code::kOutOfMemory, "The simulated device has no " + std::to_string(bytes) + " bytes left."};
  }
  std::memset(memory, space == Space::kPinned ? 0 : kFresh, bytes);
  const std::lock_guard lock(mutex_);
  allocations_.emplace(reinterpret_cast<std::uintptr_t>(memory), Allocation{bytes, space});
  if (space == Space::kDevice) {
    control_->deviceBytes += bytes;
    ++control_->deviceAllocations;
  } else {
    ++control_->pinnedAllocations;
  }
  return memory;
}

void SimDevice::giveBack(void* memory, Space space) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(reinterpret_cast<std::uintptr_t>(memory));
  if (found == allocations_.end() || found->second.space != space) {
    control_->violation("memory was freed that is not allocated");
    return;
  }
  std::memset(memory, kFreed, found->second.bytes);
  if (space == Space::kDevice) {
    control_->deviceBytes -= found->second.bytes;
    --control_->deviceAllocations;
  } else {
    --control_->pinnedAllocations;
  }
  allocations_.erase(found);
  std::free(memory);
}

Result<DeviceAddress> SimDevice::allocate(std::size_t bytes) noexcept {
  auto memory = take(bytes, Space::kDevice);
  if (!memory.ok()) return std::move(memory).error();
  return static_cast<DeviceAddress>(reinterpret_cast<std::uintptr_t>(memory.value()));
}

void SimDevice::free(DeviceAddress address) noexcept { giveBack(reinterpret_cast<void*>(address), Space::kDevice); }
Result<void*> SimDevice::allocatePinned(std::size_t bytes) noexcept { return take(bytes, Space::kPinned); }
void SimDevice::freePinned(void* memory) noexcept { giveBack(memory, Space::kPinned); }

bool SimDevice::usable(const void* memory, std::size_t bytes, const char* what) noexcept {
  const auto start = reinterpret_cast<std::uintptr_t>(memory);
  const std::lock_guard lock(mutex_);
  auto after = allocations_.upper_bound(start);
  if (after != allocations_.begin()) {
    const auto& [base, allocation] = *std::prev(after);
    if (start + bytes <= base + allocation.bytes) return true;
  }
  control_->violation(std::string(what) + " touches memory that is not allocated");
  return false;
}

Result<StreamHandle> SimDevice::createStream() noexcept {
  if (auto status = alive(); !status.ok()) return std::move(status).error();
  const std::lock_guard lock(mutex_);
  ++control_->streams;
  streams_.emplace(nextHandle_, std::make_unique<Stream>());
  return StreamHandle{nextHandle_++};
}

void SimDevice::destroyStream(StreamHandle stream) noexcept {
  std::unique_ptr<Stream> owned;  // joins its thread outside of the lock, which that thread may need
  {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(static_cast<std::uintptr_t>(stream));
    if (found == streams_.end()) return control_->violation("a stream was destroyed twice");
    owned = std::move(found->second);
    streams_.erase(found);
  }
  --control_->streams;
}

Result<EventHandle> SimDevice::createEvent(EventKind /*kind*/) noexcept {
  if (auto status = alive(); !status.ok()) return std::move(status).error();
  const std::lock_guard lock(mutex_);
  ++control_->events;
  events_.emplace(nextHandle_, std::make_shared<Event>());
  return EventHandle{nextHandle_++};
}

void SimDevice::destroyEvent(EventHandle event) noexcept {
  const std::lock_guard lock(mutex_);
  if (events_.erase(static_cast<std::uintptr_t>(event)) == 0)
    return control_->violation("an event was destroyed twice");
  --control_->events;
}

std::shared_ptr<Event> SimDevice::find(EventHandle event) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(static_cast<std::uintptr_t>(event));
  if (found != events_.end()) return found->second;
  control_->violation("an event was used that does not exist");
  return std::make_shared<Event>();
}

Status SimDevice::record(EventHandle event, StreamHandle stream) noexcept {
  if (auto status = alive(); !status.ok()) return status;
  Operation operation;
  operation.event = find(event);
  operation.record = operation.event->announce();
  return push(stream, std::move(operation));
}

Status SimDevice::wait(StreamHandle stream, EventHandle event) noexcept {
  if (auto status = alive(); !status.ok()) return status;
  Operation operation;
  operation.event = find(event);
  operation.record = operation.event->latest();
  operation.waits = true;
  return push(stream, std::move(operation));
}

Status SimDevice::synchronize(EventHandle event) noexcept {
  const auto found = find(event);
  found->await(found->latest());
  return alive();
}

Result<float> SimDevice::elapsedMs(EventHandle start, EventHandle end) noexcept {
  if (auto status = alive(); !status.ok()) return std::move(status).error();
  const auto first = find(start);
  const auto last = find(end);
  return std::chrono::duration<float, std::milli>(last->await(last->latest()) - first->await(first->latest())).count();
}

Status SimDevice::push(StreamHandle stream, Operation operation) noexcept {
  const std::lock_guard lock(mutex_);
  const auto key = static_cast<std::uintptr_t>(stream);
  if (const auto capture = captures_.find(key); capture != captures_.end()) {
    // The real thing would pull the event's other stream into the capture; no caller of ours may want that.
    if (operation.event) control_->violation("an event was used on a stream that is being captured");
    capture->second.operations.push_back(std::move(operation));
    return {};
  }
  const auto found = streams_.find(key);
  if (found == streams_.end()) {
    control_->violation("work was enqueued on a stream that does not exist");
    return Error{Code::kInferenceFailed, "No such stream."};
  }
  if (operation.busyUs != nullptr) *operation.busyUs += operation.duration.count();
  if (!operation.event) {
    // A lost device does nothing more, but its streams run dry so that waiting ends.
    const auto guarded = [this](std::function<void()> effect) {
      return [this, effect = std::move(effect)] {
        if (effect && !lost_) effect();
      };
    };
    operation.begin = guarded(std::move(operation.begin));
    operation.finish = guarded(std::move(operation.finish));
  }
  found->second->push(std::move(operation));
  return {};
}

std::chrono::microseconds SimDevice::copyTime(std::size_t bytes) const noexcept {
  const std::int64_t rate = control_->copyBytesPerUs;
  return std::chrono::microseconds(control_->copyLatencyUs + (rate > 0 ? static_cast<std::int64_t>(bytes) / rate : 0));
}

Status SimDevice::copy(void* to, std::size_t toPitch, const void* from, std::size_t fromPitch, std::size_t rowBytes,
                       std::size_t rows, std::atomic<std::int64_t>& busy, StreamHandle stream) noexcept {
  if (auto status = alive(); !status.ok()) return status;
  if (control_->copyFailure.strikes()) return Error{Code::kInferenceFailed, "A simulated copy failed."};
  Operation operation;
  operation.duration = copyTime(rowBytes * rows);
  operation.busyUs = &busy;
  const auto move = [=](std::size_t first, std::size_t last) {
    if (!usable(from, (rows - 1) * fromPitch + rowBytes, "a copy's source")) return;
    if (!usable(to, (rows - 1) * toPitch + rowBytes, "a copy's target")) return;
    for (std::size_t row = first; row < last; ++row) {
      std::memcpy(static_cast<char*>(to) + row * toPitch, static_cast<const char*>(from) + row * fromPitch, rowBytes);
    }
  };
  const std::size_t half = rows / 2;
  operation.begin = [move, half] { move(0, half); };
  operation.finish = [move, half, rows] { move(half, rows); };
  return push(stream, std::move(operation));
}

Status SimDevice::copyUp(DeviceAddress to, const void* from, const Rows& rows, StreamHandle stream) noexcept {
  return copy(reinterpret_cast<void*>(to), rows.rowBytes, from, rows.hostPitch, rows.rowBytes, rows.rows,
              control_->upUs, stream);
}

Status SimDevice::copyDown(void* to, DeviceAddress from, const Rows& rows, StreamHandle stream) noexcept {
  return copy(to, rows.hostPitch, reinterpret_cast<const void*>(from), rows.rowBytes, rows.rowBytes, rows.rows,
              control_->downUs, stream);
}

Status SimDevice::copyWithin(DeviceAddress to, DeviceAddress from, std::size_t bytes, StreamHandle stream) noexcept {
  return copy(reinterpret_cast<void*>(to), bytes, reinterpret_cast<const void*>(from), bytes, bytes, 1,
              control_->computeUs, stream);
}

Status SimDevice::beginCapture(StreamHandle stream) noexcept {
  if (auto status = alive(); !status.ok()) return status;
  if (control_->captureFailure.strikes()) return Error{Code::kInferenceFailed, "A simulated capture failed."};
  const std::lock_guard lock(mutex_);
  if (!captures_.emplace(static_cast<std::uintptr_t>(stream), Capture{}).second) {
    control_->violation("a stream was captured twice at a time");
  }
  return {};
}

Result<GraphHandle> SimDevice::endCapture(StreamHandle stream) noexcept {
  auto status = alive();
  const std::lock_guard lock(mutex_);
  const auto found = captures_.find(static_cast<std::uintptr_t>(stream));
  if (found == captures_.end()) return Error{Code::kInferenceFailed, "No capture was begun."};
  auto graph = std::make_unique<SimGraph>();
  graph->operations = std::move(found->second.operations);
  captures_.erase(found);
  if (!status.ok()) return std::move(status).error();
  ++control_->graphs;
  graphs_.emplace(nextHandle_, std::move(graph));
  return GraphHandle{nextHandle_++};
}

Status SimDevice::launch(GraphHandle graph, StreamHandle stream) noexcept {
  if (auto status = alive(); !status.ok()) return status;
  if (control_->launchFailure.strikes()) return Error{Code::kInferenceFailed, "A simulated graph launch failed."};
  std::vector<Operation> operations;
  std::shared_ptr<std::atomic<int>> running;
  {
    const std::lock_guard lock(mutex_);
    const auto found = graphs_.find(static_cast<std::uintptr_t>(graph));
    if (found == graphs_.end()) {
      control_->violation("a graph was launched that does not exist");
      return Error{Code::kInferenceFailed, "No such graph."};
    }
    operations = found->second->operations;
    running = found->second->running;
  }
  ++*running;
  for (auto& operation : operations) {
    if (auto status = push(stream, std::move(operation)); !status.ok()) return status;
  }
  Operation over;
  over.finish = [running] { --*running; };
  return push(stream, std::move(over));
}

void SimDevice::destroyGraph(GraphHandle graph) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = graphs_.find(static_cast<std::uintptr_t>(graph));
  if (found == graphs_.end()) return control_->violation("a graph was destroyed twice");
  if (*found->second->running > 0 && !lost_) control_->violation("a graph was destroyed while it ran");
  graphs_.erase(found);
  --control_->graphs;
}

}  // namespace flavr::sim
