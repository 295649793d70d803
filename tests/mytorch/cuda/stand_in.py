"""A stand-in for CuPy on machines without a GPU: its behavior, in the host's memory, with the kernels run on the
host.

It is strict where code written for NumPy is often wrong: NumPy and CuPy arrays never mix, neither in arithmetic nor in
assignments nor by silent conversion, and reductions return arrays without axes instead of numbers.
"""

import operator
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


def unwrapped(value: Any) -> Any:
    """Return what NumPy computes with. Raises TypeError for NumPy arrays, which CuPy refuses."""
    if isinstance(value, ndarray):
        return value.memory
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, tuple | list):
        return type(value)(map(unwrapped, value))
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    return value


def wrapped(value: Any) -> Any:
    """Return NumPy's results as the stand-in's: numbers become arrays without axes."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(np.asarray(value))
    return type(value)(map(wrapped, value)) if isinstance(value, tuple | list) else value


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array "on the GPU"."""

    def __init__(self, memory: np.ndarray):
        self.memory = memory

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        result = getattr(ufunc, method)(*map(unwrapped, inputs), **unwrapped(options))
        out = options.get("out")
        return out[0] if out else wrapped(result)

    def __array_function__(self, function: Callable, types: Any, inputs: tuple, options: dict) -> Any:
        return wrapped(function(*unwrapped(inputs), **unwrapped(options)))

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("memory", "data", "ctypes", "tofile", "setflags"):
            raise AttributeError(name)
        value = getattr(self.memory, name)
        if not callable(value):
            return wrapped(value) if isinstance(value, np.ndarray) else value
        return lambda *inputs, **options: wrapped(value(*unwrapped(inputs), **unwrapped(options)))

    @property
    def data(self) -> SimpleNamespace:
        return SimpleNamespace(ptr=self.memory.ctypes.data)

    def __getitem__(self, where: Any) -> Any:
        return wrapped(self.memory[unwrapped(where)])

    def __setitem__(self, where: Any, value: Any) -> None:
        self.memory[unwrapped(where)] = unwrapped(value)

    def __len__(self) -> int:
        return len(self.memory)

    def __bool__(self) -> bool:
        return bool(self.memory)

    def __int__(self) -> int:
        return int(self.memory)

    def __float__(self) -> float:
        return float(self.memory)

    def __format__(self, spec: str) -> str:
        return format(self.memory, spec)

    def __repr__(self) -> str:
        return repr(self.memory)

    def __deepcopy__(self, _: Any) -> "ndarray":
        return ndarray(self.memory.copy())


ndarray.__module__ = "cupy"


def module(run: Callable[[str, str, str, int, int, tuple], None]) -> ModuleType:
    """Return a replacement for the module cupy. run: as loader.Launcher, but with the text of the source."""
    cupy = ModuleType("cupy")

    def lookup(name: str) -> Any:
        value = getattr(np, name)
        if isinstance(value, type) or not callable(value):
            return value
        return lambda *inputs, **options: wrapped(value(*unwrapped(inputs), **unwrapped(options)))

    def asarray(value: Any, dtype: Any = None) -> ndarray:
        return value if isinstance(value, ndarray) and dtype is None else ndarray(np.array(moved(value), dtype))

    def moved(value: Any) -> Any:
        return value.memory if isinstance(value, ndarray) else value

    class RawModule:
        def __init__(self, code: str, options: tuple[str, ...]):
            self.code, self.options = code, options

        def get_function(self, name: str) -> Callable[[tuple, tuple, tuple], None]:
            kind = "f" if "-DREAL=float" in self.options else "d"

            def launch(grid: tuple[int], block: tuple[int], arguments: tuple) -> None:
                (blocks,), (threads,) = grid, block
                given = [argument.memory if isinstance(argument, ndarray) else argument for argument in arguments]
                assert not any(isinstance(a, np.ndarray) and a.size != 1 for a in arguments), "a NumPy array"
                run(self.code, name, kind, operator.index(blocks), operator.index(threads), tuple(given))

            return launch

    runtime = SimpleNamespace(
        driverGetVersion=lambda: 13020,
        runtimeGetVersion=lambda: 13020,
        getDeviceCount=lambda: 1,
        CUDARuntimeError=CUDARuntimeError,
    )
    own = {"cuda": SimpleNamespace(runtime=runtime), "ndarray": ndarray, "RawModule": RawModule}
    own |= {"asarray": asarray, "array": asarray, "asnumpy": lambda array: array.memory.copy()}
    vars(cupy).update(own, __getattr__=lookup)
    return cupy
