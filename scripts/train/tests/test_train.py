"""Training runs: tiny ones, from the command line's entry, with everything real."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.distributed import TCPStore

import state
import weights
from curves import Curves
from disk import room_for
from footage import moving, write_video
from model import Config, Flavr
from processes import Processes
from recipe import Recipe
from run import Run, TrainingError
from signals import INTERRUPTIONS
from training import main

TRAIN = Path(__file__).parent.parent / "train.py"
TINY = [
    "--nf",
    "2",
    "--crop",
    "16",
    "--batch",
    "4",
    "--warmup",
    "1",
    "--residual",
    "blend",
    "--workers",
    "0",
    "--lr",
    "1e-3",
]
ENDLESS = ["--steps", "1000000", "--save-every", "1"]
PATIENCE = 900  # seconds for processes to end; only one that hangs takes as long


def run(folder: Path, *options: str, tiny: bool = True) -> int:
    return main(
        [
            "--folder",
            str(folder),
            "--cache",
            str(folder.parent / "cache"),
            *(TINY if tiny else ["--workers", "0"]),
            *options,
        ]
    )


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def test_resumed_run_ends_exactly_where_an_unbroken_one_does(tmp_path: Path) -> None:
    assert run(tmp_path / "whole", "--steps", "6") == 0
    assert run(tmp_path / "broken", "--steps", "6", "--minutes", "0") == 0
    assert state.load(tmp_path / "broken" / "last.pt").progress.step == 1
    assert run(tmp_path / "broken", "--resume", tiny=False) == 0
    whole, broken = (state.load(tmp_path / name / "last.pt") for name in ("whole", "broken"))
    assert whole.progress.step == broken.progress.step == 6
    assert same(whole.model, broken.model)
    assert same(whole.ema, broken.ema)
    assert same(whole.optimizer, broken.optimizer)
    assert not same(whole.model, whole.ema)


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    steps = ["--steps", "3", "--no-bf16"]
    assert run(tmp_path / "one", *steps) == 0
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(TRAIN)]
    command = [*launcher, "--folder", str(tmp_path / "two"), "--cache", str(tmp_path / "cache"), *TINY, *steps]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=PATIENCE)
    one, two = (state.load(tmp_path / name / "last.pt") for name in ("one", "two"))
    assert max((one.model[name] - two.model[name]).abs().max() for name in one.model) < 1e-5


def start(folder: Path, *options: str, group: bool = False, **variables: str) -> subprocess.Popen[bytes]:
    """A run in a process of its own, in a group of its own if asked."""
    command = [sys.executable, str(TRAIN), "--folder", str(folder), "--cache", str(folder.parent / "cache"), *TINY]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(
        [*command, *options], env=environment, stdout=subprocess.DEVNULL, process_group=0 if group else None
    )


@contextmanager
def two_processes(folder: Path, *options: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """They train together, without torchrun, which would end one as soon as the other fails."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    shared["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    processes = [start(folder, *options, RANK=rank, LOCAL_RANK=rank, **shared) for rank in "01"]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()


def wait_for_checkpoint(folder: Path, process: subprocess.Popen[bytes]) -> None:
    while not (folder / "last.pt").exists() and process.poll() is None:
        time.sleep(0.05)


def exit_code(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=PATIENCE)
    finally:
        process.kill()


def test_interruption_of_the_whole_group_saves_and_the_run_goes_on_from_there(tmp_path: Path) -> None:
    """As soon as there is a run to save: its data worker is just being started then."""
    folder = tmp_path / "a"
    process = start(folder, "--steps", "1000000", "--workers", "1", group=True)
    while not (folder / "curves.csv").exists() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    assert exit_code(process) == 130
    step = state.load(folder / "last.pt").progress.step
    assert run(folder, "--resume", "--steps", str(step + 2), tiny=False) == 0
    assert state.load(folder / "last.pt").progress.step == step + 2


def test_interruption_of_one_process_ends_all_alike(tmp_path: Path) -> None:
    with two_processes(tmp_path / "a", *ENDLESS) as processes:
        wait_for_checkpoint(tmp_path / "a", processes[0])
        processes[1].send_signal(signal.SIGINT)
        assert [exit_code(process) for process in processes] == [130, 130]


def test_batch_that_cannot_be_shared_out_is_refused_before_clips_are_scanned(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_video(tmp_path / "data" / "a.mkv", moving(12))
    with two_processes(tmp_path / "a", "--data", str(tmp_path / "data"), "--batch", "3") as processes:
        assert [exit_code(process) for process in processes] == [1, 1]
    assert not (tmp_path / "cache").exists()


def test_failure_of_one_process_ends_the_others(tmp_path: Path) -> None:
    with two_processes(tmp_path / "a", "--data", str(tmp_path / "absent")) as processes:
        assert [exit_code(process) for process in processes] == [1, 1]


def test_process_among_others_is_gone_before_its_interpreter_ends() -> None:
    """As the threads of gloo, which outlive their group, would abort it then."""
    program = """if True:
        import torch
        from processes import Processes
        class Last:
            def __del__(self):
                print("the interpreter ends")
        last = Last()
        print("all is saved")
        Processes(1, 2, torch.device("cpu")).leave(7)
    """
    ended = subprocess.run([sys.executable, "-c", program], cwd=TRAIN.parent, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (7, "all is saved\n")


def test_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    assert run(tmp_path / "a", "--steps", "2") == 0
    before = (tmp_path / "a" / "last.pt").read_bytes()
    with room_for(len(before) // 2), pytest.warns(UserWarning) as told:
        assert run(tmp_path / "a", "--resume", "--steps", "4", tiny=False) == 1
    words = f"step 4 was not saved: {tmp_path / 'a' / 'last.pt'}: File too large; make room, or name another place"
    assert f"{words}; the checkpoint before, if any, stays" in [str(warning.message) for warning in told]
    assert (tmp_path / "a" / "last.pt").read_bytes() == before
    assert not list((tmp_path / "a").glob(".*"))


def test_validation_is_noted_beside_the_baselines_and_the_best_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_video(data / "a.mkv", moving(30))
    write_video(data / "b.mkv", moving(12, seed=1))
    (data / "broken.mp4").write_bytes(b"nothing")
    split = tmp_path / "split.json"
    split.write_text('{"validation": {"b.mkv": null, "a.mkv": [0, 9]}, "select": ["b.mkv"]}')
    options = ["--data", str(data), "--split", str(split), "--residual", "blend"]
    options += ["--steps", "4", "--validate-every", "2", "--schedule", "plateau"]
    with pytest.warns(UserWarning, match="broken.mp4"):
        assert run(tmp_path / "a", *options) == 0
    with open(tmp_path / "a" / "curves.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "2", "4"]
    assert float(rows[0]["psnr"]) == pytest.approx(float(rows[0]["blend_psnr"]), abs=0.05)
    assert float(rows[0]["blend_psnr"]) > float(rows[0]["nearest_psnr"])
    assert (tmp_path / "a" / "best.pt").is_file()
    assert (tmp_path / "a" / "curves.png").stat().st_size > 1000
    assert [line.split(":")[0] for line in (tmp_path / "a" / "skipped.txt").read_text().splitlines()] == [
        "broken.mp4",
        "b.mkv",
    ]


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume"], "nothing to resume"),
        (["--data", "EMPTY"], "no data"),
        (["--data", "ABSENT"], "found none"),
        (["--data", "BROKEN.pth"], "BROKEN.pth: name the folder that it is in"),
        (["--data", "UNREADABLE"], "of 1 clips none can be read (a.mp4: it cannot be decoded"),
        (["--factor", "2", "--init", "OTHER.safetensors"], "its factor is 4, not 2; leave that out"),
        (["--init", "ABSENT.pth"], "ABSENT.pth"),
        (["--init", "BROKEN.pth"], "damaged"),
        (["--init", "BROKEN.safetensors"], "no safetensors file"),
        (["--split", "BROKEN.pth"], "no split file"),
        (["--crop", "20"], "multiple of 8"),
        (["--schedule", "plateau"], "give --split"),
        (["--save-every", "0"], "at least 1"),
        (["--seed", str(2**63)], "below 2^63"),
        (["--lr", "nan"], "lr must be above 0"),
        (["--fastest", "nan"], "fastest must be 0 or more"),
        (["--blocks", "2", "2", "2"], "blocks must be 4 numbers"),
        (["--procedural", "1.5"], "between 0 and 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_run_that_cannot_start_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "UNREADABLE").mkdir()
    (tmp_path / "UNREADABLE" / "a.mp4").write_bytes(b"no video at all")
    (tmp_path / "BROKEN.pth").write_bytes(b"nothing that anyone could read")
    (tmp_path / "BROKEN.safetensors").write_bytes(b"nothing that anyone could read")
    other = Flavr(Config.of_width(2, factor=4)).state_dict()
    weights.write(tmp_path / "OTHER.safetensors", other, {"residual": "blend"})
    given = [str(tmp_path / option) if option[0].isupper() else option for option in options]
    assert run(tmp_path / "a", *given) == 1
    assert words in capsys.readouterr().err


def test_run_whose_data_lack_a_held_out_clip_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be there under another name: checkpoints are not chosen on it, so nothing else would tell."""
    (tmp_path / "data").mkdir()
    for number, name in enumerate(("a.mkv", "Held.mkv")):
        write_video(tmp_path / "data" / name, moving(12, seed=number))
    split = tmp_path / "split.json"
    split.write_text('{"validation": {"a.mkv": null, "held.mkv": null}, "select": ["a.mkv"]}')
    assert run(tmp_path / "run", "--data", str(tmp_path / "data"), "--split", str(split)) == 1
    assert "the split holds out clips that are below no root of --data: held.mkv" in capsys.readouterr().err


def test_run_takes_over_the_network_that_it_starts_from(tmp_path: Path) -> None:
    weights.write(tmp_path / "a.safetensors", Flavr(Config.of_width(2, factor=4, encoder="r2d")).state_dict(), {})
    options = ["--init", str(tmp_path / "a.safetensors"), "--crop", "16", "--batch", "1", "--steps", "1"]
    assert run(tmp_path / "a", *options, tiny=False) == 0
    recipe = Recipe.from_json((tmp_path / "a" / "recipe.json").read_text())
    assert (recipe.nf, recipe.factor, recipe.encoder, recipe.residual) == (2, 4, "r2d", "mean")
    assert state.load(tmp_path / "a" / "last.pt").config.factor == 4


def test_run_that_starts_anew_drops_the_curves_of_one_that_left_no_checkpoint(tmp_path: Path) -> None:
    assert run(tmp_path / "a", "--steps", "2", "--validate-every", "1") == 0
    (tmp_path / "a" / "last.pt").unlink()
    assert run(tmp_path / "a", "--steps", "1") == 0
    assert [row["step"] for row in Curves(tmp_path / "a" / "curves.csv").rows()] == ["0", "1"]


@pytest.mark.parametrize("content", [b"step;seconds\n1;2\n", b"\xff\xfe\x00", b"step,seconds\n1,2\n"])
def test_curves_that_another_program_wrote_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    assert run(tmp_path / "a", "--steps", "1") == 0
    (tmp_path / "a" / "curves.csv").write_bytes(content)
    assert run(tmp_path / "a", "--resume", "--steps", "2", tiny=False) == 1
    assert "curves.csv is not what train.py wrote" in capsys.readouterr().err


def test_run_keeps_its_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "a", "--steps", "1") == 0
    assert run(tmp_path / "a", "--resume", "--factor", "4", "--steps", "2", tiny=False) == 1
    assert "another variant" in capsys.readouterr().err
    (tmp_path / "a" / "last.pt").write_bytes((tmp_path / "a" / "last.pt").read_bytes()[:1000])
    assert run(tmp_path / "a", "--resume", tiny=False) == 1
    assert "damaged" in capsys.readouterr().err


def test_file_is_no_folder_for_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("")
    assert run(tmp_path / "a", "--steps", "1") == 1
    assert "found a file; name another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"config": {**vars(Config()), "stages": (64, 128, 256, 10**9)}}, "stages must be 4 numbers from 1 to 8192"),
        ({"config": {"heads": 8}}, "heads"),
        ({"config": []}, "not a checkpoint of this train.py"),
        ({"progress": {"epoch": 3}}, "epoch"),
        ({"config": {**vars(Config())}}, "size mismatch"),
        ({"optimizer": {}}, "optimiser"),
        ({"recipe": '{"epochs": 3}'}, "recipe is not one of this train.py"),
        ({"recipe": '{"nf": "wide"}'}, "recipe is not one of this train.py"),
        ({"recipe": "[" * 100_000}, "recipe is not one of this train.py"),
    ],
    ids=[
        "vast",
        "other fields",
        "no fields",
        "other counters",
        "other shapes",
        "no optimiser",
        "another recipe",
        "a recipe of words",
        "a deep recipe",
    ],
)
def test_checkpoint_that_was_tampered_with_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], words: str
) -> None:
    assert run(tmp_path / "a", "--steps", "1") == 0
    last = tmp_path / "a" / "last.pt"
    torch.save({**torch.load(last, weights_only=True), **changes}, last)
    capsys.readouterr()
    assert run(tmp_path / "a", "--resume", tiny=False) == 1
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_run_is_not_overwritten_by_a_new_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "a", "--steps", "1") == 0
    assert run(tmp_path / "a", "--steps", "1") == 1
    assert "--resume" in capsys.readouterr().err


def test_signals_do_again_what_they_did_once_a_run_has_ended(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in INTERRUPTIONS]
    assert run(tmp_path / "a", "--steps", "1") == 0
    assert [signal.getsignal(number) for number in INTERRUPTIONS] == before


@pytest.fixture
def tiny_run(tmp_path: Path) -> Run:
    recipe = Recipe(nf=4, lr=3e-3, warmup=1, bf16=False)
    return Run(tmp_path, recipe, Processes(0, 1, torch.device("cpu")), None)


def test_loss_falls(tiny_run: Run) -> None:
    frames = torch.from_numpy(moving(5, 32)).permute(3, 0, 1, 2)[None] / 255
    inputs, truth = frames[:, :, [0, 1, 3, 4]], frames[:, :, 2][:, None]
    losses = []
    for _ in range(40):
        tiny_run.step(tiny_run.model, inputs, truth)
        losses.append(tiny_run.progress.loss_sum)
        tiny_run.progress.loss_sum = 0.0
    assert losses[-1] < 0.6 * losses[0]


def test_step_without_a_finite_gradient_changes_nothing_and_many_end_the_run(tiny_run: Run) -> None:
    before = {name: tensor.clone() for name, tensor in tiny_run.model.state_dict().items()}
    frames, truth = torch.full((1, 3, 4, 16, 16), float("nan")), torch.zeros(1, 1, 3, 16, 16)
    tiny_run.step(tiny_run.model, frames, truth)
    assert same(before, dict(tiny_run.model.state_dict()))
    assert same(before, tiny_run.ema.state)
    assert tiny_run.progress.skipped == 1
    with pytest.raises(TrainingError, match="not finite"):
        for _ in range(30):
            tiny_run.step(tiny_run.model, frames, truth)
