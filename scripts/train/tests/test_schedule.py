"""The learning rate of each step."""

import pytest

from recipe import Recipe
from schedule import learning_rate, note_validation
from state import Progress


def test_learning_rate_warms_up_then_falls_as_a_cosine_to_its_least() -> None:
    recipe = Recipe(schedule="cosine", lr=1.0, min_lr=0.1, warmup=10, steps=1000)
    rates = [learning_rate(recipe, Progress(step=step)) for step in (0, 9, 500, 1000)]
    assert rates == pytest.approx([0.1, 1.0, 0.55, 0.1], abs=1e-3)


def test_learning_rate_halves_when_validation_stalls() -> None:
    recipe = Recipe(schedule="plateau", split="split.json", lr=1.0, warmup=0, patience=2)
    progress = Progress()
    bests = [note_validation(recipe, progress, psnr) for psnr in (30.0, 29.0, 29.5, 31.0)]
    assert bests == [True, False, False, True]
    assert learning_rate(recipe, progress) == 0.5
