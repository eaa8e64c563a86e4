"""Weight files: the published .pth forms and safetensors, read and written without executing anything."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

Weights = tuple[dict[str, Tensor], dict[str, str]]


def read(path: Path) -> Weights:
    """State dict (without any `module.` prefix) and metadata of a .safetensors, .pth or .pt file."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}
            metadata = dict(file.metadata() or {})
    else:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        state, metadata = loaded.get("state_dict", loaded), {}
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}, metadata


def write(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors; the file appears under its name only when complete."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    replace_file(path, save(tensors, dict(metadata)))


def write_json(path: Path, value: object) -> None:
    replace_file(path, (json.dumps(value, indent=1) + "\n").encode())


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of `path` in one step: whatever goes wrong before, the old file stays whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
