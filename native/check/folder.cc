#include "check/folder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "check/weights.h"

namespace flavr::check {

namespace {

// Beyond these a file is damaged, and memory is not taken for it.
constexpr std::size_t kMostSide = 16384;
constexpr std::size_t kMostFrames = 64;
constexpr std::size_t kMostGraphBytes = std::size_t{2} << 30;

Error damaged(const std::string& file, const std::string& what) {
  return {Code::kBadArgument,
          file + " " + what + ". Prepare the folder again with: node scripts/check-gpu-prepare.mjs."};
}

Result<std::string> readText(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) return damaged(file, "cannot be read");
  return text;
}

// `parts` equal pieces of a file that must have exactly their size.
template <class T>
Result<std::vector<std::vector<T>>> readParts(const std::string& file, std::size_t parts, std::size_t elements) {
  auto text = readText(file);
  if (!text.ok()) return std::move(text).error();
  const std::size_t bytes = elements * sizeof(T);
  if (text.value().size() != parts * bytes) {
    return damaged(
        file, "should have " + std::to_string(parts * bytes) + " bytes and has " + std::to_string(text.value().size()));
  }
  std::vector<std::vector<T>> read(parts, std::vector<T>(elements));
  for (std::size_t i = 0; i < parts; ++i) std::memcpy(read[i].data(), text.value().data() + i * bytes, bytes);
  return read;
}

bool sane(std::size_t width, std::size_t height, std::size_t factor, std::size_t inputs) noexcept {
  return width >= 1 && width <= kMostSide && height >= 1 && height <= kMostSide && factor >= 2 &&
         factor <= kMostFrames && inputs >= 2 && inputs <= kMostFrames;
}

Result<Vector> readVector(const std::string& folder, std::istringstream& line) {
  Vector vector{};
  std::string frames;
  std::string expected;
  line >> vector.name >> vector.width >> vector.height >> vector.factor >> vector.inputs >> frames >> expected;
  if (!line || !sane(vector.width, vector.height, vector.factor, vector.inputs)) {
    return damaged(folder + "/manifest.txt", "has an unreadable vector");
  }
  const std::size_t elements = vector.width * vector.height * 3;
  auto in = readParts<std::uint8_t>(folder + "/" + frames, vector.inputs, elements);
  if (!in.ok()) return std::move(in).error();
  auto out = readParts<float>(folder + "/" + expected, vector.factor - 1, elements);
  if (!out.ok()) return std::move(out).error();
  vector.frames = std::move(in).value();
  vector.expected = std::move(out).value();
  return vector;
}

Result<Graph> readGraphLine(const std::string& folder, std::istringstream& line) {
  Graph graph{};
  std::string purpose;
  line >> graph.name >> graph.vector >> purpose >> graph.precision >> graph.lowering >> graph.width >> graph.height >>
      graph.factor >> graph.inputs >> graph.flops >> graph.file;
  constexpr std::array<const char*, 4> kPurposes = {"raw", "vector", "soak", "timing"};
  const auto found = std::find(kPurposes.begin(), kPurposes.end(), purpose);
  if (!line || found == kPurposes.end() || !sane(graph.width, graph.height, graph.factor, graph.inputs)) {
    return damaged(folder + "/manifest.txt", "has an unreadable graph");
  }
  graph.purpose = static_cast<Purpose>(found - kPurposes.begin());
  if (graph.vector == "-") graph.vector.clear();
  graph.file = folder + "/" + graph.file;
  return graph;
}

std::uint32_t crc32(const std::vector<std::byte>& bytes) noexcept {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit) table[i] = (table[i] >> 1) ^ ((table[i] & 1) != 0 ? 0xEDB88320U : 0);
  }
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<std::uint32_t>(byte)) & 0xFF];
  return ~crc;
}

bool readFill(std::istringstream& line, Fill& fill) {
  std::string type;
  line >> fill.tensor >> type >> fill.fan >> fill.gain >> fill.first;
  if (!line || (type != "half" && type != "float")) return false;
  fill.half = type == "half";
  Digit digit{};
  char colon = 0;
  std::size_t elements = 1;
  while (line >> digit.count >> colon >> digit.stride) {
    if (colon != ':' || digit.count == 0 || digit.count > kMostGraphBytes / elements) return false;
    elements *= digit.count;
    fill.digits.push_back(digit);
  }
  return line.eof();
}

}  // namespace

Result<Folder> readFolder(const std::string& path) noexcept {
  const std::string file = path + "/manifest.txt";
  auto text = readText(file);
  if (!text.ok()) return std::move(text).error();
  std::istringstream lines(text.value());
  std::string line;
  if (!std::getline(lines, line) || line != "flavr-check-gpu 2") {
    return damaged(file, "is not the manifest of this program's check");
  }
  Folder folder;
  folder.path = path;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "vector") {
      auto vector = readVector(path, words);
      if (!vector.ok()) return std::move(vector).error();
      folder.vectors.push_back(std::move(vector).value());
    } else if (kind == "graph") {
      auto graph = readGraphLine(path, words);
      if (!graph.ok()) return std::move(graph).error();
      folder.graphs.push_back(std::move(graph).value());
    } else if (kind == "flavr") {
      words >> folder.flavr;
    } else {
      return damaged(file, "has a line that begins with \"" + kind + "\"");
    }
  }
  if (folder.graphs.empty()) return damaged(file, "names no graph");
  return folder;
}

Result<std::vector<std::byte>> readGraph(const std::string& file) noexcept {
  auto text = readText(file);
  if (!text.ok()) return std::move(text).error();
  const std::size_t end = text.value().find("\nend\n");
  if (text.value().rfind("flavr-graph 1\n", 0) != 0 || end == std::string::npos) {
    return damaged(file, "is no graph of this program's check");
  }
  std::istringstream lines(text.value().substr(0, end));
  const char* kept = text.value().data() + end + 5;
  std::size_t keptLeft = text.value().size() - end - 5;
  std::size_t size = 0;
  std::uint32_t checksum = 0;
  std::vector<std::byte> graph;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    std::size_t count = 0;
    Fill fill;
    if (kind == "bytes" && words >> size && size <= kMostGraphBytes) {
      graph.reserve(size);
    } else if (kind == "crc32" && words >> checksum) {
      continue;
    } else if (kind == "keep" && words >> count && count <= keptLeft) {
      const auto* from = reinterpret_cast<const std::byte*>(kept);
      graph.insert(graph.end(), from, from + count);
      kept += count;
      keptLeft -= count;
    } else if (kind == "fill" && readFill(words, fill) && fill.bytes() <= size - std::min(size, graph.size())) {
      const std::size_t at = graph.size();
      graph.resize(at + fill.bytes());
      writeWeights(fill, graph.data() + at);
    } else {
      return damaged(file, "has an unreadable line: " + line.substr(0, 80));
    }
  }
  if (graph.size() != size || keptLeft != 0 || crc32(graph) != checksum) {
    return damaged(file, "does not make the graph that was prepared");
  }
  return graph;
}

}  // namespace flavr::check
