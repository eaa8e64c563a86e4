"""A typical and a bad result of a model, cut out where most is wrong, for its card.

    python pictures.py --model mini-2x.safetensors --data clips --split split.json --cache runs/cache \\
        --clips again.mkv bbb-480p-30s.mp4 -o mini-2x.jpg

Of the frames in the middle of each gap of the named clips, that whose gain over the linear blend is the median is
typical, and that with the least PSNR is bad.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import command
import files
import metrics
import validate
from clips import ClipError
from validate import HeldOutClip, HeldOutClips, Method

CELL = 8  # errors are compared in squares of this many pixels


@dataclass(frozen=True)
class Result:
    """The middle of one gap: what stands beside it in the picture, and how good it is."""

    clip: str
    images: dict[str, np.ndarray]
    psnr: float
    blend_psnr: float

    @property
    def gain(self) -> float:
        return self.psnr - self.blend_psnr


def results(method: Method, clip: HeldOutClip, k: int, inputs: int, gaps: int) -> list[Result]:
    """The middle frames of a clip's gaps, but for the two at its ends."""
    found = []
    middle = (k - 1) // 2
    for window, truth in list(clip.gaps(k, inputs, gaps + 2))[1:-1]:
        made, blended = method(window)[middle], validate.blend(k)(window)[middle]
        half = len(window) // 2
        images = {
            "before": window[half - 1],
            "truth": truth[middle],
            "model": made,
            "linear blend": blended,
            "after": window[half],
        }
        found.append(Result(clip.name, images, metrics.psnr(made, truth[middle]), metrics.psnr(blended, truth[middle])))
    if not found:
        raise ClipError(f"it has no gap of factor {k} between two others")
    return found


def typical(found: Sequence[Result]) -> Result:
    return sorted(found, key=lambda result: result.gain)[len(found) // 2]


def bad(found: Sequence[Result]) -> Result:
    return min(found, key=lambda result: result.psnr)


def worst_box(made: np.ndarray, truth: np.ndarray, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns, `height` by `width` or all there are, in which the squared error is largest."""
    error = ((made.astype(np.float64) - truth) ** 2).sum(axis=2)
    rows, columns = error.shape[0] // CELL, error.shape[1] // CELL
    cells = error[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL).sum(axis=(1, 3))
    high, wide = min(height // CELL, rows), min(width // CELL, columns)
    sums = np.pad(cells, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    boxes = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    top, left = np.unravel_index(boxes.argmax(), boxes.shape)
    return slice(top * CELL, (top + high) * CELL), slice(left * CELL, (left + wide) * CELL)


def draw(rows: dict[str, Result], height: int, width: int, target: Path) -> None:
    """One row for each result, every image at its own pixels."""
    columns = list(next(iter(rows.values())).images)
    size = (len(columns) * (width + 6) / 100, len(rows) * (height + 24) / 100)
    figure = Figure(figsize=size, dpi=100, layout="compressed")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (title, result) in zip(axes, rows.items(), strict=True):
        box = worst_box(result.images["model"], result.images["truth"], height, width)
        notes = {"before": f"{title}, {Path(result.clip).stem}: before"}
        notes |= {"model": f"model, {result.psnr:.1f} dB", "linear blend": f"blend, {result.blend_psnr:.1f} dB"}
        for place, name in zip(line, columns, strict=True):
            place.imshow(result.images[name][box], interpolation="nearest")
            place.set_title(notes.get(name, name), fontsize=8, pad=3)
            place.set_axis_off()
    with files.replacing(target) as file:
        if target.suffix.lower() == ".png":
            figure.savefig(file, format="png")
        else:
            figure.savefig(file, format="jpg", pil_kwargs={"quality": 90})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    validate.add_model_options(parser, gaps=12)
    parser.add_argument("--clips", nargs="+", required=True, help="ends of the paths of the clips to take")
    size = command.at_least(CELL)
    parser.add_argument("--height", type=size, default=176, help="of a cut, in pixels (default 176)")
    parser.add_argument("--width", type=size, default=224, help="of a cut, in pixels (default 224)")
    parser.add_argument("-o", "--output", type=command.output(".jpg", ".png"), required=True, help="a .jpg or .png")
    args = parser.parse_args(arguments)
    method, config = validate.method_of(args.model)
    k, inputs = config.factor, config.inputs
    with validate.named_clips(args, k) as clips:
        names = [*(clip.name for clip in clips), *clips.left_out]
        if unknown := [end for end in args.clips if not any(name.endswith(end) for name in names)]:
            parser.error(f"not among the held-out clips: {', '.join(unknown)}; they are {', '.join(names)}")
        chosen = HeldOutClips((clip for clip in clips if clip.name.endswith(tuple(args.clips))), clips.left_out)
        found = chosen.each(lambda clip: results(method, clip, k, inputs, args.gaps))
        of_all = [result for of_clip in found for result in of_clip]
        draw({"typical": typical(of_all), "bad": bad(of_all)}, args.height, args.width, args.output)


if __name__ == "__main__":
    command.run(main)
