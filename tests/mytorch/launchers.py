"""Launchers that run CUDA kernels on NumPy arrays: on the host, compiled by the C++ compiler, or on a GPU and back.

Both check the arguments against the kernel's parameters first; a GPU would misread them silently.
"""

import ctypes
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from mytorch.device import require_cuda, to_device
from mytorch.ops.cuda.loader import (
    AXES,
    FOLDER,
    TYPES,
    WINDOW,
    run_by_cupy,
    set_host_launcher,
    source_text,
)

KERNEL = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')

try:
    require_cuda()
    NO_GPU = ""
except RuntimeError as error:
    NO_GPU = str(error)

GPU = [] if NO_GPU else [pytest.param("cuda", marks=pytest.mark.gpu)]
"""The parameter of tests that run on a GPU too, if there is one; otherwise `test_device.py` says once why not."""

HOST_AND_GPU = ["host", *GPU]

CALL = """
extern "C" bool run_{name}(void** a, unsigned blocks, unsigned threads, bool backwards) {{
    return host::grid(blocks, threads, backwards, [&] {{ {name}({arguments}); }});
}}
"""
"""A kernel gets its arguments as the driver passes them: by an array of pointers."""


@cache
def signatures_of(source: str) -> dict[str, list[str]]:
    """Return the type of each parameter of each kernel of a source, such as "const real*"."""
    found = {}
    for name, parameters in KERNEL.findall(source_text(source)):
        types = [" ".join(parameter.split()[:-1]) for parameter in parameters.split(",")]
        assert all(types), f"{name}: cannot read {parameters!r}"
        found[name] = types
    assert len(found) == source_text(source).count("__global__"), f"{source}.cu: a kernel that is not read"
    return found


def compiler() -> str | None:
    """Return the C++ compiler, or None."""
    return shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


@dataclass
class Launcher:
    """Base of both launchers, see `set_host_launcher`. The kernels that were launched are in `launched`.

    blocks and threads: the largest grid and block; small ones make the kernels loop. backwards: the order in which the
    host runs the threads.
    """

    blocks: int = 4
    threads: int = 32
    backwards: bool = False
    launched: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, source: str, kernel: str, kind: str, blocks: int, threads: int, arguments: tuple) -> None:
        """Check the arguments, and run the kernel."""
        types = signatures_of(source)[kernel]
        assert len(arguments) == len(types), f"{kernel}: {len(arguments)} arguments for {len(types)}"
        for value, type_ in zip(arguments, types, strict=True):
            check(value, type_, kind)
        self.run(source, kernel, kind, min(blocks, self.blocks), min(threads, self.threads), arguments)
        self.launched.add((kernel, kind))

    def run(self, source: str, kernel: str, kind: str, blocks: int, threads: int, arguments: tuple) -> None:
        """Run the kernel."""
        raise NotImplementedError


@dataclass
class Gpu(Launcher):
    """Copy the arrays to the GPU for the launch, and back."""

    def run(self, source: str, kernel: str, kind: str, blocks: int, threads: int, arguments: tuple) -> None:
        types = signatures_of(source)[kernel]
        there = [
            to_device(memory(value), "cuda") if type_.endswith("*") else value
            for value, type_ in zip(arguments, types, strict=True)
        ]
        run_by_cupy(source, kernel, kind, blocks, threads, tuple(there))
        for value, moved, type_ in zip(arguments, there, types, strict=True):
            if type_.endswith("*") and not type_.startswith("const"):
                memory(value)[...] = to_device(moved, "cpu")


@dataclass
class Host(Launcher):
    """The same sources, compiled for the host with a header that emulates the grid."""

    folder: Path = Path()
    includes: tuple[Path, ...] = (Path(__file__).parent, FOLDER)
    libraries: dict[tuple[str, str], ctypes.CDLL] = field(default_factory=dict)

    def run(self, source: str, kernel: str, kind: str, blocks: int, threads: int, arguments: tuple) -> None:
        types = signatures_of(source)[kernel]
        values = [
            np.array(value.ctypes.data) if type_.endswith("*") else np.atleast_1d(value)
            for value, type_ in zip(arguments, types, strict=True)
        ]
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        run = self.library(source, kind)[f"run_{kernel}"]
        run.restype = ctypes.c_bool
        met = run(pointers, ctypes.c_uint(blocks), ctypes.c_uint(threads), ctypes.c_bool(self.backwards))
        assert met, f"{kernel}: some threads ended while others waited at a barrier"

    def library(self, source: str, kind: str) -> ctypes.CDLL:
        """Return the source as a shared library, compiled at its first use."""
        if (source, kind) not in self.libraries:
            calls = []
            for name, types in signatures_of(source).items():
                arguments = ", ".join(f"*({type_}*)a[{i}]" for i, type_ in enumerate(types))
                calls.append(CALL.format(name=name, arguments=arguments))
            path = self.folder / f"{source}_{kind}.cpp"
            path.write_text('#include "host_grid.hpp"\n' + source_text(source) + "".join(calls))
            library = path.with_suffix(".so")
            flags = ["-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-ffp-contract=off", f"-DREAL={TYPES[kind]}"]
            command = [compiler(), *flags, f"-I{self.includes[0]}", str(path), "-o", str(library)]
            subprocess.run(command, check=True, capture_output=True, text=True)
            self.libraries[source, kind] = ctypes.CDLL(str(library))
        return self.libraries[source, kind]


def check(value: object, type_: str, kind: str) -> None:
    """Raise AssertionError if a value does not have the parameter's type, or an array is not dense."""
    what = type_.removeprefix("const ").removesuffix("*")
    dtype = {"real": kind, "index_t": "q", "double": "d", "int": "i", "bool": "?", "Axes": "V12", "Window": "V72"}[what]
    if type_.endswith("*"):
        assert isinstance(value, np.ndarray), f"{value!r} for {type_}"
        assert value.dtype == np.dtype(dtype), f"an array of {value.dtype} for {type_}"
        assert dense(value), f"an array with gaps in its memory for {type_}: {value.shape}, {value.strides}"
        assert value.flags.writeable or type_.startswith("const"), f"a read-only array for {type_}"
    elif what in ("Axes", "Window"):
        assert isinstance(value, np.ndarray), f"{value!r} for {type_}"
        assert value.size == 1, f"{value!r} for {type_}"
        assert value.dtype.itemsize == {"Axes": AXES, "Window": WINDOW}[what].itemsize, f"{value!r} for {type_}"
    else:
        assert isinstance(value, np.generic), f"{value!r} for {type_}"
        assert value.dtype == np.dtype(dtype), f"a number of {value.dtype} for {type_}"


def dense(array: np.ndarray) -> bool:
    """Return True if the elements fill one stretch of memory."""
    order = [] if not array.size else sorted((s, n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1)
    expected = array.itemsize
    for stride, length in order:
        if stride != expected:
            return False
        expected *= length
    return True


def memory(array: np.ndarray) -> np.ndarray:
    """Return the elements of a dense array in memory order: a view."""
    return np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,))


def launcher_for(name: str, folders: pytest.TempPathFactory) -> Launcher:
    """Return the launcher "host", which compiles into a new folder, or "cuda". Skips the test without a compiler."""
    if name == "host":
        if compiler() is None:
            pytest.skip("no C++ compiler, which runs the kernels here: install g++ or clang++")
        return Host(folder=folders.mktemp("kernels"))
    return Gpu(blocks=1 << 14, threads=256)


@contextmanager
def every_op_on(launcher: Launcher) -> Iterator[None]:
    """Inside the `with` block, ops with a GPU implementation use it for NumPy arrays too, through `launcher`."""
    before = set_host_launcher(launcher)
    with pytest.MonkeyPatch.context() as patch:
        for path in FOLDER.parent.glob("*.py"):
            module = import_module(f"mytorch.ops.{path.stem}" if path.stem != "__init__" else "mytorch.ops")
            for name, value in list(vars(module).items()):
                if hasattr(value, "cuda_implementation"):
                    patch.setattr(module, name, value.cuda_implementation)
        yield
    set_host_launcher(before)
