"""For processes of a test: apart from what makes clips, since to import PyTorch takes each of them seconds."""

from multiprocessing.synchronize import Barrier
from pathlib import Path

from clips import find_clips, scan


def scan_with_others(data: Path, cache: Path, start: Barrier) -> None:
    start.wait()
    for clip in find_clips(data):
        scan(clip, cache)
