"""How a command ends: with its work done, or with one sentence that says why not."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from clips import ClipError

HERE = Path(__file__).parent
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTED = 130


def run(main: Callable[[], int | None]) -> NoReturn:
    """Exit with what `main` returns; with 1 where its input or the disk was at fault, and with 130 after Ctrl-C."""
    name = Path(sys.argv[0]).stem
    others = warnings.formatwarning

    def format_warning(message: Warning | str, kind: type[Warning], file: str, *place: object) -> str:
        ours = Path(file).parent == HERE
        return f"{name}: {message}\n" if ours else others(message, kind, file, *place)

    warnings.formatwarning = format_warning
    try:
        code = main() or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (ClipError, ValueError, OSError) as error:
        print(f"{name}: {sentence(error)}", file=sys.stderr)
        code = 1
    try:
        sys.stdout.flush()
    except OSError:
        # It has been told, and would be again when the interpreter ends: what cannot be written stays in the buffer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def sentence(error: Exception) -> str:
    """What went wrong, and for a full disk what to do."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    what = f"{error.filename or 'the output'}: {error.strerror}"
    return f"{what}; make room, or name another place" if error.errno in FULL else what


def at_least(least: int) -> Callable[[str], int]:
    """An option's type: a number from `least` up."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {value}")
        return value

    return number


def output(*suffixes: str) -> Callable[[str], Path]:
    """An option's type: a file to write, with one of the suffixes, in a folder that exists."""

    def path(text: str) -> Path:
        found = Path(text)
        if found.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"expected a name that ends in {' or '.join(suffixes)}, got {text}")
        if not found.parent.is_dir():
            raise argparse.ArgumentTypeError(f"expected a folder that exists, got {found.parent}: make it first")
        if found.is_dir():
            raise argparse.ArgumentTypeError(f"expected a file to write, got the folder {text}")
        return found

    return path
