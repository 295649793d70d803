"""Rules for the CUDA sources."""

import ast
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

from mytorch.ops.cuda.loader import FOLDER, axes, launch, source_text

SOURCES = sorted(path.stem for path in FOLDER.glob("*.cu"))


def named_by_tests():
    """Yield the kernels in the marks `kernels` of this folder. A test with a mark fails unless it runs its kernels."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.kernels":
                yield from (leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant))


@pytest.mark.parametrize("source", SOURCES)
def test_every_kernel_is_run_on_the_host_by_a_test(signatures, source):
    kernels = set(signatures(source))
    assert kernels
    assert kernels - set(named_by_tests()) == set()


def test_every_kernel_that_a_test_names_is_there(signatures):
    assert set(named_by_tests()) <= {kernel for source in SOURCES for kernel in signatures(source)}


@pytest.mark.parametrize("source", SOURCES)
def test_no_atomics_in_the_sources(source):
    assert "atomic" not in source_text(source).replace("no atomics", "")


def test_kernels_of_a_library_have_names_of_their_own(signatures):
    names = [kernel for source in SOURCES for kernel in signatures(source)]
    assert len(names) == len(set(names))


METHODS = {"depthwise", "im2col", "winograd"}
"""The methods that `conv` chooses from. On the GPU `conv` calls them itself."""

TWINS = sorted({path.stem for path in FOLDER.glob("[!_]*.py") if (FOLDER.parent / path.name).exists()} - METHODS)


@pytest.mark.parametrize("name", TWINS)
def test_every_gpu_function_replaces_the_one_of_its_name(name):
    here, there = (importlib.import_module(f"mytorch.ops.{package}{name}") for package in ("cuda.", ""))
    public = {
        key: value
        for key, value in vars(here).items()
        if inspect.isfunction(value) and value.__module__ == here.__name__ and key in vars(there) and key[0] != "_"
    }
    assert public
    for key, function in public.items():
        dispatched = getattr(there, key)
        assert getattr(dispatched, "cuda_implementation", None) is function, (
            f"{there.__name__}.{key} does not go to the GPU"
        )
        assert inspect.signature(dispatched) == inspect.signature(function), key
    given = {
        value.cuda_implementation
        for value in vars(there).values()
        if hasattr(value, "cuda_implementation") and value.__module__ == there.__name__
    }
    assert given <= set(public.values()), "a function that goes to one of another name"


def test_more_than_three_axes_are_refused():
    with pytest.raises(ValueError, match=r"got 4 spatial axes, \(2, 2, 2, 2\): expected at most 3"):
        axes((2, 2, 2, 2))


def test_nothing_is_launched_on_an_empty_array():
    launch("elementwise", "no such kernel", np.zeros(0), count=0)
