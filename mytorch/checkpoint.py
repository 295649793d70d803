"""Arrays to a safetensors file and back: no pickle, so that opening a stranger's file runs nothing."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mytorch.device import Array, to_device
from mytorch.files import replacing


class CheckpointError(ValueError):
    """A weight file that is missing, truncated, or no weight file."""


def save(arrays: Mapping[str, Array], path: str | os.PathLike[str], notes: Mapping[str, str] | None = None) -> None:
    """Write `arrays`, of the CPU or the GPU, with `notes` beside them: whole or not at all."""
    from safetensors.numpy import save as encode

    contiguous = {name: np.asarray(to_device(array, "cpu"), order="C") for name, array in arrays.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(encode(contiguous, dict(notes or {})))


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays, on the CPU, and notes of a file that `save` or any safetensors library wrote.

    Raises CheckpointError naming the file where it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise CheckpointError(f"{path}: no such file; give the path of a .safetensors file")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            strange = [f"{name} is {a.dtype}" for name, a in arrays.items() if a.dtype.kind not in "biufc"]
            if strange:  # another package may have taught NumPy such types, but not its functions
                raise TypeError(strange[0])
            return arrays, dict(file.metadata() or {})
    except TypeError as error:
        raise CheckpointError(
            f"{path}: a type of number that NumPy does not have ({error}); save it anew in float32 or float16"
        ) from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a whole safetensors file ({error}); if it was downloaded or copied, fetch it again"
        ) from error
