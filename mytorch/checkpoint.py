"""Save arrays in safetensors files and load them. Nothing is pickled: opening a file from a stranger runs no code."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mytorch.device import Array, to_device
from mytorch.files import atomic_write


class CheckpointError(ValueError):
    """A weight file that is missing, truncated or not a weight file."""


def save(arrays: Mapping[str, Array], path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays (on the CPU or the GPU) and metadata to `path`. The file is written completely or not at all."""
    from safetensors.numpy import save as encode

    contiguous = {name: np.asarray(to_device(array, "cpu"), order="C") for name, array in arrays.items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(encode(contiguous, dict(metadata or {})))


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays, on the CPU, and the metadata of a file that `save` or any safetensors library wrote.

    Raises CheckpointError, naming the file, if it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise CheckpointError(f"{path}: no such file; give the path of a .safetensors file")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            unsupported = [f"{name} is {a.dtype}" for name, a in arrays.items() if a.dtype.kind not in "biufc"]
            if unsupported:  # another package may have added such types to NumPy, but not to its functions
                raise TypeError(unsupported[0])
            return arrays, dict(file.metadata() or {})
    except TypeError as error:
        raise CheckpointError(
            f"{path}: a type of number that NumPy does not have ({error}); save it again in float32 or float16"
        ) from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a complete safetensors file ({error}); if it was downloaded or copied, fetch it again"
        ) from error
