"""The callback after each epoch: what a search stops a training by."""

import pytest

from experiments.files import read_json
from experiments.run import Run
from experiments.training.trainer import TrainOptions, train


def test_it_is_called_with_each_row_once_that_is_on_disk(tiny, people, tmp_path):
    seen = []
    options = TrainOptions(after_epoch=lambda row: seen.append((row["epoch"], _epochs(tmp_path / "run"))))
    train(tiny(), people, tmp_path / "run", options=options)
    assert seen == [(1, 1), (2, 2)]


def test_what_it_raises_ends_the_training_and_the_run_goes_on_from_there(tiny, people, tmp_path):
    def stop(row):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        train(tiny(), people, tmp_path / "run", options=TrainOptions(after_epoch=stop))
    assert _epochs(tmp_path / "run") == 1
    train(tiny(), people, tmp_path / "run", resume=True)
    assert _epochs(tmp_path / "run") == 2


def _epochs(folder) -> int:
    return read_json(Run.open(folder).metrics_file)["epoch"]
