"""The paper's ablations at small scale: each row changes one thing, all rows have the same budget, seeds and samples.

    python ablate.py --data clips --split split.json --folder runs/ablations -o docs/ablations --steps 1200

Runs that are complete are not run again. Writes OUTPUT.md and OUTPUT.png.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import torch
from matplotlib.figure import Figure

import command
import files
import state
import training
import validate
from curves import Curves
from model import channels_last
from recipe import CHOICES, Recipe

FACTOR = Recipe().factor
BASE = "R3D, C = 2, concat, gating"
ROWS: dict[str, list[str]] = {
    BASE: [],
    "R2D": ["--encoder", "r2d"],
    "C = 1": ["--inputs", "2"],
    "C = 3": ["--inputs", "6"],
    "fusion add": ["--fusion", "add"],
    "fusion none": ["--fusion", "none"],
    "temporal stride": ["--temporal", "stride"],
    "temporal pooling": ["--temporal", "pool"],
    "no gating": ["--no-gating"],
}


@dataclass(frozen=True)
class Claim:
    """An ordering from the paper: `better` above `worse`, or level with it."""

    text: str
    better: str
    worse: str
    level: bool = False


CLAIMS = [
    Claim("R3D over R2D", BASE, "R2D"),
    Claim("C = 2 over C = 1", BASE, "C = 1"),
    Claim("little or nothing beyond C = 2", BASE, "C = 3", level=True),
    Claim("concat over add", BASE, "fusion add"),
    Claim("add over none", "fusion add", "fusion none"),
    Claim("no temporal stride", BASE, "temporal stride"),
    Claim("no temporal pooling", BASE, "temporal pooling"),
    Claim("gating helps", BASE, "no gating"),
]


@dataclass(frozen=True)
class Result:
    """One run: PSNR on each validation clip, and the objective's mean over the samples it learnt from."""

    psnr: list[float]
    parameters: int
    loss: float = float("nan")

    @property
    def mean(self) -> float:
        return fmean(self.psnr)


def slug(row: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in row.lower())


def budget_of(options: argparse.Namespace) -> dict[str, object]:
    """What is the same in every row."""
    return {name: getattr(options, name) for name in ("nf", "steps", "batch", "crop", "objective", "lr", "gaps")}


def run(row: str, seed: int, options: argparse.Namespace, clips: Sequence[validate.HeldOutClip]) -> Result:
    """Train and measure one row with one seed, or take what is there."""
    folder, budget = options.folder / f"{slug(row)}-{seed}", budget_of(options)
    done = folder / "result.json"
    if done.is_file():
        try:
            found = json.loads(done.read_text())
            other, result = found.pop("budget") != budget, Result(**found)
        except (ValueError, TypeError, AttributeError, KeyError):
            raise command.Failure(f"{done} is damaged: remove it, and the run is measured again") from None
        if other:
            raise command.Failure(f"{folder} was run with another budget; name another --folder")
        return result
    if code := training.main(arguments(row, seed, options, folder)):
        raise SystemExit(code)
    result = measure(folder, clips, options.gaps)
    files.write_json(done, {**vars(result), "budget": budget})
    return result


def arguments(row: str, seed: int, options: argparse.Namespace, folder: Path) -> list[str]:
    """The command line of a run, new or broken off."""
    common = ["--folder", str(folder), "--cache", str(options.cache), "--workers", str(options.workers)]
    common += ["--threads", str(options.threads)] if options.threads else []
    if (folder / "last.pt").is_file():
        return [*common, "--resume"]
    fixed = {name: value for name, value in budget_of(options).items() if name != "gaps"}
    fixed |= {"seed": seed, "schedule": "cosine", "warmup": max(1, options.steps // 20), "residual": "blend"}
    fixed["validate-every"] = options.steps
    words = [word for name, value in fixed.items() for word in (f"--{name}", str(value))]
    return [*common, "--data", *map(str, options.data), "--split", str(options.split), *words, *ROWS[row]]


def measure(folder: Path, clips: Sequence[validate.HeldOutClip], gaps: int) -> Result:
    """A run's averaged weights on the validation clips."""
    model = state.load(folder / "last.pt").averaged()
    method = validate.network(channels_last(model).eval(), torch.device("cpu"), half=True)
    parameters = sum(weight.numel() for weight in model.parameters())
    loss = float(Curves(folder / "curves.csv").rows()[-1]["loss"])
    return Result(psnr_of(method, model.config.inputs, clips, gaps), parameters, loss)


def psnr_of(method: validate.Method, inputs: int, clips: Sequence[validate.HeldOutClip], gaps: int) -> list[float]:
    return [validate.measure(method, clip, FACTOR, inputs, gaps, ssim=False).psnr for clip in clips]


def judge(claim: Claim, results: dict[str, list[Result]]) -> str:
    """What the runs say of a claim, on the clips and on the samples: differences and twice their standard error."""
    pairs = list(zip(results[claim.better], results[claim.worse], strict=True))
    psnr = verdict([better.mean - worse.mean for better, worse in pairs], claim.level, "dB")
    thousandths = [1000 * (worse.loss - better.loss) for better, worse in pairs]
    loss = verdict(thousandths, claim.level, "thousandths of the objective")
    return f"{psnr}; while training {loss}"


def verdict(gains: Sequence[float], level: bool, unit: str) -> str:
    """Whether the better row gains, seed by seed."""
    mean, doubt = fmean(gains), 2 * stdev(gains) / len(gains) ** 0.5
    figures = f"{mean:+.3f} ± {doubt:.3f} {unit}"
    if level:
        return f"{figures}, " + ("as in the paper" if mean > -doubt else "not so here: more frames help")
    if abs(mean) <= doubt:
        return f"{figures}, not decided"
    return f"{figures}, " + ("as in the paper" if mean > 0 else "the opposite")


def report(results: dict[str, list[Result]], blend: Result, names: Sequence[str], options: argparse.Namespace) -> str:
    base = fmean(result.mean for result in results[BASE])
    budget = " ".join(f"--{name} {value}" for name, value in {"seeds": options.seeds, **budget_of(options)}.items())
    name = Path(options.output).name
    lines = [
        "# Ablations at small scale",
        "",
        f"Every row: width {options.nf}, factor 2, {options.steps} steps of {options.batch} crops of "
        f"{options.crop}x{options.crop}, {options.seeds} seeds, the same samples in the same order; the output is "
        f"added to the linear blend. PSNR in dB on {options.gaps} gaps of each validation clip (8-bit RGB), mean over "
        "the seeds; that of the mean over the clips with its standard deviation.",
        "",
        "```sh",
        f"python ablate.py --data CLIPS --split split.json --folder runs/{name} -o docs/{name} {budget}",
        "```",
        "",
        f"| | parameters | {' | '.join(names)} | mean | against the base | objective |",
        "|---|---" + "|---" * len(names) + "|---|---|---|",
    ]
    for row, runs in results.items():
        mean = fmean(result.mean for result in runs)
        spread = f"{mean:.3f} ± {stdev(result.mean for result in runs):.3f}"
        losses = [1000 * run.loss for run in runs]
        figures = f"{per_clip(runs)} | {spread} | {mean - base:+.3f} | {fmean(losses):.2f} ± {stdev(losses):.2f}"
        lines.append(f"| {row} | {runs[0].parameters:,} | {figures} |")
    lines.append(f"| linear blend | | {per_clip([blend])} | {blend.mean:.3f} | {blend.mean - base:+.3f} | |")
    passed = [row for row, runs in results.items() if fmean(run.mean for run in runs) > blend.mean]
    lines += [
        "",
        f"On the clips, {', '.join(passed) or 'no row'} {'passes' if len(passed) < 2 else 'pass'} the linear blend.",
    ]
    if not passed:
        lines.append(
            "At this budget, then, the clips tell what the first steps cost and not yet what a network can do."
        )
    lines += ["", "The paper's orderings, and what these runs say (difference ± twice its standard error):", ""]
    lines += [f"- {claim.text}: {judge(claim, results)}" for claim in CLAIMS]
    lines += ["", f"![PSNR of each row]({name}.png)", ""]
    return "\n".join(lines)


def per_clip(runs: Sequence[Result]) -> str:
    """The cells of a row's clips: means over the seeds."""
    return " | ".join(f"{fmean(of_clip):.2f}" for of_clip in zip(*(run.psnr for run in runs), strict=True))


def plot(results: dict[str, list[Result]], blend: Result, target: Path) -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    names = list(results)[::-1]
    for place, name in enumerate(names):
        psnr = [result.mean for result in results[name]]
        axes.plot(psnr, [place] * len(psnr), "o", color="tab:blue", alpha=0.5)
        axes.plot(fmean(psnr), place, "|", color="black", markersize=18)
    axes.axvline(blend.mean, color="gray", linestyle=":", label="linear blend")
    axes.legend()
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="PSNR (dB) of each seed, and their mean", title="Ablations at equal budget")
    with files.replacing(target) as file:
        figure.savefig(file, format="png")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="roots of the clips")
    parser.add_argument("--split", type=Path, required=True, help="split file that names the validation ranges")
    parser.add_argument("--folder", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder for decoded frames")
    parser.add_argument("-o", "--output", type=Path, required=True, help="path of table and plot, without extension")
    parser.add_argument("--seeds", type=command.at_least(3), default=3, help="runs of each row, at least 3 (default 3)")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--nf", type=int, default=8)
    parser.add_argument("--objective", choices=CHOICES["objective"], default="l1")
    parser.add_argument("--lr", type=float, default=1e-3)
    gaps = "gaps measured of each validation clip (default 8)"
    parser.add_argument("--gaps", type=command.at_least(1), default=8, help=gaps)
    parser.add_argument("--workers", type=command.at_least(0), default=1)
    parser.add_argument("--threads", type=command.at_least(1))
    options = parser.parse_args(arguments)
    with validate.named_clips(options, FACTOR) as clips:
        ablate(options, clips)


def ablate(options: argparse.Namespace, clips: Sequence[validate.HeldOutClip]) -> None:
    seeds = range(options.seeds)
    # Seed by seed, so that an interrupted ablation has whole rounds to show.
    found = {(row, seed): run(row, seed, options, clips) for seed in seeds for row in ROWS}
    results = {row: [found[row, seed] for seed in seeds] for row in ROWS}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    blend = Result(psnr_of(validate.blend(FACTOR), Recipe().inputs, clips, options.gaps), 0)
    plot(results, blend, options.output.with_suffix(".png"))
    text = report(results, blend, [clip.name for clip in clips], options)
    files.write(options.output.with_suffix(".md"), text.encode())


if __name__ == "__main__":
    command.run(main)
