// What becomes of TensorRT's own words.
#include "cuda/reason.h"

#include "test/harness.h"
#include "test/rig.h"

namespace flavr::test {
namespace {

struct Fixture {
  std::shared_ptr<sim::Control> control = std::make_shared<sim::Control>();
  std::shared_ptr<Device> device = sim::SimPlatform(control).openDevice(0).value();

  Error failure(const std::string& what) { return failureOf(*device, what, Code::kEngineIncompatible, " Advice."); }
};

TEST("an engine that memory is too small for is no other engine") {
  for (const char* what : {
           "Error Code 1: Cuda Runtime (out of memory)",
           "Error Code 2: OutOfMemory (Requested size was 1073741824 bytes.)",
           "Requested amount of GPU memory (4096 bytes) could not be allocated.",
       }) {
    const Error error = Fixture().failure(what);
    CHECK(error.code == Code::kOutOfMemory);
    CHECK(error.message.find("Advice") == std::string::npos);
  }
}

TEST("a driver that is too old for the library is no other engine") {
  for (const char* what : {
           "Error Code 1: Cuda Runtime (In catchCudaError (cudaError 36: API call is not supported in the installed "
           "CUDA "
           "driver)).",
           "CUDA initialization failure with error: 35",
           "CUDA driver version is insufficient for CUDA runtime version",
       }) {
    const Error error = Fixture().failure(what);
    CHECK(error.code == Code::kBackendUnavailable);
    CHECK(error.message.find("Install a newer one") != std::string::npos);
  }
}

TEST("a device that is lost comes before whatever TensorRT says") {
  Fixture fixture;
  fixture.control->deviceLost.set(1);
  CHECK(fixture.failure("Cuda Runtime (out of memory)").code == Code::kDeviceLost);
}

TEST("any other reason stays what it is, with its advice") {
  const Error error = Fixture().failure("The engine is for another version.");
  CHECK(error.code == Code::kEngineIncompatible);
  CHECK_EQUAL(error.message, std::string("The engine is for another version. Advice."));
}

}  // namespace
}  // namespace flavr::test
