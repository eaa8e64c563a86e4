"""Film seen by a camera that pans: a crop that moves over the frames, by whole pixels at every instant.

Most real footage hardly moves, and a network learns correspondence only from what does. A pan over real frames costs
nothing, keeps their noise and their own motion, and its truth is exact, because nothing is resampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from procedural import outline

BEND = 0.3  # share of pans that accelerate, where the speed allows it


@dataclass(frozen=True)
class Pan:
    """Where the crop lies at each instant of a window, from the top left of the region that it crosses."""

    path: np.ndarray  # int [n, 2], rows and columns, none negative

    @staticmethod
    def draw(rng: np.random.Generator, instants: Sequence[int], k: int, fastest: float) -> Pan:
        """`instants` in k-ths of a gap, `fastest` in pixels per gap; most pans are slow, in any direction."""
        speed, heading = fastest * rng.random() ** 1.5, rng.uniform(0, 2 * math.pi)
        step = np.rint(speed / k * np.array([math.sin(heading), math.cos(heading)])).astype(int)
        # One pixel more per k-th of a gap, every k-th of a gap, is k * k pixels per gap: too much for a slow pan.
        bend = rng.integers(-1, 2, 2) if speed >= k * k and rng.random() < BEND else np.zeros(2, int)
        s = np.array(instants)[:, None]
        path = step * s + bend * (s * (s - 1) // 2)
        return Pan(path - path.min(0))

    @staticmethod
    def still(instants: Sequence[int]) -> Pan:
        return Pan(np.zeros((len(instants), 2), int))

    def region(self, size: int) -> tuple[int, int]:
        """Height and width that a crop of `size` crosses."""
        rows, columns = self.path.max(0)
        return size + int(rows), size + int(columns)

    def over(self, frames: np.ndarray, size: int, which: Sequence[int] | None = None) -> np.ndarray:
        """The crops [n, size, size, ...] of frames [n or 1, *region, ...], at all instants or at `which`."""
        path = self.path if which is None else self.path[list(which)]
        one = len(frames) == 1
        return np.stack([frames[0 if one else i, y : y + size, x : x + size] for i, (y, x) in enumerate(path)])


def in_front(rng: np.random.Generator, frames: np.ndarray, front: np.ndarray, pan: Pan) -> np.ndarray:
    """`front` (uint8 [n, size, size, 3], panned by `pan`) through a shape that moves with it, before `frames`."""
    size = frames.shape[1]
    shape = outline(rng, max(pan.region(size)))[0].numpy()
    opacity = pan.over(shape[None], size)[..., None]
    return (frames + opacity * (front.astype(np.float32) - frames)).round().astype(np.uint8)
