"""Training samples by number: sample i of a seed is always the same, whoever draws it and when.

That makes an exact resume a matter of one integer, and the batches independent of workers and of processes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

import procedural
from augment import Augment
from clips import Box, ClipError
from pan import Pan, in_front
from sampling import Window, starts
from splits import Guarded

RETRIES = 20

Sample = tuple[Tensor, Tensor]  # frames [3, 2C, H, W] and truth [k-1, 3, H, W], float in [0, 1]


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn; every number here is a probability, a count or pixels."""

    inputs: int = 4
    k: int = 2
    crop: int = 96
    strides: tuple[int, ...] = (1, 2, 3)
    procedural: float = 0.25  # share of procedural motion
    photos: float = 0.5  # share of procedural scenes textured from training frames
    fastest: float = 32.0  # pixels per gap of a pan or a procedural layer
    pan: float = 0.5  # share of film over which the crop moves
    objects: float = 0.5  # share of pans before which a piece of other film moves
    candidates: int = 6  # crops among which one is chosen in proportion to the blend's error
    augment: Augment = field(default_factory=Augment)


class Supply:
    """The windows of one stride: for each clip that has any, their first frames."""

    def __init__(self, clips: dict[int, np.ndarray]) -> None:
        self.clips = clips
        self._numbers = list(clips)
        # The root keeps one long clip from drowning the others.
        weights = np.sqrt([len(first) for first in clips.values()])
        self._shares = np.cumsum(weights) / max(weights.sum(), 1.0)

    def draw(self, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """A clip's number and its windows' first frames."""
        place = min(int(np.searchsorted(self._shares, rng.random(), side="right")), len(self._numbers) - 1)
        return self._numbers[place], self.clips[self._numbers[place]]


class TrainingSet(Dataset[Sample]):
    """An endless set of samples over guarded footage and procedural scenes."""

    def __init__(self, footage: Sequence[Guarded], sampling: Sampling, seed: int, skipped: Path | None = None) -> None:
        self.footage, self.sampling, self.seed, self.skipped = footage, sampling, seed, skipped
        found = {stride: self._supply(stride) for stride in sampling.strides}
        self.windows = {stride: supply for stride, supply in found.items() if supply.clips}
        if footage and not self.windows and sampling.procedural < 1:
            span = Window.length(sampling.inputs, sampling.k, min(sampling.strides))
            first, why = next(iter(self.unusable().items()))
            raise ClipError(
                f"no data: no clip has a moving shot of {span} frames and {sampling.crop}x{sampling.crop} pixels "
                f"outside the held-out ranges ({first}: {why}); give other clips, or train on procedural motion alone "
                "(--procedural 1)"
            )

    def _supply(self, stride: int) -> Supply:
        s, found = self.sampling, {}
        for number, clip in enumerate(self.footage):
            facts = clip.facts
            if min(facts.height, facts.width) >= s.crop:
                first = starts(facts.frames, facts.motion, clip.held_out, s.inputs, s.k, stride, facts.breaks)
                if first:
                    found[number] = np.array(first, np.int32)
        return Supply(found)

    def _why_not(self, clip: Guarded) -> str:
        """Why no sample comes from a clip."""
        s, facts = self.sampling, clip.facts
        span = Window.length(s.inputs, s.k, min(s.strides))
        if min(facts.height, facts.width) < s.crop:
            return f"it is {facts.width}x{facts.height}, a sample {s.crop}x{s.crop}"
        if facts.frames < span:
            return f"it has {facts.frames} frames, a window {span}"
        if clip.held_out == (0, facts.frames):
            return "held out"
        why = f"it has no moving shot of {span} frames outside what is held out"
        many = len(facts.breaks)
        return f"{why}; its frames are uneven in time, or missing, in {many} places" if many else why

    def unusable(self) -> dict[str, str]:
        """Clips that no sample can come from, with the reason."""
        used = {number for supply in self.windows.values() for number in supply.clips}
        return {
            clip.footage.clip.name: self._why_not(clip)
            for number, clip in enumerate(self.footage)
            if number not in used
        }

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, index))
        frames = self._readable(rng)
        frames = self.sampling.augment(rng, frames, self.sampling.inputs)
        tensor = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
        inputs = self.sampling.inputs
        return tensor[:inputs].transpose(0, 1), tensor[inputs:]

    def _readable(self, rng: np.random.Generator) -> np.ndarray:
        """Film or procedural motion; where a frame cannot be read, it is listed as skipped and another sample drawn."""
        for _ in range(RETRIES):
            invented = not self.windows or rng.random() < self.sampling.procedural
            try:
                return self._invent(rng) if invented else self._film(rng)
            except ClipError as error:
                warnings.warn(f"skipped a sample: {error}", stacklevel=2)
                if self.skipped:
                    with suppress(OSError), open(self.skipped, "a") as file:  # a full disk must not end the run
                        file.write(f"{error}\n")
        raise ClipError(f"{RETRIES} samples in a row could not be read; the last lines of {self.skipped} say which")

    def _film(self, rng: np.random.Generator) -> np.ndarray:
        """uint8 [2C + k-1, crop, crop, 3]: inputs, then truth, with another piece of film before them or not."""
        pans = rng.random() < self.sampling.pan
        frames, _ = self._crop(rng, pans)
        if pans and rng.random() < self.sampling.objects:
            frames = in_front(rng, frames, *self._crop(rng, pans))
        return frames

    def _crop(self, rng: np.random.Generator, pans: bool) -> tuple[np.ndarray, Pan]:
        """The crop that won among the candidates of a clip, and how it moves."""
        s = self.sampling
        clip, window, again = self._window(rng)
        pan = self._pan(rng, clip) if pans else Pan.still(window.instants)
        places = [(window, self._box(rng, clip, pan))]
        for _ in range(s.candidates - 1):
            places.append((again() if clip.cheap else window, self._box(rng, clip, pan)))
        chosen = 0
        if len(places) > 1:
            errors = np.array([self._difficulty(clip, pan, *place) for place in places]) + 1e-3
            chosen = int(rng.choice(len(places), p=errors / errors.sum()))
        window, box = places[chosen]
        return pan.over(clip.read(window.input_frames + window.target_frames, box), s.crop), pan

    def _difficulty(self, clip: Guarded, pan: Pan, window: Window, box: Box) -> float:
        """What the linear blend gets wrong in the middle of the gap."""
        return blend_error(pan.over(clip.read(window.middle, box), self.sampling.crop, window.middle_places))

    def _pan(self, rng: np.random.Generator, clip: Guarded) -> Pan:
        """A pan that the clip has room for; a small clip may have none."""
        s = self.sampling
        instants = Window(0, 1, s.inputs, s.k).instants
        pan = Pan.draw(rng, instants, s.k, s.fastest)
        height, width = pan.region(s.crop)
        fits = height <= clip.facts.height and width <= clip.facts.width
        return pan if fits else Pan.still(instants)

    def _window(self, rng: np.random.Generator) -> tuple[Guarded, Window, Callable[[], Window]]:
        """A clip, a window of it, and how to draw others of the same stride from it."""
        stride = int(rng.choice(list(self.windows)))
        number, first = self.windows[stride].draw(rng)

        def draw() -> Window:
            return Window(int(rng.choice(first)), stride, self.sampling.inputs, self.sampling.k)

        return self.footage[number], draw(), draw

    def _box(self, rng: np.random.Generator, clip: Guarded, pan: Pan) -> Box:
        """A place for the region that the crop crosses."""
        height, width = pan.region(self.sampling.crop)
        top, left = rng.integers(clip.facts.height - height + 1), rng.integers(clip.facts.width - width + 1)
        return int(top), int(left), height, width

    def _invent(self, rng: np.random.Generator) -> np.ndarray:
        s = self.sampling
        photos = []
        if self.windows and rng.random() < s.photos:
            for _ in range(3):
                clip, window, _ = self._window(rng)
                height, width = clip.facts.height, clip.facts.width
                side = min(2 * s.crop, height, width)
                box = (int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)), side, side)
                photos.append(clip.read([window.start], box)[0])
        times = [i - (s.inputs // 2 - 1) for i in range(s.inputs)] + [j / s.k for j in range(1, s.k)]
        return procedural.scene(rng, s.crop, np.array(times, np.float64), s.fastest, photos)


def blend_error(middle: np.ndarray) -> float:
    """Mean |error| of the linear blend, for [before, truth, after]; 1.0 = white for black."""
    before, truth, after = middle.astype(np.float32) / 255
    return float(np.abs((before + after) / 2 - truth).mean())


def share(batch: int, world: int) -> int:
    """Samples of a batch for each of so many processes."""
    if batch % world:
        raise ValueError(f"a batch of {batch} cannot be shared out over {world} processes evenly; give another --batch")
    return batch // world


class Batches(Sampler[list[int]]):
    """The numbers of this process's share of the samples, batch after batch, from step `first` on."""

    def __init__(self, batch: int, steps: int, first: int = 0, rank: int = 0, world: int = 1) -> None:
        self.batch, self.steps, self.first, self.rank, self.share = batch, steps, first, rank, share(batch, world)

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.steps):
            start = step * self.batch + self.rank * self.share
            yield list(range(start, start + self.share))
