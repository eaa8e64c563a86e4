"""The ablations: every row runs within the same budget, and the report says what the figures allow."""

from __future__ import annotations

from pathlib import Path

import pytest

import ablate
from ablate import BASE, CLAIMS, Claim, Result, judge
from footage import moving, write_video


def test_every_row_is_trained_measured_and_reported(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_video(data / "a.mkv", moving(30))
    write_video(data / "b.mkv", moving(12, seed=1))
    split = tmp_path / "split.json"
    split.write_text('{"validation": {"b.mkv": null}}')
    options = ["--data", str(data), "--split", str(split), "--folder", str(tmp_path / "runs")]
    options += ["--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "docs" / "ablations")]
    options += ["--steps", "1", "--batch", "2", "--crop", "16", "--nf", "2", "--gaps", "1", "--workers", "0"]
    ablate.main(options)
    report = (tmp_path / "docs" / "ablations.md").read_text()
    assert all(f"| {row} |" in report for row in ablate.ROWS)
    assert all(f"- {claim.text}: " in report for claim in CLAIMS)
    assert (tmp_path / "docs" / "ablations.png").stat().st_size > 1000
    assert len(list((tmp_path / "runs").glob("*/result.json"))) == 3 * len(ablate.ROWS)


def results(base: list[float], other: list[float]) -> dict[str, list[Result]]:
    return {BASE: [Result([p], 1.0, 1) for p in base], "other": [Result([p], 1.0, 1) for p in other]}


@pytest.mark.parametrize(
    ("base", "other", "level", "words"),
    [
        ([31.0, 31.1, 31.0], [30.0, 30.0, 30.1], False, "as in the paper"),
        ([30.0, 30.0, 30.1], [31.0, 31.1, 31.0], False, "the opposite"),
        ([31.0, 30.0, 31.0], [30.5, 30.6, 30.5], False, "not decided"),
        ([31.0, 31.1, 31.0], [31.0, 31.0, 31.1], True, "as in the paper"),
        ([30.0, 30.0, 30.1], [31.0, 31.1, 31.0], True, "not so here"),
    ],
)
def test_claim_is_judged_by_the_spread_over_seeds(
    base: list[float], other: list[float], level: bool, words: str
) -> None:
    assert words in judge(Claim("", BASE, "other", level), results(base, other))


def test_fewer_than_three_seeds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ablate.main(["--data", "a", "--split", "b", "--folder", "c", "-o", "d", "--seeds", "2"])
    assert "at least 3" in capsys.readouterr().err
