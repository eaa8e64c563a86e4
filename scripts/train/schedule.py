"""The learning rate of each step."""

from __future__ import annotations

import math

from recipe import Recipe
from state import Progress


def learning_rate(recipe: Recipe, progress: Progress) -> float:
    """Warm-up, then a half cosine down to `min_lr` at the last step, or the plateau schedule's scale."""
    step = progress.step
    warm = min(1.0, (step + 1) / max(1, recipe.warmup))
    if recipe.schedule == "cosine":
        share = min(1.0, step / max(1, recipe.steps))
        return warm * (recipe.min_lr + (recipe.lr - recipe.min_lr) * (1 + math.cos(math.pi * share)) / 2)
    return warm * max(recipe.min_lr, recipe.lr * progress.scale)


def note_validation(recipe: Recipe, progress: Progress, psnr: float) -> bool:
    """Take in a validation's PSNR; returns whether it is the best so far. After `patience` others the scale halves."""
    if psnr > progress.best:
        progress.best, progress.stale = psnr, 0
        return True
    progress.stale += 1
    if progress.stale >= recipe.patience:
        progress.scale, progress.stale = progress.scale / 2, 0
    return False
