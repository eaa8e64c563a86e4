#!/usr/bin/env bash
# Runs the tests of the training code with $PYTHON (default: python3), which must have requirements.txt installed.
set -e
cd "$(dirname "$0")"
exec "${PYTHON:-python3}" -m pytest -q -p no:cacheprovider "${@:-tests}"
