// One move-only owner per device resource: made by Device, freed by the destructor, never copied.
#ifndef FLAVR_ENGINE_RESOURCE_H
#define FLAVR_ENGINE_RESOURCE_H

#include <memory>
#include <utility>

#include "engine/device.h"

namespace flavr {

// `free` is the Device function that gives a handle back. A value-initialised handle is "none".
template <class Handle, void (Device::*free)(Handle) noexcept>
class Resource {
 public:
  Resource() noexcept = default;
  Resource(std::shared_ptr<Device> device, Handle handle) noexcept : device_(std::move(device)), handle_(handle) {}
  Resource(Resource&& other) noexcept
      : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, Handle{})) {}
  Resource& operator=(Resource&& other) noexcept {
    if (this != &other) {
      reset();
      device_ = std::move(other.device_);
      handle_ = std::exchange(other.handle_, Handle{});
    }
    return *this;
  }
  ~Resource() { reset(); }

  Handle get() const noexcept { return handle_; }
  explicit operator bool() const noexcept { return handle_ != Handle{}; }

  void reset() noexcept {
    if (handle_ != Handle{}) (device_.get()->*free)(std::exchange(handle_, Handle{}));
    device_.reset();
  }

 private:
  // Keeps the context alive for as long as anything was allocated in it.
  std::shared_ptr<Device> device_;
  Handle handle_{};
};

using DeviceMemory = Resource<DeviceAddress, &Device::free>;
using PinnedMemory = Resource<void*, &Device::freePinned>;
using Stream = Resource<StreamHandle, &Device::destroyStream>;
using Event = Resource<EventHandle, &Device::destroyEvent>;
using Graph = Resource<GraphHandle, &Device::destroyGraph>;

// Makes `owner` the owner of what a Device function made.
template <class Owner, class Handle>
Status acquire(Owner& owner, const std::shared_ptr<Device>& device, Result<Handle> made) noexcept {
  if (!made.ok()) return std::move(made).error();
  owner = Owner(device, made.value());
  return {};
}

}  // namespace flavr

#endif
