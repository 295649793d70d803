"""The whole pipeline on synthetic faces: data, our CNN, its twin, a small ResNet of PyTorch, a submission."""

import csv
import os
import shutil
import time
from pathlib import Path

from experiments.config.load import load_recipe
from experiments.data.check import check_folder
from experiments.data.synthetic import write_dataset
from experiments.errors import FacesError
from experiments.evaluation.evaluate import evaluate
from experiments.progress import format_duration, say, track
from experiments.submission.format import check_sample
from experiments.submission.submit import submit
from experiments.tools.compare import compare
from experiments.training.trainer import train
from experiments.twin import run_twin

PEOPLE, IMAGES, TEST_IMAGES, SIZE, SEED = 30, 25, 150, 96, 0
MARK = ".made-by-faces-demo"
"""A file that marks the folder of a demo, which the next demo may replace."""


def run_demo(out: str | os.PathLike[str]) -> None:
    """Run every stage, then print what was made and what to type next. Replaces the folder of an earlier demo."""
    started, folder = time.monotonic(), Path(out)
    _clear(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    faces, run, twin, backbone, answer = (
        folder / name for name in ("faces", "run", "twin", "backbone", "submission.csv")
    )

    _head(1, f"Draw {PEOPLE} people")
    with track("drawing", PEOPLE * IMAGES + TEST_IMAGES, "images") as advance:
        write_dataset(
            faces, identities=PEOPLE, images=IMAGES, test_images=TEST_IMAGES, size=SIZE, seed=SEED, progress=advance
        )
    for line in check_folder(faces, check_sample=check_sample).summary():
        say(line)

    recipe = load_recipe("scratch_cnn", ["epochs=30"])
    _head(2, "Train our CNN, every gradient by hand")
    train(recipe, faces, run)

    _head(3, "Train it together with its PyTorch twin: the same weights, the same batches")
    run_twin(recipe, faces, twin, steps=100, dtype="float64")

    _head(4, "Train a small ResNet of PyTorch, from random weights")
    train(load_recipe("resnet10_scratch", ["epochs=10"]), faces, backbone)

    _head(5, "Evaluate both")
    for each in (run, backbone):
        evaluate(each, faces)
    compare([run, backbone])

    _head(6, "Predict the people of the test images with both")
    submit([run, backbone], faces / "test", faces / "sample_submission.csv", answer)
    right = _right(answer, faces / "answers" / "test.csv")

    say(_last_screen(folder, right, format_duration(time.monotonic() - started)))


def _clear(folder: Path) -> None:
    """Remove an earlier demo; refuse anything else."""
    if folder.is_dir() and (folder / MARK).exists():
        shutil.rmtree(folder)
    elif folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FacesError(f"{folder} exists and is not the folder of a demo: choose another with --out, or remove it")


def _right(submission: Path, answers: Path) -> float:
    """Return the fraction of a submission's rows that are right."""
    given, truth = _rows(submission), _rows(answers)
    return sum(given[name] == label for name, label in truth.items()) / len(truth)


def _rows(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["image_name"]: row["label"] for row in csv.DictReader(file)}


def _head(number: int, title: str) -> None:
    say(f"\n{number}. {title}\n{'-' * (len(title) + 3)}")


def _last_screen(folder: Path, right: float, took: str) -> str:
    return f"""
Done in {took}. {right:.1%} of the test images, whose answers no network saw, are predicted correctly.

Made in {folder}/
  faces/                         the synthetic competition: train/, test/, sample_submission.csv
  run/curves.png                 how our CNN learned
  run/evaluation/predictions.png faces with the network's predictions
  run/evaluation/hardest.png     its most certain mistakes
  twin/twin.png                  mytorch and PyTorch: the same curve
  backbone/                      the same files for the small ResNet of PyTorch
  submission.csv                 what a competition wants, predicted by both

For faces of your own, one folder per person:
  faces data check MY_FACES
  faces train scratch_cnn --data MY_FACES --out runs/mine
  faces evaluate runs/mine --data MY_FACES
  faces submit runs/mine --test MY_TEST --sample sample_submission.csv --out submission.csv

The command is in .venv: type .venv/bin/faces, or first: source .venv/bin/activate
"""
