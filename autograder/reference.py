"""Our own solution as a submission: `mytorch.course` and the course's models."""

from importlib import resources
from pathlib import Path

from autograder.checks.case import Dialect

MODELS = ("course_cnn.py", "mlp.py", "scanning_mlp.py", "shared_blocks.py")
_OLD_FORM = {"linear.py": ("Linear",), "loss.py": ("MSELoss", "CrossEntropyLoss"), "mlp.py": ("MLP0", "MLP1", "MLP4")}


def copy(folder: Path, dialect: Dialect = "contract") -> None:
    """Copy it into `folder`, as mytorch/course and models/scratch.

    For the old form of the first assignment, files at the top name the classes of `mytorch.course.batch_mean`.
    """
    course = folder / "mytorch" / "course"
    models = folder / "models" / "scratch"
    for target in (course, models):
        target.mkdir(parents=True, exist_ok=True)
    for name, text in sources("mytorch.course").items():
        (course / name).write_text(text, encoding="utf-8")
    for name, text in sources("models.scratch").items():
        if name in MODELS:
            (models / name).write_text(text, encoding="utf-8")
    if dialect == "hw1p1-old":
        for name, classes in _OLD_FORM.items():
            lines = ["import mytorch.course.batch_mean as old_form", *(f"{cls} = old_form.{cls}" for cls in classes)]
            (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def sources(package: str) -> dict[str, str]:
    """The texts of a package's files, by name."""
    files = sorted(resources.files(package).iterdir(), key=lambda entry: entry.name)
    return {entry.name: entry.read_text(encoding="utf-8") for entry in files if entry.name.endswith(".py")}
