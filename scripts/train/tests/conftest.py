"""Makes the modules of scripts/train importable, and keeps tests to one thread each."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
torch.set_num_threads(1)
