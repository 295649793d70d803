"""Our own solution, laid out as a submission: `mytorch.course` and the course's models."""

from importlib import resources
from pathlib import Path

MODELS = ("course_cnn.py", "scanning_mlp.py", "shared_blocks.py")


def copy(folder: Path) -> None:
    """Copy it into `folder`, as mytorch/course and models/scratch."""
    course = folder / "mytorch" / "course"
    models = folder / "models" / "scratch"
    for target in (course, models):
        target.mkdir(parents=True, exist_ok=True)
    for name, text in sources("mytorch.course").items():
        (course / name).write_text(text, encoding="utf-8")
    for name, text in sources("models.scratch").items():
        if name in MODELS:
            (models / name).write_text(text, encoding="utf-8")


def sources(package: str) -> dict[str, str]:
    """The texts of a package's files, by name."""
    files = sorted(resources.files(package).iterdir(), key=lambda entry: entry.name)
    return {entry.name: entry.read_text(encoding="utf-8") for entry in files if entry.name.endswith(".py")}
