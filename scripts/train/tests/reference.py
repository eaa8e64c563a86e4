"""reference.py MODEL FOLDER: PyTorch's answer to a random window of 40x24, as raw float32 files for another runtime."""

import sys
from pathlib import Path

import torch

import weights
from model import build

model = build(*weights.read(Path(sys.argv[1]))).eval()
torch.manual_seed(1)
frames = torch.rand(1, 3, model.config.inputs, 24, 40)
with torch.inference_mode():
    outputs = model(frames)
for name, values in (("frames", frames), ("outputs", outputs)):
    values.numpy().tofile(Path(sys.argv[2]) / f"{name}.f32")
