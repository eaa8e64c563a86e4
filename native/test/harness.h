// A test is a name and a body; a failed CHECK ends the test. The last line of a run is `N passed, N failed`.
#ifndef FLAVR_TEST_HARNESS_H
#define FLAVR_TEST_HARNESS_H

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

namespace flavr::test {

using Body = void (*)();

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Tests run in the order in which they are registered within a file.
bool registerTest(const char* name, Body body);
[[noreturn]] void fail(const char* file, int line, const std::string& what);
// Runs per randomised test (`--runs N`), and the seed of the first (`--seed N`).
std::uint32_t runs();
std::uint32_t seed();

template <class A, class B>
void checkEqual(const A& a, const B& b, const char* text, const char* file, int line) {
  if (a == b) return;
  std::ostringstream out;
  out << text << ": " << a << " is not " << b;
  fail(file, line, out.str());
}

}  // namespace flavr::test

#define FLAVR_CONCAT_(a, b) a##b
#define FLAVR_CONCAT(a, b) FLAVR_CONCAT_(a, b)
#define TEST(name)                                                      \
  static void FLAVR_CONCAT(body, __LINE__)();                           \
  static const bool FLAVR_CONCAT(registered, __LINE__) =                \
      ::flavr::test::registerTest(name, &FLAVR_CONCAT(body, __LINE__)); \
  static void FLAVR_CONCAT(body, __LINE__)()
#define CHECK(condition) \
  if (!(condition)) ::flavr::test::fail(__FILE__, __LINE__, #condition)
#define CHECK_EQUAL(a, b) ::flavr::test::checkEqual((a), (b), #a, __FILE__, __LINE__)

#endif
