"""Changes that leave a sample a true one: the same for every frame of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augment:
    """Probabilities of each change."""

    flip: float = 0.5
    transpose: float = 0.5
    reverse: float = 0.5
    permute: float = 0.3  # of the colour channels
    jitter: float = 0.3  # of contrast, brightness and gamma

    def __call__(self, rng: np.random.Generator, frames: np.ndarray, inputs: int) -> np.ndarray:
        """uint8 [2C + k-1, H, W, 3], the 2C inputs first, to float32 in [0, 1] of the same layout."""
        if rng.random() < self.flip:
            frames = frames[:, :, ::-1]
        if rng.random() < self.flip:
            frames = frames[:, ::-1]
        if rng.random() < self.transpose:
            frames = frames.transpose(0, 2, 1, 3)
        if rng.random() < self.reverse:
            frames = np.concatenate([frames[:inputs][::-1], frames[inputs:][::-1]])
        if rng.random() < self.permute:
            frames = frames[..., rng.permutation(3)]
        values = frames.astype(np.float32) / 255
        if rng.random() < self.jitter:
            contrast, shift, gamma = rng.uniform(0.8, 1.2), rng.uniform(-0.1, 0.1), rng.uniform(0.8, 1.25)
            values = ((values - 0.5) * contrast + 0.5 + shift).clip(0, 1) ** gamma
        return values.astype(np.float32)
