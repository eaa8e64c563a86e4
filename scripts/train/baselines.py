"""What every user has already: FFmpeg's minterpolate, the linear blend and the nearest frame, on the held-out clips.

    python baselines.py --data clips --split split.json --cache runs/cache

Every k-th decoded frame goes through the filter in the video's own pixel format; its frames are matched to the truth
by their time stamps. minterpolate leaves some gaps at the end out: all are measured on what it fills.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import av
import numpy as np

import command
import metrics
import validate
from clips import ClipError
from validate import HeldOutClip, Method, Score

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


def filled(clip: HeldOutClip, k: int) -> dict[int, dict[int, np.ndarray]]:
    """What minterpolate makes of the frames that factor k keeps: of each gap that it fills, frame j, 0 < j < k."""
    kept = decoded(clip)[::k]
    found: dict[int, dict[int, np.ndarray]] = {}
    for instant, made in minterpolate(kept, k):
        gap, j = divmod(instant, k)
        if j > 0 and gap + 1 < len(kept):
            found.setdefault(gap, {})[j] = made
    if not found:
        raise ClipError(f"minterpolate makes no frame of the {len(kept)} that factor {k} keeps")
    return found


def measure(clip: HeldOutClip, k: int, models: Mapping[str, Method] | None = None, inputs: int = 2) -> dict[str, Score]:
    """Means of models that look at `inputs` frames and of the three, over the new frames that minterpolate gives."""
    models = models or {}
    simple = {"linear blend": validate.blend(k), "nearest frame": validate.nearest(k)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (*models, MINTERPOLATE, *simple)}
    gaps = filled(clip, k)
    for gap, (window, truth) in enumerate(clip.gaps(k, inputs)):
        if made := gaps.get(gap):
            answers = {name: method(window) for name, method in (models | simple).items()}
            for j, image in made.items():
                images = {MINTERPOLATE: image} | {name: answer[j - 1] for name, answer in answers.items()}
                for name, one in images.items():
                    found[name].append((metrics.psnr(one, truth[j - 1]), metrics.ssim_matlab(one, truth[j - 1])))
    return {name: Score.mean(frames) for name, frames in found.items()}


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
