"""Files that appear under their names whole, or not at all."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"
ABANDONED = 3600.0  # seconds without a write after which a partial file's process is taken for dead


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` in one step at the end; whatever goes wrong before, the old one stays.

    Each writer has a partial file of its own, so that processes may write the same path at once; the last one's stays.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk names no file
        raise
    finally:
        partial.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def write_json(path: Path, value: object) -> None:
    write(path, (json.dumps(value, indent=1) + "\n").encode())


def sweep(folder: Path) -> None:
    """Remove the partial files that killed processes left."""
    for partial in folder.glob(f"*{PARTIAL}"):
        with suppress(FileNotFoundError):  # another process sweeps too
            if time.time() - partial.stat().st_mtime > ABANDONED:
                partial.unlink()
