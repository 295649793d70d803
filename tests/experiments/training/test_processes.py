"""Two processes on one machine teach what one does, at the same global batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from experiments.run import Run
from experiments.training.build_model import read_tensors
from experiments.training.trainer import TrainOptions, train

SETTINGS = [
    "model={backbone: test_efficientnet_gn, weights: none}",  # group norm: a batch's parts know nothing of each other
    # Adam divides a gradient by its own size, and so turns the rounding of one near zero into a step of full length.
    "optimizer={name: sgd, lr: 0.05}", "batch_size=6", "epochs=2", "label_smoothing=0.1", "training.clip=1",
    "mixing={mixup: 0.4, cutmix: 0.5, same_person: 0.5}",
]  # fmt: skip


@pytest.mark.slow
def test_two_processes_give_the_weights_of_one(people, small, small_file, tmp_path):
    one = train(small(*SETTINGS), people, tmp_path / "one", options=TrainOptions(workers=0))
    arguments = ["train", small_file, "--data", people, "--out", tmp_path / "two", "--workers", 0]
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone",
               "-m", "experiments.cli", *arguments, *settings]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*map(str, command)],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 1/2") == 1
    two = Run(tmp_path / "two")
    ours, theirs = (read_tensors(run.last_weights)[0] for run in (one, two))
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=0)
    assert {path.name for path in two.folder.iterdir()} == {path.name for path in one.folder.iterdir()}
