#include "engine/session.h"

#include <pthread.h>

#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <system_error>
#include <utility>

namespace flavr {
namespace {

// Beyond these, sizes that are computed from them could overflow; the pitch is the driver's own limit.
constexpr std::size_t kMostSide = std::size_t{1} << 16;
constexpr std::size_t kMostPitch = (std::size_t{1} << 31) - 1;
constexpr std::size_t kMostBatches = std::size_t{1} << 12;

Error aborted() { return {Code::kAborted, "The batch was stopped before it ran."}; }

HostFrame pinnedFrame(const BlockRef& block) { return block ? HostFrame{{block, block->data()}, true} : HostFrame{}; }

HostFrame ordinaryFrame(std::size_t bytes) {
  auto* memory = static_cast<std::uint8_t*>(std::malloc(bytes));
  return memory == nullptr ? HostFrame{} : HostFrame{{memory, &std::free}, false};
}

std::size_t roundUp(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

}  // namespace

Session::Session(std::shared_ptr<Device> device, const SessionOptions& options)
    : device_(std::move(device)),
      options_(options),
      pool_(std::make_shared<BlockPool>(device_, hostFrameBytes(options))),
      pipeline_(std::make_unique<Pipeline>(device_, options, pool_, counters_)) {}

Status Session::start() noexcept {
  try {
    waiter_ = std::thread([this] { waitLoop(); });
    enqueuer_ = std::thread([this] { enqueueLoop(); });
    return {};
  } catch (const std::system_error& error) {
    if (waiter_.joinable()) {
      pending_.push(Stop{});
      waiter_.join();
    }
    return Error{Code::kOutOfMemory, std::string("The session's threads could not be started: ") + error.what()};
  }
}

Result<std::unique_ptr<Session>> Session::open(std::shared_ptr<Device> device, const SessionOptions& options,
                                               std::vector<std::unique_ptr<Network>> networks) noexcept {
  const auto within = [](std::size_t value, std::size_t most) { return value > 0 && value <= most; };
  const bool possible = within(options.width, kMostSide) && within(options.height, kMostSide) &&
                        options.hostPitch >= options.width * 3 && options.hostPitch <= kMostPitch &&
                        within(options.batch, kMostBatches) && within(options.inFlight, kMostBatches) &&
                        !networks.empty();
  if (!possible) return Error{Code::kBadArgument, "A session needs frames, a batch, inFlight and an engine."};
  std::unique_ptr<Session> session(new Session(std::move(device), options));
  FLAVR_TRY(session->start());
  std::promise<Status> prepared;
  session->prepare(std::move(networks), [&](Status status) { prepared.set_value(std::move(status)); });
  FLAVR_TRY(prepared.get_future().get());
  return session;
}

Session::~Session() {
  if (!enqueuer_.joinable()) return;  // never started
  if (!closing_) {
    cancel();
    close([] {});
  }
  enqueuer_.join();
}

// --- Caller thread ---

void Session::prepare(std::vector<std::unique_ptr<Network>> networks, std::function<void(Status)> done) noexcept {
  commands_.push(PrepareCommand{std::move(networks), std::move(done)});
}

std::unique_ptr<Lane> Session::openLane(std::size_t capacity) const {
  // A ring of a whole number of rounds over the output sets: then a position in the ring always meets the same output
  // set, and as few graphs as possible are captured.
  return std::make_unique<Lane>(capacity, roundUp(capacity, options_.batch * options_.inFlight));
}

void Session::closeLane(Lane& lane) noexcept {
  if (!lane.open()) return;
  commands_.push(CloseLaneCommand{lane.device()});
  lane.close();
}

Result<std::uint32_t> Session::upload(Lane& lane, HostFrame frame) noexcept {
  auto slot = lane.take();
  // A frame comes right before the batch that needs it, which wakes the thread for both.
  if (slot.ok()) commands_.pushQuietly(UploadCommand{{lane.device(), slot.value()}, std::move(frame)});
  return slot;
}

void Session::infer(std::size_t factor, std::vector<Window> windows, std::function<void(Outcome)> done) noexcept {
  commands_.push(InferCommand{factor - 1, std::move(windows), std::move(done)});
}

void Session::close(std::function<void()> done) noexcept {
  closing_ = true;
  commands_.push(CloseCommand{std::move(done)});
}

HostFrame Session::allocate() noexcept { return pinnedFrame(pool_->allocate()); }

HostFrame Session::find(const void* data) noexcept { return pinnedFrame(pool_->find(data)); }

HostFrame Session::copy(const void* data) noexcept {
  HostFrame frame = allocate();
  if (!frame.bytes) frame = ordinaryFrame(frameBytes());
  if (!frame.bytes) return frame;
  std::memcpy(frame.bytes.get(), data, frameBytes());
  ++copiesIn_;
  return frame;
}

SessionStats Session::stats() const noexcept {
  const Work work = [this] {
    const std::lock_guard lock(mutex_);
    return work_;
  }();
  return {work.windows,
          work.batches,
          copiesIn_ + counters_.stagedCopies,
          copiesOut_,
          counters_.gathers,
          counters_.graphs,
          counters_.graphsFailed,
          pool_->freeBlocks(),
          pool_->lentBlocks(),
          work.ms,
          counters_.deviceBytes,
          counters_.pinnedBytes};
}

// --- Enqueue thread ---

void Session::enqueueLoop() noexcept {
  pthread_setname_np(pthread_self(), "flavr-enqueue");
  opened_ = device_->makeCurrent();
  if (opened_.ok()) opened_ = pipeline_->open();
  for (bool closed = false; !closed;) {
    Command command = commands_.pop();
    std::visit([this](auto& each) { carryOut(each); }, command);
    closed = std::holds_alternative<CloseCommand>(command);
  }
}

void Session::awaitInFlight(std::size_t count) noexcept {
  std::unique_lock lock(mutex_);
  completedChanged_.wait(lock, [&] { return enqueued_ - completed_ <= count; });
}

Result<Slot*> Session::resolve(const LaneSlot& slot) noexcept {
  LaneSlots& lane = *slot.lane;
  if (lane.range.first == nullptr && !lane.failure) {
    auto range = pipeline_->slabs().place(lane.count);
    if (range.ok()) {
      lane.range = range.value();
    } else {
      lane.failure = range.error();
    }
  }
  if (lane.failure) return *lane.failure;
  return lane.range.first + slot.slot;
}

Result<std::vector<RunWindow>> Session::resolve(const std::vector<Window>& windows) noexcept {
  std::vector<RunWindow> resolved(windows.size());
  for (std::size_t index = 0; index < windows.size(); ++index) {
    for (auto [from, to] : {std::pair{&windows[index].slots, &resolved[index].slots},
                            std::pair{&windows[index].keep, &resolved[index].keep}}) {
      for (const LaneSlot& slot : *from) {
        auto found = resolve(slot);
        FLAVR_TRY(found);
        to->push_back(found.value());
      }
    }
  }
  return resolved;
}

void Session::carryOut(UploadCommand& command) noexcept {
  auto slot = resolve(command.slot);
  if (!slot.ok()) return;  // the lane says so to every window that comes
  if (cancelled_) {
    slot.value()->failure = aborted();
    return;
  }
  auto event = pipeline_->upload(*slot.value(), command.frame, completed_);
  if (!event.ok()) {
    slot.value()->failure = event.error();
    pipeline_->drain();  // the frame's bytes may be read until then
  } else if (event.value() != EventHandle::kNone) {
    pending_.push(Uploaded{event.value(), std::move(command.frame)});
  }
}

void Session::carryOut(InferCommand& command) noexcept {
  auto windows = resolve(command.windows);
  if (!windows.ok()) return command.done(std::move(windows).error());
  awaitInFlight(options_.inFlight - 1);
  if (cancelled_) {
    for (RunWindow& window : windows.value()) {
      for (Slot* slot : window.keep) slot->failure = aborted();
    }
    return command.done(aborted());
  }
  Enqueued enqueued;
  enqueued.run.number = ++enqueued_;
  pipeline_->run(enqueued.run, windows.value(), command.outputs, completed_);
  enqueued.done = std::move(command.done);
  pending_.push(std::move(enqueued));
}

void Session::carryOut(PrepareCommand& command) noexcept {
  awaitInFlight(0);
  command.done(opened_.ok() ? pipeline_->prepare(std::move(command.networks)) : opened_);
}

void Session::carryOut(CloseLaneCommand& command) noexcept {
  if (command.lane->range.first != nullptr) pipeline_->slabs().release(command.lane->range);
}

void Session::carryOut(CloseCommand& command) noexcept {
  pending_.push(Stop{});
  waiter_.join();
  pipeline_->drain();
  pipeline_.reset();
  pool_->close();
  command.done();
}

// --- Wait thread ---

void Session::waitLoop() noexcept {
  pthread_setname_np(pthread_self(), "flavr-wait");
  // If it fails, so does everything below, with the same error.
  static_cast<void>(device_->makeCurrent().ok());
  while (true) {
    Pending pending = pending_.pop();
    if (std::holds_alternative<Stop>(pending)) return;
    if (auto* uploaded = std::get_if<Uploaded>(&pending)) {
      // After a failure nothing runs on the device any more, and the frame is free all the same.
      static_cast<void>(device_->synchronize(uploaded->event).ok());
    } else {
      handOver(std::get<Enqueued>(pending));
    }
  }
}

void Session::handOver(Enqueued& enqueued) noexcept {
  auto elapsed = pipeline_->finish(enqueued.run);
  {
    const std::lock_guard lock(mutex_);
    completed_ = enqueued.run.number;
    if (elapsed.ok()) {
      work_.windows += enqueued.run.windows;
      work_.batches += 1;
      work_.ms += elapsed.value();
    }
  }
  completedChanged_.notify_one();
  if (!elapsed.ok()) {
    enqueued.run.blocks.clear();  // back in the pool before the caller hears of it
    return enqueued.done(std::move(elapsed).error());
  }
  enqueued.done(collect(enqueued.run));
}

// A block goes to the caller as it is. Where none can be spared its frame is copied to ordinary memory and the block
// goes back at once, so that the pipeline never depends on when frames are released.
Outcome Session::collect(Run& run) noexcept {
  std::vector<HostFrame> frames;
  frames.reserve(run.blocks.size());
  for (BlockRef& block : run.blocks) {
    if (pool_->lend(block)) {
      frames.push_back(pinnedFrame(block));
    } else {
      HostFrame copy = ordinaryFrame(frameBytes());
      if (!copy.bytes) return Error{Code::kOutOfMemory, "There is no host memory left for a new frame."};
      std::memcpy(copy.bytes.get(), block->data(), frameBytes());
      ++copiesOut_;
      frames.push_back(std::move(copy));
    }
    block.reset();
  }
  return frames;
}

}  // namespace flavr
