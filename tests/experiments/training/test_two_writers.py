"""One process trains a run: a second one is refused, and what a killed one left is removed."""

import errno
import os
import stat
from pathlib import Path

import pytest

from experiments.errors import FacesError
from experiments.run import Run
from experiments.training.build_model import read_tensors
from experiments.training.trainer import TrainOptions, train

ALONE = TrainOptions(workers=0)


def test_a_run_that_is_training_is_not_resumed_a_second_time(people, tiny, tmp_path):
    refused = []

    def second(row):
        with pytest.raises(FacesError, match="run: another command is writing it") as error:
            train(tiny(), people, tmp_path / "run", resume=True)
        refused.append(str(error.value))

    train(tiny(), people, tmp_path / "run", options=TrainOptions(after_epoch=second))
    assert len(refused) == 2
    assert "--out" in refused[0]
    assert {path.name for path in tmp_path.iterdir()} == {"run"}  # the lock is gone
    train(tiny(), people, tmp_path / "run", resume=True)


def test_a_transfer_run_that_is_training_is_not_resumed_a_second_time(people, small, tmp_path):
    refused = []

    def second(row):
        for resume, expected in ((True, "another command is writing it"), (False, "exists already")):
            with pytest.raises(FacesError, match=expected) as error:
                train(small(), people, tmp_path / "run", resume, ALONE)
            refused.append(str(error.value))

    train(small("epochs=1"), people, tmp_path / "run", options=TrainOptions(workers=0, after_epoch=second))
    assert len(refused) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


@pytest.mark.parametrize("engine", ["mytorch", "torch"])
def test_of_two_that_start_one_run_at_once_the_second_is_refused(people, tiny, small, tmp_path, engine):
    """The first has made the folder while the second was reading the images."""
    from experiments.data.dataset import read_split

    def read(data, recipe):
        Run(tmp_path / "run").folder.mkdir()
        (tmp_path / "run" / "recipe.yaml").write_text("epochs: 3")
        return read_split(data, recipe)

    recipe = tiny() if engine == "mytorch" else small()
    with pytest.raises(FacesError, match="run exists already"):
        train(recipe, people, tmp_path / "run", options=TrainOptions(workers=0, read=read))
    assert (tmp_path / "run" / "recipe.yaml").read_text() == "epochs: 3"


def test_a_folder_that_a_killed_process_was_making_is_removed(people, tiny, tmp_path):
    left = tmp_path / ".run.0123abcd"
    left.mkdir()
    (left / "best.safetensors").touch()
    other = tmp_path / ".other.0123abcd"
    other.mkdir()
    train(tiny("epochs=1"), people, tmp_path / "run")
    assert not left.exists()
    assert other.exists()


def test_a_full_disk_inside_the_weights_is_a_line_and_leaves_the_run_resumable(people, small, tmp_path, monkeypatch):
    write, calls = Path.write_bytes, iter(range(1000))

    def full(path: Path, content: bytes) -> int:
        if next(calls) >= 6:  # two files when the run is made, three after an epoch
            write(path, content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(FacesError, match=r"epoch 2 could not be written \(No space left on device\).*--resume"):
            train(small("epochs=3"), people, tmp_path / "run", options=ALONE)
    assert not [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]
    run = train(small("epochs=3"), people, tmp_path / "run", resume=True, options=ALONE)
    whole = train(small("epochs=3"), people, tmp_path / "whole", options=ALONE)
    ours, theirs = (read_tensors(each.last_weights)[0] for each in (run, whole))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_weights_have_the_usual_permissions(people, small, tmp_path):
    before = os.umask(0o022)
    try:
        run = train(small("epochs=1"), people, tmp_path / "run", options=ALONE)
    finally:
        os.umask(before)
    for file in (run.best_weights, run.last_weights, run.checkpoint_file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
