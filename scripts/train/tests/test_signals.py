"""Interruptions before there is a run to save: while the clips are first scanned, in worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import clips
import files
import signals
from footage import moving, write_video

HERE = Path(__file__).parent.parent
PATIENCE = 300  # seconds for processes to end; only one that hangs takes as long

# A command that scans; its workers, which import it under another name, do what stands in place of WORKER.
PROGRAM = f"""
import os, signal, sys, time
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
import clips, command
folder = Path(__file__).parent
decode = clips.decode
def slowly(path):
    for frame in decode(path):
        yield frame
        time.sleep(1)
unlink = Path.unlink
def interrupted(path, **how):
    signal.raise_signal(signal.SIGTERM)
    unlink(path, **how)
def dying(path):
    os._exit(9)
if __name__ == "__main__":
    command.run(lambda: print(clips.scan_all(clips.find_clips(folder / "data"), folder / "cache", 2)))
else:
    WORKER
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "cache").mkdir()
    for number in range(4):
        write_video(tmp_path / "data" / f"{number}.mkv", moving(90, seed=number))
    return tmp_path


def start(folder: Path, worker: str) -> subprocess.Popen[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM.replace("WORKER", worker))
    return subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=heed_interruptions,
    )


def heed_interruptions() -> None:
    """What a shell starts in the background ignores SIGINT, and so does all that it starts in turn."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    while not list(folder.glob(pattern)) and process.poll() is None:
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize(
    ("worker", "sign"),
    [
        ("(folder / 'born').touch(); time.sleep(1)", "born"),
        ("clips.decode = slowly", f"cache/.*{files.PARTIAL}"),
        ("clips.decode = slowly; Path.unlink = interrupted", f"cache/.*{files.PARTIAL}"),
    ],
    ids=["workers are born", "workers scan", "workers are told twice"],
)
def test_scan_is_interrupted_without_a_word_and_leaves_nothing(
    data: Path, worker: str, sign: str, number: signal.Signals
) -> None:
    process = start(data, worker)
    wait_for(data, sign, process)
    os.killpg(process.pid, number)
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 130
    assert not list((data / "cache").iterdir())


def test_workers_do_not_outlive_a_killed_command(data: Path) -> None:
    process = start(data, "clips.decode = slowly")
    wait_for(data, f"cache/.*{files.PARTIAL}", process)
    process.kill()
    process.communicate(timeout=PATIENCE)  # the workers hold the other ends of its pipes
    assert not list((data / "cache").iterdir())


def test_killed_worker_is_told_in_one_sentence(data: Path) -> None:
    process = start(data, "clips.decode = dying")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("program: a process that decodes clips was killed")
    assert "fewer --workers" in err and "0.mkv" in err


def test_interrupted_job_closes_what_it_had_just_opened(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import signal, signals
from contextlib import contextmanager
@contextmanager
def opened():
    try:
        yield
    finally:
        print("closed", flush=True)
def job():
    entered = opened()
    entered.__enter__()
    signal.raise_signal(signal.SIGTERM)  # before the block of `with` is in force
signals.tidily(job)
print("not reached")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """SIGINT and SIGTERM as they are handled."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in signals.INTERRUPTIONS}
    yield came
    for number, handler in before.items():
        signal.signal(number, handler)


def test_interruption_waits_until_processes_are_started_whichever_thread_takes_it(handled: list[int]) -> None:
    begin = threading.Event()
    thread = threading.Thread(target=lambda: begin.wait() and signal.raise_signal(signal.SIGINT))
    thread.start()
    with signals.shield([signal.SIGINT]):
        begin.set()
        thread.join()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert handled == []
    assert sorted(handled) == [signal.SIGINT, signal.SIGTERM]


def test_interrupted_pool_leaves_no_thread_behind() -> None:
    before = threading.enumerate()
    with pytest.raises(KeyboardInterrupt), clips.scanners(1) as pool:
        pool.submit(time.sleep, PATIENCE)
        raise KeyboardInterrupt
    assert threading.enumerate() == before


def test_echo_of_an_interruption_does_not_cut_the_clean_up_short_but_a_later_one_does(
    handled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    signals.interrupt_once()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    for number in signals.INTERRUPTIONS:
        signal.raise_signal(number)
    now += 2 * signals.ECHO
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_echo_of_an_interruption_does_not_keep_a_run_from_saving_but_a_later_one_ends_it() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import signal, signals
signals.time.sleep = lambda _: signal.raise_signal(signal.SIGTERM)
with signals.Interruption() as interruption:
    signal.raise_signal(signal.SIGTERM)
    print("saved", interruption.asked, flush=True)
    signal.raise_signal(signal.SIGTERM)
    print("not reached")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "saved True\n")
