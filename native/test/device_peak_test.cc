// Known cards give the figures of their data sheets.
#include "engine/device_peak.h"

#include <cmath>

#include "test/harness.h"

namespace flavr::test {
namespace {

DeviceInfo card(int major, int minor, int multiprocessors, int megahertz) {
  return {"a card", major, minor, 0, multiprocessors, megahertz * 1000};
}

TEST("multiprocessors and boost clock give the published peaks") {
  struct Known {
    DeviceInfo card;
    double half;
    double single;
  };
  for (const Known& known : {
           Known{card(7, 5, 40, 1590), 65, 8.1},     // T4
           Known{card(8, 0, 108, 1410), 312, 19.5},  // A100
           Known{card(8, 6, 82, 1695), 142, 35.6},   // RTX 3090
           Known{card(8, 9, 128, 2520), 330, 82.6},  // RTX 4090
           Known{card(9, 0, 132, 1830), 989, 61.8},  // H100 SXM, at the clock of its tensor figures
           Known{card(12, 0, 170, 2407), 419, 105},  // RTX 5090
       }) {
    const auto peak = peakOf(known.card);
    CHECK(peak.has_value());
    CHECK(std::abs(peak->half / known.half - 1) < 0.01);
    CHECK(std::abs(peak->single / known.single - 1) < 0.01);
  }
}

TEST("a card of an unknown kind, or without a clock, has no peak") {
  CHECK(!peakOf(card(13, 0, 100, 2000)).has_value());
  CHECK(!peakOf(card(8, 9, 128, 0)).has_value());
}

}  // namespace
}  // namespace flavr::test
