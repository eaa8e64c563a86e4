// One number out of TensorRT's nested build phases, each of which counts steps of its own.
#ifndef FLAVR_ENGINE_BUILD_PROGRESS_H
#define FLAVR_ENGINE_BUILD_PROGRESS_H

#include <cstdint>
#include <string>
#include <vector>

namespace flavr {

// Not thread-safe.
class BuildProgress {
 public:
  void started(const std::string& phase, const std::string& parent, std::int32_t steps);
  void stepped(const std::string& phase, std::int32_t step);
  void finished(const std::string& phase);

  // From 0 to 1; never smaller than an earlier answer, though TensorRT may add phases as it goes.
  double fraction() noexcept;
  // The innermost phase that runs; empty when none does.
  std::string phase() const;

 private:
  struct Phase {
    std::string name;
    std::string parent;
    std::int32_t steps;
    std::int32_t done;
  };
  // The part of this phase that is done, its running children counted inside its current step.
  double part(const Phase& phase) const noexcept;

  std::vector<Phase> running_;
  double reported_ = 0;
};

}  // namespace flavr

#endif
