#include "engine/pipeline.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

namespace flavr {

namespace {

// The engine's library only says that a run was refused; what the driver says next tells whether another can succeed.
bool isLost(const Status& status) noexcept { return !status.ok() && status.error().code == Code::kDeviceLost; }

}  // namespace

Pipeline::Pipeline(std::shared_ptr<Device> device, const SessionOptions& options, std::shared_ptr<BlockPool> pool,
                   PipelineCounters& counters) noexcept
    : device_(std::move(device)),
      options_(options),
      pool_(std::move(pool)),
      counters_(counters),
      hostRows_{options.width * 3, options.height, options.hostPitch},
      graphs_(device_, options.graphs ? kMostGraphs : 0) {}

Status Pipeline::open() noexcept {
  for (Stream* stream : {&up_, &compute_, &down_}) FLAVR_TRY(acquire(*stream, device_, device_->createStream()));
  return {};
}

Status Pipeline::checkShape(const NetworkShape& shape) const noexcept {
  const auto differs = [](const char* what, std::size_t expected, std::size_t got) {
    return Error{Code::kEngineIncompatible, std::string("The engine was built for another ") + what + ": expected " +
                                                std::to_string(expected) + ", got " + std::to_string(got) +
                                                ". Build it again for this session."};
  };
  if (shape.batch != options_.batch) return differs("batch", options_.batch, shape.batch);
  const std::size_t frameBytes = options_.width * options_.height * 3;
  if (shape.frameBytes != frameBytes) return differs("frame size in bytes", frameBytes, shape.frameBytes);
  const std::size_t stride = (frameBytes + 255) / 256 * 256;
  if (shape.frameStride != stride) return differs("frame stride", stride, shape.frameStride);
  if (!programs_.empty() && shape.inputs != shape_.inputs) return differs("window", shape_.inputs, shape.inputs);
  return {};
}

Status Pipeline::prepare(std::vector<std::unique_ptr<Network>> networks) noexcept {
  NetworkShape largest = shape_;
  bool first = programs_.empty();
  for (const auto& network : networks) {
    const NetworkShape& shape = network->shape();
    FLAVR_TRY(checkShape(shape));
    if (std::exchange(first, false)) largest = shape;
    if (shape.inputs != largest.inputs) {
      return Error{Code::kEngineIncompatible, "The engines of one session must take windows of one size."};
    }
    largest.outputs = std::max(largest.outputs, shape.outputs);
    largest.activationBytes = std::max(largest.activationBytes, shape.activationBytes);
  }
  std::vector<Program> programs;
  for (auto& network : networks) {
    auto context = network->createContext();
    FLAVR_TRY(context);
    programs.push_back({std::move(network), std::move(context).value()});
  }
  FLAVR_TRY(takeMemory(largest));
  for (auto& program : programs) {
    FLAVR_TRY(program.context->setActivationMemory(activation_.get(), shape_.activationBytes));
    programs_.push_back(std::move(program));
  }
  return {};
}

Status Pipeline::takeMemory(const NetworkShape& shape) noexcept {
  const MemoryPlan plan = planMemory(options_, shape);
  auto memory = device_->memory();
  FLAVR_TRY(memory);
  FLAVR_TRY(checkMemory(plan, held_, memory.value()));

  // Everything that can fail comes before the first change, so that a refused factor leaves the session as it was.
  DeviceMemory activation;
  if (plan.activation > held_.activation) {
    FLAVR_TRY(acquire(activation, device_, device_->allocate(plan.activation)));
  }
  DeviceMemory gathered;
  if (plan.gather > held_.gather) FLAVR_TRY(acquire(gathered, device_, device_->allocate(plan.gather)));
  std::vector<OutputSet> outputs;
  while (plan.outputs > held_.outputs && outputs.size() < options_.inFlight) {
    auto made = makeOutputSet(shape);
    FLAVR_TRY(made);
    outputs.push_back(std::move(made).value());
  }
  FLAVR_TRY(pool_->grow(plan.reservedBlocks, options_.lendableFrames));
  if (!slabs_.has_value()) {
    for (Stage& stage : stages_) {
      FLAVR_TRY(acquire(stage.memory, device_, device_->allocatePinned(hostFrameBytes(options_))));
      FLAVR_TRY(acquire(stage.read, device_, device_->createEvent(EventKind::kOrder)));
    }
    SlabAllocator slabs(device_, shape.frameStride);
    if (options_.ringFrames > 0) FLAVR_TRY(slabs.reserve(options_.ringFrames));
    slabs_.emplace(std::move(slabs));
  }

  if (activation) {
    for (Program& program : programs_) {
      FLAVR_TRY(program.context->setActivationMemory(activation.get(), plan.activation));
    }
    activation_ = std::move(activation);
  }
  if (gathered) gathered_ = std::move(gathered);
  if (!outputs.empty()) outputs_ = std::move(outputs);
  graphs_.clear();
  shape_ = shape;
  held_ = plan;
  counters_.deviceBytes = plan.device();
  counters_.pinnedBytes = plan.pinned;
  return {};
}

Result<OutputSet> Pipeline::makeOutputSet(const NetworkShape& shape) noexcept {
  OutputSet set;
  FLAVR_TRY(acquire(set.interpolated, device_, device_->allocate(interpolatedBytes(options_, shape))));
  FLAVR_TRY(acquire(set.peak, device_, device_->allocate(peakBytes(options_))));
  FLAVR_TRY(acquire(set.hostPeak, device_, device_->allocatePinned(peakBytes(options_))));
  FLAVR_TRY(acquire(set.started, device_, device_->createEvent(EventKind::kTimed)));
  FLAVR_TRY(acquire(set.computed, device_, device_->createEvent(EventKind::kTimed)));
  FLAVR_TRY(acquire(set.downloaded, device_, device_->createEvent(EventKind::kOrder)));
  return set;
}

Result<EventHandle> Pipeline::upload(Slot& slot, const HostFrame& frame, std::uint64_t completed) noexcept {
  slot.failure.reset();
  if (slot.lastBatch > completed) {
    FLAVR_TRY(device_->wait(up_.get(), outputs_[slot.lastBatch % options_.inFlight].computed.get()));
  }
  const void* source = frame.bytes.get();
  Stage* stage = nullptr;
  if (!frame.pinned) {
    stage = &stages_[std::exchange(nextStage_, (nextStage_ + 1) % stages_.size())];
    FLAVR_TRY(device_->synchronize(stage->read.get()));
    std::memcpy(stage->memory.get(), source, hostFrameBytes(options_));
    ++counters_.stagedCopies;
    source = stage->memory.get();
  }
  FLAVR_TRY(device_->copyUp(slot.address, source, hostRows_, up_.get()));
  FLAVR_TRY(device_->record(slot.uploaded.get(), up_.get()));
  slot.uploading = true;
  if (stage == nullptr) return slot.uploaded.get();
  FLAVR_TRY(device_->record(stage->read.get(), up_.get()));
  return EventHandle::kNone;
}

Pipeline::Program* Pipeline::find(std::size_t outputs) noexcept {
  const auto found = std::find_if(programs_.begin(), programs_.end(),
                                  [&](auto& program) { return program.network->shape().outputs == outputs; });
  return found == programs_.end() ? nullptr : &*found;
}

Status Pipeline::awaitUpload(Slot& slot) noexcept {
  if (!slot.uploading) return {};
  FLAVR_TRY(device_->wait(compute_.get(), slot.uploaded.get()));
  slot.uploading = false;
  return {};
}

// Input c of the engine is B frames, one `frameStride` after the other. Where the windows' slots lie so (B consecutive
// gaps of one shot do), it is bound in place; every other input is gathered into the session's own memory first.
Result<Bindings> Pipeline::bind(const Run& run, std::vector<RunWindow>& windows) noexcept {
  Bindings bindings;
  bool gathers = false;
  // A short batch repeats its last window.
  const auto address = [&](std::size_t window, std::size_t input) {
    return windows[std::min(window, windows.size() - 1)].slots[input]->address;
  };
  for (std::size_t input = 0; input < shape_.inputs; ++input) {
    const DeviceAddress first = address(0, input);
    bool inPlace = true;
    for (std::size_t b = 1; b < shape_.batch; ++b) {
      inPlace = inPlace && address(b, input) == first + b * shape_.frameStride;
    }
    if (inPlace) {
      bindings.inputs.push_back(first);
      continue;
    }
    gathers = true;
    const DeviceAddress base = gathered_.get() + input * shape_.batch * shape_.frameStride;
    for (std::size_t b = 0; b < shape_.batch; ++b) {
      FLAVR_TRY(
          device_->copyWithin(base + b * shape_.frameStride, address(b, input), shape_.frameBytes, compute_.get()));
    }
    bindings.inputs.push_back(base);
  }
  if (gathers) ++counters_.gathers;
  bindings.interpolated = run.outputs->interpolated.get();
  bindings.peak = run.outputs->peak.get();
  return bindings;
}

Status Pipeline::compute(Run& run, std::vector<RunWindow>& windows, Program& program,
                         std::uint64_t completed) noexcept {
  for (RunWindow& window : windows) {
    for (Slot* slot : window.slots) {
      if (slot->failure) return *slot->failure;
      FLAVR_TRY(awaitUpload(*slot));
      slot->lastBatch = run.number;
    }
    // A kept output overwrites its slot; an upload that nobody used may still be on its way there.
    for (Slot* slot : window.keep) FLAVR_TRY(awaitUpload(*slot));
  }
  FLAVR_TRY(device_->record(run.outputs->started.get(), compute_.get()));
  auto bindings = bind(run, windows);
  FLAVR_TRY(bindings);
  FLAVR_TRY(graphs_.run(*program.context, bindings.value(), compute_.get(), run.number, completed));
  return keep(run, windows, program.network->shape().outputs);
}

Status Pipeline::keep(const Run& run, std::vector<RunWindow>& windows, std::size_t outputs) noexcept {
  DeviceAddress from = run.outputs->interpolated.get();
  for (RunWindow& window : windows) {
    for (std::size_t output = 0; output < outputs; ++output, from += shape_.frameBytes) {
      if (window.keep.empty()) continue;
      Slot& slot = *window.keep[output];
      FLAVR_TRY(device_->copyWithin(slot.address, from, shape_.frameBytes, compute_.get()));
      slot.lastBatch = run.number;
      slot.failure.reset();
    }
  }
  return {};
}

Status Pipeline::download(Run& run, std::size_t outputs) noexcept {
  DeviceAddress from = run.outputs->interpolated.get();
  for (std::size_t frame = 0; frame < run.windows * outputs; ++frame, from += shape_.frameBytes) {
    run.blocks.push_back(pool_->take());
    FLAVR_TRY(device_->copyDown(run.blocks.back()->data(), from, hostRows_, down_.get()));
  }
  const std::size_t bytes = run.windows * sizeof(float);
  return device_->copyDown(run.outputs->hostPeak.get(), run.outputs->peak.get(), {bytes, 1, bytes}, down_.get());
}

Status Pipeline::checkWindows(const std::vector<RunWindow>& windows, std::size_t outputs) const noexcept {
  bool fits = !windows.empty() && windows.size() <= shape_.batch;
  for (const RunWindow& window : windows) {
    fits = fits && window.slots.size() == shape_.inputs && (window.keep.empty() || window.keep.size() == outputs);
  }
  if (fits) return {};
  return Error{Code::kBadArgument, "A batch has from 1 to " + std::to_string(shape_.batch) + " windows of " +
                                       std::to_string(shape_.inputs) + " frames, and keeps all outputs or none."};
}

void Pipeline::run(Run& run, std::vector<RunWindow>& windows, std::size_t outputs, std::uint64_t completed) noexcept {
  run.windows = windows.size();
  run.outputs = &outputs_[run.number % options_.inFlight];
  Program* program = find(outputs);
  if (program == nullptr) {
    run.status = Error{Code::kBadArgument, "No engine was prepared for factor " + std::to_string(outputs + 1) + "."};
  } else if (run.status = checkWindows(windows, outputs); run.status.ok()) {
    run.status = compute(run, windows, *program, completed);
  }
  // The events are recorded even after a failure: slots, outputs and blocks are free again only after whatever was
  // enqueued before it.
  const auto also = [&run](Status status) {
    if (run.status.ok() || isLost(status)) run.status = std::move(status);
  };
  also(device_->record(run.outputs->computed.get(), compute_.get()));
  also(device_->wait(down_.get(), run.outputs->computed.get()));
  if (run.status.ok()) run.status = download(run, outputs);
  also(device_->record(run.outputs->downloaded.get(), down_.get()));
  if (run.status.ok()) {
    counters_.graphs = graphs_.size();
    counters_.graphsFailed = graphs_.failed();
    return;
  }
  for (RunWindow& window : windows) {
    for (Slot* slot : window.keep) slot->failure = run.status.error();
  }
}

Result<float> Pipeline::finish(const Run& run) noexcept {
  const Status over = device_->synchronize(run.outputs->downloaded.get());
  if (!run.status.ok() && !isLost(over)) return run.status.error();
  if (!over.ok()) return over.error();
  const auto* peaks = static_cast<const float*>(run.outputs->hostPeak.get());
  for (std::size_t window = 0; window < run.windows; ++window) {
    if (std::isfinite(peaks[window])) continue;
    return Error{Code::kNumericFailure, "The network gave values that are no numbers for window " +
                                            std::to_string(window + 1) + " of " + std::to_string(run.windows) +
                                            " of its batch. Use precision fp32, or another model."};
  }
  return device_->elapsedMs(run.outputs->started.get(), run.outputs->computed.get());
}

void Pipeline::drain() noexcept {
  for (const Stream* stream : {&up_, &compute_, &down_}) {
    Event last;
    if (!acquire(last, device_, device_->createEvent(EventKind::kOrder)).ok()) continue;
    if (!device_->record(last.get(), stream->get()).ok()) continue;
    // A failure here means that the device is gone: nothing runs on it any more.
    static_cast<void>(device_->synchronize(last.get()).ok());
  }
}

}  // namespace flavr
