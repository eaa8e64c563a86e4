"""How a command ends: with its work done, or with one sentence that says why not."""

from __future__ import annotations

import argparse
import errno
import math
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import signals
from clips import ClipError

HERE = Path(__file__).parent
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTED = 130


class Failure(Exception):
    """A command cannot start or go on; the message says why and what to do."""


def run(main: Callable[[], int | None]) -> NoReturn:
    """Exit with what `main` returns; with 1 where its input or the machine was at fault, with 130 if interrupted."""
    signals.interrupt_once()  # SIGTERM ends as Ctrl-C does, worker processes and all
    tell_warnings_plainly()
    code = outcome(main)
    try:
        sys.stdout.flush()
    except OSError:
        # It has been told, and would be again when the interpreter ends: what cannot be written stays in the buffer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def outcome(main: Callable[[], int | None]) -> int:
    """The exit code of a command; what stopped it is told on stderr."""
    try:
        code = main() or 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Failure, ClipError, ValueError, OSError) as error:
        told = sentence(error)
    except (MemoryError, RuntimeError) as error:
        if not of_memory(error):
            raise
        told = f"there is too little memory: choose a smaller batch, crop, frame or model ({last_line(error)})"
    print(f"{name()}: {told}", file=sys.stderr)
    return 1


def name() -> str:
    return Path(sys.argv[0]).stem


def tell_warnings_plainly() -> None:
    """Warnings of these files become a line like the others of a command."""
    others = warnings.formatwarning

    def format_warning(message: Warning | str, kind: type[Warning], file: str, *place: object) -> str:
        ours = Path(file).parent == HERE
        return f"{name()}: {message}\n" if ours else others(message, kind, file, *place)

    warnings.formatwarning = format_warning


def sentence(error: Exception) -> str:
    """What went wrong, and for a full disk what to do."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    what = f"{error.filename or 'the output'}: {error.strerror}"
    return f"{what}; make room, or name another place" if error.errno in FULL else what


def of_memory(error: Exception) -> bool:
    """PyTorch has a class of its own for a GPU's memory, none for the CPU's."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in ("out of memory", "allocate memory"))


def last_line(error: Exception) -> str:
    """An error that a data worker raised comes with its traceback before it."""
    return str(error).rstrip().rpartition("\n")[2]


def at_least(least: int) -> Callable[[str], int]:
    """An option's type: a number from `least` up."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {value}")
        return value

    return number


def positive(text: str) -> float:
    """An option's type: a number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


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
