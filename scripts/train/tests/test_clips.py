"""What counts as a clip, and what is read from it."""

import os
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import files
from clips import ClipError, find_clips, load_image, scan, scan_all
from disk import room_for
from footage import moving, write_images, write_video
from scanning import scan_with_others


def test_videos_and_frame_folders_are_found_below_the_root(tmp_path: Path) -> None:
    write_video(tmp_path / "b.mkv", moving(3))
    write_images(tmp_path / "deep" / "a", moving(3))
    (tmp_path / "notes.txt").write_text("no clip")
    assert [clip.name for clip in find_clips(tmp_path)] == ["b.mkv", "deep/a"]


def test_images_come_in_the_order_of_their_numbers_and_hidden_files_are_left_aside(tmp_path: Path) -> None:
    frames = moving(11)
    write_images(tmp_path / "a", frames, "img{}.png")
    (tmp_path / "a" / "._img1.png").write_bytes(b"kept by the system")
    (tmp_path / "._a.mp4").write_bytes(b"kept by the system")
    write_images(tmp_path / ".trash" / "b", frames)
    (clip,) = find_clips(tmp_path)
    assert np.array_equal(scan(clip, tmp_path).read(range(11), (0, 0, 48, 48)), frames)


def test_grey_images_of_16_bits_keep_their_shades(tmp_path: Path) -> None:
    frames = moving(2)[..., 0]
    (tmp_path / "a").mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame.astype(np.uint16) * 257).save(tmp_path / "a" / f"{number}.png")
    (clip,) = find_clips(tmp_path)
    assert np.array_equal(scan(clip, tmp_path).read([0, 1], (0, 0, 48, 48)), np.stack([frames] * 3, axis=3))


def test_image_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(ClipError) as told:
        load_image(tmp_path / "a.png")
    assert str(told.value) == f"{tmp_path / 'a.png'} cannot be read: No such file or directory"


def test_images_of_32_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((48, 48), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ClipError, match="expected 8 or 16 bits for each channel, found 32"):
        load_image(tmp_path / "a.tif")


def test_missing_images_break_a_clip(tmp_path: Path) -> None:
    write_images(tmp_path / "a", moving(12))
    (tmp_path / "a" / "0005.png").unlink()
    (clip,) = find_clips(tmp_path)
    assert scan(clip, tmp_path).facts.breaks == (3,)
    assert scan_all([clip], tmp_path, 1)[0][0].facts.breaks == (3,)


def test_frames_that_a_video_dropped_break_it(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", moving(8), times=[0, 33, 67, 100, 200, 233, 267, 300])
    (clip,) = find_clips(tmp_path)
    assert scan(clip, tmp_path).facts.breaks == (3,)


def test_septuplets_are_those_of_the_training_list(tmp_path: Path) -> None:
    for name in ("00001/0001", "00001/0002"):
        write_images(tmp_path / "sequences" / name, moving(7), "im{}.png")
    (tmp_path / "sep_trainlist.txt").write_text("00001/0002\n")
    (tmp_path / "sep_testlist.txt").write_text("00001/0001\n")
    (clip,) = find_clips(tmp_path)
    assert clip.name == "00001/0002"
    assert [path.name for path in clip.files] == [f"im{n}.png" for n in range(1, 8)]


@pytest.mark.parametrize("sharp", ["", "sharp"])
def test_gopro_is_its_training_folders(tmp_path: Path, sharp: str) -> None:
    write_images(tmp_path / "train" / "GOPR0001" / sharp, moving(3), "{:06d}.png")
    write_images(tmp_path / "test" / "GOPR0002" / sharp, moving(3), "{:06d}.png")
    (clip,) = find_clips(tmp_path)
    assert (clip.name, len(clip.files)) == ("GOPR0001", 3)


def test_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="absent"):
        find_clips(tmp_path / "absent")


@pytest.mark.parametrize("kind", ["video", "images"])
def test_boxes_of_frames_are_read_exactly(tmp_path: Path, kind: str) -> None:
    frames = moving(9)
    (tmp_path / "data").mkdir()
    if kind == "video":
        write_video(tmp_path / "data" / "a.mkv", frames)
    else:
        write_images(tmp_path / "data" / "a", frames)
    (clip,) = find_clips(tmp_path / "data")
    footage = scan(clip, tmp_path)
    assert (footage.facts.frames, footage.facts.height, footage.facts.width) == (9, 48, 48)
    assert np.array_equal(footage.read([8, 0, 3], (5, 7, 16, 24)), frames[[8, 0, 3], 5:21, 7:31])


def test_second_scan_takes_what_the_first_one_left(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", moving(5))
    (clip,) = find_clips(tmp_path)
    first = scan(clip, tmp_path)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.*")}
    assert scan_all([clip], tmp_path, 1)[0][0].facts == first.facts
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.*")} == made


@pytest.mark.parametrize("suffix", [".json", ".npy"])
def test_clip_whose_cache_is_damaged_is_scanned_again(tmp_path: Path, suffix: str) -> None:
    write_video(tmp_path / "a.mkv", moving(5))
    (clip,) = find_clips(tmp_path)
    scan(clip, tmp_path)
    (damaged,) = tmp_path.glob(f"*{suffix}")
    os.truncate(damaged, damaged.stat().st_size // 2)
    assert np.array_equal(scan(clip, tmp_path).read(range(5), (0, 0, 48, 48)), moving(5))


def test_unreadable_clips_are_skipped_and_listed(tmp_path: Path) -> None:
    write_video(tmp_path / "good.mkv", moving(5))
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    write_images(tmp_path / "mixed", moving(2))
    write_images(tmp_path / "mixed" / "other", moving(1, size=32))
    (tmp_path / "mixed" / "other" / "0001.png").rename(tmp_path / "mixed" / "0003.png")
    with pytest.warns(UserWarning, match="skipped"):
        good, bad = scan_all(find_clips(tmp_path), tmp_path / "cache", 1)
    assert [footage.clip.name for footage in good] == ["good.mkv"]
    assert sorted(bad) == ["broken.mp4", "mixed"]
    assert "32x32" in bad["mixed"]


def test_processes_that_scan_the_same_clips_at_once_do_not_meet(tmp_path: Path) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    cache.mkdir()
    for number in range(3):
        write_video(data / f"{number}.mkv", moving(40, seed=number))
    spawn = get_context("spawn")
    start = spawn.Barrier(2)
    processes = [spawn.Process(target=scan_with_others, args=(data, cache, start)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(path.suffix for path in cache.iterdir()) == [".json"] * 3 + [".npy"] * 3
    footage, _ = scan_all(find_clips(data), cache, 1)
    for number, clip in enumerate(footage):
        assert np.array_equal(clip.read(range(40), (0, 0, 48, 48)), moving(40, seed=number))


def test_what_a_killed_scan_left_is_cleared_away_but_not_what_one_still_writes(tmp_path: Path) -> None:
    dead, alive = tmp_path / f".a.npy.1{files.PARTIAL}", tmp_path / f".a.npy.2{files.PARTIAL}"
    for path in (dead, alive):
        path.write_bytes(b"half")
    os.utime(dead, (0, 0))
    scan_all([], tmp_path, 1)
    assert list(tmp_path.iterdir()) == [alive]


def test_full_disk_is_no_fault_of_a_clip(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", moving(5))
    with room_for(1000), pytest.raises(OSError, match="cache"):
        scan_all(find_clips(tmp_path), tmp_path / "cache", 1)
    assert not list((tmp_path / "cache").iterdir())
