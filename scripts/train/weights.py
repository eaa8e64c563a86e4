"""Weight files: the published .pth forms and safetensors, read and written without executing anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

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
    if larger := [name for name, tensor in state.items() if tensor.nbytes > tensor.untyped_storage().nbytes()]:
        raise ValueError(f"{path} is no file of weights: {larger[0]} is larger than what the file holds of it")
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
    except (ValueError, LookupError, ArithmeticError) as error:  # names or shapes that make no network
        raise ValueError(f"{path} holds no FLAVR network as export.py writes it: {error}") from None


def must_exist(path: Path) -> None:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise ValueError(f"expected a file of weights (.safetensors, .pth or .pt) at {path}, found {found}")


def read_torch(path: Path) -> dict[str, Any]:
    """What torch.save wrote, a dictionary of tensors and plain values."""
    must_exist(path)
    must_be_stored(path)
    with open(path, "rb") as file:
        try:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
        except Exception:  # what an unpickler raises over bytes that are no pickle is not bounded
            raise ValueError(f"{path} is damaged, or holds more than tensors and plain values: {AGAIN}") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"{path} holds no dictionary of tensors but a {type(loaded).__name__}")
    return loaded


def must_be_stored(path: Path) -> None:
    """PyTorch compresses nothing, yet would unpack what another program did, to whatever size."""
    if not is_zipfile(path):
        return  # the older form: its tensors lie in the file as they are
    try:
        with ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except BadZipFile:
        return  # torch.load says so
    if size > path.stat().st_size:
        raise ValueError(f"{path} unpacks to {size:,} bytes, more than it has: expected what torch.save writes")


def write(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors; the file appears under its name only when complete."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    files.write(path, save(tensors, dict(metadata)))
