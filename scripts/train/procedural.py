"""Procedural motion: textured layers that move affinely with acceleration and hide one another, with blur.

Any number of frames at any instants can be drawn from a scene, so one scene serves every factor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BLUR_TAPS = 5  # instants averaged within the shutter's time


@dataclass(frozen=True)
class Motion:
    """Position, rotation and log-scale as polynomials of time: value, velocity, acceleration (pixels, radians)."""

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    zoom: np.ndarray

    @staticmethod
    def draw(rng: np.random.Generator, size: int, fastest: float) -> Motion:
        """Speeds in pixels per unit of time, most of them slow, in any direction."""
        speed = fastest * rng.random() ** 2
        heading = rng.uniform(0, 2 * math.pi)
        turn = speed * rng.normal(0, 0.25, 2)
        place = rng.uniform(-0.5, 0.5, 2) * size
        spin = rng.normal(0, 0.04) if rng.random() < 0.5 else 0.0
        zoom = rng.normal(0, 0.03) if rng.random() < 0.5 else 0.0
        return Motion(
            np.array([place[0], speed * math.cos(heading), turn[0]]),
            np.array([place[1], speed * math.sin(heading), turn[1]]),
            np.array([rng.uniform(-math.pi, math.pi) if rng.random() < 0.5 else 0.0, spin, rng.normal(0, 0.01)]),
            np.array([0.0, zoom, rng.normal(0, 0.01)]),
        )

    def inverse(self, times: np.ndarray) -> np.ndarray:
        """For each time the matrix [2, 3] that takes a pixel (from the centre) to its place in the texture."""
        powers = np.stack([np.ones_like(times), times, times**2 / 2], axis=1)
        x, y, angle, zoom = (powers @ value for value in (self.x, self.y, self.angle, self.zoom))
        c, s = np.cos(angle) * np.exp(-zoom), np.sin(angle) * np.exp(-zoom)
        return np.stack([np.stack([c, s, -(c * x + s * y)], 1), np.stack([-s, c, s * x - c * y], 1)], 1)


@dataclass(frozen=True)
class Layer:
    texture: Tensor  # [4, S, S]: colour in [0, 1], then opacity
    motion: Motion


def colour(rng: np.random.Generator) -> Tensor:
    """A grey with a tint, [3, 1, 1]."""
    return torch.from_numpy(rng.random() + rng.normal(0, 0.15, (3, 1, 1))).float().clamp(0, 1)


def noise(rng: np.random.Generator, size: int) -> Tensor:
    """Coloured noise over several octaves, [3, size, size] in [0, 1]."""
    total = torch.zeros(1, 3, size, size)
    roughness = rng.uniform(0.5, 1.1)
    for octave in range(1, int(math.log2(size))):
        cells = 2**octave
        grid = torch.from_numpy(rng.standard_normal((1, 3, cells, cells)).astype(np.float32))
        total += roughness**octave * F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)
    return (colour(rng) + total[0] / total.std() * rng.uniform(0.05, 0.3)).clamp(0, 1)


def pattern(rng: np.random.Generator, size: int) -> Tensor:
    """Stripes or checks of two colours with soft or hard edges, [3, size, size]."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    angle, period = rng.uniform(0, math.pi), rng.uniform(5, 40)
    u = (x * math.cos(angle) + y * math.sin(angle)) * (2 * math.pi / period)
    v = (y * math.cos(angle) - x * math.sin(angle)) * (2 * math.pi / period)
    wave = torch.sin(u) * torch.sin(v) if rng.random() < 0.5 else torch.sin(u)
    share = torch.sigmoid(wave * rng.uniform(1, 12))
    return colour(rng) * share + colour(rng) * (1 - share)


def outline(rng: np.random.Generator, size: int) -> Tensor:
    """The opacity of a blob, an ellipse, a box or a grating, [1, size, size], its edge about a pixel wide."""
    y, x = torch.meshgrid(torch.arange(size) - size / 2, torch.arange(size) - size / 2, indexing="ij")
    a, b = rng.uniform(0.06, 0.35, 2) * size
    kind = rng.integers(4)
    if kind == 0:
        inside = (1 - torch.sqrt((x / a) ** 2 + (y / b) ** 2)) * min(a, b)
    elif kind == 1:
        inside = torch.minimum(a - x.abs(), b - y.abs())
    elif kind == 2:
        wobble = sum(rng.normal(0, 0.15) * torch.cos(n * torch.atan2(y, x) + rng.uniform(0, 6)) for n in (2, 3, 5))
        inside = a * (1 + wobble) - torch.sqrt(x**2 + y**2)
    else:
        inside = torch.minimum(rng.uniform(1, 4) - (x % rng.uniform(8, 24) - 4).abs(), a - y.abs())
    return (inside + 0.5).clamp(0, 1)[None]


def texture(rng: np.random.Generator, size: int, photo: np.ndarray | None) -> Tensor:
    """[3, size, size]: a photograph (uint8 [H, W, 3]) where there is one, else noise or a pattern."""
    if photo is not None:
        image = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
        return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)[0]
    return noise(rng, size) if rng.random() < 0.6 else pattern(rng, size)


def render(layers: list[Layer], times: np.ndarray, size: int) -> Tensor:
    """Frames at `times`, [n, 3, size, size]; the first layer continues mirrored beyond its edges, the others end."""
    frames = torch.zeros(len(times), 3, size, size)
    y, x = np.mgrid[0:size, 0:size] - (size - 1) / 2
    pixels = torch.from_numpy(np.stack([x, y, np.ones_like(x)], -1).astype(np.float32)).reshape(-1, 3)
    for number, layer in enumerate(layers):
        beyond = "zeros" if number else "reflection"
        side = layer.texture.shape[-1]
        matrices = torch.from_numpy(layer.motion.inverse(times).astype(np.float32))
        grid = (pixels @ matrices.transpose(1, 2)).reshape(len(times), size, size, 2) * (2 / side)
        source = layer.texture[None].expand(len(times), -1, -1, -1)
        drawn = F.grid_sample(source, grid, mode="bilinear", padding_mode=beyond, align_corners=False)
        frames = frames + drawn[:, 3:] * (drawn[:, :3] - frames)
    return frames


def scene(
    rng: np.random.Generator, size: int, times: np.ndarray, fastest: float, photos: list[np.ndarray] | None = None
) -> np.ndarray:
    """uint8 [len(times), size, size, 3]: a new scene, seen at `times` (unit: one gap, 0 at the gap's start).

    `fastest` is the largest speed of a layer in pixels per gap. `photos` are textures to take instead of drawn ones.
    """
    photos = list(photos or [])
    side = 2 * size

    def next_photo() -> np.ndarray | None:
        return photos.pop() if photos else None

    back = torch.cat([texture(rng, side, next_photo()), torch.ones(1, side, side)])
    layers = [Layer(back, Motion.draw(rng, size, fastest))]
    for _ in range(rng.integers(0, 4)):
        surface = torch.cat([texture(rng, size, next_photo()), outline(rng, size)])
        layers.append(Layer(surface, Motion.draw(rng, size, fastest)))
    shutter = rng.uniform(0, 0.5) / 2 if rng.random() < 0.4 else 0.0
    taps = BLUR_TAPS if shutter else 1
    offsets = np.linspace(-0.5, 0.5, taps) * shutter if shutter else np.zeros(1)
    frames = (
        render(layers, (times[:, None] + offsets).reshape(-1), size).reshape(len(times), taps, 3, size, size).mean(1)
    )
    if rng.random() < 0.3:
        frames = frames + torch.from_numpy(rng.normal(0, 0.01, frames.shape).astype(np.float32))
    return (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
