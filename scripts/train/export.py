"""Writes a run's averaged weights as safetensors with the metadata that the package reads and `flavr inspect` prints.

python export.py --checkpoint runs/a/best.pt --data-note "…" --licence MIT -o mini-2x.safetensors
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

import command
import state
import weights
from model import Config
from recipe import Recipe

BLOCKS = {(2, 2, 2, 2): "unet_18", (3, 4, 6, 3): "unet_34"}


def describe(config: Config) -> dict[str, str]:
    """A configuration under upstream's names, and ours for what upstream does not have."""
    return {
        "block": BLOCKS.get(config.blocks) or "-".join(map(str, config.blocks)),
        "encoder": config.encoder,
        "nf": str(config.stem),
        "nbr_frame": str(config.inputs),
        "n_outputs": str(config.factor - 1),
        "factor": str(config.factor),
        "joinType": config.fusion,
        "upmode": config.upsampling,
        "batchnorm": str(config.batch_norm),
        "gating": str(config.gating),
        "temporal": config.temporal,
        "residual": config.residual,
    }


def commit() -> str:
    """The commit of the training code, with `+` where it was changed since; empty without a repository or git."""
    words = ["git", "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        described = subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return described.stdout.strip()


def export(checkpoint: state.Checkpoint, notes: dict[str, str], output: Path, half: bool = False) -> None:
    recipe = Recipe.from_json(checkpoint.recipe)
    metadata = {
        **describe(checkpoint.config),
        "objective": recipe.objective.upper(),
        "consistency": f"{recipe.consistency:g}",
        "apart": recipe.apart,
        "steps": str(checkpoint.progress.step),
        "batch": str(recipe.batch),
        "crop": str(recipe.crop),
        "commit": commit(),
        **notes,
    }
    if recipe.init:
        metadata["init"] = Path(recipe.init).name
    tensors = {name: value for name, value in checkpoint.ema.items() if not name.endswith("num_batches_tracked")}
    weights.write(output, {name: value.half() for name, value in tensors.items()} if half else tensors, metadata)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="best.pt or last.pt of a run")
    parser.add_argument("--data-note", required=True, help="what it was trained on, for the metadata")
    parser.add_argument("--licence", required=True, help="licence of the weights, for the metadata")
    parser.add_argument("--half", action="store_true", help="write float16, in half the bytes")
    parser.add_argument("-o", "--output", type=command.output(".safetensors"), required=True)
    args = parser.parse_args(arguments)
    notes = {"data": args.data_note, "licence": args.licence}
    export(state.load(args.checkpoint), notes, args.output, args.half)


if __name__ == "__main__":
    command.run(main)
