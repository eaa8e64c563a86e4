"""Trains a network on unlabelled video.

    python train.py --folder runs/a --data clips --split split.json --nf 16 --residual blend …
    python train.py --folder runs/a --resume
    torchrun --nproc-per-node 8 train.py --folder runs/a …

Ctrl-C saves; `--resume` goes on exactly where the last checkpoint was written.
"""

if __name__ == "__main__":
    # In here, since processes that scan clips import this file again, and have no use for PyTorch.
    import command
    import training

    command.run(training.main)
