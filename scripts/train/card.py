"""The lines of a model's card that its weights decide: file, size, quality, properties.

python card.py --model mini-2x.safetensors --data clips --split split.json --cache runs/cache
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import baselines
import command
import properties
import validate
import weights
from validate import HeldOutClip, Score


def file_lines(path: Path) -> str:
    """The rows of the card's first table that name the file and count its parameters."""
    content = path.read_bytes()
    tensors = weights.read(path)[0].values()
    kinds = ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors}))
    size = f"{len(content) / 1e6:.1f} MB, {kinds}, SHA-256 `{sha256(content).hexdigest()}`"
    return f"| File | `{path.name}`, {size} |\n| Parameters | {sum(tensor.numel() for tensor in tensors):,} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    validate.add_model_options(parser, gaps=None)
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="measure minterpolate, blend and nearest frame beside it, all on what minterpolate fills",
    )
    args = parser.parse_args(arguments)
    if args.baselines and args.gaps:
        parser.error(
            "--baselines measures every gap, and the rows of a table are to be of the same frames: leave --gaps out"
        )
    method, config = validate.method_of(args.model)
    k, inputs = config.factor, config.inputs

    def scores(clip: HeldOutClip) -> dict[str, Score]:
        name = args.model.stem
        if args.baselines:
            return baselines.measure(clip, k, {name: method}, inputs)
        return {name: validate.measure(method, clip, k, inputs, args.gaps)}

    with validate.named_clips(args, k) as clips:
        print(f"{file_lines(args.model)}\n", flush=True)
        found = clips.each(scores)
        print(f"{validate.table(found, clips)}\n", flush=True)
        print(properties.report(method, clips, k, inputs, properties.GAPS))


if __name__ == "__main__":
    command.run(main)
