#include <algorithm>
#include <map>
#include <string>

#include "cuda/network.h"

namespace flavr {

namespace {

constexpr std::size_t kAddressAlignment = 256;

using family::TensorInfo;
using family::TensorType;

std::string describe(const TensorInfo& tensor) {
  std::string text = tensor.type == TensorType::kUint8     ? "uint8 ["
                     : tensor.type == TensorType::kFloat32 ? "float32 ["
                                                           : "another type [";
  for (int32_t i = 0; i < tensor.rank; i++) {
    text += (i == 0 ? "" : ",") + std::to_string(tensor.dimensions[i]);
  }
  return text + (tensor.linear ? "]" : "] in a format of TensorRT's own");
}

Error differs(const std::string& name, const std::string& expected, const std::string& found) {
  return {Code::kEngineIncompatible, "The engine's tensor " + name + " should be " + expected + " and is " + found +
                                         ". Build it again with: flavr build"};
}

using Tensors = std::map<std::string, TensorInfo>;

// The tensor, if it is there, linear, with this direction, type and rank and no open dimension.
const TensorInfo* find(const Tensors& tensors, const std::string& name, bool isInput, TensorType type, int32_t rank) {
  const auto entry = tensors.find(name);
  if (entry == tensors.end()) return nullptr;
  const TensorInfo& tensor = entry->second;
  for (int32_t i = 0; i < tensor.rank; i++) {
    if (tensor.dimensions[i] <= 0) return nullptr;
  }
  const bool fits = tensor.isInput == isInput && tensor.type == type && tensor.rank == rank && tensor.linear;
  return fits ? &tensor : nullptr;
}

std::string found(const Tensors& tensors, const std::string& name) {
  const auto entry = tensors.find(name);
  return entry == tensors.end() ? "missing" : describe(entry->second);
}

}  // namespace

Result<NetworkShape> checkTensors(const family::LoadedEngine& engine) noexcept {
  Tensors tensors;
  for (int32_t i = 0; i < engine.tensorCount(); i++) {
    const TensorInfo tensor = engine.tensor(i);
    tensors.emplace(tensor.name, tensor);
  }
  const TensorInfo* interpolated = find(tensors, "interpolated", false, TensorType::kUint8, 5);
  if (interpolated == nullptr || interpolated->dimensions[4] != 3) {
    return differs("interpolated", "an output uint8 [B,k-1,H,W,3]", found(tensors, "interpolated"));
  }
  const int64_t* size = interpolated->dimensions;
  const TensorInfo* peak = find(tensors, "peak", false, TensorType::kFloat32, 1);
  if (peak == nullptr || peak->dimensions[0] != size[0]) {
    return differs("peak", "an output float32 [" + std::to_string(size[0]) + "]", found(tensors, "peak"));
  }
  NetworkShape shape{};
  shape.batch = static_cast<std::size_t>(size[0]);
  shape.outputs = static_cast<std::size_t>(size[1]);
  shape.frameBytes = static_cast<std::size_t>(size[2] * size[3] * size[4]);
  shape.frameStride = (shape.frameBytes + kAddressAlignment - 1) / kAddressAlignment * kAddressAlignment;
  shape.inputs = tensors.size() - 2;
  shape.activationBytes = engine.activationBytes();
  for (std::size_t i = 0; i < std::max<std::size_t>(shape.inputs, 1); i++) {
    const std::string name = "frame" + std::to_string(i);
    const TensorInfo* framed = find(tensors, name, true, TensorType::kUint8, 4);
    const TensorInfo* ring = find(tensors, name, true, TensorType::kUint8, 2);
    const bool fits = framed != nullptr ? framed->dimensions[0] == size[0] && framed->dimensions[1] == size[2] &&
                                              framed->dimensions[2] == size[3] && framed->dimensions[3] == 3 &&
                                              shape.frameStride == shape.frameBytes
                                        : ring != nullptr && ring->dimensions[0] == size[0] &&
                                              ring->dimensions[1] == static_cast<int64_t>(shape.frameStride);
    if (!fits) {
      return differs(name,
                     "an input uint8 [" + std::to_string(size[0]) + "," + std::to_string(shape.frameStride) +
                         "], or [B,H,W,3] where H*W*3 is a multiple of 256,",
                     found(tensors, name));
    }
  }
  return shape;
}

}  // namespace flavr
