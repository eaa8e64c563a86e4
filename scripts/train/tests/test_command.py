"""Bad input: every command ends with one sentence and an exit code, and leaves out the clips that it cannot use."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
import torch

import baselines
import card
import command
import cost
import export
import grow
import pictures
import properties
import validate
import weights
from disk import room_for
from footage import moving, write_video
from model import Config, Flavr

HERE = Path(__file__).parent.parent
CLIPS = ["--data", "clips", "--split", "good.json", "--cache", "cache"]
MODEL = [*CLIPS, "--model", "model.safetensors"]
COMMANDS = {
    validate: CLIPS,
    baselines: [*CLIPS, "--factors", "2"],
    card: MODEL,
    properties: MODEL,
    pictures: [*MODEL, "--clips", "a.mkv", "-o", "x.png"],
}
BROKEN = "broken.mp4: it cannot be decoded: Invalid data found when processing input"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: clips, models and splits, good and bad."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    (tmp_path / "empty").mkdir()
    write_video(tmp_path / "clips" / "a.mkv", moving(9))
    write_video(tmp_path / "clips" / "short.mkv", moving(2))
    (tmp_path / "clips" / "broken.mp4").write_bytes(b"no video at all")
    splits = {"good": ["a.mkv"], "some": ["broken.mp4", "a.mkv", "short.mkv"], "bad": ["broken.mp4"], "none": []}
    for name, clips in splits.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"validation": dict.fromkeys(clips)}))
    state = Flavr(Config.of_width(2)).state_dict()
    weights.write(tmp_path / "model.safetensors", state, {})
    weights.write(tmp_path / "more.safetensors", {**state, "more": torch.zeros(1)}, {})
    for name in ("text.pth", "text.safetensors", "text.json"):
        (tmp_path / name).write_text("hello, nothing but text")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    torch.save({"ema": state, "progress": {"step": 3}}, tmp_path / "last.pt")
    return tmp_path


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Runs a command and gives its exit code and what it wrote to stderr."""

    def run(module: ModuleType, *options: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *options])
        monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
        with pytest.raises(SystemExit) as exit:
            command.run(module.main)
        return exit.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__)
def test_clips_that_cannot_be_used_are_skipped_with_a_warning_and_listed_at_the_end(module: ModuleType, ended) -> None:
    with pytest.warns(UserWarning) as told:
        code, err = ended(module, *COMMANDS[module], "--split", "some.json")
    short = "short.mkv: a gap of factor 2 takes 3 frames, it has 2"
    assert [str(warning.message) for warning in told] == [f"skipped {BROKEN}", f"skipped {short}"]
    assert (code, err) == (0, f"Clips that were not used:\n{BROKEN}\n{short}\n")


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--split", "bad.json"], "no held-out clip can be used; left out: broken.mp4: give others"),
        (["--split", "none.json"], "none.json holds out no clip: name some under `validation`"),
        (["--split", "text.json"], "text.json is no split file: expected"),
        (["--split", "absent.json"], "expected a split file at absent.json"),
        (["--data", "empty"], "below no root of --data: a.mkv; add theirs"),
        (["--data", "absent"], "expected a folder of clips, found none at absent"),
        (["--cache", "text.pth"], "expected a folder for decoded frames at text.pth, found a file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_clips_that_are_not_there_are_told_in_one_sentence(
    module: ModuleType, options: list[str], words: str, ended
) -> None:
    code, err = ended(module, *COMMANDS[module], *options)
    assert code == 1
    assert err.startswith(f"{module.__name__}: ") and err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("text.pth", "damaged, or holds more than tensors"),
        ("text.safetensors", "no safetensors file"),
        ("other.pth", "other.pth holds no FLAVR network as export.py writes it: "),
        ("more.safetensors", 'more.safetensors holds no FLAVR network as export.py writes it: .*"more"'),
        ("last.pt", "a run's checkpoint, of which export.py makes weights"),
        ("absent.pth", "expected a file of weights .* at absent.pth, found nothing"),
        ("empty", "expected a file of weights .* at empty, found a folder"),
    ],
)
def test_file_that_holds_no_network_is_told_in_one_sentence(model: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        weights.network(Path(model))
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.parametrize(
    ("module", "options", "code", "words"),
    [
        (card, ["--model", "text.pth"], 1, "card: text.pth is damaged"),
        (card, ["--baselines", "--gaps", "2"], 2, "--baselines measures every gap"),
        (cost, ["--sustained", "0"], 2, "expected a number above 0, got 0"),
        (export, ["--checkpoint", "model.safetensors", "-o", "e.safetensors"], 1, "expected a run's checkpoint"),
        (validate, ["--factor", "32"], 1, "validate: no held-out clip can be used"),
        (validate, ["--factor", "4", "--model", "model.safetensors"], 2, "has factor 2, not 4: leave --factor out"),
        (validate, ["--device", "nowhere"], 2, "nowhere cannot be used"),
        (baselines, ["--factors", "1"], 2, "expected at least 2, got 1"),
        (properties, ["--gaps", "0"], 2, "expected at least 1, got 0"),
        (pictures, ["--height", "4"], 2, "expected at least 8, got 4"),
        (pictures, ["-o", "x.txt"], 2, "expected a name that ends in .jpg or .png, got x.txt"),
        (pictures, ["-o", "absent/x.png"], 2, "expected a folder that exists, got absent"),
        (
            grow,
            ["--model", "model.safetensors", "--factor", "3", "-o", "g.safetensors"],
            1,
            "grow: the new factor must",
        ),
        (grow, ["--model", "model.safetensors", "-o", "g.safetensors"], 2, "nothing is to grow"),
        (
            grow,
            ["--model", "other.pth", "--factor", "4", "-o", "g.safetensors"],
            1,
            "grow: other.pth holds no FLAVR network",
        ),
        (export, ["--checkpoint", "last.pt", "-o", "e.safetensors"], 1, "export: last.pt is not a checkpoint"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_options_that_do_not_fit_are_told(module: ModuleType, options: list[str], code: int, words: str, ended) -> None:
    common = {export: ["--data-note", "none", "--licence", "MIT"], grow: []}
    got, err = ended(module, *common.get(module, COMMANDS.get(module, [])), *options)
    assert got == code
    assert words in err


def test_full_disk_leaves_the_picture_that_was_there(folder: Path, ended) -> None:
    options = COMMANDS[pictures]
    assert ended(pictures, *options) == (0, "")
    before = (folder / "x.png").read_bytes()
    with room_for(len(before) // 2):
        code, err = ended(pictures, *options)
    assert (code, err) == (1, "pictures: x.png: File too large; make room, or name another place\n")
    assert (folder / "x.png").read_bytes() == before
    assert not list(folder.glob(".*"))


def test_full_disk_where_the_table_goes_is_told_once() -> None:
    words = [sys.executable, str(HERE / "validate.py"), *CLIPS, "--split", "some.json"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    lines = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert lines[0] == f"validate: skipped {BROKEN}"
    assert lines[-1] == "validate: the output: No space left on device; make room, or name another place"
    assert ended.stderr.count("No space left") == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("Unable to allocate 9 TiB"), "(Unable to allocate 9 TiB)"),
        (
            RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nTraceback\nCUDA out of memory."),
            "(CUDA out of",
        ),
    ],
    ids=["arrays", "a GPU's, in a worker"],
)
def test_memory_that_is_not_there_is_told_in_one_sentence(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy() -> NoReturn:
        raise error

    assert command.outcome(greedy) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "there is too little memory: choose a smaller batch" in err and words in err


def test_error_of_our_own_making_keeps_its_traceback() -> None:
    def wrong() -> NoReturn:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        command.outcome(wrong)


def test_interruption_ends_a_command_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    with pytest.raises(SystemExit) as exit:
        command.run(interrupted)
    assert exit.value.code == 130
