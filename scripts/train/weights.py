"""Weight files: the published .pth forms and safetensors, read and written without executing anything."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import files

Weights = tuple[dict[str, Tensor], dict[str, str]]


def read(path: Path) -> Weights:
    """State dict (without any `module.` prefix) and metadata of a .safetensors, .pth or .pt file."""
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}
                metadata = dict(file.metadata() or {})
        except SafetensorError as error:
            raise ValueError(f"{path} is no safetensors file, or only part of one: {error}") from None
    else:
        loaded = read_torch(path)
        state, metadata = loaded.get("state_dict", loaded), {}
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}, metadata


def read_torch(path: Path) -> dict[str, Any]:
    """What torch.save wrote, a dictionary of tensors and plain values."""
    with open(path, "rb") as file:
        try:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError):
            raise ValueError(f"{path} is damaged, or holds more than tensors and plain values") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"{path} holds no dictionary of tensors but a {type(loaded).__name__}")
    return loaded


def write(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors; the file appears under its name only when complete."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    files.write(path, save(tensors, dict(metadata)))
