"""Makes a trained network into a larger one that computes the same, as a start for further training.

    python grow.py --model a.safetensors --blocks 4 4 2 2 -o b.safetensors     more blocks in a stage
    python grow.py --model a.safetensors --stem 32 --stages 32 32 64 128 -o b.safetensors     more channels
    python grow.py --model a.safetensors --factor 8 -o b.safetensors           more outputs

A new block starts as the identity (its second convolution is zero). A new channel starts at random, and what reads it
with zeros. A new output starts as the old output whose instant is nearest; with a `blend` residual each has its own
blend to start from.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import command
import weights
from export import describe
from model import Config, Flavr

State = dict[str, Tensor]
WIDTHS = ("stem", "stages", "decoder", "fuse")


def deepen(state: State, config: Config, blocks: Sequence[int]) -> tuple[State, Config]:
    """More blocks in each stage, after those that are there."""
    if len(blocks) != 4 or any(new < old for new, old in zip(blocks, config.blocks)):
        raise ValueError(f"blocks can only grow: expected four numbers from {config.blocks} up, got {tuple(blocks)}")
    if config.batch_norm:
        raise ValueError("a network with batch norm has no block that is the identity; fold the norms first")
    larger = replace(config, blocks=tuple(blocks))
    fresh = Flavr(larger).state_dict()
    added = {name: tensor for name, tensor in fresh.items() if name not in state}
    for name, tensor in added.items():
        if ".conv2." in name:
            tensor.zero_()
    return {**added, **state}, larger


def widen(state: State, config: Config, **widths: int | Sequence[int]) -> tuple[State, Config]:
    """More channels, after those that are there; `widths` are fields of the configuration."""
    if config.batch_norm or config.fusion == "add":
        raise ValueError("channels can only be added to a network without batch norm whose fusion is not `add`")
    larger = replace(config, **{name: w if isinstance(w, int) else tuple(w) for name, w in widths.items()})
    if fewer := [name for name in WIDTHS if (widths_of(larger, name) < widths_of(config, name)).any()]:
        raise ValueError(f"channels can only be added; got fewer than there are in {', '.join(fewer)}")
    fresh = Flavr(larger).state_dict()
    if absent := state.keys() - fresh.keys():
        raise ValueError(f"equal widths of stem and first stage would drop the projection between: {sorted(absent)[0]}")
    projection = "encoder.layer1.0.downsample.0.weight"
    if projection in fresh and projection not in state:
        state = {**state, projection: torch.eye(config.stem)[:, :, None, None, None]}
    return {name: embed(name, state[name], config, tensor, larger) for name, tensor in fresh.items()}, larger


def widths_of(config: Config, name: str) -> Tensor:
    return torch.tensor(getattr(config, name))


def embed(name: str, old: Tensor, config: Config, fresh: Tensor, larger: Config) -> Tensor:
    """`fresh` with the old tensor in place: old outputs read old inputs only, new outputs read everything."""
    transposed = re.fullmatch(r"decoder\.\d\.upconv\.0\.weight", name) is not None
    target, source = (fresh.transpose(0, 1), old.transpose(0, 1)) if transposed else (fresh, old)
    count = source.shape[0]
    target[:count] = 0
    if source.dim() == 1:
        target[:count] = source
    else:
        target[:count, places(parts(name, source, config), parts(name, target, larger))] = source
    return fresh


def parts(name: str, weight: Tensor, config: Config) -> tuple[int, ...]:
    """The widths of the activations that a convolution finds side by side in its input."""
    if name.startswith("feature_fuse"):
        return (config.decoder[4],) * config.inputs
    later = re.fullmatch(r"decoder\.([1-4])\.(conv|upconv)\.[01]\.weight", name)
    if later and config.fusion == "concat":
        stage = int(later[1]) - 1
        return (config.decoder[stage], config.skips[stage])
    return (weight.shape[1],)


def places(old: Sequence[int], new: Sequence[int]) -> list[int]:
    """Where each old channel lies among the new ones."""
    return [sum(new[:i]) + channel for i, width in enumerate(old) for channel in range(width)]


def multiply(state: State, config: Config, factor: int) -> tuple[State, Config]:
    """The outputs of a larger factor, of which the old one must be a divisor."""
    if factor % config.factor:
        raise ValueError(f"the new factor must be a multiple of {config.factor}; got {factor}")
    step = factor // config.factor
    sources = [min(max(round(j / step), 1), config.factor - 1) - 1 for j in range(1, factor)]
    rows = torch.tensor([3 * source + channel for source in sources for channel in range(3)])
    head = {name: state[name][rows].clone() for name in ("outconv.1.weight", "outconv.1.bias")}
    return {**state, **head}, replace(config, factor=factor)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--blocks", type=int, nargs=4)
    parser.add_argument("--stem", type=int, help="channels of the first convolution")
    parser.add_argument("--stages", type=int, nargs=4, help="channels of the encoder's stages")
    parser.add_argument("--decoder", type=int, nargs=5, help="channels of the decoder's stages")
    parser.add_argument("--fuse", type=int, help="channels of the convolution that joins the time steps")
    parser.add_argument("--factor", type=command.at_least(2))
    parser.add_argument("-o", "--output", type=command.output(".safetensors"), required=True)
    args = parser.parse_args(arguments)
    widths = {name: width for name in WIDTHS if (width := getattr(args, name)) is not None}
    if not (args.blocks or widths or args.factor):
        parser.error("nothing is to grow: give --blocks, --factor or widths")
    torch.manual_seed(0)
    config, (state, metadata) = weights.network(args.model).config, weights.read(args.model)
    if args.blocks:
        state, config = deepen(state, config, args.blocks)
    if widths:
        state, config = widen(state, config, **widths)
    if args.factor:
        state, config = multiply(state, config, args.factor)
    weights.write(args.output, state, {**metadata, **describe(config)})


if __name__ == "__main__":
    command.run(main)
