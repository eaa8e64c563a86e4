"""What any interpolator should do, measured: keep flat and still frames, answer alike to mirrored and reversed ones.

python properties.py --model mini-2x.safetensors --data clips --split split.json --cache runs/cache
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

import metrics
import validate
import weights
from model import build, channels_last
from validate import HeldOutClip, Method


def flat_error(method: Method, inputs: int) -> int:
    """Largest error, in 8-bit steps, on windows of one grey."""
    windows = [np.full((inputs, 64, 64, 3), grey, np.uint8) for grey in range(0, 256, 15)]
    return max(int(np.abs(method(window).astype(int) - window[0]).max()) for window in windows)


def still_error(method: Method, window: np.ndarray) -> float:
    """Mean |error|, in 8-bit steps, where every frame of the window is its first."""
    still = np.repeat(window[:1], len(window), axis=0)
    return float(np.abs(method(still).astype(int) - window[0]).mean())


def mirrored(method: Method, window: np.ndarray) -> float:
    """PSNR of the answer to mirrored frames against the mirrored answer."""
    return agreement(method(window[:, :, ::-1].copy())[:, :, ::-1], method(window))


def reversed_time(method: Method, window: np.ndarray) -> float:
    """PSNR of the answer to reversed frames against the reversed answer."""
    return agreement(method(window[::-1].copy())[::-1], method(window))


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    return fmean(metrics.psnr(x, y) for x, y in zip(a, b, strict=True))


def row(method: Method, clip: HeldOutClip, k: int, inputs: int, gaps: int) -> str:
    windows = [window for window, _ in clip.gaps(k, inputs, gaps)]
    still = fmean(still_error(method, window) for window in windows)
    answers = [[check(method, window) for window in windows] for check in (mirrored, reversed_time)]
    return f"| {clip.name} | {still:.3f} | " + " | ".join(f"{min(a):.2f} / {fmean(a):.2f}" for a in answers) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    validate.add_clip_options(parser)
    parser.add_argument("--gaps", type=int, default=4, help="gaps measured of each clip (default 4)")
    args = parser.parse_args()
    model = channels_last(build(*weights.read(args.model))).eval()
    method, config = validate.network(model, torch.device("cpu")), model.config
    print(f"Flat grey: at most {flat_error(method, config.inputs)} of 255 off.\n")
    print("| clip | still frames: mean error of 255 | mirrored: least / mean dB | reversed: least / mean dB |")
    print("|---|---|---|---|")
    for clip in validate.named_clips(args):
        print(row(method, clip, config.factor, config.inputs, args.gaps), flush=True)


if __name__ == "__main__":
    main()
