#!/usr/bin/env bash
# Everything that is measured or takes too long for every change: .ci/run, the engine tests under every sanitizer, and the
# benchmarks, one after another so that they do not disturb each other. The log is what a release quotes.
# Usage: npm run check:full
set -u
cd "$(dirname "$0")/.."
failed=0
part() {
  printf '\n######## %s\n' "$*"
  "$@" </dev/null || failed=$((failed + 1))
}

part node scripts/fetch-tensorrt10.mjs
part .ci/run
part npm run --silent build
part node scripts/lint-native.mjs
part node scripts/test-native.mjs
part node scripts/bench/lowering.mjs
part node scripts/bench/peers.mjs 128 256 --python "${FLAVR_PYTHON:-.venv/bin/python}"
part node scripts/bench/video-path.mjs
part node scripts/bench/int8.mjs
part node --expose-gc scripts/bench/event-loop.mjs
part node scripts/bench/clip-length.mjs
part node --expose-gc scripts/bench/pipeline.mjs
part node scripts/bench/rtx-engines.mjs
printf '\n%s parts failed\n' "$failed"
[ "$failed" = 0 ]
