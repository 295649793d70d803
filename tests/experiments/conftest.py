"""A tiny folder of people and a tiny recipe: a run on them takes a fraction of a second."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from experiments.cli import main
from experiments.config.load import load_recipe
from experiments.config.pretrained_run import resolve_recipe
from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces
from experiments.files import write_signed
from experiments.run import Run
from experiments.training.build_mytorch import build_mytorch_network
from experiments.training.trainer import train
from mytorch import manual_seed, save

PEOPLE = {"anna": (200, 40, 40), "ben": (40, 200, 40), "chloe": (40, 40, 200), "dan": (210, 210, 60)}
IMAGES_PER_PERSON = 6
TINY = {
    "model": {"name": "face_cnn", "widths": [4, 8], "dropout": 0.2},
    "data": {"size": [16, 16]},
    "augment": {"flip": 0.5, "shift": 0.1, "brightness": 0.1},
    "optimizer": {"name": "adamw", "lr": 0.02, "weight_decay": 0.01},
    "epochs": 2,
    "batch_size": 4,
}
TRANSFER = {
    "model": {"backbone": "test_resnet", "weights": "none", "head": {"name": "cosine"}, "embedding": 8},
    "data": {"size": [32, 24]},
    "optimizer": {"name": "adamw", "lr": 0.01},
    "epochs": 3,
    "batch_size": 5,
}


def draw_people(folder: Path, images: int = IMAGES_PER_PERSON) -> Path:
    """One folder a person, each image noise about the person's color."""
    rng = np.random.default_rng(5)
    for name, color in PEOPLE.items():
        (folder / name).mkdir(parents=True)
        for number in range(images):
            noise = rng.normal(0, 25, (24, 24, 3))
            Image.fromarray((np.array(color) + noise).clip(0, 255).astype(np.uint8)).save(
                folder / name / f"{number}.png"
            )
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with six images each. Not to be changed: `own_people` is."""
    return draw_people(tmp_path_factory.mktemp("faces") / "people")


@pytest.fixture
def own_people(tmp_path: Path) -> Path:
    """The same people in a folder that the test may change."""
    return draw_people(tmp_path / "people")


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny recipe as a YAML file."""
    path = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


@pytest.fixture(scope="session")
def tiny(recipe_file: Path) -> Callable[..., Recipe]:
    """tiny("epochs=3", ...): the tiny recipe with settings changed."""
    return lambda *settings: load_recipe(recipe_file, settings)


@pytest.fixture(scope="session")
def trained_once(people: Path, tiny: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of enough epochs to know everybody. Not to be changed."""
    return train(tiny("epochs=12"), people, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def transfer_once(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a tiny network of PyTorch, on images of another size than `trained_once`. Not to be changed."""
    from experiments.training.trainer import TrainOptions, train

    recipe = resolve_recipe(Recipe.model_validate(TRANSFER))
    return train(recipe, people, tmp_path_factory.mktemp("runs") / "transfer", options=TrainOptions(workers=0))


@pytest.fixture(scope="session")
def untrained(trained_once: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that knows nobody, and so makes mistakes. Not to be changed."""
    run = Run(shutil.copytree(trained_once.folder, tmp_path_factory.mktemp("untrained") / "run"))
    manual_seed(3)
    save(build_mytorch_network(run.recipe().model, len(PEOPLE)).state_dict(), run.best_weights)
    return run


@pytest.fixture
def faces() -> Faces:
    """Eleven images of noise, of three people, in memory."""
    images = np.random.default_rng(1).integers(0, 256, (11, 16, 12, 3), np.uint8)
    names = ("a", "b", "c")
    return Faces(images, np.arange(11) % 3, names, tuple(Path(f"{i}.png") for i in range(11)))


@pytest.fixture(scope="session")
def sign() -> Callable[[Path], None]:
    """sign(folder): give a run whose files a test has edited the digests that they would have had from the start."""

    def again(folder: Path) -> None:
        for name in (
            "environment.json",
            "metrics.json",
            "evaluation/evaluation.json",
            "verification/verification.json",
        ):
            path = folder / name
            if not path.is_file():
                continue
            fields = json.loads(path.read_text())
            fields.pop("digest", None)
            fields["files"] = {
                table: hashlib.blake2b((path.parent / table).read_bytes(), digest_size=16).hexdigest()
                for table in fields.get("files", {}) if (path.parent / table).is_file()
            }  # fmt: skip
            if path.name == "metrics.json":
                fields["history"] = None
            write_signed(path, fields)

    return again


class Result:
    """How a command ended: status, standard output, standard error."""

    def __init__(self, status: int, out: str, err: str):
        self.status, self.out, self.err = status, out, err


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """command("train", ...): the `faces` command, as typed, in this process."""

    def run(*arguments: Any) -> Result:
        monkeypatch.setattr(sys, "argv", ["faces", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return Result(end.value.code if isinstance(end.value.code, int) else 0, out, err)

    return run


def start(arguments: Sequence[Any], prelude: str = "") -> subprocess.Popen[str]:
    """The `faces` command in a process of its own; `prelude` is Python that it runs first.

    A shell's background job ignores Ctrl-C and hands that down, to a test run in the background too: here it counts.
    """
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listen}\n{prelude}\nimport sys\nfrom experiments.cli import main\nsys.argv[0] = 'faces'\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(name="start")
def start_fixture() -> Callable[..., subprocess.Popen[str]]:
    """start(["train", ...], prelude): the `faces` command in a process of its own."""
    return start


@pytest.fixture
def contents() -> Callable[[Path], set[str]]:
    """contents(folder): every file and folder below it, hidden ones too."""
    return lambda folder: {str(path.relative_to(folder)) for path in folder.rglob("*")}


SMALL = {
    "model": {"backbone": "test_resnet", "weights": "none", "dropout": 0.2},
    "data": {"size": [32, 32]},
    "augment": {"flip": 0.5, "crop": 0.8, "brightness": 0.1},
    "optimizer": {"name": "adamw", "lr": 0.003, "weight_decay": 0.01},
    "epochs": 2,
    "batch_size": 4,
}


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small transfer recipe as a YAML file."""
    path = tmp_path_factory.mktemp("recipes") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="session")
def small(small_file: Path) -> Callable[..., Recipe]:
    """small("epochs=3", ...): the small transfer recipe with settings changed."""
    return lambda *settings: load_recipe(small_file, settings)
