"""Makes a trained network into a larger one that computes the same, as a start for further training.

    python grow.py --model a.safetensors --blocks 4 4 2 2 -o b.safetensors     more blocks in a stage
    python grow.py --model a.safetensors --factor 8 -o b.safetensors           more outputs

A new block starts as the identity (its second convolution is zero). A new output starts as the old output whose
instant is nearest; with a `blend` residual each has its own blend to start from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import weights
from export import describe
from model import Config, Flavr, config_of

State = dict[str, Tensor]


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


def multiply(state: State, config: Config, factor: int) -> tuple[State, Config]:
    """The outputs of a larger factor, of which the old one must be a divisor."""
    if factor % config.factor:
        raise ValueError(f"the new factor must be a multiple of {config.factor}; got {factor}")
    step = factor // config.factor
    sources = [min(max(round(j / step), 1), config.factor - 1) - 1 for j in range(1, factor)]
    rows = torch.tensor([3 * source + channel for source in sources for channel in range(3)])
    head = {name: state[name][rows].clone() for name in ("outconv.1.weight", "outconv.1.bias")}
    return {**state, **head}, replace(config, factor=factor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--blocks", type=int, nargs=4)
    parser.add_argument("--factor", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    state, metadata = weights.read(args.model)
    config = config_of(state, metadata)
    if args.blocks:
        state, config = deepen(state, config, args.blocks)
    if args.factor:
        state, config = multiply(state, config, args.factor)
    weights.write(args.output, state, {**metadata, **describe(config)})


if __name__ == "__main__":
    main()
