"""The rule of test/fixtures/goldens/README.md that gives the full-width reference models their weights."""

import math

import numpy as np
import torch
from torch import Tensor


def fnv1a(text: str) -> int:
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def uniform(name: str, count: int) -> np.ndarray:
    """float64 in [0, 1), one for each element; uint32 wraps as the rule's arithmetic modulo 2^32 does."""
    i = np.arange(1, count + 1, dtype=np.uint32)
    s = np.uint32(fnv1a(name)) + i * np.uint32(0x6D2B79F5)
    t = (s ^ (s >> 15)) * (s | 1)
    t ^= t + (t ^ (t >> 7)) * (t | 61)
    return (t ^ (t >> 14)) / 2.0**32


def tensor(name: str, shape: list[int], gain: float) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    u = uniform(name, math.prod(shape))
    if name.endswith("running_var"):
        values = 0.5 + u
    elif name.endswith("running_mean"):
        values = (2 * u - 1) * 0.1
    elif len(shape) == 1:
        values = 0.75 + 0.5 * u if name.endswith("weight") else (2 * u - 1) * 0.05
    else:
        values = (2 * u - 1) * math.sqrt(6 / math.prod(shape[1:])) * gain
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)
