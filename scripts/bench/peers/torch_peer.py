"""The PyTorch side of peers.mjs: runs the network of scripts/train/model.py in the ways it is asked for.

Requests are lines of JSON on standard input; each is answered by one line of JSON on standard output:
  {"op": "versions"}                           -> {library: version or null}
  {"op": "open", "name": …, "recipe": {…}}     -> {"output": path of float32 values}
  {"op": "run", "name": …}                     -> {"ms": time of one window}
  {"op": "export", "name": …, "dynamo": bool}  -> {"graph": path of an ONNX file}
What cannot be done is answered by {"error": why}. The process ends with its standard input.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
import weights
from model import build, channels_last
from torch import Tensor

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Peers:
    """The network with one set of weights, and one window of frames to run it on."""

    def __init__(self, model: Path, window: Path, width: int, height: int, folder: Path) -> None:
        self.state, self.metadata = weights.read(model)
        self.window = torch.from_numpy(np.fromfile(window, np.float32)).reshape(1, 3, -1, height, width)
        self.folder = folder
        self.calls: dict[str, tuple[Callable[[], Tensor], int]] = {}  # and how many windows a call takes

    def open(self, name: str, recipe: dict) -> dict:
        """recipe: device, precision; if wanted autocast, channelsLast, batch, and compile: options of torch.compile."""
        device, dtype = torch.device(recipe["device"]), DTYPES[recipe["precision"]]
        if device.type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no CUDA device")
        autocast, batch = recipe.get("autocast", False), recipe.get("batch", 1)
        model = build(self.state, self.metadata).eval().to(device)
        window = self.window.repeat(batch, 1, 1, 1, 1).to(device)
        if not autocast:
            model, window = model.to(dtype), window.to(dtype)
        if recipe.get("channelsLast"):
            model, window = channels_last(model), window.contiguous(memory_format=torch.channels_last_3d)
        if recipe.get("compile") is not None:
            model = torch.compile(model, dynamic=False, fullgraph=True, **recipe["compile"])

        def call() -> Tensor:
            with torch.inference_mode(), torch.autocast(device.type, dtype) if autocast else nullcontext():
                out = model(window)
            if device.type == "cuda":
                torch.cuda.synchronize()
            return out

        output = self.folder / f"{name}.f32"
        call()[0].float().cpu().numpy().tofile(output)
        self.calls[name] = call, batch
        return {"output": str(output)}

    def run(self, name: str) -> dict:
        call, batch = self.calls[name]
        started = time.perf_counter()
        call()
        return {"ms": (time.perf_counter() - started) * 1000 / batch}

    def export(self, name: str, dynamo: bool) -> dict:
        graph = self.folder / f"{name}.onnx"
        model = build(self.state, self.metadata).eval()
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            torch.onnx.export(model, (self.window,), graph, dynamo=dynamo, external_data=False, verbose=False)
        return {"graph": str(graph)}

    def versions(self) -> dict:
        parts = torch.__config__.show()
        cuda = torch.cuda.is_available()
        return {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "oneDNN": found(r"MKL-DNN v([\d.]+)", parts),
            "MKL": found(r"Math Kernel Library Version ([\d.]+)", parts),
            "cuDNN": torch.backends.cudnn.version(),
            "CUDA": torch.version.cuda,
            "device": torch.cuda.get_device_name() if cuda else None,
            "instructions": torch.backends.cpu.get_cpu_capability(),
            **{name: installed(name) for name in ("numpy", "triton", "onnx", "onnxscript", "onnxruntime")},
        }

    def answer(self, request: dict) -> dict:
        op = request.pop("op")
        try:
            return getattr(self, op)(**request)
        except Exception as error:  # Whatever one peer fails of is said in its row; the others go on.
            kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
            return {"error": f"{kind}{error}"}


def found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match[1] if match else None


def installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def main() -> None:
    model, window, width, height, threads, folder = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.set_num_interop_threads(1)
    # Full precision means full precision, on every device.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    # Libraries print: their words go to standard error, answers alone to what was standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peers = Peers(Path(model), Path(window), int(width), int(height), Path(folder))
    for line in sys.stdin:
        print(json.dumps(peers.answer(json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
