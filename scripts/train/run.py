"""A training run: its network, its steps, and what it writes."""

from __future__ import annotations

import warnings
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn

import command
import state
import validate
import weights
from curves import Curves
from model import Flavr, channels_last, start_at_base, with_weights
from objective import objective
from processes import Processes
from recipe import Recipe
from schedule import learning_rate, note_validation

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
        if processes.first:  # a run that starts anew keeps no row of one that was killed before its first checkpoint
            self.curves.keep_until(self.progress.step if checkpoint else -1)
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
        return weights.network(Path(recipe.init))

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
