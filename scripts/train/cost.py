"""What a training step costs here, and what a run would: operations, memory, seconds.

    python cost.py --nf 64 --crop 256 --batch 1 --samples 12922400 --sustained 150

`--sustained` adds an estimate for a machine that keeps up so many TFLOP/s.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import command
import recipe as recipes
from model import Flavr, channels_last
from objective import objective
from recipe import Recipe


class Step:
    """One training step on random frames."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.model = channels_last(Flavr(recipe.config())).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-5)
        self.frames = torch.rand(recipe.batch, 3, recipe.inputs, recipe.crop, recipe.crop, device=device)
        self.truth = torch.rand(recipe.batch, recipe.factor - 1, 3, recipe.crop, recipe.crop, device=device)

    def loss(self) -> Tensor:
        return objective(self.model, self.recipe, 0, self.frames, self.truth)

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss().backward()
        self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def kept_bytes(self) -> int:
        """What the forward pass keeps for the backward pass, the weights left out."""
        weights = {weight.untyped_storage().data_ptr() for weight in self.model.parameters()}
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = self.loss()  # held until all is counted, so that no address is used twice
        del loss
        return sum(kept.values())

    def operations(self) -> int:
        """Multiplications and additions of a step, padding taps counted."""
        with FlopCounterMode(display=False) as counter:
            self()
        return counter.get_total_flops()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=command.positive, help="samples of a whole run")
    parser.add_argument("--sustained", type=command.positive, help="TFLOP/s of the machine to estimate for")
    timed = "steps timed; the fastest counts (default 3)"
    parser.add_argument("--repeat", type=command.at_least(1), default=3, help=timed)
    recipes.add_options(parser)
    options = parser.parse_args()
    recipe = recipes.from_options(options, Recipe())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    step = Step(recipe, device)
    operations, kept = step.operations(), step.kept_bytes()
    times = []
    for _ in range(options.repeat):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    parameters = sum(weight.numel() for weight in step.model.parameters())
    print(f"parameters: {parameters:,}; weights, gradients and Adam's moments: {16 * parameters / 2**30:.2f} GiB")
    print(f"one step of {recipe.batch} x {recipe.crop}x{recipe.crop}: {operations / 1e12:.3f} TFLOP")
    print(f"kept for the backward pass: {kept / 2**30:.2f} GiB, {kept / 2**30 / recipe.batch:.2f} GiB for each sample")
    if device.type == "cuda":
        print(f"most memory in use: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
    print(f"measured: {min(times):.3f} s a step, {operations / min(times) / 1e12:.3f} TFLOP/s on {device.type}")
    if options.samples:
        steps = options.samples / recipe.batch
        print(f"{options.samples:,.0f} samples take {steps * min(times) / 3600:,.1f} hours here")
        if options.sustained:
            hours = steps * operations / (options.sustained * 1e12) / 3600
            print(f"estimate at {options.sustained:g} TFLOP/s sustained: {hours:,.1f} hours")


if __name__ == "__main__":
    command.run(main)
