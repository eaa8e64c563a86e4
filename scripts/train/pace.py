"""How far a run is, told from time to time."""

from __future__ import annotations

import sys
import time

from state import Progress

EVERY = 30.0  # seconds from one line to the next


class Pace:
    """Of the steps since it was made; what comes between them (validation, checkpoints) counts."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self.progress, self.steps, self.first = progress, steps, progress.step
        self.began = self.told = time.monotonic()

    def tell(self) -> None:
        """Write a line if the last one is old enough."""
        now, step, count = time.monotonic(), self.progress.step, self.progress.loss_count
        if now - self.told < EVERY:
            return
        self.told = now
        each = (now - self.began) / (step - self.first)
        loss = f", loss {self.progress.loss_sum / count:.5f}" if count else ""
        left = span((self.steps - step) * each)
        print(f"step {step} of {self.steps}{loss}, {each:.2f} s a step, {left} left", file=sys.stderr, flush=True)


def span(seconds: float) -> str:
    """A time in the largest unit of which it has two."""
    for unit, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} seconds"
