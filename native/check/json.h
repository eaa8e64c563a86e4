// JSON to send back: written, never read.
#ifndef FLAVR_CHECK_JSON_H
#define FLAVR_CHECK_JSON_H

#include <cstdint>
#include <string>

namespace flavr::check {

class JsonArray;

class JsonObject {
 public:
  JsonObject& put(const char* key, const std::string& value);
  JsonObject& put(const char* key, const char* value) { return put(key, std::string(value)); }
  JsonObject& put(const char* key, bool value);
  // null where it is not finite.
  JsonObject& put(const char* key, double value);
  JsonObject& put(const char* key, std::uint64_t value);
  JsonObject& put(const char* key, int value) { return put(key, static_cast<double>(value)); }
  JsonObject& put(const char* key, const JsonObject& value);
  JsonObject& put(const char* key, const JsonArray& value);

  std::string text() const { return "{" + members_ + "}"; }

 private:
  JsonObject& member(const char* key, const std::string& value);

  std::string members_;
};

class JsonArray {
 public:
  JsonArray& add(const JsonObject& value);
  JsonArray& add(const std::string& value);

  std::string text() const { return "[" + items_ + "]"; }

 private:
  JsonArray& item(const std::string& value);

  std::string items_;
};

}  // namespace flavr::check

#endif
