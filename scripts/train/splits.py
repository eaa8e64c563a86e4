"""Which frames are held out for validation, and the guard that keeps training away from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clips import Box, Clip, ClipError, Footage

Range = tuple[int, int]  # first frame, and the frame after the last


class HeldOut(Exception):
    """Training asked for a validation frame: a bug, never to be caught."""


@dataclass(frozen=True)
class Split:
    """A split file: `validation` names clips (by the end of their path), each with a range of frames or null for all;
    `select` names those on which checkpoints are chosen."""

    validation: dict[str, Range | None]
    select: tuple[str, ...] = ()

    @staticmethod
    def load(path: Path) -> Split:
        try:
            value = json.loads(path.read_text())
            ranges = {name: None if span is None else as_range(*span) for name, span in value["validation"].items()}
            select = tuple(value.get("select", ranges))
        except OSError as error:
            raise ClipError(f"expected a split file at {path}, as split.json is one: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            expected = '{"validation": {CLIP: null or [FIRST, STOP]}, "select": [CLIP]}'
            # The text of a UnicodeDecodeError's arguments is the whole file.
            found = "no text" if isinstance(error, UnicodeDecodeError) else repr(error)
            raise ClipError(f"{path} is no split file: expected {expected}; found {found}") from None
        unknown = [name for name in select if name not in ranges]
        if unknown:
            raise ClipError(f"{path}: `select` names clips that `validation` does not: {', '.join(unknown)}")
        return Split(ranges, select)

    def entry(self, clip: Clip) -> str | None:
        """The entry that names this clip, however far down the data's root points."""
        path = clip.files[0].resolve() if clip.is_video else clip.files[0].resolve().parent
        return next((name for name in self.validation if f"/{path.as_posix()}".endswith(f"/{name}")), None)

    def held_out(self, footage: Footage) -> Range | None:
        """Frames of this clip that are not to be trained on."""
        name = self.entry(footage.clip)
        if name is None:
            return None
        first, stop = self.validation[name] or (0, footage.facts.frames)
        if not 0 <= first < stop <= footage.facts.frames:
            has = f"{name} has {footage.facts.frames} frames"
            raise ClipError(f"{has}; the split holds out {first} to {stop - 1}: correct it, or give the whole clip")
        return first, stop


def as_range(first: int, stop: int) -> Range:
    return int(first), int(stop)


class Guarded:
    """Footage that refuses every held-out frame."""

    def __init__(self, footage: Footage, held_out: Range | None) -> None:
        self.footage, self.held_out, self.facts, self.cheap = footage, held_out, footage.facts, footage.cheap

    def read(self, indices: Sequence[int], box: Box) -> np.ndarray:
        if self.held_out and any(self.held_out[0] <= i < self.held_out[1] for i in indices):
            raise HeldOut(f"{self.footage.clip.name}: frames {list(indices)} reach into the held-out {self.held_out}")
        return self.footage.read(indices, box)
