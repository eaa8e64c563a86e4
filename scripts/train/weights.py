"""Weight files: the published .pth forms and safetensors, read and written without executing anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import files
from model import Flavr, build

Weights = tuple[dict[str, Tensor], dict[str, str]]

AGAIN = "fetch it or write it again"


def read(path: Path) -> Weights:
    """State dict (without any `module.` prefix) and metadata of a .safetensors, .pth or .pt file."""
    if path.suffix == ".safetensors":
        must_exist(path)
        try:
            with safe_open(path, framework="pt") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}
                metadata = dict(file.metadata() or {})
        except SafetensorError as error:
            raise ValueError(f"{path} is no safetensors file, or only part of one ({error}): {AGAIN}") from None
    else:
        loaded = read_torch(path)
        state, metadata = loaded.get("state_dict", loaded), {}
    if not is_state_dict(state):
        ours = isinstance(state, dict) and "ema" in state
        hint = "; it is a run's checkpoint, of which export.py makes weights" if ours else ""
        raise ValueError(f"{path} holds no state dict: expected names with a tensor each{hint}")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}, metadata


def is_state_dict(state: object) -> bool:
    return isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    )


def network(path: Path) -> Flavr:
    """The network that a file holds."""
    state, metadata = read(path)
    try:
        return build(state, metadata)
    # RuntimeError: names or shapes that PyTorch found wrong, in several lines; the others: shapes that make no network.
    except (RuntimeError, ValueError, LookupError, ArithmeticError) as error:
        what = " ".join(str(error).split())
        raise ValueError(f"{path} holds no FLAVR network as export.py writes it: {what}") from None


def must_exist(path: Path) -> None:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise ValueError(f"expected a file of weights (.safetensors, .pth or .pt) at {path}, found {found}")


def read_torch(path: Path) -> dict[str, Any]:
    """What torch.save wrote, a dictionary of tensors and plain values."""
    must_exist(path)
    with open(path, "rb") as file:
        try:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
        except Exception:  # what an unpickler raises over bytes that are no pickle is not bounded
            raise ValueError(f"{path} is damaged, or holds more than tensors and plain values: {AGAIN}") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"{path} holds no dictionary of tensors but a {type(loaded).__name__}")
    return loaded


def write(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors; the file appears under its name only when complete."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    files.write(path, save(tensors, dict(metadata)))
