"""Metrics against the official implementation's figures."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import metrics

GOLDENS = Path(__file__).parents[3] / "test/fixtures/goldens"
PAIRS = json.loads((GOLDENS / "metrics.json").read_text())
IMAGES = load_file(GOLDENS / "metrics.safetensors")


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: row["pair"])
def test_ssim_is_the_official_three_dimensional_one(row: dict[str, float]) -> None:
    a, b = IMAGES[f"a{row['pair']}"], IMAGES[f"b{row['pair']}"]
    assert metrics.ssim_matlab(a, b) == pytest.approx(row["ssim"], abs=2e-5)


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: row["pair"])
def test_psnr_is_that_of_8_bit_frames_and_100_for_equal_ones(row: dict[str, float]) -> None:
    a, b = IMAGES[f"a{row['pair']}"], IMAGES[f"b{row['pair']}"]
    assert metrics.psnr(a, b) == pytest.approx(row["skimage_psnr_u8"] or 100.0, abs=1e-3)
