"""What a run tells of its progress."""

import time

import pytest

from pace import Pace, span
from state import Progress


def test_pace_is_told_from_time_to_time(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = Progress(step=10)
    told = Pace(progress, steps=1010)
    for _ in range(9):
        now += 4
        progress.step, progress.loss_sum, progress.loss_count = progress.step + 1, progress.loss_sum + 0.5, 1
        told.tell()
    assert capsys.readouterr().err == "step 18 of 1010, loss 4.00000, 4.00 s a step, 66.1 minutes left\n"


@pytest.mark.parametrize(("seconds", "words"), [(7200, "2.0 hours"), (7100, "118.3 minutes"), (119, "119 seconds")])
def test_time_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert span(seconds) == words
