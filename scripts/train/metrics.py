"""PSNR and SSIM of 8-bit frames, as the package's evaluation has them."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def quantise(frame: Tensor) -> np.ndarray:
    """float [3, H, W] in [0, 1] to uint8 [H, W, 3], half to even as in the package's graphs."""
    return (frame.detach().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """In decibels over all pixels and channels of two uint8 frames; 100 where they are equal."""
    error = float(np.square(a.astype(np.float32) - b.astype(np.float32)).mean())
    return 10 * math.log10(255**2 / error) if error else 100.0


def ssim_matlab(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM with an 11x11x11 Gaussian (sigma 1.5) over channels, height and width, edges repeated by 5, range 1."""
    x, y = (torch.from_numpy(frame.astype(np.float32) / 255).permute(2, 0, 1) for frame in (a, b))
    kernel = torch.exp(-(torch.arange(-5, 6, dtype=torch.float32) ** 2) / (2 * 1.5**2))
    kernel = kernel / kernel.sum()
    # The Gaussian over three channels with repeated edges is a 3x3 matrix.
    channels = torch.zeros(3, 3)
    for out in range(3):
        for tap in range(11):
            channels[out, min(max(out + tap - 5, 0), 2)] += kernel[tap]
    maps = torch.einsum("oc,mchw->mohw", channels, torch.stack([x, y, x * x, y * y, x * y]))
    maps = F.pad(maps, (5, 5, 5, 5), mode="replicate").flatten(0, 1)[:, None]
    maps = F.conv2d(F.conv2d(maps, kernel.view(1, 1, 11, 1)), kernel.view(1, 1, 1, 11))
    mx, my, mxx, myy, mxy = maps[:, 0].unflatten(0, (5, 3))
    vx, vy, vxy = mxx - mx * mx, myy - my * my, mxy - mx * my
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(score.mean())
