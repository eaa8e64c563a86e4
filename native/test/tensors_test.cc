// Engines are checked tensor by tensor before a session sees them.
#include <string>
#include <vector>

#include "cuda/network.h"
#include "test/harness.h"

namespace flavr::test {
namespace {

using family::TensorInfo;
using family::TensorType;

TensorInfo tensor(const char* name, bool isInput, TensorType type, std::vector<int64_t> dimensions) {
  TensorInfo info{name, isInput, type, true, static_cast<int32_t>(dimensions.size()), {}};
  for (std::size_t i = 0; i < dimensions.size(); i++) info.dimensions[i] = dimensions[i];
  return info;
}

class FakeEngine final : public family::LoadedEngine {
 public:
  explicit FakeEngine(std::vector<TensorInfo> tensors) : tensors_(std::move(tensors)) {}

  int32_t tensorCount() const noexcept override { return static_cast<int32_t>(tensors_.size()); }
  TensorInfo tensor(int32_t index) const noexcept override { return tensors_[static_cast<std::size_t>(index)]; }
  uint64_t activationBytes() const noexcept override { return 4096; }
  family::LoadedContext* createContext(family::Sink& /*reason*/) noexcept override { return nullptr; }
  void saveKernels(family::Sink& /*kernels*/) const noexcept override {}
  void destroy() noexcept override {}

 private:
  const std::vector<TensorInfo> tensors_;
};

// Batch 2, k = 4, 64x48.
std::vector<TensorInfo> framed() {
  return {
      tensor("frame0", true, TensorType::kUint8, {2, 48, 64, 3}),
      tensor("frame1", true, TensorType::kUint8, {2, 48, 64, 3}),
      tensor("interpolated", false, TensorType::kUint8, {2, 3, 48, 64, 3}),
      tensor("peak", false, TensorType::kFloat32, {2}),
  };
}

std::string refusal(std::vector<TensorInfo> tensors) {
  const auto shape = checkTensors(FakeEngine(std::move(tensors)));
  if (shape.ok()) return "";
  CHECK(shape.error().code == Code::kEngineIncompatible);
  return shape.error().message;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST("the shape of a framed engine is read from its tensors") {
  auto shape = checkTensors(FakeEngine(framed()));
  CHECK(shape.ok());
  const NetworkShape& found = shape.value();
  CHECK_EQUAL(found.inputs, 2U);
  CHECK_EQUAL(found.batch, 2U);
  CHECK_EQUAL(found.outputs, 3U);
  CHECK_EQUAL(found.frameBytes, 9216U);
  CHECK_EQUAL(found.frameStride, 9216U);
  CHECK_EQUAL(found.activationBytes, 4096U);
}

TEST("the stride of a ring engine is its frame rounded up to 256 bytes") {
  auto shape = checkTensors(FakeEngine({
      tensor("frame0", true, TensorType::kUint8, {1, 5888}),
      tensor("interpolated", false, TensorType::kUint8, {1, 1, 38, 50, 3}),
      tensor("peak", false, TensorType::kFloat32, {1}),
  }));
  CHECK(shape.ok());
  CHECK_EQUAL(shape.value().frameBytes, 5700U);
  CHECK_EQUAL(shape.value().frameStride, 5888U);
}

TEST("a missing tensor is named") {
  auto tensors = framed();
  tensors.pop_back();
  CHECK(has(refusal(tensors), "peak should be an output float32 [2] and is missing"));
}

TEST("an input of another type is named with both") {
  auto tensors = framed();
  tensors[1].type = TensorType::kFloat32;
  CHECK(has(refusal(tensors), "frame1 should be an input uint8"));
  CHECK(has(refusal(tensors), "is float32 [2,48,64,3]"));
}

TEST("an input of another size, batch or direction is refused") {
  for (const int dimension : {0, 1, 2, 3}) {
    auto tensors = framed();
    tensors[0].dimensions[dimension] += 1;
    CHECK(has(refusal(tensors), "frame0"));
  }
  auto tensors = framed();
  tensors[0].isInput = false;
  CHECK(has(refusal(tensors), "frame0"));
}

TEST("a tensor that does not lie row by row in device memory is refused") {
  for (const std::size_t index : {0, 2, 3}) {
    auto tensors = framed();
    tensors[index].linear = false;
    CHECK(has(refusal(tensors), tensors[index].name));
    CHECK(has(refusal(tensors), "in a format of TensorRT's own"));
  }
}

TEST("an engine without frames is refused") {
  auto tensors = framed();
  tensors.erase(tensors.begin(), tensors.begin() + 2);
  CHECK(has(refusal(tensors), "frame0"));
}

TEST("an open dimension is refused") {
  auto tensors = framed();
  tensors[2].dimensions[0] = -1;
  CHECK(has(refusal(tensors), "interpolated should be an output uint8 [B,k-1,H,W,3] and is uint8 [-1,3,48,64,3]"));
}

TEST("an input that is none of ours is refused") {
  auto tensors = framed();
  tensors.push_back(tensor("frames", true, TensorType::kUint8, {2, 48, 64, 3}));
  CHECK(has(refusal(tensors), "frame2"));
}

TEST("framed inputs whose frames do not fill 256 bytes are refused") {
  CHECK(has(refusal({
                tensor("frame0", true, TensorType::kUint8, {1, 38, 50, 3}),
                tensor("interpolated", false, TensorType::kUint8, {1, 1, 38, 50, 3}),
                tensor("peak", false, TensorType::kFloat32, {1}),
            }),
            "[1,5888]"));
}

}  // namespace
}  // namespace flavr::test
