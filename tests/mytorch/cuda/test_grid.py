"""Offsets beyond 32 bits, which would need arrays too large for the other tests."""

import ctypes
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mytorch.ops.cuda.loader import source_text

from ..launchers import compiler, launcher_for

SOURCE = """
#include "host_grid.hpp"
#include "grid.cuh"
extern "C" index_t pop_index_of(index_t offset, index_t length, index_t* left) {
    *left = offset;
    return pop_index(left, length);
}
"""


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    launcher = launcher_for("host", tmp_path_factory)
    path = launcher.folder / "grid.cpp"
    path.write_text(SOURCE)
    library = path.with_suffix(".so")
    folders = [f"-I{folder}" for folder in launcher.includes]
    subprocess.run(
        [compiler(), "-std=c++17", "-w", "-fPIC", "-shared", "-DREAL=float", *folders, str(path), "-o", str(library)],
        check=True,
    )
    function = ctypes.CDLL(str(library)).pop_index_of
    function.argtypes = [ctypes.c_longlong, ctypes.c_longlong, ctypes.POINTER(ctypes.c_longlong)]
    function.restype = ctypes.c_longlong
    return function


@given(
    offset=st.integers(0, 2**62) | st.integers(2**32 - 3, 2**32 + 3), length=st.integers(1, 2**40) | st.integers(1, 9)
)
def test_offsets_of_any_size_are_split(take, offset, length):
    left = ctypes.c_longlong()
    assert take(offset, length, ctypes.byref(left)) == offset % length
    assert left.value == offset // length


def test_source_is_what_the_compiler_gets():
    assert "#include" not in source_text("im2col")
