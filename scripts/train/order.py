"""In which order a clip's frames come, and between which of them some are missing: pure rules over names and times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

PACE = (0.5, 1.5)  # a step in time of less or more than these many usual ones breaks a clip


def natural(name: str) -> tuple[list[str | int], str]:
    """Sorts names by the numbers in them: frame2 before frame10."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def numbers(names: Sequence[str]) -> list[float | None]:
    """The last number of each name; none where the names differ in more than that."""
    found = [re.fullmatch("(.*?)([0-9]+)([^0-9]*)", name) for name in names]
    if not all(found) or len({(match[1], match[3]) for match in found}) > 1:
        return [None] * len(names)
    return [float(match[2]) for match in found]


def breaks(times: Sequence[float | None]) -> list[int]:
    """Every i such that frame i+1 does not follow frame i at the clip's pace: frames are missing, or come too often."""
    if None in times or len(times) < 3:
        return []
    steps = [after - before for before, after in pairwise(times)]
    usual = median(steps)
    return [i for i, step in enumerate(steps) if not PACE[0] * usual <= step <= PACE[1] * usual]
