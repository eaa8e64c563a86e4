"""The rule of test/fixtures/goldens/README.md that gives the full-width reference models their weights."""

import math

import numpy as np
import torch
from torch import Tensor

MASK = np.uint64(0xFFFFFFFF)


def fnv1a(text: str) -> int:
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def uniform(name: str, count: int) -> np.ndarray:
    """float64 in [0, 1), one for each element; arithmetic modulo 2^32."""
    i = np.arange(1, count + 1, dtype=np.uint64)
    s = (np.uint64(fnv1a(name)) + i * np.uint64(0x6D2B79F5)) & MASK
    t = ((s ^ (s >> np.uint64(15))) * (s | np.uint64(1))) & MASK
    t = ((t + (((t ^ (t >> np.uint64(7))) * (t | np.uint64(61))) & MASK)) & MASK) ^ t
    return (t ^ (t >> np.uint64(14))).astype(np.float64) / 2**32


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
