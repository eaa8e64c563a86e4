"""Where training frames come from: folders of videos or of frames, Vimeo-90K septuplets, GoPro."""

from __future__ import annotations

import hashlib
import json
import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from PIL import Image

import files
import order
import signals

VIDEO = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mxf", ".wmv"}
VIDEO |= {".flv", ".3gp", ".ogv", ".y4m", ".gif"}
IMAGE = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".ppm"}
THUMBNAIL = (64, 36)

Box = tuple[int, int, int, int]  # top, left, height, width
Timed = tuple[float | None, np.ndarray]  # a frame, uint8 [H, W, 3] in RGB, and when it is shown if that is known


@dataclass(frozen=True)
class Clip:
    """One video file, or the images of one folder in order."""

    name: str  # path below the data's root, with forward slashes
    files: tuple[Path, ...]
    trusted: bool = False  # cut into shots by its publisher: never scanned

    @property
    def is_video(self) -> bool:
        return self.files[0].suffix.lower() in VIDEO


@dataclass(frozen=True)
class Facts:
    """What one pass over a clip found out."""

    frames: int
    height: int
    width: int
    motion: tuple[float, ...] | None  # mean |difference| of each two consecutive thumbnails, 1.0 = white to black
    breaks: tuple[int, ...] = ()  # every i such that frame i+1 does not follow frame i at the clip's pace


class ClipError(Exception):
    """A clip that cannot be used; the message says why."""


def find_clips(root: Path) -> list[Clip]:
    """All clips below `root`; the layout is told from what is there."""
    if not root.is_dir():
        if root.exists():
            raise ClipError(f"expected a folder of clips, found the file {root}: name the folder that it is in")
        raise ClipError(f"expected a folder of clips, found none at {root}; name one with --data")
    if (root / "sep_trainlist.txt").is_file():
        return list(septuplets(root))
    if (root / "train").is_dir() and any((root / "train").glob("GOPR*")):
        return list(gopro(root / "train"))
    return list(plain(root))


def septuplets(root: Path) -> Iterator[Clip]:
    """Vimeo-90K: the sequences of its training list; the test list is never opened."""
    for line in (root / "sep_trainlist.txt").read_text().split():
        yield Clip(line, tuple(root / "sequences" / line / f"im{n}.png" for n in range(1, 8)), trusted=True)


def gopro(train: Path) -> Iterator[Clip]:
    """GoPro's training folders: sharp frames, beside the images or in a folder `sharp`."""
    for folder in sorted(path for path in train.glob("GOPR*") if path.is_dir()):
        images = images_in(folder / "sharp" if (folder / "sharp").is_dir() else folder)
        if images:
            yield Clip(folder.name, images, trusted=True)


def plain(root: Path) -> Iterator[Clip]:
    folders = [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        if any(hidden(part) for part in folder.relative_to(root).parts):
            continue
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix.lower() in VIDEO and not hidden(path.name):
                yield Clip(path.relative_to(root).as_posix(), (path,))
        if images := images_in(folder):
            yield Clip(folder.relative_to(root).as_posix(), images)


def images_in(folder: Path) -> tuple[Path, ...]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE and not hidden(path.name))
    return tuple(sorted(found, key=lambda path: order.natural(path.name)))


def hidden(name: str) -> bool:
    """What a system keeps beside the files of its user, such as the `._` files of macOS."""
    return name.startswith(".")


def decode(path: Path) -> Iterator[Timed]:
    """Every frame of a video."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ClipError("it has no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                yield frame.time, frame.to_ndarray(format="rgb24")
    except av.error.FFmpegError as error:
        raise ClipError(f"it cannot be decoded: {error.strerror}") from None


def load_image(path: Path) -> np.ndarray:
    """uint8 [H, W, 3], RGB."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I;16"):  # grey of 16 bits, which `convert` would clip at 255
                return np.repeat(np.rint(np.asarray(image) / 257).astype(np.uint8)[..., None], 3, axis=2)
            if image.mode in ("I", "F"):
                raise ValueError("expected 8 or 16 bits for each channel, found 32")
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error  # else it has the path again
        raise ClipError(f"{path} cannot be read: {why}") from None


def images(clip: Clip) -> Iterator[Timed]:
    """Every image of a clip, with the number in its name for a time."""
    return zip(order.numbers([path.name for path in clip.files]), map(load_image, clip.files), strict=True)


class Footage:
    """A scanned clip, read frame by frame: a video's frames from the cache, images from where they are."""

    def __init__(self, clip: Clip, facts: Facts, cached: Path | None) -> None:
        self.clip, self.facts, self._cached = clip, facts, cached
        self._map: np.ndarray | None = None

    @property
    def cheap(self) -> bool:
        """Whether reading a box costs no decoding."""
        return self._cached is not None

    def read(self, indices: Sequence[int], box: Box) -> np.ndarray:
        """uint8 [len(indices), height, width, 3]."""
        top, left, height, width = box
        rows, columns = slice(top, top + height), slice(left, left + width)
        if self._cached is None:
            return np.stack([load_image(self.clip.files[i])[rows, columns] for i in indices])
        if self._map is None:
            self._map = np.load(self._cached, mmap_mode="r")
        return np.stack([self._map[i, rows, columns] for i in indices])

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_map": None}  # every worker opens the file itself


def scanned(clip: Clip, cache: Path) -> Footage | None:
    """The clip as an earlier scan left it in `cache`, if one did and all of it is still there."""
    try:
        facts_file, frames_file = places(clip, cache)
        fields = json.loads(facts_file.read_text())
        facts = Facts(**{**fields, "motion": tuple(fields["motion"]), "breaks": tuple(fields["breaks"])})
        whole = frames_file is None or frames_file.stat().st_size == array_bytes(facts)
    except (ClipError, OSError, ValueError, TypeError, KeyError):
        return None
    return Footage(clip, facts, frames_file) if whole else None


def scan(clip: Clip, cache: Path) -> Footage:
    """Decode a clip once: its facts, and for a video its frames, both kept in `cache` for the next time."""
    if clip.trusted:
        height, width = load_image(clip.files[0]).shape[:2]
        return Footage(clip, Facts(len(clip.files), height, width, None), None)
    if known := scanned(clip, cache):
        return known
    facts_file, frames_file = places(clip, cache)
    facts = record(decode(clip.files[0]) if clip.is_video else images(clip), frames_file)
    files.write_json(facts_file, asdict(facts))
    return Footage(clip, facts, frames_file)


def places(clip: Clip, cache: Path) -> tuple[Path, Path | None]:
    """Files of the clip's facts and, for a video, of its frames."""
    base = cache / fingerprint(clip)
    return base.with_suffix(".json"), base.with_suffix(".npy") if clip.is_video else None


def fingerprint(clip: Clip) -> str:
    """Changes when the clip does."""
    try:
        stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in clip.files]
    except OSError as error:
        raise ClipError(f"it cannot be read: {error}") from None
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:32]


def record(frames: Iterable[Timed], target: Path | None) -> Facts:
    """Measure the motion between frames, and write them to an array file, one after the other."""
    if target is None:
        return watch(frames, None)
    with files.replacing(target) as file:
        facts = watch(frames, file)
        file.seek(0)
        file.write(array_header(facts.frames, (facts.height, facts.width, 3)))
    return facts


def watch(frames: Iterable[Timed], file: BinaryIO | None) -> Facts:
    """The facts of a clip; its pixels go to `file`, after a header that is still to be filled in."""
    count, motion, times, shape, last = 0, [], [], None, None
    for time, frame in frames:
        if shape and frame.shape != shape:
            raise ClipError(f"frame {count} is {frame.shape[1]}x{frame.shape[0]}, the first {shape[1]}x{shape[0]}")
        if file and shape is None:
            file.write(array_header(0, frame.shape))
        if file:
            file.write(np.ascontiguousarray(frame).data)
        small = np.asarray(Image.fromarray(frame).resize(THUMBNAIL, Image.Resampling.BOX), np.float32) / 255
        if last is not None:
            motion.append(float(np.abs(small - last).mean()))
        times.append(time)
        count, shape, last = count + 1, frame.shape, small
    if shape is None:
        raise ClipError("it has no frames")
    return Facts(count, shape[0], shape[1], tuple(motion), tuple(order.breaks(times)))


def array_bytes(facts: Facts) -> int:
    return len(array_header(0, (0, 0, 0))) + facts.frames * facts.height * facts.width * 3


def array_header(count: int, shape: tuple[int, ...]) -> bytes:
    """An .npy header of fixed length for uint8 [count, *shape]."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count:>12}, {', '.join(map(str, shape))})}}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"


def open_cache(folder: Path) -> None:
    """Make the folder, or clear away what killed processes left in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ClipError(f"expected a folder for decoded frames at {folder}, found a file; name another") from None
    files.sweep(folder)


def scan_all(clips: Sequence[Clip], cache: Path, workers: int) -> tuple[list[Footage], dict[str, str]]:
    """Scan clips in worker processes; returns the usable ones in order, and the others' names with the reason."""
    open_cache(cache)
    good: list[Footage] = []
    bad: dict[str, str] = {}
    known = {clip: found for clip in clips if not clip.trusted and (found := scanned(clip, cache))}
    try:
        with scanners(workers) as pool:
            with signals.shield([signal.SIGINT]):
                jobs = {clip: pool.submit(signals.tidily, scan, clip, cache) for clip in clips if clip not in known}
            for clip in clips:
                try:
                    good.append(known.get(clip) or jobs[clip].result())
                except ClipError as error:
                    bad[clip.name] = str(error)
                    warnings.warn(f"skipped {clip.name}: {error}", stacklevel=2)
    except BrokenProcessPool:
        done = {*bad, *(footage.clip.name for footage in good)}
        unread = [clip.name for clip in clips if clip.name not in done]
        raise ClipError(
            "a process that decodes clips was killed, by their decoder or for want of memory: give fewer --workers, or "
            f"leave out the clip that does it; unread are {', '.join(unread[:5])}{' …' * (len(unread) > 5)}"
        ) from None
    return good, bad


@contextmanager
def scanners(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes; where what is done with them fails, they leave their work undone and end at once."""
    before = set(active_children())
    pool = ProcessPoolExecutor(max(1, workers), get_context("spawn"), signals.leave_with_parent)
    try:
        yield pool
        with signals.shield():  # short, as all is done
            pool.shutdown()
    except BaseException:
        for process in set(active_children()) - before:
            process.terminate()
        # Its thread must be gone too: the interpreter's own end would wake it as it closes what it is woken by.
        pool.shutdown(cancel_futures=True)
        raise
