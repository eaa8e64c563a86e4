"""Which frames form a sample, and which never do."""

import json
import re
from pathlib import Path

import pytest

from clips import Clip, ClipError, Facts, Footage, find_clips, scan
from footage import moving, write_images
from order import breaks, numbers
from sampling import Window, cuts, shots, starts
from splits import Guarded, HeldOut, Split


@pytest.mark.parametrize(
    ("k", "stride", "inputs", "expected"),
    [
        (2, 1, 4, ([0, 2, 4, 6], [3])),
        (8, 1, 4, ([0, 8, 16, 24], [9, 10, 11, 12, 13, 14, 15])),
        (4, 2, 2, ([0, 8], [2, 4, 6])),
        (2, 3, 6, ([0, 6, 12, 18, 24, 30], [15])),
    ],
)
def test_window_takes_every_kth_frame_and_those_between_the_middle_two(
    k: int, stride: int, inputs: int, expected: tuple[list[int], list[int]]
) -> None:
    window = Window(0, stride, inputs, k)
    assert (window.input_frames, window.target_frames) == expected
    assert Window.length(inputs, k, stride) == expected[0][-1] + 1


def test_cut_is_a_jump_that_stands_out() -> None:
    motion = [0.01, 0.3, 0.01, 0.2, 0.15, 0.2, 0.01]
    assert cuts(motion) == [1]


def test_shots_lie_between_cuts_and_outside_the_held_out_range() -> None:
    motion = [0.01] * 19
    motion[9] = 0.5
    assert shots(20, motion, None) == [(0, 10), (10, 20)]
    assert shots(20, motion, (5, 12)) == [(0, 5), (12, 20)]
    assert shots(20, motion, (0, 20)) == []


def test_windows_stay_within_a_shot_and_leave_still_gaps_out() -> None:
    motion = [0.01] * 29
    motion[14] = 0.5
    assert starts(30, motion, None, inputs=4, k=2, stride=1) == [*range(9), *range(15, 24)]
    motion[2:4] = [0.0, 0.0]
    assert 0 not in starts(30, motion, None, inputs=4, k=2, stride=1)
    assert starts(6, None, None, inputs=4, k=2, stride=1) == []


def test_no_window_crosses_a_break_of_the_clips_pace() -> None:
    motion = [0.01] * 29
    assert starts(30, motion, None, inputs=4, k=2, stride=1, breaks=[14]) == [*range(9), *range(15, 24)]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 33, 67, 100, 133], []),  # 30 frames a second, in milliseconds
        ([0, 33, 100, 133, 167], [1]),  # one is missing
        ([0, 40, 80, 90, 130, 170], [2]),  # one came too early
        ([10, 20, 30, 40], []),  # numbered in tens
        ([0, 1, 2, None, 4], []),
        ([0, 9], []),
        ([], []),
    ],
)
def test_pace_breaks_where_a_step_is_far_from_the_usual_one(times: list[float | None], expected: list[int]) -> None:
    assert breaks(times) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["take2_9.png", "take2_10.png"], [9, 10]),
        (["cam1_1.png", "cam2_1.png"], [None, None]),
        (["a.png", "b1.png"], [None, None]),
    ],
)
def test_times_of_images_are_their_last_numbers(names: list[str], expected: list[float | None]) -> None:
    assert numbers(names) == expected


def footage(name: str, frames: int) -> Footage:
    return Footage(Clip(name, (Path("/data/set") / name,)), Facts(frames, 48, 48, None), None)


def test_split_finds_its_clips_however_far_down_the_root_points() -> None:
    split = Split({"set/a.mp4": None, "b.mp4": (2, 5)})
    assert split.held_out(footage("a.mp4", 9)) == (0, 9)
    assert split.held_out(footage("b.mp4", 9)) == (2, 5)
    assert split.held_out(footage("ab.mp4", 9)) is None


def test_link_is_held_out_by_its_own_name_and_by_that_of_its_file(tmp_path: Path) -> None:
    write_images(tmp_path / "store" / "1f3a", moving(2))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").symlink_to(tmp_path / "store" / "1f3a")
    (clip,) = find_clips(tmp_path / "set")
    names = ["set/a", "store/1f3a", "set/1f3a"]
    assert [Split({name: None}).entry(clip) for name in names] == ["set/a", "store/1f3a", None]


def test_copy_of_a_held_out_clip_is_held_out_too(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1), ("renamed", 0)):
        write_images(tmp_path / "data" / name, moving(4, seed=seed))
    scans = [scan(clip, tmp_path) for clip in find_clips(tmp_path / "data")]
    assert [clip.held_out for clip in Split({"data/a": (1, 3)}).guard(scans)] == [(1, 3), None, (1, 3)]


def test_split_that_reaches_past_the_clip_is_refused() -> None:
    with pytest.raises(ClipError, match="9 frames"):
        Split({"b.mp4": (2, 10)}).held_out(footage("b.mp4", 9))


def test_split_file_may_only_select_what_it_holds_out(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"validation": {"a.mp4": None}, "select": ["b.mp4"]}))
    with pytest.raises(ClipError, match="b.mp4"):
        Split.load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"validation": {"a.mp4": [5]}}', "a.mp4 with [5]"),
        ('{"validation": {"a.mp4": "all"}}', "a.mp4 with all"),
        ('{"validation": {"a.mp4": [0.5, 2]}}', "a.mp4 with [0.5, 2]"),
        ("[" * 100_000, "recursion"),
    ],
    ids=["one number", "a word", "half a frame", "deep"],
)
def test_split_file_that_is_none_is_told_with_what_was_found(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(content)
    with pytest.raises(ClipError, match=rf"is no split file: expected .*; found .*{re.escape(words)}"):
        Split.load(path)


def test_split_file_that_is_no_text_is_named_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_bytes(b"\xff" * 1000)
    with pytest.raises(ClipError, match=r"split.json is no split file: expected .*; found no text$"):
        Split.load(path)


def test_training_refuses_every_frame_of_a_validation_range(tmp_path: Path) -> None:
    write_images(tmp_path / "a", moving(8))
    (clip,) = find_clips(tmp_path)
    guarded = Guarded(scan(clip, tmp_path), (3, 6))
    box = (0, 0, 8, 8)
    assert guarded.read([2, 6], box).shape == (2, 8, 8, 3)
    for index in (3, 4, 5):
        with pytest.raises(HeldOut):
            guarded.read([0, index], box)


def test_no_window_of_a_split_clip_reaches_into_its_validation_range() -> None:
    held_out = (20, 40)
    for k, stride in ((2, 1), (2, 3), (4, 1), (8, 1)):
        for start in starts(80, [0.01] * 79, held_out, 4, k, stride):
            window = Window(start, stride, 4, k)
            assert not any(20 <= i < 40 for i in range(window.input_frames[0], window.input_frames[-1] + 1))
