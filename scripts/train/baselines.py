"""What every user has already: FFmpeg's minterpolate, the linear blend and the nearest frame, on the held-out clips.

    python baselines.py --data clips --split split.json --cache runs/cache

Every k-th decoded frame goes through the filter in the video's own pixel format; its frames are matched to the truth
by their time stamps. minterpolate leaves some gaps at the end out: all three are measured on what it fills.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from fractions import Fraction
from statistics import fmean

import av
import numpy as np

import command
import metrics
import validate
from clips import ClipError
from validate import HeldOutClip, Score

FILTER = "mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none"
MINTERPOLATE = "FFmpeg minterpolate"
RATE = 10  # of the kept frames; only ratios matter


def decoded(clip: HeldOutClip) -> list[av.VideoFrame]:
    """The range's frames as the decoder gave them, or as images hold them."""
    if not clip.footage.clip.is_video:
        return [av.VideoFrame.from_ndarray(image, format="rgb24") for image in clip.frames()]
    with av.open(str(clip.footage.clip.files[0])) as container:
        frames = container.decode(container.streams.video[0])
        return [frame for index, frame in enumerate(frames) if clip.first <= index < clip.stop]


def minterpolate(kept: list[av.VideoFrame], k: int) -> Iterator[tuple[int, np.ndarray]]:
    """(instant, frame) of everything the filter makes of the kept frames; kept frame i is at instant i * k."""
    first, base = kept[0], Fraction(1, RATE)
    graph = av.filter.Graph()
    source = graph.add_buffer(width=first.width, height=first.height, format=first.format, time_base=base)
    interpolate = graph.add("minterpolate", f"fps={RATE * k}:{FILTER}")
    sink = graph.add("buffersink")
    source.link_to(interpolate)
    interpolate.link_to(sink)
    graph.configure()

    def ready() -> Iterator[tuple[int, np.ndarray]]:
        while True:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield round(frame.pts * frame.time_base * RATE * k), frame.to_ndarray(format="rgb24")

    for number, frame in enumerate(kept):
        frame.pts, frame.time_base = number, base
        graph.push(frame)
        yield from ready()
    graph.push(None)
    yield from ready()


def measure(clip: HeldOutClip, k: int) -> dict[str, Score]:
    """The three methods' means over the new frames that minterpolate gives."""
    frames = decoded(clip)
    truth = [frame.to_ndarray(format="rgb24") for frame in frames]
    methods = {"linear blend": validate.blend(k), "nearest frame": validate.nearest(k)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (MINTERPOLATE, *methods)}
    for instant, made in minterpolate(frames[::k], k):
        gap, j = divmod(instant, k)
        if j == 0 or (gap + 1) * k >= len(truth):
            continue
        window = np.stack([truth[gap * k], truth[(gap + 1) * k]])
        for name, image in (
            (MINTERPOLATE, made),
            *((name, method(window)[j - 1]) for name, method in methods.items()),
        ):
            found[name].append((metrics.psnr(image, truth[instant]), metrics.ssim_matlab(image, truth[instant])))
    if not found[MINTERPOLATE]:
        raise ClipError(f"minterpolate makes no frame of the {len(frames[::k])} that factor {k} keeps")
    return {name: Score(fmean(p for p, _ in all), fmean(s for _, s in all), len(all)) for name, all in found.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    validate.add_clip_options(parser)
    parser.add_argument("--factors", type=command.at_least(2), nargs="+", default=[2, 4, 8], metavar="K")
    args = parser.parse_args(arguments)
    with validate.named_clips(args, max(args.factors)) as clips:
        for k in args.factors:
            found = clips.each(lambda clip, k=k: measure(clip, k))
            print(f"\nOne frame in {k} kept\n\n{validate.table(found, clips)}", flush=True)


if __name__ == "__main__":
    command.run(main)
