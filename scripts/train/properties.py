"""What any interpolator should do, measured: keep flat and still frames, answer alike to mirrored and reversed ones.

python properties.py --model mini-2x.safetensors --data clips --split split.json --cache runs/cache
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

import command
import metrics
import validate
from validate import HeldOutClip, HeldOutClips, Method

GAPS = 8  # measured of each clip, where nothing else is asked: fewer may miss, or hit, the one fast stretch of a clip


@dataclass(frozen=True)
class Properties:
    """Those of a method on one clip."""

    still: float  # mean |error| in 8-bit steps where a window repeats one frame; the worst window's
    mirrored: list[float]  # PSNR of each answer to mirrored frames against the mirrored answer
    reversed: list[float]  # the same in time


def flat_error(method: Method, inputs: int) -> int:
    """Largest error, in 8-bit steps, on windows of one grey."""
    windows = [np.full((inputs, 64, 64, 3), grey, np.uint8) for grey in range(0, 256, 15)]
    return max(int(np.abs(method(window).astype(int) - window[0]).max()) for window in windows)


def measure(method: Method, clip: HeldOutClip, k: int, inputs: int, gaps: int) -> Properties:
    found = Properties(0.0, [], [])
    for window, _ in clip.gaps(k, inputs, gaps):
        still = np.repeat(window[:1], inputs, axis=0)
        error = float(np.abs(method(still).astype(int) - window[0]).mean())
        found = Properties(max(found.still, error), found.mirrored, found.reversed)
        answer = method(window)
        found.mirrored.extend(agreement(method(window[:, :, ::-1].copy())[:, :, ::-1], answer))
        found.reversed.extend(agreement(method(window[::-1].copy())[::-1], answer))
    return found


def agreement(a: np.ndarray, b: np.ndarray) -> list[float]:
    return [metrics.psnr(x, y) for x, y in zip(a, b, strict=True)]


def table(found: Sequence[Properties], titles: Sequence[str]) -> str:
    """Markdown: one row for each property, one column for each clip."""
    rows = {
        "still frames: mean error of 255": [f"{one.still:.2f}" for one in found],
        "mirrored: mean / least dB": [f"{fmean(one.mirrored):.1f} / {min(one.mirrored):.1f}" for one in found],
        "reversed: mean / least dB": [f"{fmean(one.reversed):.1f} / {min(one.reversed):.1f}" for one in found],
    }
    lines = ["| | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items())])


def report(method: Method, clips: HeldOutClips, k: int, inputs: int, gaps: int) -> str:
    found = clips.each(lambda clip: measure(method, clip, k, inputs, gaps))
    flat = f"Flat grey comes out at most {flat_error(method, inputs)} of 255 off."
    return f"{flat}\n\n{table(found, [clip.title for clip in clips])}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    validate.add_model_options(parser, GAPS)
    args = parser.parse_args(arguments)
    method, config = validate.method_of(args.model)
    with validate.named_clips(args, config.factor) as clips:
        print(report(method, clips, config.factor, config.inputs, args.gaps))


if __name__ == "__main__":
    command.run(main)
