"""Plants one mistake in one class of the reference, and leaves every other class as it is.

The submission that comes out has the faulty class in a file at the top, and a correct copy of everything in `correct/`
and `correct_models/`, so that what is built of the faulty class is built of a correct one.
"""

import ast
import dataclasses
from pathlib import Path, PurePosixPath

from autograder.contract import FILES
from autograder.reference import MODELS, sources


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One planted mistake: replace `old` by `new` in the text of `cls` (or of a base class of it), and `also` as well.

    parts: which parts of the class's test have to lose points. hints: keys of the catalogue, any of which is right.
    """

    name: str
    cls: str
    old: str
    new: str
    parts: tuple[str, ...]
    hints: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()


def plant(mistake: Mistake, folder: Path, place: str = "") -> None:
    """Write the submission with this mistake into `folder`, the faulty file into its folder `place`."""
    correct(folder)
    module, text = _home(mistake.cls, folder)
    tree = ast.parse(text)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    own = _with_bases(mistake.cls, classes)
    lines = text.splitlines(keepends=True)
    before = "".join(lines[: min(node.lineno for node in classes.values()) - 1])
    kept = {name: ast.get_source_segment(text, classes[name]) or "" for name in classes if name in own}
    patched = dict(kept)
    for old, new in ((mistake.old, mistake.new), *mistake.also):
        if not any(old in source for source in patched.values()):
            raise AssertionError(f"{mistake.name}: {old!r} is not in {mistake.cls}")
        patched = {name: source.replace(old, new) for name, source in patched.items()}
    after = "".join(lines[max(node.end_lineno or 0 for node in classes.values()) :])
    others = [name for name in classes if name not in own]
    imports = f"from {module} import {', '.join(others)}\n" if others else ""
    body = "\n\n\n".join(patched.values())
    expected = next(PurePosixPath(file) for file, names in FILES.items() if mistake.cls in names)
    target = folder / place / expected.name
    target.parent.mkdir(exist_ok=True)
    target.write_text(f"{before}\n{imports}\n\n{body}\n{after}", encoding="utf-8")


def correct(folder: Path) -> None:
    """The reference as two plain packages, `correct` and `correct_models`."""
    if (folder / "correct").exists():
        return
    for package, name in (("mytorch.course", "correct"), ("models.scratch", "correct_models")):
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for file, text in sources(package).items():
            if (package == "mytorch.course" and file != "batch_mean.py") or file in MODELS:
                text = text.replace("mytorch.course", "correct").replace("models.scratch", "correct_models")
                (target / file).write_text(text, encoding="utf-8")


def _home(cls: str, folder: Path) -> tuple[str, str]:
    """The module of `correct` or `correct_models` that defines a class, and its text."""
    for path in sorted(folder.glob("correct*/*.py")):
        text = path.read_text(encoding="utf-8")
        if f"\nclass {cls}(" in text or f"\nclass {cls}:" in text:
            return f"{path.parent.name}.{path.stem}", text
    raise AssertionError(f"no class {cls} in the reference")


def _with_bases(cls: str, classes: dict[str, ast.ClassDef]) -> list[str]:
    """The class and those of its bases that stand in the same file."""
    found = [cls]
    for name in found:
        found += [base.id for base in classes[name].bases if isinstance(base, ast.Name) and base.id in classes]
    return found
