"""Ctrl-C and SIGTERM, which reach a command and the processes that it started alike."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType
from typing import NoReturn, Self, TypeVar

Result = TypeVar("Result")

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
TELLS_SENDER = hasattr(signal, "sigwaitinfo")  # Linux
# Seconds in which a signal that comes again says nothing new: `timeout`, npm and others tell a command and its group.
ECHO = 1.0


class Interruption:
    """Remembers SIGINT and SIGTERM, so that the run stops after the step in hand; a later one stops at once.

    Even where it finds the interpreter in a step, or waiting for a process that is gone, since no handler of Python's
    would run then. So the system's own action is put in force, and what may be an echo has to be waited out before.
    """

    def __enter__(self) -> Self:
        self.asked = False
        self._before = {number: signal.signal(number, self._ask) for number in INTERRUPTIONS}
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(number, signal.SIG_IGN)
        time.sleep(ECHO)
        signal.signal(number, signal.SIG_DFL)


def interrupt_once() -> None:
    """SIGINT and SIGTERM unwind the program from here on; an echo would cut short what cleans up meanwhile."""
    latest = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal latest
        if time.monotonic() - latest > ECHO:
            latest = time.monotonic()
            signal.default_int_handler(number, frame)

    for number in INTERRUPTIONS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell starts what runs in the background
            signal.signal(number, interrupt)


@contextmanager
def shield(signals: Sequence[signal.Signals] = INTERRUPTIONS) -> Iterator[None]:
    """Processes started in here are born with these signals blocked: what they import would end in a traceback.

    SIGINT and SIGTERM that come meanwhile are handled at the end: what an interruption keeps from being started whole
    tells of it in a traceback too. To block them here is not enough, since other threads, such as NumPy's, take them.
    """
    came: set[int] = set()
    handlers = {number: signal.getsignal(number) for number in INTERRUPTIONS}
    before = None
    try:
        for number in handlers:
            signal.signal(number, lambda number, _frame: came.add(number))
        if TELLS_SENDER:
            resource_tracker.ensure_running()  # else the first worker starts it, and that unblocks the signals
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def heed_trainer_alone() -> None:
    """For data workers born under `shield`: a signal ends them only if their trainer sent it.

    Ctrl-C, and SIGTERM from many a scheduler, reach the whole group: a data worker that died of one would take the
    trainer along before it has saved.
    """
    if not TELLS_SENDER:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return
    trainer = os.getppid()

    def heed() -> NoReturn:
        while signal.sigwaitinfo(INTERRUPTIONS).si_pid != trainer:
            pass
        os._exit(0)

    threading.Thread(target=heed, daemon=True).start()


def leave_with_parent() -> None:
    """For processes that do jobs: Ctrl-C is their parent's to handle, and none outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()


def tidily(job: Callable[..., Result], *values: object) -> Result:
    """Does a worker's job; SIGTERM unwinds it, so that it leaves no half-written file, and then ends the process."""
    told = False

    def leave(*_: object) -> None:
        nonlocal told
        if not told:  # a second one would cut short what unwinds
            told = True
            sys.exit()

    try:
        try:
            signal.signal(signal.SIGTERM, leave)
            return job(*values)
        finally:
            if not told:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except SystemExit as leaving:
        leaving.__traceback__ = None  # lets go of context managers that were just entered, which then close
    finally:
        if told:
            os._exit(0)  # a pool would take it for the job's failure, and go on with the next
