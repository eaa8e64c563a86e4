"""One process of a training run among those that torchrun started, or the only one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


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
            dist.init_process_group("nccl" if gpu else "gloo")
        return Processes(int(os.environ.get("RANK", "0")), world, device)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def any(self, here: bool) -> bool:
        """Whether it holds in any process; all must ask at the same step."""
        if self.world == 1:
            return here
        flag = torch.tensor(float(here), device=self.device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())

    def in_turn(self, job: Callable[[], T]) -> T:
        """Run `job` in the first process, then in the others, which find what it left on disk."""
        if not self.first:
            dist.barrier()
        result = job()
        if self.first and self.world > 1:
            dist.barrier()
        return result

    def leave(self) -> None:
        if self.world > 1:
            dist.destroy_process_group()


class Interruption:
    """Remembers SIGINT and SIGTERM, so that the run stops after the step in hand; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(number, signal.SIG_DFL)


def ignore_interruption(_worker: int) -> None:
    """For data workers: Ctrl-C reaches the whole group, and the trainer ends them itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
