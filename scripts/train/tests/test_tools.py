"""Growing, exporting and measuring models."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

import baselines
import card
import export
import grow
import properties
import training
import validate
import weights
from clips import ClipError, find_clips, scan
from footage import moving, write_video
from model import Config, Flavr, build
from splits import Split


def model_file(path: Path, **fields: object) -> Path:
    torch.manual_seed(0)
    config = Config.of_width(4, residual="blend", bias=True, fuse_bias=True, **fields)
    weights.write(path, Flavr(config).state_dict(), {"residual": "blend", "data": "none"})
    return path


def grown(source: Path, target: Path, *options: str) -> Flavr:
    grow.main(["--model", str(source), *options, "-o", str(target)])
    return build(*weights.read(target)).eval()


def test_deeper_network_computes_the_same_and_keeps_its_metadata(tmp_path: Path) -> None:
    source = model_file(tmp_path / "a.safetensors")
    small, large = (
        build(*weights.read(source)).eval(),
        grown(source, tmp_path / "b.safetensors", "--blocks", "3", "4", "2", "2"),
    )
    frames = torch.rand(1, 3, 4, 16, 24)
    with torch.inference_mode():
        assert torch.allclose(small(frames), large(frames), atol=1e-6)
    assert large.config.blocks == (3, 4, 2, 2)
    assert (
        weights.read(tmp_path / "b.safetensors")[1] | {"data": "none", "block": "3-4-2-2"}
        == weights.read(tmp_path / "b.safetensors")[1]
    )


@pytest.mark.parametrize("options", [[], ["--stages", "4", "12", "16", "40", "--blocks", "2", "3", "2", "2"]])
def test_wider_network_computes_the_same_and_learns_with_all_it_has(tmp_path: Path, options: list[str]) -> None:
    source = model_file(tmp_path / "a.safetensors")
    widths = ["--stem", "6", "--decoder", "16", "10", "6", "4", "8", "--fuse", "6"]
    small, large = build(*weights.read(source)).eval(), grown(source, tmp_path / "b.safetensors", *widths, *options)
    assert (large.config.stem, large.config.decoder, large.config.fuse) == (6, (16, 10, 6, 4, 8), 6)
    frames = torch.rand(1, 3, 4, 16, 24)
    with torch.inference_mode():
        assert torch.allclose(small(frames), large(frames), atol=1e-6)
    large(frames).square().mean().backward()
    fuse = large.get_parameter("feature_fuse.conv.0.weight").grad[:4].unflatten(1, (4, 8))
    assert (fuse[:, :, 4:] != 0).all(), "what is new has a gradient where the old outputs read it"


def test_channels_cannot_be_taken_away(tmp_path: Path) -> None:
    source = model_file(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="channels can only be added"):
        grown(source, tmp_path / "b.safetensors", "--fuse", "2")


def test_larger_factor_starts_from_the_old_outputs_over_their_own_blends(tmp_path: Path) -> None:
    source = model_file(tmp_path / "a.safetensors")
    small, large = build(*weights.read(source)).eval(), grown(source, tmp_path / "b.safetensors", "--factor", "4")
    frames = torch.rand(1, 3, 4, 16, 24)
    with torch.inference_mode():
        two, four = small(frames), large(frames)
    assert torch.allclose(four[:, 1], two[:, 0], atol=1e-6)
    change = (frames[:, :, 1] - frames[:, :, 2]) / 4
    assert torch.allclose(four[:, 0] - two[:, 0], change, atol=1e-6)


def test_export_carries_averaged_weights_and_says_where_they_come_from(tmp_path: Path) -> None:
    tiny = ["--nf", "2", "--crop", "16", "--batch", "2", "--steps", "2", "--workers", "0", "--batch-norm"]
    tiny += ["--objective", "psnr", "--consistency", "0.5", "--apart", "square"]
    assert training.main(["--folder", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), *tiny]) == 0
    output = tmp_path / "model.safetensors"
    notes = ["--data-note", "procedural motion", "--licence", "MIT"]
    checkpoint = tmp_path / "run" / "last.pt"
    options = ["--checkpoint", str(checkpoint), *notes, "-o", str(output)]
    export.main(options)
    state, metadata = weights.read(output)
    averaged = torch.load(checkpoint, weights_only=True)["ema"]
    assert all(torch.equal(state[name], averaged[name]) for name in state)
    assert not any(name.endswith("num_batches_tracked") for name in state)
    export.main([*options, "--half"])
    halved, _ = weights.read(output)
    assert all(torch.equal(halved[name], averaged[name].half()) for name in halved)
    expected = {"factor": "2", "residual": "mean", "batchnorm": "True", "nf": "2", "block": "unet_18", "steps": "2"}
    expected |= {
        "data": "procedural motion",
        "licence": "MIT",
        "objective": "PSNR",
        "consistency": "0.5",
        "apart": "square",
    }
    assert {name: metadata.get(name) for name in expected} == expected


def test_export_of_a_run_that_went_on_from_a_model_names_it(tmp_path: Path) -> None:
    weights.write(tmp_path / "first.safetensors", Flavr(Config.of_width(2)).state_dict(), {})
    options = ["--init", str(tmp_path / "first.safetensors"), "--crop", "16", "--batch", "2", "--steps", "1"]
    folders = ["--folder", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--workers", "0"]
    assert training.main([*folders, *options]) == 0
    notes = ["--data-note", "mine", "--licence", "MIT", "-o", str(tmp_path / "a.safetensors")]
    export.main(["--checkpoint", str(tmp_path / "run" / "last.pt"), *notes])
    assert weights.read(tmp_path / "a.safetensors")[1]["init"] == "first.safetensors"


def test_export_without_git_names_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert export.commit() == ""


@pytest.fixture
def held_out(tmp_path: Path) -> validate.HeldOutClip:
    """13 frames, of which 2 to 11 are held out."""
    write_video(tmp_path / "a.mkv", moving(13))
    (tmp_path / "split.json").write_text(json.dumps({"validation": {"a.mkv": [2, 12]}}))
    (clip,) = validate.held_out_clips([tmp_path], Split.load(tmp_path / "split.json"), tmp_path / "cache", 2)
    return clip


def test_gaps_take_every_kth_frame_of_the_range_and_repeat_its_edges(held_out: validate.HeldOutClip) -> None:
    box = (0, 0, 48, 48)
    gaps = list(held_out.gaps(4, 4))
    assert len(gaps) == 2
    for (window, truth), inputs, between in zip(
        gaps, ([2, 2, 6, 10], [2, 6, 10, 10]), ([3, 4, 5], [7, 8, 9]), strict=True
    ):
        assert np.array_equal(window, held_out.footage.read(inputs, box))
        assert np.array_equal(truth, held_out.footage.read(between, box))


def test_fewer_gaps_are_spread_from_the_first_to_the_last(held_out: validate.HeldOutClip) -> None:
    whole, some = list(held_out.gaps(2, 4)), list(held_out.gaps(2, 4, most=2))
    assert len(whole) == 4
    assert np.array_equal(some[0][1], whole[0][1])
    assert np.array_equal(some[1][1], whole[-1][1])


def test_blend_is_weighted_by_instant_and_nearest_takes_the_earlier_on_a_tie() -> None:
    window = np.stack([np.full((2, 2, 3), value, np.uint8) for value in (0, 100, 200, 0)])
    assert validate.blend(4)(window)[:, 0, 0, 0].tolist() == [125, 150, 175]
    assert validate.nearest(4)(window)[:, 0, 0, 0].tolist() == [100, 100, 200]


def test_answer_that_is_not_finite_is_no_black_frame() -> None:
    model = Flavr(Config.of_width(2)).eval()
    torch.nn.init.constant_(model.outconv[1].bias, float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        validate.network(model, torch.device("cpu"))(np.zeros((4, 16, 16, 3), np.uint8))


def test_odd_sizes_are_padded_for_the_network_and_cropped_again() -> None:
    model = Flavr(Config.of_width(2, residual="blend", factor=3)).eval()
    made = validate.network(model, torch.device("cpu"))(np.zeros((4, 21, 34, 3), np.uint8))
    assert made.shape == (2, 21, 34, 3)


def test_split_that_names_an_absent_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="absent.mkv"):
        validate.held_out_clips([tmp_path], Split({"absent.mkv": None}), tmp_path / "cache", 2)


def test_range_of_a_clip_is_named_in_words(held_out: validate.HeldOutClip) -> None:
    whole, last, inner = (replace(held_out, first=first, stop=stop) for first, stop in ((0, 13), (4, 13), (2, 12)))
    assert [clip.title for clip in (whole, last, inner)] == ["a", "a, last 9", "a, 2 to 11"]


def test_blend_has_every_property(held_out: validate.HeldOutClip) -> None:
    assert properties.flat_error(validate.blend(4), 4) == 0
    found = properties.measure(validate.blend(4), held_out, 4, 4, gaps=2)
    assert found.still == 0
    assert found.mirrored == [100.0] * 6
    assert min(found.reversed) > 50  # ties are rounded to even, whichever way the frames run


def test_method_that_lacks_a_property_is_found_out(held_out: validate.HeldOutClip) -> None:
    def fades(window: np.ndarray) -> np.ndarray:
        """The earlier frame, darker from the left to the right."""
        return (window[1:2] * np.linspace(1, 0.5, window.shape[2])[:, None]).astype(np.uint8)

    assert properties.flat_error(fades, 4) > 100
    found = properties.measure(fades, held_out, 2, 4, gaps=2)
    assert found.still > 10
    assert max(found.mirrored + found.reversed) < 30


def test_card_has_the_lines_of_file_quality_and_properties(
    tmp_path: Path, held_out: validate.HeldOutClip, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_file(tmp_path / "tiny.safetensors")
    options = ["--data", str(tmp_path), "--split", str(tmp_path / "split.json"), "--cache", str(tmp_path / "cache")]
    card.main(["--model", str(model), *options, "--baselines"])
    lines = capsys.readouterr().out.splitlines()
    size, digest = model.stat().st_size / 1e6, sha256(model.read_bytes()).hexdigest()
    assert lines[0] == f"| File | `tiny.safetensors`, {size:.1f} MB, float32, SHA-256 `{digest}` |"
    methods = ["tiny", "FFmpeg minterpolate", "linear blend", "nearest frame"]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[5:9]] == methods
    assert any(line.startswith("| mirrored: mean / least dB | ") for line in lines)


def test_minterpolate_is_matched_to_the_truth_by_time(tmp_path: Path) -> None:
    """A smooth pan: motion compensation must beat the blend by far, a shift by one frame could not."""
    x = np.arange(96)[None, :, None] + 1.5 * np.arange(33)[:, None, None, None] + 0.3 * np.arange(64)[:, None, None]
    frames = (127 + 60 * np.sin(x / 5) + 40 * np.sin(x / 17)).repeat(3, axis=-1).astype(np.uint8)
    write_video(tmp_path / "a.mkv", frames)
    (clip,) = find_clips(tmp_path)
    held_out = validate.HeldOutClip("a.mkv", scan(clip, tmp_path), 0, 33)
    scores = baselines.measure(held_out, 4, {"model": validate.blend(4)}, inputs=4)
    assert scores[baselines.MINTERPOLATE].psnr > scores["linear blend"].psnr + 3
    assert scores["linear blend"].psnr > scores["nearest frame"].psnr
    assert 3 * 5 <= scores[baselines.MINTERPOLATE].frames < 3 * 8  # it leaves the last gaps out
    assert scores["model"] == scores["linear blend"]  # a model is measured on the same frames
