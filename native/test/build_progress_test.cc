// One number out of nested phases.
#include "engine/build_progress.h"

#include "test/harness.h"

namespace flavr::test {
namespace {

TEST("steps of the outermost phase are the whole") {
  BuildProgress progress;
  progress.started("build", "", 4);
  CHECK_EQUAL(progress.fraction(), 0.0);
  progress.stepped("build", 0);
  CHECK_EQUAL(progress.fraction(), 0.25);
  progress.stepped("build", 2);
  CHECK_EQUAL(progress.fraction(), 0.75);
  progress.finished("build");
  CHECK_EQUAL(progress.fraction(), 1.0);
}

TEST("an inner phase moves inside its parent's current step") {
  BuildProgress progress;
  progress.started("build", "", 2);
  progress.stepped("build", 0);
  progress.started("tune", "build", 4);
  progress.stepped("tune", 1);
  CHECK_EQUAL(progress.fraction(), 0.75);
  CHECK_EQUAL(progress.phase(), std::string("tune"));
  progress.finished("tune");
  CHECK_EQUAL(progress.phase(), std::string("build"));
}

TEST("the fraction never falls, even where a phase repeats") {
  BuildProgress progress;
  progress.started("build", "", 2);
  for (int round = 0; round < 3; round++) {
    progress.started("tune", "build", 2);
    progress.stepped("tune", 1);
    CHECK_EQUAL(progress.fraction(), 0.5);
    progress.finished("tune");
    CHECK_EQUAL(progress.fraction(), 0.5);
  }
}

TEST("phases that count wrongly stay within the whole") {
  BuildProgress progress;
  progress.started("build", "", 0);
  progress.stepped("build", 41);
  progress.finished("other");
  CHECK_EQUAL(progress.fraction(), 1.0);
}

}  // namespace
}  // namespace flavr::test
