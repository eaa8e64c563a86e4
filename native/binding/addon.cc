// The addon's entry. Nothing else may be in this file: the addon of the tests has an entry of its own.
#include <napi.h>

#include "binding/surface.h"

namespace flavr::binding {

NODE_API_MODULE(flavr, defineSurface)

}  // namespace flavr::binding
