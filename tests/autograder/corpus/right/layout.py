"""Submissions that are right in another layout than the reference's, each written into a folder."""

import re
import zipfile
from pathlib import Path

from autograder.reference import MODELS, copy, sources


def float32_safe(folder: Path) -> None:
    """The reference as it is: it answers in the type that it is given."""
    copy(folder)


def one_file(folder: Path) -> None:
    """All classes in one file, imports within the submission left out."""
    texts = [*_ordered(sources("mytorch.course")), *(sources("models.scratch")[name] for name in reversed(MODELS))]
    text = "\n".join(texts)
    # A parenthesised import spans lines; every import of our own goes, since all names are in this file.
    text = re.sub(r"from (mytorch|models)[^\n]*\([^)]*\)\n", "", text)
    text = re.sub(r"from (mytorch|models)[^\n]*\n", "", text)
    (folder / "solution.py").write_text(text.replace('"""All', '"""'))


def flat_files(folder: Path) -> None:
    """A file a topic, imported as a handout does: `from resampling import *`."""
    for name, text in sources("mytorch.course").items():
        if name != "__init__.py":
            (folder / name).write_text(text.replace("from mytorch.course.", "from "))
    for name in MODELS:
        text = sources("models.scratch")[name].replace("from mytorch.course import", "from everything import")
        (folder / name).write_text(text.replace("from models.scratch.", "from "))
    (folder / "everything.py").write_text(sources("mytorch.course")["__init__.py"].replace("mytorch.course.", ""))


def handout_layout(folder: Path) -> None:
    """mytorch/nn/... and models/..., absolute imports, no __init__ anywhere above."""
    nn, models = folder / "hw2p1_handout" / "mytorch" / "nn", folder / "hw2p1_handout" / "models"
    nn.mkdir(parents=True)
    models.mkdir()
    for name, text in sources("mytorch.course").items():
        (nn / name).write_text(text.replace("mytorch.course", "mytorch.nn"))
    for name in MODELS:
        text = sources("models.scratch")[name]
        (models / name).write_text(text.replace("mytorch.course", "mytorch.nn").replace("models.scratch", "models"))


def relative_imports(folder: Path) -> None:
    """One package, `from .layer import Layer`."""
    package = folder / "my_layers"
    package.mkdir()
    for name, text in sources("mytorch.course").items():
        (package / name).write_text(text.replace("from mytorch.course.", "from ."))
    (package / "nets").mkdir()
    for name in MODELS:
        text = sources("models.scratch")[name].replace("from mytorch.course import", "from .. import")
        (package / "nets" / name).write_text(text.replace("from models.scratch.", "from ."))


def path_juggling(folder: Path) -> None:
    """sys.path put together by hand, from __file__ and from the working folder."""
    copy(folder / "src")
    for path in (folder / "src" / "models" / "scratch").glob("*.py"):
        juggle = (
            "import os, sys\nsys.path.append('mytorch')\n"
            "sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))\n"
        )
        path.write_text(juggle + path.read_text())


def clutter(folder: Path) -> None:
    """The solution among stubs, old versions, tests that import torch, and notebooks."""
    copy(folder)
    stub = "class Conv1d:\n    def forward(self, A):\n        raise NotImplementedError\n"
    (folder / "conv1d.py").write_text(stub)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_conv.py").write_text("import torch\nclass Conv2d:\n    pass\n")
    (folder / "old").mkdir()
    (folder / "old" / "conv2d.py").write_text("class Conv2d:\n    def forward(self, A):\n        return A\n")
    (folder / "notes.ipynb").write_text("{}")
    (folder / "broken.py").write_text("def (:\n")
    (folder / "main.py").write_text("import torch\nfrom mytorch.course import Conv1d\nprint(Conv1d)\n")


def zipped(folder: Path) -> None:
    """A zip with one folder in it, whose name Python could not import."""
    copy(folder / "raw")
    with zipfile.ZipFile(folder / "handin.zip", "w") as archive:
        for path in sorted((folder / "raw").rglob("*.py")):
            archive.write(path, Path("hw2 (final) v3") / path.relative_to(folder / "raw"))


def _ordered(texts: dict[str, str]) -> list[str]:
    """The course's files so that each comes after those it needs."""
    first = ["layer.py", "resampling.py", "activation.py", "batchnorm.py", "conv1d.py", "conv2d.py"]
    rest = [name for name in texts if name not in (*first, "__init__.py", "resblock.py")]
    return [texts[name] for name in (*first, *rest, "resblock.py")]
