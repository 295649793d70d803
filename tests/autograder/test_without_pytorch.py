"""Without PyTorch the tests that need none are graded, and the others cost no points and say what to install."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.checks import FAMILIES, dense, oracle
from autograder.checks.layer import Layer
from autograder.checks.resampling import downsampling, upsampling

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "timm", "pandas", "scipy", "sklearn", "PIL"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import runpy
runpy.run_module("autograder", run_name="__main__", alter_sys=True)
"""


def autograder(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that cannot import what the light install lacks."""
    command = [sys.executable, "-c", WITHOUT, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])


def test_what_needs_no_pytorch_is_graded_and_the_rest_costs_nothing() -> None:
    done = autograder("grade", "--reference", "--format", "json")
    report = json.loads(done.stdout)
    graded = {test["check"] for test in report["tests"] if test["status"] == "passed"}
    assert graded == {"Upsample1d", "Upsample2d", "Downsample1d", "Downsample2d", "Dropout2d"}
    assert {test["status"] for test in report["tests"]} == {"passed", "ungraded"}
    assert report["full"] == 12
    assert done.returncode == 2
    assert "15 of 20 tests were not graded" in done.stderr
    assert "pip install '.[faces]'" in done.stderr


def test_chosen_tests_that_need_none_are_graded_as_ever(tmp_path: Path) -> None:
    done = autograder("grade", "--reference", "--rubric", "default", "--only", "Upsample1d,Downsample2d")
    assert done.returncode == 0, done.stderr
    assert "Mark: 6 of 6" in done.stdout
    wrong = "class Downsample1d:\n    def __init__(self, k): self.k = k\n    def forward(self, A): return A\n"
    (tmp_path / "mine.py").write_text(f"{wrong}    def backward(self, d): return d\n")
    done = autograder("grade", str(tmp_path), "--only", "Downsample1d")
    assert done.returncode == 1, done.stderr
    assert "✗ Downsample1d" in done.stdout
    assert "Hint: Nothing is resampled" in done.stdout


@pytest.mark.parametrize("rubric", ["hw1p1", "bonus"])
def test_linear_and_dropout_need_none(rubric: str) -> None:
    done = autograder("grade", "--reference", "--rubric", rubric, "--format", "json")
    status = {test["check"]: test["status"] for test in json.loads(done.stdout)["tests"]}
    light = {name for name in status if name in ("Linear", "Identity", "Flatten", "Dropout", "Dropout2d")}
    assert light
    assert {name for name in status if status[name] == "passed"} == light


@pytest.mark.parametrize("words", [("grade", "--reference", "--format", "gradescope"), ("grade-all", "handins")])
def test_no_mark_is_written_where_a_part_would_be_missing(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "handins").mkdir()
    (tmp_path / "handins/a.py").touch()
    done = autograder(*[str(tmp_path / word) if word == "handins" else word for word in words])
    assert "PyTorch is not installed" in done.stderr
    assert done.stdout == ""


AFFINE = [
    Layer("Linear", (3, 2), (4, 3), lambda t: t["A"] @ t["W"].T + t["b"].T, {"W": (2, 3), "b": (2, 1)}),
    Layer("Upsample2d", (3,), (2, 2, 3, 2), lambda t: oracle.upsample(t["A"], 3)),
    Layer("Downsample2d", (2,), (2, 1, 5, 4), lambda t: t["A"][oracle.every(2, 4)]),
    Layer("Flatten", (), (2, 3, 2), lambda t: t["A"].reshape(len(t["A"]), -1)),
]


@pytest.mark.parametrize("layer", AFFINE, ids=lambda layer: layer.name)
def test_differences_along_the_axes_are_pytorchs_gradients(layer: Layer) -> None:
    values = layer.draw(np.random.default_rng(0))
    found = oracle.affine_gradients(layer.function, values.inputs, values.dLdZ)
    for name, gradient in values.gradients.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-13, atol=1e-13)


def test_every_other_family_still_takes_its_values_from_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "from_numpy", lambda array: pytest.fail("PyTorch was asked"))
    light = [upsampling(1), upsampling(2), downsampling(1), downsampling(2), dense.linear(), dense.flatten()]
    names = {family.name for family in light} | {"Dropout", "Dropout2d", "Identity"}
    for name, family in FAMILIES.items():
        if name in names:
            assert family.build(1, "contract")
        else:
            with pytest.raises(pytest.fail.Exception, match="PyTorch was asked"):
                family.build(1, "contract")
