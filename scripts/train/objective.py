"""What a training step makes small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipe import Recipe

MIRROR = ((-1,), (-1,))  # dimensions turned round in frames [B, 3, 2C, H, W] and in answers [B, k-1, 3, H, W]
REVERSE = ((2,), (1,))

FLOOR = 1e-4  # a sample whose mean square error is far below this (40 dB) hardly counts any more
SCALE = 0.05  # brings the gradient's length near that of l1, so that one learning rate and one clip norm serve both


def psnr_loss(answers: Tensor, truth: Tensor) -> Tensor:
    """Minus the samples' mean PSNR, but for a factor and the floor: easy samples count as much as hard ones."""
    errors = (answers - truth).square().flatten(1).mean(1)
    return SCALE * torch.log(errors + FLOOR).mean()


# A square asks most where two answers are furthest apart, and next to nothing where they agree to 40 dB or better.
LOSSES = {"l1": F.l1_loss, "psnr": psnr_loss, "square": F.mse_loss}


def objective(network: nn.Module, recipe: Recipe, step: int, frames: Tensor, truth: Tensor) -> Tensor:
    """The recipe's objective, and `consistency` times how far the answers to twins are apart, which `apart` measures.

    With the latter, every sample comes with a twin that is mirrored, at every other step reversed in time; the twin is
    a sample like any other, and its answer, turned back, is to be the answer to the sample.
    """
    if recipe.consistency:
        of_frames, of_answers = (MIRROR, REVERSE)[step % 2]
        frames, truth = torch.cat([frames, frames.flip(of_frames)]), torch.cat([truth, truth.flip(of_answers)])
    frames = frames.contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=recipe.bf16):
        answers = network(frames).float()
    loss = LOSSES[recipe.objective](answers, truth)
    if recipe.consistency:
        own, twins = answers.chunk(2)
        distance = LOSSES[recipe.objective if recipe.apart == "objective" else recipe.apart]
        loss = loss + recipe.consistency * distance(own, twins.flip(of_answers))
    return loss
