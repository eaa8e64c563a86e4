#include "test/harness.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace flavr::test {
namespace {

struct Test {
  const char* name;
  Body body;
};

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

std::uint32_t runCount = 2000;
std::uint32_t firstSeed = 1;

}  // namespace

bool registerTest(const char* name, Body body) {
  tests().push_back({name, body});
  return true;
}

void fail(const char* file, int line, const std::string& what) {
  throw Failure(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

std::uint32_t runs() { return runCount; }
std::uint32_t seed() { return firstSeed; }

}  // namespace flavr::test

// [--runs N] [--seed N] [TEXT]: the tests whose name contains TEXT.
int main(int argc, char** argv) {
  using namespace flavr::test;
  const char* filter = "";
  for (int index = 1; index < argc; ++index) {
    const bool more = index + 1 < argc;
    if (more && std::strcmp(argv[index], "--runs") == 0) {
      runCount = static_cast<std::uint32_t>(std::strtoul(argv[++index], nullptr, 10));
    } else if (more && std::strcmp(argv[index], "--seed") == 0) {
      firstSeed = static_cast<std::uint32_t>(std::strtoul(argv[++index], nullptr, 10));
    } else {
      filter = argv[index];
    }
  }
  int passed = 0;
  int failed = 0;
  for (const auto& test : tests()) {
    if (std::strstr(test.name, filter) == nullptr) continue;
    try {
      test.body();
      ++passed;
      std::printf("ok   %s\n", test.name);
    } catch (const std::exception& error) {
      ++failed;
      std::printf("FAIL %s\n     %s\n", test.name, error.what());
    }
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
