"""A pan moves the crop by whole pixels, and its truth is where the camera would be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from augment import Augment
from clips import find_clips, scan
from dataset import Sampling, TrainingSet
from footage import write_images
from pan import Pan, in_front
from sampling import Window
from splits import Guarded

PLAIN = Augment(flip=0, transpose=0, reverse=0, permute=0, jitter=0)


@pytest.mark.parametrize("k", [2, 4, 8])
def test_path_is_a_smooth_curve_through_whole_pixels(k: int) -> None:
    instants = Window(0, 1, 4, k).instants
    rng = np.random.default_rng(0)
    for _ in range(200):
        pan = Pan.draw(rng, instants, k, fastest=100.0)
        assert pan.path.min() == 0
        order = np.argsort(instants)
        curve = np.polyfit(np.array(instants)[order], pan.path[order], 2)
        fitted = np.stack([np.polyval(curve[:, axis], instants) for axis in (0, 1)], 1)
        assert np.abs(fitted - pan.path).max() < 1e-6


def test_speed_keeps_its_limit() -> None:
    instants = Window(0, 1, 4, 2).instants
    rng = np.random.default_rng(1)
    speeds = []
    for _ in range(500):
        pan = Pan.draw(rng, instants, 2, fastest=10.0)
        speeds.append(np.abs(pan.path[2] - pan.path[1]).max())
    assert 8 <= max(speeds) <= 13  # 10, and a pixel of rounding and of acceleration for each half gap


def test_pan_over_a_still_clip_is_a_moving_crop_of_it(tmp_path: Path) -> None:
    # Each pixel's colour tells where it is; a corner that changes keeps the clip from being left out as still.
    height, width = 120, 160
    place = np.stack([*np.mgrid[0:height, 0:width], np.zeros((height, width))], -1).astype(np.uint8)
    frames = np.repeat(place[None], 12, axis=0)
    frames[:, :60, :60, 2] = np.arange(12)[:, None, None] * 20
    write_images(tmp_path / "a", frames)
    (clip,) = find_clips(tmp_path)
    sampling = Sampling(crop=32, procedural=0, pan=1, objects=0, candidates=3, strides=(1,), fastest=20, augment=PLAIN)
    samples = TrainingSet([Guarded(scan(clip, tmp_path), None)], sampling, seed=0)
    moved = 0
    for number in range(20):
        inputs, truth = samples[number]
        corners = torch.cat([inputs[:2, :, 0, 0].T, truth[:, :2, 0, 0]]).mul(255).round().int().tolist()
        before, after, middle = (np.array(corners[i]) for i in (1, 2, 4))
        # Without acceleration the truth lies half way; with it, half a pixel beside for each axis that bends.
        assert np.abs(2 * middle - before - after).max() <= 1
        moved += int(np.abs(after - before).max() > 0)
    assert moved > 15


def test_piece_in_front_moves_with_its_own_pan() -> None:
    instants = Window(0, 1, 4, 2).instants
    pan = Pan(np.array([[0, 4 * (t + 2)] for t in instants]))
    back, front = (np.full((5, 48, 48, 3), value, np.uint8) for value in (0, 255))
    seen = in_front(np.random.default_rng(0), back, front, pan)[..., 0] > 127
    column = {t: np.argwhere(frame)[:, 1].mean() for t, frame in zip(instants, seen, strict=True) if frame.any()}
    assert column[0] - column[2] == pytest.approx(8, abs=1)
    assert column[0] - column[1] == pytest.approx(4, abs=1)


def test_clip_without_room_for_the_pan_is_not_panned(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), np.uint8)
    write_images(tmp_path / "a", frames)
    (clip,) = find_clips(tmp_path)
    sampling = Sampling(crop=32, procedural=0, pan=1, objects=0, strides=(1,), fastest=64, augment=PLAIN)
    samples = TrainingSet([Guarded(scan(clip, tmp_path), None)], sampling, seed=0)
    whole = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    for number in range(10):
        truth = samples[number][1][0]
        assert any(torch.allclose(frame, truth) for frame in whole)
