"""Pictures for a model's card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictures
import weights
from footage import moving, write_video
from model import Config, Flavr


def result(psnr: float, blend_psnr: float) -> pictures.Result:
    return pictures.Result("a", {}, psnr, blend_psnr)


def test_typical_is_the_median_gain_and_bad_the_least_psnr() -> None:
    found = [result(30.0, 20.0), result(40.0, 39.0), result(35.0, 33.0), result(25.0, 24.5), result(28.0, 25.0)]
    assert pictures.typical(found) is found[2]
    assert pictures.bad(found) is found[3]


def test_a_cut_lies_where_the_error_is() -> None:
    truth = np.zeros((96, 128, 3), np.uint8)
    made = truth.copy()
    made[40:56, 104:112] = 200
    rows, columns = pictures.worst_box(made, truth, 32, 48)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (32, 48)
    assert rows.start <= 40 and rows.stop >= 56 and columns.start <= 104 and columns.stop >= 112
    assert pictures.worst_box(made, truth, 500, 500) == (slice(0, 96), slice(0, 128))


def test_command_draws_two_rows_of_five(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "a.mkv", moving(17))
    (tmp_path / "split.json").write_text('{ "validation": { "a.mkv": null }, "select": ["a.mkv"] }')
    weights.write(tmp_path / "m.safetensors", Flavr(Config.of_width(2)).state_dict(), {})
    words = ["--data", str(tmp_path), "--split", str(tmp_path / "split.json"), "--cache", str(tmp_path / "cache")]
    words += ["--model", str(tmp_path / "m.safetensors"), "--height", "32", "--width", "40", "--gaps", "2"]
    words += ["-o", str(tmp_path / "x.png"), "--clips"]
    pictures.main([*words, "a.mkv"])
    width, height = Image.open(tmp_path / "x.png").size
    assert abs(width - 5 * 46) <= 2 and abs(height - 2 * 56) <= 2
    with pytest.raises(SystemExit):
        pictures.main([*words, "b.mkv"])
    assert "they are a.mkv" in capsys.readouterr().err
