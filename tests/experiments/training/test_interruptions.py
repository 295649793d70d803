"""Real signals and real limits on real processes."""

import csv
import errno
import random
import signal
import time
from pathlib import Path

import pytest

from experiments.inference.model import TrainedModel
from experiments.run import Run
from experiments.training.recorder import RunRecorder
from experiments.training.trainer import train
from mytorch import load

EPOCHS = 30
ARGUMENTS = ["--set", f"epochs={EPOCHS}", "--set", "model.widths=[8, 16]"]
SETTINGS = ARGUMENTS[1::2]

ENDLESS = f"""
import time
from experiments.training.recorder import RunRecorder
write = RunRecorder.write
def write_and_wait(recorder, progress, stage):
    write(recorder, progress, stage)
    if progress.epoch == {EPOCHS - 1}:
        time.sleep(3600)
RunRecorder.write = write_and_wait
"""
"""Lets a run wait before its last epoch, so that it is still at work when it is stopped, however busy the machine."""

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def wait_for(path, rows: int, process) -> None:
    """Until a history has so many rows."""
    for _ in range(20_000):  # a loaded machine takes long to start Python
        if path.is_file() and len(path.read_text().splitlines()) > rows:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{path} never came to {rows} rows")


def rows(run: Run) -> list[dict]:
    with run.history_file.open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "images_per_second"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def unbroken(people, tiny, tmp_path_factory) -> Run:
    return train(tiny(*SETTINGS), people, tmp_path_factory.mktemp("unbroken") / "run")


def same_weights(run: Run, other: Run) -> bool:
    ours, theirs = load(run.checkpoint_file)[0], load(other.checkpoint_file)[0]
    return ours.keys() == theirs.keys() and all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


def test_ctrl_c_leaves_a_usable_run_and_says_how_to_go_on(people, tiny, recipe_file, tmp_path, start, unbroken):
    out = tmp_path / "run"
    process = start(["train", recipe_file, "--data", people, "--out", out, *ARGUMENTS], ENDLESS)
    wait_for(out / "history.csv", 2, process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    done = len(rows(Run(out)))
    assert 2 <= done < EPOCHS
    assert "continue with the same command and --resume" in stdout.splitlines()[-1]
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert TrainedModel.open(out).classes == ["anna", "ben", "chloe", "dan"]
    run = train(tiny(*SETTINGS), people, out, resume=True)
    assert rows(run) == rows(unbroken)
    assert same_weights(run, unbroken)


def test_a_run_that_was_killed_at_any_moment_goes_on_to_the_same_end(
    people, tiny, recipe_file, tmp_path, start, unbroken
):
    out = tmp_path / "run"
    process = start(["train", recipe_file, "--data", people, "--out", out, *ARGUMENTS], ENDLESS)
    wait_for(out / "history.csv", 1, process)
    time.sleep(random.random() / 20)
    process.kill()
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    run = train(tiny(*SETTINGS), people, out, resume=True)
    assert rows(run) == rows(unbroken)
    assert same_weights(run, unbroken)


def test_a_disk_that_is_full_in_the_middle_of_an_epochs_files(people, tiny, recipe_file, tmp_path, command, unbroken):
    out, write, record = tmp_path / "run", Path.write_bytes, RunRecorder.write

    def half(path: Path, content: bytes) -> None:
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:

        def record_on_a_full_disk(recorder, progress, stage):
            if progress.epoch == 3:
                patch.setattr(Path, "write_bytes", half)
            record(recorder, progress, stage)

        patch.setattr(RunRecorder, "write", record_on_a_full_disk)
        result = command("train", recipe_file, "--data", people, "--out", out, *ARGUMENTS)
    assert result.status == 2
    assert result.err.startswith(f"faces: {out}: epoch 3 could not be written (No space left on device)")
    assert len(result.err.splitlines()) == 1
    assert "--resume" in result.err
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    run = train(tiny(*SETTINGS), people, out, resume=True)
    assert rows(run) == rows(unbroken)
    assert same_weights(run, unbroken)


def test_a_disk_without_room_for_a_run_holds_none(people, recipe_file, tmp_path, start, contents):
    process = start(
        ["train", recipe_file, "--data", people, "--out", tmp_path / "run", *ARGUMENTS], LIMIT.format(size=4096)
    )
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "File too large" in stderr
    assert "Traceback" not in stderr
    assert contents(tmp_path) == set()
