"""Which frames are held out for validation, and the guard that keeps training away from them."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Iterable, Sequence
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
            ranges = {name: as_range(name, span) for name, span in value["validation"].items()}
            select = tuple(value.get("select", ranges))
        except OSError as error:
            raise ClipError(f"expected a split file at {path}, as split.json is one: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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
        # A link goes by its own name too: the file behind it may be named by a hash.
        places = {clip.files[0].absolute(), clip.files[0].resolve()}
        paths = [f"/{(place if clip.is_video else place.parent).as_posix()}" for place in places]
        return next((name for name in self.validation if any(path.endswith(f"/{name}") for path in paths)), None)

    def named(self, clips: Iterable[Clip]) -> dict[str, Clip]:
        """The clip of each entry; one that has none was moved, or is called otherwise, and might be trained on."""
        found = {name: clip for clip in clips if (name := self.entry(clip))}
        if missing := [name for name in self.validation if name not in found]:
            raise ClipError(
                f"the split holds out clips that are below no root of --data: {', '.join(missing)}; add theirs"
            )
        return found

    def guard(self, footage: Sequence[Footage]) -> list[Guarded]:
        """The footage, each without what is held out of it, or of the clip that it is a copy of."""
        ranges = {of.clip: self.held_out(of) for of in footage}
        originals = {of.clip: ranges[of.clip] for of in footage if ranges[of.clip]}
        for of in footage:
            if not ranges[of.clip]:
                ranges[of.clip] = next((span for clip, span in originals.items() if same_content(clip, of.clip)), None)
        return [Guarded(of, ranges[of.clip]) for of in footage]

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


def same_content(a: Clip, b: Clip) -> bool:
    """Whether two clips are the same files, byte for byte, whatever they are called."""
    pairs = zip(a.files, b.files, strict=False)
    return len(a.files) == len(b.files) and all(filecmp.cmp(x, y, shallow=False) for x, y in pairs)


def as_range(name: str, span: object) -> Range | None:
    if span is None:
        return None
    if not isinstance(span, list) or len(span) != 2 or not all(type(number) is int for number in span):
        raise ValueError(f"{name} with {span}")
    return span[0], span[1]


class Guarded:
    """Footage that refuses every held-out frame."""

    def __init__(self, footage: Footage, held_out: Range | None) -> None:
        self.footage, self.held_out, self.facts, self.cheap = footage, held_out, footage.facts, footage.cheap

    def read(self, indices: Sequence[int], box: Box) -> np.ndarray:
        if self.held_out and any(self.held_out[0] <= i < self.held_out[1] for i in indices):
            raise HeldOut(f"{self.footage.clip.name}: frames {list(indices)} reach into the held-out {self.held_out}")
        return self.footage.read(indices, box)
