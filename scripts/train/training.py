"""Training from the command line: a run that starts or goes on, its samples, and its loop."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

import command
import files
import recipe as recipes
import state
import validate
import weights
from clips import ClipError, find_clips, scan_all
from dataset import Batches, TrainingSet, share
from pace import Pace
from processes import Processes
from recipe import Recipe
from run import Run, TrainingError
from signals import Interruption, heed_trainer_alone, shield
from splits import Split

SKIPPED = "skipped.txt"  # in the run's folder: clips that were not used, with the reason


def training_set(recipe: Recipe, cache: Path, workers: int, skipped: Path) -> TrainingSet:
    """The samples of a run; clips that cannot be used are written to `skipped` with the reason."""
    clips = [clip for root in recipe.data for clip in find_clips(Path(root))]
    if recipe.data and not clips:
        raise TrainingError(f"no data: neither videos nor folders of images below {', '.join(recipe.data)}")
    split = Split.load(Path(recipe.split)) if recipe.split else Split({})
    if clips:
        split.named(clips)
    footage, bad = scan_all(clips, cache, workers) if clips else ([], {})
    if bad and not footage and recipe.procedural < 1:
        name, why = next(iter(bad.items()))
        raise TrainingError(f"no data: of {len(clips)} clips none can be read ({name}: {why}); give others")
    samples = TrainingSet(split.guard(footage), recipe.sampling(), recipe.seed, skipped)
    lines = [f"{name}: {why}\n" for name, why in {**bad, **samples.unusable()}.items()]
    files.write(skipped, "".join(lines).encode())
    return samples


def select_clips(recipe: Recipe, cache: Path) -> list[validate.HeldOutClip]:
    """The clips on which checkpoints are chosen."""
    if not recipe.split or not recipe.data:
        return []
    split = Split.load(Path(recipe.split))
    chosen = Split({name: split.validation[name] for name in split.select})
    return validate.held_out_clips([Path(root) for root in recipe.data], chosen, cache, recipe.factor)


def baseline_scores(recipe: Recipe, clips: list[validate.HeldOutClip]) -> dict[str, float]:
    methods = {"blend_psnr": validate.blend(recipe.factor), "nearest_psnr": validate.nearest(recipe.factor)}
    return {
        name: fmean(
            validate.measure(method, clip, recipe.factor, recipe.inputs, recipe.validation_gaps, ssim=False).psnr
            for clip in clips
        )
        for name, method in methods.items()
        if clips
    }


def batches(samples: TrainingSet, run: Run, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's share of the samples of every step to come."""
    recipe, processes = run.recipe, run.processes
    sampler = Batches(recipe.batch, recipe.steps, run.progress.step, processes.rank, processes.world)
    loader = DataLoader(
        samples,
        batch_sampler=sampler,
        num_workers=workers,
        worker_init_fn=start_worker,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=processes.device.type == "cuda",
    )
    with shield():
        drawn = iter(loader)
    try:
        yield from drawn
    except ClipError as error:
        raise TrainingError(command.last_line(error).removeprefix("clips.ClipError: ")) from None
    except RuntimeError as error:
        if "DataLoader worker (pid" not in str(error):
            raise
        raise TrainingError(
            f"a process that draws samples was killed, perhaps for want of memory ({command.last_line(error)}): "
            "give fewer --workers, and go on with --resume where a checkpoint was saved"
        ) from None


def start_worker(_number: int) -> None:
    heed_trainer_alone()
    command.tell_warnings_plainly()


def train(run: Run, samples: TrainingSet, options: argparse.Namespace) -> int:
    """Go on until the last step, the time limit or an interruption; returns the exit code."""
    with Interruption() as interruption:
        return train_until(interruption, run, samples, options)


def train_until(interruption: Interruption, run: Run, samples: TrainingSet, options: argparse.Namespace) -> int:
    """The loop of `train`."""
    recipe, processes, progress = run.recipe, run.processes, run.progress
    clips = select_clips(recipe, options.cache) if processes.first else []
    baselines = baseline_scores(recipe, clips)
    network = distributed(run)
    if processes.first and progress.step == 0:
        run.validate(clips, baselines)
    began, before, asked, saved = time.monotonic(), progress.seconds, False, True
    pace = Pace(progress, recipe.steps)
    for frames, truth in batches(samples, run, options.workers):
        run.step(network, frames, truth)
        if processes.first:
            pace.tell()
        spent = time.monotonic() - began
        progress.seconds = before + spent
        late = options.minutes is not None and spent > 60 * options.minutes
        asked, late = processes.any(interruption.asked, late)
        stop = asked or late
        done = progress.step == recipe.steps
        if processes.first:
            if done or progress.step % recipe.validate_every == 0:
                run.validate(clips, baselines)
            if done or stop or progress.step % recipe.save_every == 0:
                saved = run.save()
        if stop:
            break
    if processes.first:
        goes_on = "; --resume goes on" if progress.step < recipe.steps else ""
        print(f"{progress.step} of {recipe.steps} steps are done{goes_on}.")
        list_skipped(run.folder / SKIPPED)
    (lost,) = processes.any(not saved)  # the others wait here for the first to save
    return 1 if lost else command.INTERRUPTED if asked else 0


def distributed(run: Run) -> nn.Module:
    """The network as each process steps it."""
    processes = run.processes
    if processes.world == 1:
        return run.model
    # A kernel of one pixel lies in memory alike in both layouts, whatever its strides say.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    ids = [processes.device.index] if processes.device.type == "cuda" else None
    return DistributedDataParallel(run.model, device_ids=ids)


def list_skipped(path: Path) -> None:
    if lines := sorted(set(path.read_text().splitlines())):
        print("Clips that were not used:", *lines, sep="\n")


def start(options: argparse.Namespace, processes: Processes) -> tuple[Run, TrainingSet]:
    """A new run, or one that goes on."""
    folder: Path = options.folder
    last = folder / "last.pt"
    if options.resume and not last.is_file():
        raise TrainingError(f"nothing to resume: there is no {last}")
    if not options.resume and last.is_file():
        raise TrainingError(f"{folder} holds a run already: --resume goes on with it, or name another folder")
    checkpoint = state.load(last) if options.resume else None
    init = getattr(options, "init", None)
    if checkpoint:
        source, before = last, Recipe.from_json(checkpoint.recipe)
    elif init:
        source, before = init, recipes.of_network(weights.network(Path(init)).config, init)
    else:
        source, before = None, Recipe()
    recipe = recipes.from_options(options, before)
    changed = sorted(name for name in recipes.NETWORK if getattr(recipe, name) != getattr(before, name))
    if source and changed:
        has = ", ".join(f"its {name} is {getattr(before, name)}, not {getattr(recipe, name)}" for name in changed)
        raise TrainingError(f"{source} is of another variant: {has}; leave that out (grow.py makes a larger network)")
    share(recipe.batch, processes.world)  # refused before hours of scanning
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"expected a folder for the run at {folder}, found a file; name another")
    folder.mkdir(parents=True, exist_ok=True)
    files.sweep(folder)
    skipped = folder / SKIPPED
    workers = max(1, options.workers)
    samples = processes.in_turn(lambda: training_set(recipe, options.cache, workers, skipped))
    run = Run(folder, recipe, processes, checkpoint)
    if processes.first:
        files.write(folder / "recipe.json", recipe.to_json().encode())
    return run, samples


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Trains a network on unlabelled video.")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the run: checkpoints, curves, recipe")
    parser.add_argument("--resume", action="store_true", help="go on with the run; other options change its recipe")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder for decoded frames")
    parser.add_argument(
        "--workers", type=command.at_least(0), default=2, help="processes that decode and draw samples (default 2)"
    )
    parser.add_argument("--threads", type=command.at_least(1), help="threads of the CPU's kernels")
    parser.add_argument("--minutes", type=float, help="save and stop after this time")
    recipes.add_options(parser)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    processes = Processes.join()
    if not processes.first:
        warnings.filterwarnings("ignore", message="skipped ")  # the first process tells of each clip
    return processes.leave(command.outcome(lambda: train(*start(options, processes), options)))
