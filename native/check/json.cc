#include "check/json.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace flavr::check {

namespace {

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      result += '\\';
      result += each;
    } else if (byte < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
      result += escape.data();
    } else {
      result += each;
    }
  }
  return result + "\"";
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

}  // namespace

JsonObject& JsonObject::member(const char* key, const std::string& value) {
  if (!members_.empty()) members_ += ',';
  members_ += quoted(key) + ":" + value;
  return *this;
}

JsonObject& JsonObject::put(const char* key, const std::string& value) { return member(key, quoted(value)); }
JsonObject& JsonObject::put(const char* key, bool value) { return member(key, value ? "true" : "false"); }
JsonObject& JsonObject::put(const char* key, double value) { return member(key, number(value)); }
JsonObject& JsonObject::put(const char* key, std::uint64_t value) { return member(key, std::to_string(value)); }
JsonObject& JsonObject::put(const char* key, const JsonObject& value) { return member(key, value.text()); }
JsonObject& JsonObject::put(const char* key, const JsonArray& value) { return member(key, value.text()); }

JsonArray& JsonArray::item(const std::string& value) {
  if (!items_.empty()) items_ += ',';
  items_ += value;
  return *this;
}

JsonArray& JsonArray::add(const JsonObject& value) { return item(value.text()); }
JsonArray& JsonArray::add(const std::string& value) { return item(quoted(value)); }

}  // namespace flavr::check
