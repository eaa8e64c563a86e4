"""A model on held-out clips, beside the linear blend and the nearest frame.

Every k-th frame of a clip is kept and the frames between are restored; windows at the ends repeat the edge frame.
As a command: a model's table, or that of the two baselines alone.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import command
import metrics
import weights
from clips import Box, ClipError, Footage, find_clips, open_cache, scan
from model import Config, Flavr, channels_last
from splits import Split

# From a window of 2C frames [2C, H, W, 3] to the k-1 frames of its gap, all uint8.
Method = Callable[[np.ndarray], np.ndarray]

T = TypeVar("T")


@dataclass(frozen=True)
class Score:
    psnr: float
    ssim: float
    frames: int

    @staticmethod
    def mean(found: Sequence[tuple[float, float]]) -> Score:
        """Of the PSNR and SSIM of each frame."""
        return Score(fmean(p for p, _ in found), fmean(s for _, s in found), len(found))


@dataclass(frozen=True)
class HeldOutClip:
    """The frames of one validation range."""

    name: str
    footage: Footage
    first: int
    stop: int

    @property
    def title(self) -> str:
        """The clip and its range in words."""
        path, frames = Path(self.name).with_suffix("").as_posix(), self.footage.facts.frames
        if (self.first, self.stop) == (0, frames):
            return path
        if self.stop == frames:
            return f"{path}, last {frames - self.first}"
        return f"{path}, {self.first} to {self.stop - 1}"

    def frames(self, indices: Sequence[int] | None = None) -> np.ndarray:
        """Whole frames of the clip, uint8 [n, H, W, 3]: those of the range, or any others."""
        box: Box = (0, 0, self.footage.facts.height, self.footage.facts.width)
        return self.footage.read(range(self.first, self.stop) if indices is None else indices, box)

    def gaps(self, k: int, inputs: int, most: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(window, truth) of each gap, or of `most` of them, evenly spread."""
        kept = range(self.first, self.stop, k)
        count = len(kept) - 1
        chosen = range(count) if most is None or most >= count else np.linspace(0, count - 1, most).round().astype(int)
        for gap in chosen:
            around = [min(max(i, 0), count) for i in range(gap - inputs // 2 + 1, gap + inputs // 2 + 1)]
            yield self.frames([kept[i] for i in around]), self.frames(range(kept[gap] + 1, kept[gap + 1]))


class HeldOutClips(list[HeldOutClip]):
    """Those that can be measured, in the split's order; `left_out` says why the others cannot."""

    def __init__(self, clips: Iterable[HeldOutClip] = (), left_out: dict[str, str] | None = None) -> None:
        super().__init__(clips)
        self.left_out = {} if left_out is None else left_out

    def leave_out(self, name: str, why: ClipError) -> None:
        self.left_out[name] = str(why)
        warnings.warn(f"skipped {name}: {why}", stacklevel=2)

    def each(self, job: Callable[[HeldOutClip], T]) -> list[T]:
        """What `job` gives for every clip; one for which it raises ClipError is left out from here on."""
        found = []
        for clip in list(self):
            try:
                found.append(job(clip))
            except ClipError as error:
                self.remove(clip)
                self.leave_out(clip.name, error)
        self.must_be_some()
        return found

    def must_be_some(self) -> None:
        if not self:
            raise ClipError(f"no held-out clip can be used; left out: {', '.join(self.left_out)}: give others")


def held_out_clips(roots: Sequence[Path], split: Split, cache: Path, k: int) -> HeldOutClips:
    """The split's validation ranges below the roots that hold a gap of factor k."""
    open_cache(cache)
    clips = [clip for root in roots for clip in find_clips(root)]
    by_name = split.named(clips)
    found = HeldOutClips()
    for name in split.validation:
        try:
            footage = scan(by_name[name], cache)
        except ClipError as error:
            found.leave_out(name, error)
            continue
        first, stop = split.held_out(footage) or (0, 0)
        if stop - first > k:
            found.append(HeldOutClip(name, footage, first, stop))
        else:
            found.leave_out(name, ClipError(f"a gap of factor {k} takes {k + 1} frames, it has {stop - first}"))
    if split.validation:
        found.must_be_some()
    return found


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    """The options that `named_clips` reads."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="roots of the clips")
    parser.add_argument("--split", type=Path, required=True, help="split file that names the validation ranges")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded frames")


def add_model_options(parser: argparse.ArgumentParser, gaps: int | None) -> None:
    """Those of a command that looks at a model on `gaps` gaps of each clip, or on all."""
    parser.add_argument("--model", type=Path, required=True, help="weights: .safetensors, .pth or .pt")
    add_clip_options(parser)
    several = "gaps of each clip to look at, evenly spread"
    parser.add_argument("--gaps", type=command.at_least(1), default=gaps, help=f"{several} (default {gaps or 'all'})")


@contextmanager
def named_clips(args: argparse.Namespace, k: int) -> Iterator[HeldOutClips]:
    """The held-out clips of a command; at its end those that were left out are listed."""
    split = Split.load(args.split)
    if not split.validation:
        raise ClipError(f"{args.split} holds out no clip: name some under `validation`")
    clips = held_out_clips(args.data, split, args.cache, k)
    yield clips
    if clips.left_out:
        lines = (f"{name}: {why}" for name, why in clips.left_out.items())
        print("Clips that were not used:", *lines, sep="\n", file=sys.stderr)


def blend(k: int) -> Method:
    """(1-t)*before + t*after, rounded."""

    def method(window: np.ndarray) -> np.ndarray:
        before, after = window[len(window) // 2 - 1].astype(np.float32), window[len(window) // 2].astype(np.float32)
        return np.stack([np.rint(before + (after - before) * (j / k)) for j in range(1, k)]).astype(np.uint8)

    return method


def nearest(k: int) -> Method:
    """The nearer of the two middle frames, the earlier at t = 1/2."""

    def method(window: np.ndarray) -> np.ndarray:
        half = len(window) // 2
        return np.stack([window[half - 1 if 2 * j <= k else half] for j in range(1, k)])

    return method


def pad_to_eight(frames: Tensor) -> Tensor:
    """[..., H, W] padded at right and bottom to multiples of 8: mirrored, or repeated where too small for that."""
    height, width = frames.shape[-2:]
    below, right = -height % 8, -width % 8
    mode = "reflect" if below < height and right < width else "replicate"
    flat = frames.reshape(-1, 1, height, width)
    return F.pad(flat, (0, right, 0, below), mode=mode).reshape(*frames.shape[:-2], height + below, width + right)


def network(model: Flavr, device: torch.device, half: bool = False) -> Method:
    """The model as a method; `half` runs it under bf16 autocast."""

    def method(window: np.ndarray) -> np.ndarray:
        height, width = window.shape[1:3]
        frames = torch.from_numpy(window).to(device).float().div(255).permute(3, 0, 1, 2)[None]
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            out = model(pad_to_eight(frames).contiguous(memory_format=torch.channels_last_3d))[0]
        if not out.isfinite().all():
            raise ValueError("the model's answer is not finite: its weights are damaged, or its training went wrong")
        return np.stack([metrics.quantise(frame[:, :height, :width]) for frame in out])

    return method


def method_of(path: Path, device: str = "cpu", half: bool = False) -> tuple[Method, Config]:
    """The model in a file as a method, and what it is."""
    model = channels_last(weights.network(path)).eval().to(device)
    return network(model, torch.device(device), half), model.config


def measure(
    method: Method, clip: HeldOutClip, k: int, inputs: int, most: int | None = None, ssim: bool = True
) -> Score:
    """Means over the new frames of a clip."""
    found = []
    for window, truth in clip.gaps(k, inputs, most):
        for made, real in zip(method(window), truth, strict=True):
            found.append((metrics.psnr(made, real), metrics.ssim_matlab(made, real) if ssim else 0.0))
    return Score.mean(found)


def table(found: Sequence[Mapping[str, Score]], clips: Sequence[HeldOutClip]) -> str:
    """Markdown of what was found on each clip: one row for each method, PSNR / SSIM on each clip and their mean."""
    lines = ["| | " + " | ".join(clip.title for clip in clips) + " | mean |", "|---" * (len(clips) + 2) + "|"]
    for method in found[0]:
        scores = [of_clip[method] for of_clip in found]
        mean = Score(fmean(s.psnr for s in scores), fmean(s.ssim for s in scores), 0)
        lines.append(f"| {method} | " + " | ".join(f"{s.psnr:.2f} / {s.ssim:.4f}" for s in (*scores, mean)) + " |")
    return "\n".join(lines)


def device(text: str) -> str:
    """An option's type: a device that is there."""
    try:
        torch.zeros(1, device=text)
    except (RuntimeError, AssertionError) as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be used: {str(error).splitlines()[0]}") from None
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_clip_options(parser)
    parser.add_argument("--model", type=Path, help="weights; without them only the baselines are measured")
    parser.add_argument("--factor", type=command.at_least(2), help="k of the baselines without a model (default 2)")
    parser.add_argument("--gaps", type=command.at_least(1), help="gaps of each clip, evenly spread (default all)")
    parser.add_argument("--device", type=device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="run the model under bf16 autocast")
    args = parser.parse_args(arguments)
    k, inputs, methods = args.factor or 2, 4, {}
    if args.model:
        methods[args.model.stem], config = method_of(args.model, args.device, args.bf16)
        k, inputs = config.factor, config.inputs
        if args.factor not in (None, k):
            parser.error(f"{args.model} has factor {k}, not {args.factor}: leave --factor out")
    methods |= {"linear blend": blend(k), "nearest frame": nearest(k)}
    with named_clips(args, k) as clips:
        found = clips.each(
            lambda clip: {name: measure(method, clip, k, inputs, args.gaps) for name, method in methods.items()}
        )
        print(table(found, clips))


if __name__ == "__main__":
    command.run(main)
