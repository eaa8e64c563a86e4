"""Everything that decides a training run, from the command line or from the run's own file."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass, fields, replace

from augment import Augment
from dataset import Sampling
from model import CHOICES as NETWORKS
from model import Config, with_tuples


@dataclass(frozen=True)
class Recipe:
    """A training run. The help of each option is its field's entry in HELP."""

    # data
    data: tuple[str, ...] = ()
    split: str | None = None
    crop: int = 96
    strides: tuple[int, ...] = (1, 2, 3)
    procedural: float = 0.25
    photos: float = 0.5
    fastest: float = 32.0
    pan: float = 0.5
    objects: float = 0.5
    candidates: int = 6
    # network
    init: str | None = None
    encoder: str = "r3d"
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    nf: int = 64
    inputs: int = 4
    factor: int = 2
    fusion: str = "concat"
    upsampling: str = "transpose"
    batch_norm: bool = False
    gating: bool = True
    temporal: str = "none"
    residual: str = "mean"
    # optimisation
    objective: str = "l1"
    steps: int = 100_000
    batch: int = 32
    lr: float = 2e-4
    schedule: str = "cosine"
    warmup: int = 500
    patience: int = 5
    min_lr: float = 1e-6
    clip_norm: float = 1.0
    ema: float = 0.999
    consistency: float = 0.0
    apart: str = "objective"
    bf16: bool = True
    seed: int = 0
    # watching
    validate_every: int = 1000
    validation_gaps: int = 6
    save_every: int = 500

    def __post_init__(self) -> None:
        if self.crop < 16 or self.crop % 8:
            raise ValueError(f"crop must be a multiple of 8 and at least 16; got {self.crop}")
        counts = ("nf", "batch", "steps", "candidates", "patience", "validate_every", "validation_gaps", "save_every")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("lr", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0; got {getattr(self, name)}")
        for name in ("fastest", "warmup", "min_lr", "consistency", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be 0 or more; got {getattr(self, name)}")
        if self.seed >= 2**63:
            raise ValueError(f"seed must be below 2^63; got {self.seed}")
        for name in ("procedural", "photos", "pan", "objects", "ema"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1; got {getattr(self, name)}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)}")
        if not self.strides or min(self.strides) < 1:
            raise ValueError(f"strides must be at least 1; got {self.strides}")
        if self.schedule == "plateau" and not self.split:
            raise ValueError("the plateau schedule follows validation: give --split, or --schedule cosine")

    def sampling(self) -> Sampling:
        return Sampling(
            inputs=self.inputs,
            k=self.factor,
            crop=self.crop,
            strides=self.strides,
            procedural=self.procedural,
            photos=self.photos,
            fastest=self.fastest,
            pan=self.pan,
            objects=self.objects,
            candidates=self.candidates,
            augment=Augment(),
        )

    def config(self) -> Config:
        """The network of a run that starts from scratch."""
        return Config.of_width(
            self.nf,
            encoder=self.encoder,
            blocks=self.blocks,
            inputs=self.inputs,
            factor=self.factor,
            fusion=self.fusion,
            upsampling=self.upsampling,
            batch_norm=self.batch_norm,
            gating=self.gating,
            temporal=self.temporal,
            residual=self.residual,
            bias=not self.batch_norm,
            fuse_bias=not self.batch_norm,
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> Recipe:
        try:
            return Recipe(**with_tuples(json.loads(text)))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"the checkpoint's recipe is not one of this train.py: {error}") from None


# The options that decide the network: a run that goes on keeps them.
NETWORK = {"init", "nf"} | {field.name for field in fields(Config)} & {field.name for field in fields(Recipe)}


def of_network(config: Config, init: str) -> Recipe:
    """The defaults of a run that starts from the network in the file `init`."""
    same = {name: getattr(config, name) for name in NETWORK - {"init", "nf"}}
    return Recipe(init=init, nf=config.stem, **same)


HELP = {
    "data": "roots of clips: folders of videos or frames, Vimeo-90K septuplets, GoPro; none: procedural motion alone",
    "split": "split file: held-out frames, which training refuses and validation measures",
    "crop": "height and width of a sample, a multiple of 8",
    "strides": "distances between successive frames of a window, in source frames; larger ones give larger motion",
    "procedural": "share of procedural motion",
    "photos": "share of procedural scenes whose layers are textured from training frames",
    "fastest": "largest speed of a pan or a procedural layer, in pixels per gap",
    "pan": "share of film crops that move over their frames as if the camera panned",
    "objects": "share of pans before which a piece of other film moves, in a drawn shape",
    "candidates": "crops among which one is chosen in proportion to the blend's error; 1: uniform",
    "init": "weights to start from, whose network the run takes over",
    "nf": "width; 64 as published",
    "inputs": "2C, frames in a window",
    "factor": "k; the network gives the k-1 frames of the gap",
    "residual": "what the output is added to: the window's mean colour (published) or the linear blend",
    "objective": "l1: mean |error| (published); psnr: mean logarithm of the samples' mean square errors",
    "batch": "samples of a step, over all processes",
    "schedule": "cosine: lr falls to min-lr at the last step; plateau: it halves after `patience` poor validations",
    "warmup": "steps over which lr rises from zero",
    "ema": "decay of the moving average of the weights, which is validated and exported",
    "consistency": "weight of how far the answers to a sample and to its mirrored or reversed twin are apart; above 0 "
    "the twins double the work and the memory of a step",
    "apart": "how that is measured: as the objective measures an error, or by the mean square difference",
    "bf16": "autocast to bfloat16 (CPU and CUDA)",
    "validation_gaps": "gaps measured of each clip named under `select` in the split file",
}
CHOICES = NETWORKS | {
    "objective": ("l1", "psnr"),
    "schedule": ("cosine", "plateau"),
    "apart": ("objective", "square"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """One option for each field; an option that is not given stays out of the result."""
    for field in fields(Recipe):
        flag, default = "--" + field.name.replace("_", "-"), field.default
        common: dict[str, object] = dict(dest=field.name, default=argparse.SUPPRESS)
        common["help"] = f"{HELP.get(field.name, '')} (default {default})".strip()
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
        elif isinstance(default, tuple):
            kind = type(default[0]) if default else str
            parser.add_argument(flag, nargs="+", type=kind, **common)
        else:
            kind = str if default is None else type(default)
            parser.add_argument(flag, type=kind, choices=CHOICES.get(field.name), **common)


def from_options(options: argparse.Namespace, base: Recipe) -> Recipe:
    """`base` with the options that were given."""
    names = {field.name for field in fields(Recipe)}
    given = {name: value for name, value in vars(options).items() if name in names}
    return replace(base, **with_tuples(given))
