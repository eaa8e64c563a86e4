"""One process of a training run among those that torchrun started, or the only one."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")

PATIENCE = timedelta(hours=24)  # the others wait while the first process scans the clips, or validates


@dataclass(frozen=True)
class Processes:
    rank: int
    world: int
    device: torch.device

    @staticmethod
    def join() -> Processes:
        """Under torchrun, join the others: NCCL where there are GPUs, else gloo."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        gpu = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if gpu else torch.device("cpu")
        if gpu:
            torch.cuda.set_device(device)
        if world > 1:
            sys.excepthook = _end_after
            dist.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
        return Processes(int(os.environ.get("RANK", "0")), world, device)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def any(self, *here: bool) -> tuple[bool, ...]:
        """Of each, whether it holds in any process; all must ask at the same step."""
        if self.world == 1:
            return here
        flags = torch.tensor(here, dtype=torch.int32, device=self.device)
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return tuple(flag > 0 for flag in flags.tolist())

    def in_turn(self, job: Callable[[], T]) -> T:
        """Run `job` in the first process, then in the others, which find what it left on disk."""
        if not self.first:
            dist.barrier()
        result = job()
        if self.first and self.world > 1:
            dist.barrier()
        return result

    def leave(self, code: int) -> int:
        """The exit code of the only process; one among others ends with it here."""
        if self.world > 1:
            _end(code)
        return code


def _end(code: int) -> NoReturn:
    """Exit without the interpreter's own end, which may abort where there are others.

    A thread of gloo releases the tensor of a collective some time after it has woken who waits for it. That needs
    the interpreter, and before Python 3.14 a thread that asks for it while it ends is unwound, through destructors that
    then call std::terminate. The threads cannot be joined first: a group that DistributedDataParallel has used is
    referred to for good, so that destroy_process_group leaves them running.
    """
    for child in multiprocessing.active_children():
        child.terminate()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_after(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
    """An error no one caught; the others, who wait for this process, fail once its connections close."""
    sys.__excepthook__(kind, error, trace)
    _end(130 if issubclass(kind, KeyboardInterrupt) else 1)
