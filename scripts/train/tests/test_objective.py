"""What a step makes small, with networks whose answer is plain to see."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from objective import FLOOR, SCALE, objective, psnr_loss
from recipe import Recipe

FRAMES = torch.rand(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))


class Weighted(nn.Module):
    """Three answers for each sample: its middle frames, weighted by instant and column."""

    def __init__(self, instants: list[float], columns: Tensor) -> None:
        super().__init__()
        self.instants, self.columns = torch.tensor(instants)[:, None, None, None], columns

    def forward(self, frames: Tensor) -> Tensor:
        before, after = frames[:, None, :, 1], frames[:, None, :, 2]
        return (before * (1 - self.instants) + after * self.instants) * self.columns


EVEN, BLEND = torch.ones(8), [0.25, 0.5, 0.75]


def loss(network: nn.Module, consistency: float, step: int, measure: str = "l1", apart: str = "objective") -> float:
    """With the answers of a blend for truth."""
    recipe = Recipe(bf16=False, consistency=consistency, objective=measure, apart=apart)
    return objective(network, recipe, step, FRAMES, Weighted(BLEND, EVEN)(FRAMES)).item()


def test_loss_is_the_mean_error() -> None:
    error = Weighted([0.25, 0.5, 0.75], EVEN)(FRAMES) - Weighted([0.5, 0.5, 0.5], EVEN)(FRAMES)
    assert loss(Weighted([0.5, 0.5, 0.5], EVEN), 0.0, 0) == pytest.approx(error.abs().mean().item())


def test_psnr_asks_of_every_sample_the_same_share_of_its_error() -> None:
    truth = torch.zeros(2, 3, 3, 8, 8)
    answers = torch.stack([torch.full((3, 3, 8, 8), 0.4), torch.full((3, 3, 8, 8), 0.04)])
    better = [answers * torch.tensor(halved).view(2, 1, 1, 1, 1) for halved in ((0.5, 1.0), (1.0, 0.5))]
    gains = [(psnr_loss(answers, truth) - psnr_loss(b, truth)).item() for b in better]
    # Half of ln 4; the floor takes some of the second.
    assert gains == pytest.approx([SCALE * math.log(2)] * 2, rel=0.15)
    assert psnr_loss(truth, truth).item() == pytest.approx(SCALE * math.log(FLOOR))


def test_recipe_refuses_an_objective_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="objective must be one of l1, psnr; got l2"):
        Recipe(objective="l2")


@pytest.mark.parametrize("step", [0, 1])
def test_network_that_answers_twins_alike_pays_for_its_error_alone(step: int) -> None:
    network = Weighted([0.5, 0.5, 0.5], EVEN)
    assert loss(network, 3.0, step) == pytest.approx(loss(network, 0.0, step))


@pytest.mark.parametrize(
    ("network", "step"),
    [(Weighted(BLEND, torch.linspace(0.9, 1, 8)), 0), (Weighted([0.2, 0.5, 0.75], EVEN), 1)],
    ids=["left from right at even steps", "past from future at odd steps"],
)
def test_network_that_tells_twins_apart_pays_for_the_difference(network: nn.Module, step: int) -> None:
    one, two, three = (loss(network, weight, step) for weight in (1e-9, 1.0, 2.0))
    assert two > 1.2 * one
    assert three - two == pytest.approx(two - one, rel=1e-3)
    assert loss(network, 1.0, 1 - step) == pytest.approx(loss(network, 1e-9, 1 - step), rel=1e-3)


@pytest.mark.parametrize(
    ("apart", "measure"),
    [("objective", psnr_loss), ("square", lambda one, other: (one - other).square().mean())],
    ids=["as the error is", "by its square"],
)
def test_difference_between_twins_is_measured(apart: str, measure: Callable[[Tensor, Tensor], Tensor]) -> None:
    network = Weighted([0.2, 0.5, 0.75], EVEN)
    expected = measure(network(FRAMES), network(FRAMES.flip(2)).flip(1)).item()
    difference = loss(network, 1.0, 1, "psnr", apart) - loss(network, 1e-9, 1, "psnr", apart)
    assert difference == pytest.approx(expected, rel=1e-3)
