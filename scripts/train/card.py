"""The lines of a model's card that its weights decide: file, size, quality, properties.

python card.py --model mini-2x.safetensors --data clips --split split.json --cache runs/cache
"""

from __future__ import annotations

import argparse
from hashlib import sha256
from pathlib import Path

import baselines
import properties
import validate
import weights


def file_lines(path: Path) -> str:
    """The rows of the card's first table that name the file and count its parameters."""
    content = path.read_bytes()
    tensors = weights.read(path)[0].values()
    kinds = ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors}))
    size = f"{len(content) / 1e6:.1f} MB, {kinds}, SHA-256 `{sha256(content).hexdigest()}`"
    return f"| File | `{path.name}`, {size} |\n| Parameters | {sum(tensor.numel() for tensor in tensors):,} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    validate.add_clip_options(parser)
    parser.add_argument("--gaps", type=int, help="measure quality on this many gaps of each clip (default: all)")
    parser.add_argument("--baselines", action="store_true", help="measure minterpolate, blend and nearest frame too")
    args = parser.parse_args()
    method, config = validate.method_of(args.model)
    k, inputs, clips = config.factor, config.inputs, validate.named_clips(args)
    print(f"{file_lines(args.model)}\n", flush=True)
    rows = {args.model.stem: [validate.measure(method, clip, k, inputs, args.gaps) for clip in clips]}
    if args.baselines:
        rows |= baselines.rows(clips, k)
    print(f"{validate.table(rows, clips)}\n", flush=True)
    print(properties.report(method, clips, k, inputs, properties.GAPS))


if __name__ == "__main__":
    main()
