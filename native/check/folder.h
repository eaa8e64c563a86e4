// The folder that scripts/check-gpu-prepare.mjs writes: what to run, and what must come out.
//
//   manifest.txt   flavr-check-gpu 2
//                  flavr VERSION
//                  vector NAME WIDTH HEIGHT FACTOR INPUTS FRAMES EXPECTED
//                  graph NAME VECTOR|- PURPOSE PRECISION LOWERING WIDTH HEIGHT FACTOR INPUTS FLOPS FILE
//   FRAMES         uint8 [2C,H,W,3]
//   EXPECTED       float32 [k-1,H,W,3], little-endian, in units of 1.0 = 255, neither clamped nor rounded
//   FILE           a graph without the weights that the rule makes again: see readGraph()
#ifndef FLAVR_CHECK_FOLDER_H
#define FLAVR_CHECK_FOLDER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/result.h"

namespace flavr::check {

struct Vector {
  std::string name;
  std::size_t width;
  std::size_t height;
  std::size_t factor;
  std::size_t inputs;
  // 2C frames, and k-1 frames of floats.
  std::vector<std::vector<std::uint8_t>> frames;
  std::vector<std::vector<float>> expected;
};

// `raw`: the raw form, whose floats are compared with the vector of that name. The others are of the framed or ring
// form. `vector`: compared with its vector, in bytes. `soak`: that, and the long run. `timing`: throughput.
enum class Purpose : std::uint8_t { kRaw, kVector, kSoak, kTiming };

struct Graph {
  std::string name;
  // Empty for `timing`.
  std::string vector;
  Purpose purpose;
  // `fp16` or `fp32`; `3d` or `2d`.
  std::string precision;
  std::string lowering;
  std::size_t width;
  std::size_t height;
  std::size_t factor;
  std::size_t inputs;
  // Useful operations of one window.
  double flops;
  std::string file;

  std::size_t frameBytes() const noexcept { return width * height * 3; }
};

struct Folder {
  std::string path;
  // Which flavr prepared it.
  std::string flavr;
  std::vector<Vector> vectors;
  std::vector<Graph> graphs;
};

// kBadArgument names the file that is missing or damaged.
Result<Folder> readFolder(const std::string& path) noexcept;

// The ONNX file of a graph. On disk it is text, a line each, then the bytes that the `keep` lines are for:
//   flavr-graph 1
//   bytes N / crc32 N                                     of the ONNX file
//   keep N                                                the next N bytes as they are
//   fill TENSOR half|float FAN GAIN FIRST COUNT:STRIDE …  weights by the rule
//   end
Result<std::vector<std::byte>> readGraph(const std::string& file) noexcept;

}  // namespace flavr::check

#endif
