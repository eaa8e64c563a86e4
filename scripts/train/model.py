"""FLAVR in PyTorch: every variant that the package reads, under the published state-dict names.

The input is a window of 2C frames, float [B, 3, 2C, H, W] in [0, 1] with H and W multiples of 8; the output is the
k-1 frames of the middle gap, [B, k-1, 3, H, W], not clamped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDEST = 8192  # of channels, blocks, frames: a file that asks for more is no model, and would take the memory first
BESIDE = (0, 0, 0, 0, 1, 1)  # F.pad's way to say: one time step before, one after
SLOPE = 0.2  # of the decoder's and the head's LeakyReLU


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape and the arithmetic of a network; defaults are the published 2x model."""

    encoder: str = "r3d"  # r3d: encoder kernels 3x3x3; r2d: 1x3x3
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    stem: int = 64
    stages: tuple[int, ...] = (64, 128, 256, 512)
    decoder: tuple[int, ...] = (256, 128, 64, 64, 64)
    fuse: int = 64
    inputs: int = 4  # 2C
    factor: int = 2  # k
    fusion: str = "concat"  # concat, add, none
    upsampling: str = "transpose"  # transpose, trilinear
    batch_norm: bool = False
    gating: bool = True
    temporal: str = "none"  # none, stride, pool
    residual: str = "mean"  # mean (published): the window's mean colour; blend: the linear blend of the middle frames
    bias: bool = False  # of the encoder's 3-D convolutions
    fuse_bias: bool = False

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        for name, count in COUNTS.items():
            widths = getattr(self, name) if count > 1 else (getattr(self, name),)
            if len(widths) != count or not all(isinstance(width, int) and 0 < width <= WIDEST for width in widths):
                expected = f"{count} numbers" if count > 1 else "a number"
                raise ValueError(f"{name} must be {expected} from 1 to {WIDEST}; got {getattr(self, name)}")
        if self.inputs < 2 or self.inputs % 2:
            raise ValueError(
                f"inputs must be even and at least 2 (C frames on each side of the gap); got {self.inputs}"
            )
        if self.factor < 2:
            raise ValueError(f"factor must be at least 2; got {self.factor}")
        if self.temporal != "none" and self.inputs % 4:
            raise ValueError(f"temporal {self.temporal} halves time twice: inputs must divide by 4; got {self.inputs}")
        if self.fusion == "add" and self.skips != self.decoder[:4]:
            raise ValueError(
                f"fusion add needs decoder widths {self.skips} before its last stage; got {self.decoder[:4]}"
            )

    @property
    def skips(self) -> tuple[int, ...]:
        """Channels of the encoder's activations that decoder stages 0 to 3 take in."""
        return (self.stages[2], self.stages[1], self.stages[0], self.stem)

    @staticmethod
    def of_width(nf: int, **fields: object) -> Config:
        """The published shape with `nf` in place of 64."""
        shape = dict(
            stem=nf,
            stages=(nf, 2 * nf, 4 * nf, 8 * nf),
            decoder=(4 * nf, 2 * nf, nf, nf, nf),
            fuse=nf,
        )
        return replace(Config(), **{**shape, **fields})


CHOICES = {
    "encoder": ("r3d", "r2d"),
    "fusion": ("concat", "add", "none"),
    "upsampling": ("transpose", "trilinear"),
    "temporal": ("none", "stride", "pool"),
    "residual": ("mean", "blend"),
}


# How many numbers each of these fields is.
COUNTS = {"blocks": 4, "stem": 1, "stages": 4, "decoder": 5, "fuse": 1, "inputs": 1, "factor": 1}


def with_tuples(values: Mapping[str, object]) -> dict[str, object]:
    """The fields of a `Config` or a recipe, of which JSON and the command line make tuples lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def two_steps_learn(layer: nn.Conv3d | nn.ConvTranspose3d, x: Tensor) -> bool:
    """Whether the layer's gradient on the CPU needs zeros beside two time steps.

    In bfloat16, where a kernel of three slices meets exactly two steps, PyTorch's (2.15, oneDNN) gradient of the
    weights takes in memory that nobody wrote: it is not finite, or finite and wrong.
    """
    return x.shape[2] == 2 and layer.kernel_size[0] == 3 and x.device.type == "cpu" and torch.is_grad_enabled()


class Conv(nn.Conv3d):
    """A convolution over time and space."""

    def forward(self, x: Tensor) -> Tensor:
        if not two_steps_learn(self, x):
            return super().forward(x)
        padding = (0, *self.padding[1:])
        return F.conv3d(F.pad(x, BESIDE), self.weight, self.bias, self.stride, padding)


class UpConv(nn.ConvTranspose3d):
    """A transposed convolution over time and space."""

    def forward(self, x: Tensor) -> Tensor:
        if not two_steps_learn(self, x):
            return super().forward(x)
        return super().forward(F.pad(x, BESIDE))[:, :, 1:-1]


class Gate(nn.Module):
    """Each channel times a sigmoid of all channels' means over time and space."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attn_layer = nn.Sequential(nn.Conv3d(channels, channels, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attn_layer(x.mean(dim=(2, 3, 4), keepdim=True))


def gate(config: Config, channels: int) -> nn.Module:
    """The gate, or its absence under the same index."""
    return Gate(channels) if config.gating else nn.Identity()


def norm(config: Config, channels: int) -> list[nn.Module]:
    return [nn.BatchNorm3d(channels)] if config.batch_norm else []


class Block(nn.Module):
    """The encoder's basic block: two convolutions and a gate, added to the input or its projection."""

    def __init__(self, config: Config, inner: int, outer: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        time = 3 if config.encoder == "r3d" else 1
        shape = dict(kernel_size=(time, 3, 3), padding=(time // 2, 1, 1), bias=config.bias)
        self.conv1 = nn.Sequential(
            Conv(inner, outer, stride=stride, **shape), *norm(config, outer), nn.ReLU(inplace=True)
        )
        self.conv2 = nn.Sequential(Conv(outer, outer, **shape), *norm(config, outer))
        self.fg = gate(config, outer)
        self.downsample = (
            nn.Sequential(nn.Conv3d(inner, outer, 1, stride=stride, bias=False), *norm(config, outer))
            if inner != outer or stride != (1, 1, 1)
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(self.fg(self.conv2(self.conv1(x))) + shortcut)


class Encoder(nn.Module):
    """Stem and four stages; returns all five activations, the stem's first."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        time = 3 if config.encoder == "r3d" else 1
        self.stem = nn.Sequential(
            Conv(3, config.stem, (time, 7, 7), (1, 2, 2), (time // 2, 3, 3), bias=config.bias),
            *norm(config, config.stem),
            nn.ReLU(inplace=True),
        )
        inner = config.stem
        for number, (outer, count, space) in enumerate(zip(config.stages, config.blocks, (1, 2, 2, 1)), start=1):
            stride = (2 if config.temporal == "stride" and space == 2 else 1, space, space)
            stage = [Block(config, inner, outer, stride)]
            stage += [Block(config, outer, outer, (1, 1, 1)) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
            inner = outer
        self.pool = config.temporal == "pool"

    def forward(self, x: Tensor) -> list[Tensor]:
        activations = [self.stem(x)]
        for number in range(1, 5):
            x = activations[-1]
            if self.pool and number in (2, 3):
                x = F.avg_pool3d(x, (2, 1, 1))
            activations.append(getattr(self, f"layer{number}")(x))
        return activations


class Same(nn.Module):
    """A decoder stage that keeps the size."""

    def __init__(self, config: Config, inner: int, outer: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(Conv(inner, outer, 3, padding=1), gate(config, outer), *norm(config, outer))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Up(nn.Module):
    """A decoder stage that doubles height and width, and time too where the encoder halved it."""

    def __init__(self, config: Config, inner: int, outer: int, time: int) -> None:
        super().__init__()
        if config.upsampling == "transpose":
            kernel = (2 + time, 4, 4)  # 3 at stride 1, 4 at stride 2: both keep time * length with padding 1
            up: list[nn.Module] = [UpConv(inner, outer, kernel, (time, 2, 2), 1)]
        else:
            scale = (float(time), 2.0, 2.0)
            up = [nn.Upsample(scale_factor=scale, mode="trilinear", align_corners=False), nn.Conv3d(inner, outer, 1)]
        self.upconv = nn.Sequential(*up, gate(config, outer), *norm(config, outer))

    def forward(self, x: Tensor) -> Tensor:
        return self.upconv(x)


class Fuse(nn.Module):
    """The 1x1 convolution that joins the time steps, side by side in channels."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        conv = nn.Conv2d(config.inputs * config.decoder[4], config.fuse, 1, bias=config.fuse_bias)
        self.conv = nn.Sequential(conv, *([nn.BatchNorm2d(config.fuse)] if config.batch_norm else []))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(torch.cat(x.unbind(2), dim=1)), SLOPE)


class Flavr(nn.Module):
    """The whole network."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        width = config.decoder
        joined = [w + s if config.fusion == "concat" else w for w, s in zip(width, config.skips)]
        time = 1 if config.temporal == "none" else 2
        self.decoder = nn.ModuleList(
            [
                Same(config, config.stages[3], width[0]),
                Up(config, joined[0], width[1], time),
                Up(config, joined[1], width[2], time),
                Same(config, joined[2], width[3]),
                Up(config, joined[3], width[4], 1),
            ]
        )
        self.feature_fuse = Fuse(config)
        self.outconv = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(config.fuse, 3 * (config.factor - 1), 7))

    def join(self, x: Tensor, skip: Tensor) -> Tensor:
        if self.config.fusion == "concat":
            return torch.cat((x, skip), dim=1)
        return x + skip if self.config.fusion == "add" else x

    def base(self, frames: Tensor, mean: Tensor) -> Tensor:
        """What the network's output is added to: [B, 1 or k-1, 3, H or 1, W or 1]."""
        if self.config.residual == "mean":
            return mean[:, None, :, 0]
        k, half = self.config.factor, self.config.inputs // 2
        t = torch.arange(1, k, device=frames.device, dtype=frames.dtype)[:, None, None, None] / k
        before, after = frames[:, None, :, half - 1], frames[:, None, :, half]
        return before * (1 - t) + after * t

    def forward(self, frames: Tensor) -> Tensor:
        mean = frames.mean(dim=(2, 3, 4), keepdim=True)
        skips = self.encoder(frames - mean)
        x = skips.pop()
        for stage in self.decoder:
            x = F.leaky_relu(stage(x), SLOPE)
            if len(skips) > 0:
                x = self.join(x, skips.pop())
        out = self.outconv(self.feature_fuse(x)).unflatten(1, (-1, 3))
        return out.to(frames.dtype) + self.base(frames, mean)


def start_at_base(model: Flavr) -> None:
    """Zero the last convolution, so that training starts at the blend (or at the mean colour)."""
    nn.init.zeros_(model.outconv[1].weight)
    nn.init.zeros_(model.outconv[1].bias)


def channels_last(model: Flavr) -> Flavr:
    """Lay the 3-D convolutions' weights out as the CPU and tensor cores like them; the numbers stay."""
    for module in model.modules():
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
            module.to(memory_format=torch.channels_last_3d)
    return model


def config_of(state: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Config:
    """The configuration of a published state dict: names and shapes first, then metadata, then published defaults."""
    metadata = metadata or {}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}

    def shape(name: str) -> tuple[int, ...]:
        if name not in shapes:
            raise ValueError(f"not a FLAVR state dict: expected a tensor {name}, found none")
        return shapes[name]

    stem = shape("encoder.stem.0.weight")
    stages = tuple(shape(f"encoder.layer{n}.0.conv1.0.weight")[0] for n in range(1, 5))
    transposed = "decoder.1.upconv.0.weight" in shapes
    up = "upconv.0.weight" if transposed else "upconv.1.weight"
    outer = 1 if transposed else 0  # a transposed convolution's weight has its outputs second
    decoder = (
        shape("decoder.0.conv.0.weight")[0],
        shape(f"decoder.1.{up}")[outer],
        shape(f"decoder.2.{up}")[outer],
        shape("decoder.3.conv.0.weight")[0],
        shape(f"decoder.4.{up}")[outer],
    )
    fuse = shape("feature_fuse.conv.0.weight")
    joined = shape("decoder.3.conv.0.weight")[1] != decoder[2]
    separate = metadata.get("joinType", "add")
    return Config(
        encoder="r3d" if stem[2] == 3 else "r2d",
        blocks=tuple(
            sum(re.fullmatch(rf"encoder\.layer{n}\.\d+\.conv1\.0\.weight", name) is not None for name in shapes)
            for n in range(1, 5)
        ),
        stem=stem[0],
        stages=stages,
        decoder=decoder,
        fuse=fuse[0],
        inputs=fuse[1] // decoder[4],
        factor=shape("outconv.1.weight")[0] // 3 + 1,
        fusion="concat" if joined else separate,
        upsampling="transpose" if transposed else "trilinear",
        batch_norm="encoder.stem.1.running_mean" in shapes,
        gating=any("attn_layer" in name for name in shapes),
        temporal=metadata.get("temporal", "none"),
        residual=metadata.get("residual", "mean"),
        bias="encoder.stem.0.bias" in shapes,
        fuse_bias="feature_fuse.conv.0.bias" in shapes,
    )


def build(state: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Flavr:
    """The network that a state dict describes, with its weights; none may be missing or left over."""
    return with_weights(config_of(state, metadata), {name: tensor.float() for name, tensor in state.items()})


def with_weights(config: Config, state: Mapping[str, Tensor]) -> Flavr:
    """The network made of these tensors themselves; before it is known that all fit, it takes no memory."""
    with torch.device("meta"):
        model = Flavr(config)
    try:
        model.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:  # several lines, one for each name or shape that is wrong
        raise ValueError(" ".join(str(error).split())) from None
    return model
