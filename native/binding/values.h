// Conversions between JavaScript values and the engine layer's.
#ifndef FLAVR_BINDING_VALUES_H
#define FLAVR_BINDING_VALUES_H

#include <napi.h>

#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

#include "engine/result.h"
#include "engine/version.h"

namespace flavr::binding {

// A JavaScript Error with the message and the property `code`; ts/native.ts makes a FlavrError of it.
Napi::Error toJs(Napi::Env env, const Error& error);

// What a thread that cannot be started is told as.
Error noThread(const std::system_error& error);

// `{ family, version }`.
Napi::Object toJs(Napi::Env env, const LibraryIdentity& identity);

// A Uint8Array over the bytes: without a copy where the runtime allows external buffers.
Napi::Value toJs(Napi::Env env, std::vector<std::byte> bytes);

std::vector<std::byte> bytesFromJs(const Napi::Value& value);
std::vector<std::string> stringsFromJs(const Napi::Value& value);

}  // namespace flavr::binding

#endif
