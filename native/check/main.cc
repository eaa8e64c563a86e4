// flavr-check-gpu FOLDER [--out FILE] [--tensorrt PATH] [--device N] [--only TEXT] [--soak N] [--seconds S]
// flavr-check-gpu --assemble GRAPH FILE: writes the ONNX file of a prepared graph.
//
// Runs what scripts/check-gpu-prepare.mjs prepared on the GPU of this machine, and writes one JSON file to send back.
// Exit code 0: passed (of what was asked for), or skipped because there is nothing to run on; it says so. 1: failed, or
// ended before its end. 2: usage.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "check/check.h"
#include "check/folder.h"
#include "check/machine.h"

namespace flavr::check {

namespace {

constexpr int kPassed = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr const char* kHelp =
    "usage: flavr-check-gpu FOLDER [--out FILE] [--tensorrt PATH] [--device N] [--only TEXT] [--soak WINDOWS]\n"
    "                       [--seconds S]\n"
    "       flavr-check-gpu --assemble GRAPH FILE\n";

struct Arguments {
  std::string folder;
  std::string out;
  MachineOptions machine;
  Settings settings;
};

// The whole text as a number from 0 up; negative if it is none.
double numberFrom(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end != text.c_str() && *end == '\0' && value >= 0 && value < 1e9 ? value : -1;
}

Result<Arguments> parse(const std::vector<std::string>& words) {
  Arguments arguments;
  const auto refuse = [](const std::string& what) { return Error{Code::kBadArgument, what + "."}; };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.rfind("--", 0) != 0) {
      if (!arguments.folder.empty()) return refuse("One folder is expected; got " + arguments.folder + " and " + word);
      arguments.folder = word;
      continue;
    }
    if (i + 1 == words.size()) return refuse(word + " needs a value");
    const std::string& value = words[++i];
    const double number = numberFrom(value);
    if (word == "--out") {
      arguments.out = value;
    } else if (word == "--tensorrt") {
      arguments.machine.tensorrt = value;
    } else if (word == "--only") {
      arguments.settings.only = value;
    } else if (word != "--device" && word != "--soak" && word != "--seconds") {
      return refuse("There is no option " + word);
    } else if (number < 0) {
      return refuse(word + " takes a number from 0 up; got " + value);
    } else if (word == "--device") {
      arguments.machine.device = static_cast<int>(number);
    } else if (word == "--soak") {
      arguments.settings.soakWindows = static_cast<std::size_t>(number);
    } else {
      arguments.settings.seconds = number;
    }
  }
  if (arguments.folder.empty()) return refuse("The prepared folder is expected");
  if (arguments.out.empty()) arguments.out = arguments.folder + "/result.json";
  return arguments;
}

// Of the caller's making, and nothing was run.
int refuse(const std::string& message) {
  std::fprintf(stderr, "flavr-check-gpu: %s\n", message.c_str());
  return kUsage;
}

int usage(const std::string& message) {
  refuse(message);
  std::fputs(kHelp, stderr);
  return kUsage;
}

// Under another name first: whoever reads the file, or finds it after this program was killed, finds it whole.
bool write(const std::string& path, const char* bytes, std::size_t size) {
  const std::string unfinished = path + ".tmp";
  std::ofstream file(unfinished, std::ios::binary);
  file.write(bytes, static_cast<std::streamsize>(size));
  file.close();
  const bool written = file && std::rename(unfinished.c_str(), path.c_str()) == 0;
  if (!written) std::fprintf(stderr, "flavr-check-gpu: %s cannot be written.\n", path.c_str());
  return written;
}

int assemble(const std::string& from, const std::string& to) {
  auto graph = readGraph(from);
  if (!graph.ok()) return refuse(graph.error().message);
  const bool written = write(to, reinterpret_cast<const char*>(graph.value().data()), graph.value().size());
  return written ? kPassed : kFailed;
}

bool save(const Arguments& arguments, const JsonObject& result) {
  const std::string text = result.text() + "\n";
  return write(arguments.out, text.data(), text.size());
}

int finish(const Arguments& arguments, const JsonObject& result, int code) {
  if (!save(arguments, result)) return kFailed;
  std::printf("The figures are in %s.\n", arguments.out.c_str());
  return code;
}

JsonObject resultWith(const Folder& folder, const char* outcome) {
  return JsonObject()
      .put("tool", "flavr-check-gpu")
      .put("format", 2)
      .put("flavr", folder.flavr)
      .put("outcome", outcome);
}

int check(const Arguments& arguments) {
  auto folder = readFolder(arguments.folder);
  if (!folder.ok()) return refuse(folder.error().message);
  auto machine = openMachine(arguments.machine);
  if (!machine.ok()) {
    const Error& error = machine.error();
    if (error.code == Code::kBadArgument) return usage(error.message);
    std::printf("SKIPPED: %s\n", error.message.c_str());
    return finish(arguments, resultWith(folder.value(), "skipped").put("reason", error.message), kPassed);
  }
  const bool simulated = machine.value()->simulated();
  if (simulated) std::puts("SIMULATED: this tests the check itself; it says nothing of a GPU.");
  Check run(folder.value(), *machine.value(), arguments.settings);
  const auto result = [&](const char* outcome) {
    JsonObject made = resultWith(folder.value(), outcome);
    made.put("simulated", simulated).put("machine", machine.value()->describe());
    run.report(made);
    return made;
  };
  if (!run.run([&] { return save(arguments, result("unfinished")); })) return kFailed;
  const char* outcome = !run.passed() ? "failed" : run.whole() ? "passed" : "passed in part";
  std::printf("%s%s\n", simulated ? "SIMULATED, no result of a GPU: " : "", outcome);
  return finish(arguments, result(outcome), run.passed() ? kPassed : kFailed);
}

}  // namespace

}  // namespace flavr::check

int main(int argc, char** argv) {
  using namespace flavr::check;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "--assemble") return assemble(words[1], words[2]);
  auto arguments = parse(words);
  return arguments.ok() ? check(arguments.value()) : usage(arguments.error().message);
}
