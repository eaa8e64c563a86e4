"""Weight files: the published .pth forms and safetensors, read and written without executing anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

import files

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
    files.write(path, save(tensors, dict(metadata)))
