"""What the project needs, as its installed metadata declares it, and which extra brings a missing module."""

import re
import tomllib
from pathlib import Path

import pytest

from experiments import requirements as requirements_module
from experiments.requirements import remedy, requirements

DECLARED = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def names(lines):
    return {re.match(r"[\w.-]+", line)[0].lower() for line in lines}


def test_the_base_and_each_extra_are_what_pyproject_declares():
    found = requirements()
    assert set(found[""]) == names(DECLARED["dependencies"])
    for extra, lines in DECLARED["optional-dependencies"].items():
        own = names(line for line in lines if not line.startswith("mytorch-faces["))
        assert own <= set(found[extra]), extra


def test_an_extra_of_extras_holds_what_they_hold():
    found = requirements()
    assert set(found["faces"]) | set(found["tune"]) <= set(found["all"])
    assert "mytorch-faces" not in found["all"]


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("torch.nn", "pip install '.[faces]'"),
        ("PIL", "pip install '.[faces]'"),
        ("sklearn.metrics", "pip install '.[faces]'"),
        ("optuna", "pip install '.[tune]'"),
        ("yaml", "pip install ."),
        ("cupy", "pip install '.[cuda13]'"),
    ],
)
def test_a_missing_module_names_the_extra_that_brings_it(module, command):
    line = remedy(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert line.startswith(f"{module.partition('.')[0]} is not installed: in the project's folder, {command}")


def test_a_module_that_no_extra_brings_has_no_remedy():
    assert remedy(ModuleNotFoundError("No module named 'mytorch.nowhere'", name="mytorch.nowhere")) is None
    assert remedy(ModuleNotFoundError("no name")) is None


def test_without_an_installation_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(requirements_module, "DISTRIBUTION", "nowhere-to-be-found")
    assert requirements() is None
    assert remedy(ModuleNotFoundError("No module named 'torch'", name="torch")) is None


def test_no_message_advises_a_name_that_the_package_index_does_not_have():
    root = Path(__file__).parents[2]
    sources = [
        path for room in ("mytorch", "models", "experiments", "autograder") for path in (root / room).rglob("*.py")
    ]
    wrong = [
        path for path in sources if re.search(r"pip install [^\n]*mytorch-faces", path.read_text(encoding="utf-8"))
    ]
    assert wrong == []
