"""CONTRIBUTING's worked examples, followed in a copy of the project.

Every line is added where the example says, its commands run, and no other file changes.
"""

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
ROOMS = ("mytorch", "models", "experiments", "autograder", "docs", "notebooks", "tests", "results/gradcheck")
LOOSE = ("setup.py", "pyproject.toml", "README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md")

LAYER = "A layer: Sine"
BACKBONE = "A backbone: RegNetY-400MF"
RECIPE = "A recipe"
CHECK = "A check of the autograder: a mistake that it knows"


def section(title: str) -> str:
    """The text of an example."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (found,) = (part for part in page.split("\n## ") if part.startswith(f"{title}\n"))
    return found


def blocks(text: str) -> list[str]:
    """The fenced blocks of an example, without the indentation of the list they stand in."""
    found = re.findall(r"^( *)```\w*\n(.*?)\n *```$", text, re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in block.split("\n")) for indent, block in found]


def named(text: str) -> set[str]:
    """The files that an example says to change: those with which its steps begin, or the one that it speaks of."""
    steps = re.findall(r"^\d+\. `([\w./]+)`", text, re.MULTILINE)
    return set(steps or re.findall(r"(?:One file,|one line in) `([\w./]+)`", text))


class Copy:
    """A copy of the project to edit."""

    def __init__(self, folder: Path):
        self.folder = folder
        skipped = shutil.ignore_patterns("__pycache__", "build", ".ipynb_checkpoints")
        for room in ROOMS:
            if (ROOT / room).is_dir():
                shutil.copytree(ROOT / room, folder / room, ignore=skipped)
        for name in LOOSE:
            shutil.copy2(ROOT / name, folder)
        self.before = self.contents()

    def contents(self) -> dict[str, bytes]:
        """Every file that a change could be in, by its path."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        here = {str(path.relative_to(self.folder)): path for path in files}
        return {name: path.read_bytes() for name, path in here.items() if not re.search(r"__pycache__|/\.|^\.", name)}

    def changed(self) -> set[str]:
        """The files that are not as they were."""
        now = self.contents()
        return {name for name in now.keys() | self.before.keys() if now.get(name) != self.before.get(name)}

    def put(self, file: str, text: str, before: str | None = None, indent: int = 4) -> None:
        """Add lines before the one line that begins with `before`, or at a file's end."""
        path = self.folder / file
        whole = path.read_text(encoding="utf-8") if path.exists() else ""
        if before is None:
            path.write_text(f"{whole}{chr(10) * 2 if whole else ''}{text}\n", encoding="utf-8")
            return
        at = whole.index(f"\n{before}") + 1
        lines = "".join(f"{' ' * indent}{line}\n" for line in text.split("\n"))
        path.write_text(whole[:at] + lines + whole[at:], encoding="utf-8")

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace a text that occurs once in a file."""
        path = self.folder / file
        whole = path.read_text(encoding="utf-8")
        assert whole.count(old) == 1, f"{file} has {old!r} {whole.count(old)} times"
        path.write_text(whole.replace(old, new), encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the copy, whose modules come before those that are installed."""
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)


def add_layer(copy: Copy, text: str) -> None:
    ops, layer, pair, rule, row, _ = blocks(text)
    copy.put("mytorch/ops/pointwise.py", ops)
    copy.put("mytorch/nn/pointwise.py", layer)
    copy.put("mytorch/nn/__init__.py", "Sine,", "    Softplus,\n")
    copy.put("mytorch/nn/__init__.py", '"Sine",', '    "Slice",')
    copy.put("models/twin.py", pair)
    copy.replace("tests/gradients/cases.py", '"SELU", "Softsign", ', '"SELU", "Sine", "Softsign", ')
    copy.put("tests/mytorch/nn/every_layer.py", rule, '    "Softmax": ')
    copy.put("docs/pages/layers/activation.md", row, "| Identity |", 0)
    copy.replace("docs/pages/layers/activation.md", '"SiLU", ', '"SiLU", "Sine", ')
    copy.replace("docs/pages/layers/activation.md", '"mytorch.nn.SiLU", ', '"mytorch.nn.SiLU", "mytorch.nn.Sine", ')


def add_backbone(copy: Copy, text: str) -> None:
    copy.put("models/backbones.py", blocks(text)[0], "        _INCEPTION,", 8)


def add_recipe(copy: Copy, text: str) -> None:
    copy.put("experiments/recipes/regnety_004.yaml", blocks(text)[0])


def add_check(copy: Copy, text: str) -> None:
    guess, hint, mistake, _ = blocks(text)
    copy.replace(
        "autograder/checks/activation.py",
        '        case "Tanh":\n',
        f'        case "Tanh":\n{textwrap.indent(guess, " " * 12)}\n',
    )
    copy.put("autograder/hints/catalogue.py", hint, '    "relu_absolute": ', 4)
    copy.put("tests/autograder/corpus/wrong/earlier.py", mistake, '    M("tanh: without the square"')


EXAMPLES = {LAYER: [add_layer], BACKBONE: [add_backbone], RECIPE: [add_backbone, add_recipe], CHECK: [add_check]}
"""What each does to the files; a recipe needs the backbone from the example before."""


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_works_as_it_stands_and_touches_the_files_it_names(title, tmp_path):
    copy, text = Copy(tmp_path), section(title)
    for number, step in enumerate(EXAMPLES[title]):
        own = number == len(EXAMPLES[title]) - 1
        step(copy, text if own else section(BACKBONE))
        if not own:
            copy.before = copy.contents()
    changed = copy.changed()
    assert changed == named(text)
    python = sorted(name for name in changed if name.endswith(".py"))
    for tool in (["format"], ["check"]):
        done = copy.run(sys.executable, "-m", "ruff", *tool, "--no-cache", *python) if python else None
        assert done is None or done.returncode == 0, done.stdout
    commands = [line for line in blocks(text)[-1].split("\n") if line.startswith(".venv/bin/python ")]
    assert commands
    for command in commands:
        _, *words = shlex.split(command)
        done = copy.run(sys.executable, *words, "-q", "-p", "no:cacheprovider")
        assert done.returncode == 0, done.stdout[-3000:]
        assert " passed" in done.stdout
    assert copy.changed() == changed


def test_each_example_of_the_page_is_followed():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)", page, re.MULTILINE) == list(EXAMPLES)


def test_the_copy_runs_its_own_modules(tmp_path):
    copy = Copy(tmp_path)
    done = copy.run(sys.executable, "-m", "pytest", "--version")
    assert done.returncode == 0
    found = copy.run(sys.executable, "-c", "import mytorch; print(mytorch.__file__)").stdout.strip()
    assert Path(found).is_relative_to(tmp_path)
