"""The ablations: every row runs within the same budget, and the report says what the figures allow."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

import ablate
import command
import recipe as recipes
from ablate import BASE, CLAIMS, Claim, Result, judge
from footage import moving, write_video
from recipe import Recipe


@pytest.mark.parametrize("row", ablate.ROWS)
def test_row_changes_one_thing_of_the_network(row: str) -> None:
    parser = argparse.ArgumentParser()
    recipes.add_options(parser)
    base = Recipe(nf=2, residual="blend").config()
    config = recipes.from_options(parser.parse_args(ablate.ROWS[row]), Recipe(nf=2, residual="blend")).config()
    changed = [field.name for field in fields(config) if getattr(config, field.name) != getattr(base, field.name)]
    assert len(changed) == (0 if row == BASE else 1)


def test_rows_are_trained_measured_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {row: ablate.ROWS[row] for row in (BASE, "R2D")}
    monkeypatch.setattr(ablate, "ROWS", rows)
    monkeypatch.setattr(ablate, "CLAIMS", CLAIMS[:1])
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
    assert all(f"\n| {row} |" in report for row in (*rows, "linear blend"))
    assert "| | parameters | b.mkv | mean | against the base | objective |" in report
    assert (
        "-o docs/ablations --seeds 3 --nf 2 --steps 1 --batch 2 --crop 16 --objective l1 --lr 0.001 --gaps 1\n"
        in report
    )
    assert f"- {CLAIMS[0].text}: " in report
    assert (tmp_path / "docs" / "ablations.png").stat().st_size > 1000
    assert len(list((tmp_path / "runs").glob("*/result.json"))) == 6
    with pytest.raises(command.Failure, match="another budget"):
        ablate.main([*options, "--steps", "2"])
    (tmp_path / "runs" / "r2d-0" / "result.json").write_text("[")
    with pytest.raises(command.Failure, match=r"r2d-0/result.json is damaged: remove it"):
        ablate.main(options)


def results(base: list[float], other: list[float]) -> dict[str, list[Result]]:
    return {BASE: [Result([p], 1, 1 / p) for p in base], "other": [Result([p], 1, 1 / p) for p in other]}


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
    on_clips, while_training = judge(Claim("", BASE, "other", level), results(base, other)).split("; while training ")
    assert words in on_clips
    assert words in while_training


def test_fewer_than_three_seeds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ablate.main(["--data", "a", "--split", "b", "--folder", "c", "-o", "d", "--seeds", "2"])
    assert "at least 3" in capsys.readouterr().err
