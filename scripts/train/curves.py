"""The run's figures as CSV, and a plot of them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import files

COLUMNS = ("step", "seconds", "lr", "loss", "skipped", "psnr", "ssim", "blend_psnr", "nearest_psnr")


@dataclass
class Curves:
    """Rows of COLUMNS in `path`, one for each validation; a field that was not measured is empty."""

    path: Path

    def rows(self) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        try:
            rows = list(csv.DictReader(io.StringIO(self.path.read_text())))
            if any(tuple(row) != COLUMNS or not row["step"].isdigit() for row in rows):
                raise ValueError
        except (ValueError, csv.Error):
            expected = f"columns {', '.join(COLUMNS)}, with commas between"
            raise ValueError(f"{self.path} is not what train.py wrote ({expected}): remove it") from None
        return rows

    def keep_until(self, step: int) -> None:
        """Drop rows that will be written again."""
        if rows := self.rows():
            self._write([row for row in rows if int(row["step"]) <= step])

    def add(self, **row: float | None) -> None:
        text = {name: "" if row.get(name) is None else f"{row[name]:.8g}" for name in COLUMNS}
        self._write([*self.rows(), text])

    def _write(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        files.write(self.path, text.getvalue().encode())

    def plot(self, target: Path) -> None:
        from matplotlib.figure import Figure  # here, since every data worker imports this file and none draws

        rows = self.rows()
        figure = Figure(figsize=(11, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        steps = [int(row["step"]) for row in rows]
        left.plot(steps, [float(row["loss"] or "nan") for row in rows])
        left.set(title="Training loss", xlabel="step")
        for column, label in (("psnr", "model"), ("blend_psnr", "linear blend"), ("nearest_psnr", "nearest frame")):
            right.plot(steps, [float(row[column] or "nan") for row in rows], label=label)
        right.set(title="Validation PSNR (dB)", xlabel="step")
        right.legend()
        with files.replacing(target) as file:
            figure.savefig(file, format="png")
