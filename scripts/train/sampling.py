"""Which windows of a clip may be trained on: pure rules over frame numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from splits import Range

CUT = 0.08  # a cut differs by at least this much …
CUT_RATIO = 2.0  # … and by this many times the larger neighbouring difference
STILL = 0.001  # a gap that moves less than this shows nothing to learn


@dataclass(frozen=True)
class Window:
    """2C input frames, every `k * stride`-th from `start`; the truth lies at every `stride`-th of the middle gap."""

    start: int
    stride: int
    inputs: int
    k: int

    @property
    def input_frames(self) -> list[int]:
        return [self.start + i * self.k * self.stride for i in range(self.inputs)]

    @property
    def target_frames(self) -> list[int]:
        before = self.input_frames[self.inputs // 2 - 1]
        return [before + j * self.stride for j in range(1, self.k)]

    @property
    def middle(self) -> list[int]:
        """The gap's two ends, and between them its truth nearest the centre."""
        half, targets = self.inputs // 2, self.target_frames
        return [self.input_frames[half - 1], targets[len(targets) // 2], self.input_frames[half]]

    @property
    def middle_places(self) -> list[int]:
        """Where `middle` stands among the input frames and then the target frames."""
        half = self.inputs // 2
        return [half - 1, self.inputs + (self.k - 1) // 2, half]

    @property
    def instants(self) -> list[int]:
        """When the input frames and then the target frames are seen, in k-ths of a gap from the gap's start."""
        return [(i - self.inputs // 2 + 1) * self.k for i in range(self.inputs)] + list(range(1, self.k))

    @staticmethod
    def length(inputs: int, k: int, stride: int) -> int:
        return (inputs - 1) * k * stride + 1


def cuts(motion: Sequence[float]) -> list[int]:
    """Every i such that frames i and i+1 belong to different shots."""
    found = []
    for i, here in enumerate(motion):
        beside = [motion[j] for j in (i - 1, i + 1) if 0 <= j < len(motion)]
        if here >= CUT and here >= CUT_RATIO * max(beside, default=0.0):
            found.append(i)
    return found


def shots(
    frames: int, motion: Sequence[float] | None, held_out: Range | None, breaks: Sequence[int] = ()
) -> list[Range]:
    """The stretches of a clip that lie between cuts and breaks and outside the held-out range."""
    edges = {0, frames, *(i + 1 for i in (*cuts(motion or ()), *breaks))}
    if held_out:
        edges |= set(held_out)
    return [(a, b) for a, b in pairwise(sorted(edges)) if not (held_out and held_out[0] <= a < held_out[1])]


def starts(
    frames: int,
    motion: Sequence[float] | None,
    held_out: Range | None,
    inputs: int,
    k: int,
    stride: int,
    breaks: Sequence[int] = (),
) -> list[int]:
    """First frames of all windows that lie within one shot and whose gap moves."""
    length = Window.length(inputs, k, stride)
    found = [first for a, b in shots(frames, motion, held_out, breaks) for first in range(a, b - length + 1)]
    if motion is None:
        return found

    def moves(start: int) -> bool:
        before, _, after = Window(start, stride, inputs, k).middle
        return sum(motion[before:after]) >= STILL * (after - before)

    return [start for start in found if moves(start)]
