"""Trains a network on unlabelled video.

    python train.py --folder runs/a --data clips --split split.json --nf 16 --residual blend …
    python train.py --folder runs/a --resume
    torchrun --nproc-per-node 8 train.py --folder runs/a …

Ctrl-C saves; `--resume` goes on exactly where the last checkpoint was written.
"""

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
from curves import Curves
from dataset import Batches, TrainingSet
from model import Flavr, channels_last, start_at_base, with_weights
from objective import objective
from processes import Processes
from recipe import Recipe
from schedule import learning_rate, note_validation
from signals import Interruption, heed_trainer_alone, shield
from splits import Guarded, Split

SKIPPED = "skipped.txt"  # in the run's folder: clips that were not used, with the reason
MOST_SKIPPED = 20  # steps in a row without a finite gradient end the run


class TrainingError(command.Failure):
    """Of a run."""


class Run:
    """A training run: its network, optimiser and counters, and the folder that holds them."""

    def __init__(self, folder: Path, recipe: Recipe, processes: Processes, checkpoint: state.Checkpoint | None) -> None:
        self.folder, self.recipe, self.processes = folder, recipe, processes
        self.curves = Curves(folder / "curves.csv")
        self.progress = checkpoint.progress if checkpoint else state.Progress()
        self.model = channels_last(self._network(checkpoint)).to(processes.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=recipe.lr)
        self.ema = state.Ema(self.model, recipe.ema)
        if checkpoint:
            try:
                self.optimizer.load_state_dict(checkpoint.optimizer)
            except (KeyError, ValueError, TypeError) as error:
                raise TrainingError(f"the checkpoint's optimiser is of no such network: {error!r}") from None
            self.ema.state = {name: tensor.to(processes.device) for name, tensor in checkpoint.ema.items()}
            if processes.first:
                self.curves.keep_until(self.progress.step)
        self.skipped_in_a_row = 0

    def _network(self, checkpoint: state.Checkpoint | None) -> Flavr:
        recipe = self.recipe
        if checkpoint:
            return with_weights(checkpoint.config, checkpoint.model)
        torch.manual_seed(recipe.seed)
        if recipe.init is None:
            model = Flavr(recipe.config())
            start_at_base(model)
            return model
        model = weights.network(Path(recipe.init))
        expected, got = (recipe.inputs, recipe.factor), (model.config.inputs, model.config.factor)
        if got != expected:
            raise TrainingError(
                f"{recipe.init} is another variant: it takes {got[0]} frames and has factor {got[1]}; the run wants "
                f"{expected[0]} and {expected[1]} (--inputs, --factor; grow.py makes one model into another)"
            )
        return model

    def step(self, network: nn.Module, frames: Tensor, truth: Tensor) -> None:
        """One step of the optimiser, or none where the gradient is not finite."""
        device, recipe = self.processes.device, self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(recipe, self.progress)
        frames, truth = frames.to(device, non_blocking=True), truth.to(device, non_blocking=True)
        self.optimizer.zero_grad(set_to_none=True)
        loss = objective(network, recipe, self.progress.step, frames, truth)
        loss.backward()
        length = nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
        self.progress.step += 1
        # The gradient is the same in all processes, so they decide alike.
        if not torch.isfinite(length):
            self._skip()
            return
        self.skipped_in_a_row = 0
        self.optimizer.step()
        self.ema.update(self.model, self.progress.step)
        self.progress.loss_sum += loss.item()
        self.progress.loss_count += 1

    def _skip(self) -> None:
        self.progress.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row >= MOST_SKIPPED:
            raise TrainingError(
                f"{MOST_SKIPPED} steps in a row up to step {self.progress.step} gave gradients that are not finite; "
                "lower --lr, or try --no-bf16; the last checkpoint is from before"
            )

    def averaged(self) -> Flavr:
        """The network with its averaged weights."""
        return channels_last(with_weights(self.model.config, self.ema.state)).eval()

    def save(self, name: str = "last.pt") -> bool:
        """Write a checkpoint; where that fails (a full disk) say so, and keep the one before."""
        try:
            state.save(self.folder / name, self.recipe.to_json(), self.model, self.ema, self.optimizer, self.progress)
        except OSError as error:
            told = f"step {self.progress.step} was not saved: {command.sentence(error)}"
            warnings.warn(f"{told}; the checkpoint before, if any, stays", stacklevel=2)
            return False
        return True

    def validate(self, clips: list[validate.HeldOutClip], baselines: dict[str, float]) -> None:
        """Measure the averaged weights, note the row, keep the best."""
        psnr = ssim = None
        if clips:
            config = self.model.config
            method = validate.network(self.averaged(), self.processes.device, self.recipe.bf16)
            gaps = self.recipe.validation_gaps
            scores = [validate.measure(method, clip, config.factor, config.inputs, gaps) for clip in clips]
            psnr, ssim = fmean(s.psnr for s in scores), fmean(s.ssim for s in scores)
        progress = self.progress
        loss = progress.loss_sum / progress.loss_count if progress.loss_count else None
        progress.loss_sum, progress.loss_count = 0.0, 0
        row = dict(psnr=psnr, ssim=ssim, loss=loss, **baselines)
        counters = dict(step=progress.step, seconds=progress.seconds, skipped=progress.skipped)
        try:
            self.curves.add(**counters, lr=self.optimizer.param_groups[0]["lr"], **row)
            if progress.step:
                self.curves.plot(self.folder / "curves.png")
        except OSError as error:
            warnings.warn(f"the curves were not written: {command.sentence(error)}", stacklevel=2)
        print(
            " ".join(f"{name} {value:.6g}" for name, value in {**counters, **row}.items() if value is not None),
            flush=True,
        )
        if psnr is not None and note_validation(self.recipe, progress, psnr):
            self.save("best.pt")


def training_set(recipe: Recipe, cache: Path, workers: int, skipped: Path) -> TrainingSet:
    """The samples of a run; clips that cannot be used are written to `skipped` with the reason."""
    clips = [clip for root in recipe.data for clip in find_clips(Path(root))]
    if recipe.data and not clips:
        raise TrainingError(f"no data: neither videos nor folders of images below {', '.join(recipe.data)}")
    footage, bad = scan_all(clips, cache, workers) if clips else ([], {})
    split = Split.load(Path(recipe.split)) if recipe.split else Split({})
    samples = TrainingSet([Guarded(f, split.held_out(f)) for f in footage], recipe.sampling(), recipe.seed, skipped)
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
    recipe, processes, progress = run.recipe, run.processes, run.progress
    clips = select_clips(recipe, options.cache) if processes.first else []
    baselines = baseline_scores(recipe, clips)
    network = distributed(run)
    if processes.first and progress.step == 0:
        run.validate(clips, baselines)
    began, before, asked, saved = time.monotonic(), progress.seconds, False, True
    for frames, truth in batches(samples, run, options.workers):
        run.step(network, frames, truth)
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
        print(f"{progress.step} of {recipe.steps} steps are done.")
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
    before = Recipe.from_json(checkpoint.recipe) if checkpoint else Recipe()
    recipe = recipes.from_options(options, before)
    changed = sorted(name for name in recipes.NETWORK if getattr(recipe, name) != getattr(before, name))
    if checkpoint and changed:
        raise TrainingError(f"{last} is of another variant: a run keeps its network; leave out {', '.join(changed)}")
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
    return processes.leave(command.outcome(lambda: train(*start(options, processes), options)))


if __name__ == "__main__":
    command.run(main)
