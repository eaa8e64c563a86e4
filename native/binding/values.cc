#include "binding/values.h"

#include <memory>
#include <utility>

namespace flavr::binding {

Napi::Error toJs(Napi::Env env, const Error& error) {
  Napi::Error made = Napi::Error::New(env, error.message);
  made.Set("code", Napi::String::New(env, codeName(error.code)));
  return made;
}

Error noThread(const std::system_error& error) {
  return {Code::kOutOfMemory, std::string("A thread could not be started: ") + error.what() + "."};
}

Napi::Object toJs(Napi::Env env, const LibraryIdentity& identity) {
  auto object = Napi::Object::New(env);
  object.Set("family", familyName(identity.family));
  object.Set("version", toString(identity.version));
  return object;
}

Napi::Value toJs(Napi::Env env, std::vector<std::byte> bytes) {
  auto owned = std::make_unique<std::vector<std::byte>>(std::move(bytes));
  auto* data = reinterpret_cast<uint8_t*>(owned->data());
  const std::size_t size = owned->size();
  return Napi::Buffer<uint8_t>::NewOrCopy(
      env, data, size, [](Napi::Env, uint8_t*, std::vector<std::byte>* vector) { delete vector; }, owned.release());
}

std::vector<std::byte> bytesFromJs(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  const auto* data = reinterpret_cast<const std::byte*>(array.Data());
  return {data, data + array.ByteLength()};
}

std::vector<std::string> stringsFromJs(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  strings.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) strings.push_back(array.Get(i).As<Napi::String>());
  return strings;
}

}  // namespace flavr::binding
