"""Small clips made for a test: a textured picture that moves, so that every frame differs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

import procedural


def moving(frames: int, size: int = 48, seed: int = 0) -> np.ndarray:
    """uint8 [frames, size, size, 3]."""
    rng = np.random.default_rng(seed)
    return procedural.scene(rng, size, np.arange(frames) / 4, 12.0)


def write_video(path: Path, frames: np.ndarray, times: Sequence[int] | None = None) -> None:
    """Without loss, at 25 frames a second or at `times` in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        for values, time in zip(frames, range(0, 40 * len(frames), 40) if times is None else times, strict=True):
            frame = av.VideoFrame.from_ndarray(values, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_images(folder: Path, frames: np.ndarray, name: str = "{:04d}.png", first: int = 1) -> None:
    folder.mkdir(parents=True)
    for number, values in enumerate(frames, start=first):
        Image.fromarray(values).save(folder / name.format(number))
