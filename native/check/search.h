// Where TensorRT may be, by the rules of the addon's own search (ts/engine/libraries.ts).
#ifndef FLAVR_CHECK_SEARCH_H
#define FLAVR_CHECK_SEARCH_H

#include <string>
#include <vector>

namespace flavr::check {

// Paths, and bare names for the loader's own search, in the order in which they are tried. A named path (`named`, else
// FLAVR_TENSORRT_PATH) is the only place then.
std::vector<std::string> libraryCandidates(const std::string& named);

}  // namespace flavr::check

#endif
