"""Samples: drawn by number, true to the clip, the same for everyone."""

from pathlib import Path

import numpy as np
import pytest
import torch

import procedural
from augment import Augment
from clips import ClipError, Footage, find_clips, scan
from dataset import Batches, Sampling, Supply, TrainingSet
from footage import moving, write_images, write_video
from splits import Guarded

PLAIN = Augment(flip=0, transpose=0, reverse=0, permute=0, jitter=0)


@pytest.fixture
def clip(tmp_path: Path) -> Footage:
    write_images(tmp_path / "a", moving(20))
    (clip,) = find_clips(tmp_path)
    return scan(clip, tmp_path)


def test_sample_is_the_same_whenever_it_is_drawn(clip: Footage) -> None:
    sampling = Sampling(crop=32, procedural=0.5)
    one, two = (TrainingSet([Guarded(clip, None)], sampling, seed=3) for _ in range(2))
    for index in (7, 0, 12345):
        assert all(torch.equal(a, b) for a, b in zip(one[index], two[index], strict=True))
    assert not torch.equal(one[0][0], one[1][0])


def test_sample_is_a_crop_of_the_clip_with_its_truth(clip: Footage) -> None:
    sampling = Sampling(crop=48, procedural=0, pan=0, candidates=1, strides=(1,), augment=PLAIN, k=4)
    whole = torch.from_numpy(clip.read(range(20), (0, 0, 48, 48))).permute(3, 0, 1, 2) / 255
    inputs, truth = TrainingSet([Guarded(clip, None)], sampling, seed=0)[0]
    start = next(i for i in range(20) if torch.allclose(whole[:, i], inputs[:, 0]))
    assert torch.allclose(inputs, whole[:, start : start + 13 : 4])
    assert torch.allclose(truth.transpose(0, 1), whole[:, start + 5 : start + 8])


def test_crops_where_the_blend_fails_are_chosen_more_often(tmp_path: Path) -> None:
    frames = np.zeros((20, 32, 64, 3), np.uint8)
    frames[:, :, 32:] = moving(20, 32)
    write_images(tmp_path / "a", frames)
    (clip,) = find_clips(tmp_path)
    guarded = Guarded(scan(clip, tmp_path), None)

    def moving_share(candidates: int) -> float:
        sampling = Sampling(crop=32, procedural=0, pan=0, candidates=candidates, strides=(1,), augment=PLAIN)
        samples = TrainingSet([guarded], sampling, seed=0)
        return float(np.mean([samples[i][1].mean() for i in range(60)]))

    assert moving_share(6) > 1.1 * moving_share(1)


def test_long_clip_does_not_drown_a_short_one() -> None:
    supply = Supply({3: np.arange(900), 7: np.arange(100)})
    rng = np.random.default_rng(0)
    drawn = [supply.draw(rng)[0] for _ in range(2000)]
    assert np.mean([number == 7 for number in drawn]) == pytest.approx(0.25, abs=0.04)


def test_reversal_turns_inputs_and_truth_alike() -> None:
    frames = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    reverse = Augment(flip=0, transpose=0, reverse=1, permute=0, jitter=0)
    turned = reverse(np.random.default_rng(0), frames, 4)
    assert (turned[:, 0, 0, 0] * 255).round().tolist() == [3, 2, 1, 0, 6, 5, 4]


def test_every_augmentation_treats_all_frames_alike() -> None:
    frames = np.repeat(np.random.default_rng(1).integers(0, 255, (1, 8, 8, 3), np.uint8), 5, axis=0)
    for seed in range(20):
        changed = Augment()(np.random.default_rng(seed), frames, 4)
        assert np.ptp(changed, axis=0).max() == 0
        assert 0 <= changed.min() <= changed.max() <= 1


def test_no_data_is_said_in_words(clip: Footage) -> None:
    with pytest.raises(ClipError, match="no data: no clip has a moving shot of 25 frames"):
        TrainingSet([Guarded(clip, None)], Sampling(crop=32, k=8, strides=(1,)), seed=0)
    with pytest.raises(ClipError, match="a: it is 48x48, a sample 64x64"):
        TrainingSet([Guarded(clip, None)], Sampling(crop=64), seed=0)


def test_clip_without_a_window_is_listed(clip: Footage) -> None:
    held_out = Guarded(clip, (2, 20))
    samples = TrainingSet([Guarded(clip, None), held_out], Sampling(crop=32), seed=0)
    samples_without = TrainingSet([held_out], Sampling(crop=32, procedural=1), seed=0)
    assert list(samples_without.unusable()) == ["a"]
    assert {number for supply in samples.windows.values() for number in supply.clips} == {0}


@pytest.mark.parametrize(
    ("sampling", "held_out", "words"),
    [
        (dict(crop=64), None, "it is 48x48, a sample 64x64"),
        (dict(k=8, strides=(2, 1)), None, "it has 20 frames, a window 25"),
        ({}, (0, 20), "held out"),
        ({}, (2, 20), "no moving shot of 7 frames"),
    ],
    ids=["small", "short", "held out", "cut up"],
)
def test_clip_that_gives_no_sample_is_listed_with_the_reason(
    clip: Footage, sampling: dict[str, object], held_out: tuple[int, int] | None, words: str
) -> None:
    samples = TrainingSet([Guarded(clip, held_out)], Sampling(**{"crop": 32, "procedural": 1, **sampling}), seed=0)
    assert words in samples.unusable()["a"]


def test_clip_whose_pace_leaves_no_window_is_listed_with_the_reason(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", moving(9), times=[0, 40, 80, 160, 200, 240, 320, 360, 400])
    (clip,) = find_clips(tmp_path)
    samples = TrainingSet([Guarded(scan(clip, tmp_path), None)], Sampling(crop=32, procedural=1), seed=0)
    assert samples.unusable()["a.mkv"].endswith("uneven in time, or missing, in 2 places")


def test_image_that_cannot_be_read_is_listed_and_another_sample_drawn(tmp_path: Path) -> None:
    for number in (1, 2):
        write_images(tmp_path / "sequences" / f"00001/000{number}", moving(7), "im{}.png")
    (tmp_path / "sep_trainlist.txt").write_text("00001/0001\n00001/0002\n")
    footage = [Guarded(scan(clip, tmp_path), None) for clip in find_clips(tmp_path)]
    (tmp_path / "sequences/00001/0001/im4.png").write_bytes(b"broken")
    samples = TrainingSet(footage, Sampling(crop=32, procedural=0, strides=(1,)), 0, tmp_path / "skipped.txt")
    with pytest.warns(UserWarning, match="im4.png"):
        drawn = [samples[i][0].shape for i in range(8)]
    assert set(drawn) == {(3, 4, 32, 32)}
    assert "00001/0001/im4.png" in (tmp_path / "skipped.txt").read_text()


def test_batches_go_on_where_they_stopped() -> None:
    whole = list(Batches(4, 6))
    assert list(Batches(4, 6, first=2)) == whole[2:]
    assert [i for batch in whole for i in batch] == list(range(24))


def test_processes_share_each_batch_out() -> None:
    shares = [list(Batches(4, 3, rank=rank, world=2)) for rank in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == list(Batches(4, 3))
    with pytest.raises(ValueError, match="evenly"):
        Batches(3, 1, world=2)


def test_scene_moves_and_its_middle_is_no_blend() -> None:
    times = np.array([-1, 0, 0.5, 1, 2], float)
    errors = []
    for seed in range(12):
        frames = procedural.scene(np.random.default_rng(seed), 48, times, 24.0)
        assert frames.shape == (5, 48, 48, 3)
        blend = (frames[1].astype(float) + frames[3]) / 2
        errors.append(np.abs(blend - frames[2]).mean())
    assert np.mean(errors) > 2


def test_scene_accelerates() -> None:
    motion = procedural.Motion(*(np.array([0.0, 2.0, 1.0]) if axis == 0 else np.zeros(3) for axis in range(4)))
    places = motion.inverse(np.array([0.0, 1.0, 2.0]))[:, 0, 2]
    assert np.allclose(places, [0, -2.5, -6])
