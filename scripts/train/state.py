"""A run's state on disk: what a resumed run needs to go on as if it had never stopped."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import files
import weights
from model import Config, Flavr, with_tuples, with_weights


@dataclass
class Progress:
    """Counters of a run; samples follow from the step alone."""

    step: int = 0
    skipped: int = 0  # steps left out because a gradient was not finite
    seconds: float = 0.0  # spent so far, over all sittings
    best: float = float("-inf")  # PSNR of the best validation
    stale: int = 0  # validations since then
    scale: float = 1.0  # of the learning rate, under the plateau schedule
    loss_sum: float = 0.0  # since the last validation
    loss_count: int = 0


class Ema:
    """Exponential moving average of the weights, faster at first."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1 - keep)
            else:
                self.state[name].copy_(tensor)


def save(path: Path, recipe: str, model: Flavr, ema: Ema, optimizer: Optimizer, progress: Progress) -> None:
    """Write a checkpoint; the one before stays until this one is complete."""
    buffer = io.BytesIO()
    content = dict(
        recipe=recipe,
        config=asdict(model.config),
        model=model.state_dict(),
        ema=ema.state,
        optimizer=optimizer.state_dict(),
        progress=asdict(progress),
    )
    torch.save(content, buffer)
    files.write(path, buffer.getvalue())


@dataclass(frozen=True)
class Checkpoint:
    recipe: str
    config: Config
    model: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimizer: dict[str, object]
    progress: Progress

    def averaged(self) -> Flavr:
        """The network with its averaged weights."""
        return with_weights(self.config, self.ema)


def load(path: Path) -> Checkpoint:
    if path.suffix == ".safetensors":
        raise ValueError(f"{path} holds weights alone: expected a run's checkpoint, best.pt or last.pt")
    content = weights.read_torch(path)
    missing = {field.name for field in fields(Checkpoint)} - set(content)
    if missing:
        raise ValueError(f"{path} is not a checkpoint of train.py: it lacks {', '.join(sorted(missing))}")
    try:
        parts = {"config": Config(**with_tuples(content["config"])), "progress": Progress(**content["progress"])}
        return Checkpoint(**{**content, **parts})
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a checkpoint of this train.py: {error}") from None
