"""Read weights from a file without running code in it, and load them into a network without guessing."""

import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

STATE_DICT_KEYS = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts store the weights in a checkpoint, in the order of the search."""

WRAPPER_PREFIXES = ("module.", "_orig_mod.")
"""Prefixes that DataParallel and torch.compile add to every name."""

MAX_LISTED_NAMES = 6
"""Names of each kind that an error lists."""


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU: safetensors, or a state dict written by torch.save.

    The content decides which of the two it is, not the name. A state dict may be stored under "state_dict", "model" or
    the like. Pickles are read with `weights_only`, so nothing in them is called. Raises ValueError for a file that is
    missing or damaged, holds anything but tensors by name, or would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such weights file: expected safetensors or a PyTorch state dict")
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except SafetensorError as error:
            raise ValueError(f"{path}: damaged safetensors ({error}): fetch the file again") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on unusual files are replaced by the errors below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: {_why_refused(error)}") from error
    except Exception as error:  # a damaged file can raise anything from inside the unpickler
        raise ValueError(
            f"{path}: neither safetensors nor a whole PyTorch state dict ({_first_words(error)}): fetch the file again"
        ) from error
    return _tensors(content, path)


def _first_words(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__


def _why_refused(error: pickle.UnpicklingError) -> str:
    called = re.search(r"GLOBAL ([\w.]+)", str(error))
    what = f"this pickle calls {called[1]}" if called else "not a pickle of tensors, or a damaged one"
    return (
        f"refused: {what}, and weights hold tensors only; nothing in it was run. Fetch the file again, ask its author "
        "for safetensors, or convert it yourself where you trust it"
    )


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    """Return the weights in the content of a file, without the prefixes of wrappers."""
    for key in STATE_DICT_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{path}: holds {type(content).__name__}, expected tensors by name: save module.state_dict()")
    strange = [name for name, value in content.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if strange:
        raise ValueError(f"{path}: {strange[0]!r} is not a tensor: save module.state_dict() only")
    state = dict(content)
    for prefix in WRAPPER_PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def refuse_unusable(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Raise ValueError for weights that no training leaves: not floating point, not finite, or all zero.

    own: the tensors of the network that the weights are for; names that it does not have are not looked at.
    """
    for name, tensor in state.items():
        if name not in own or not own[name].is_floating_point():
            continue
        if not tensor.is_floating_point():
            raise ValueError(f"{name} is {str(tensor.dtype).removeprefix('torch.')}, expected floating point")
        if not tensor.isfinite().all():
            raise ValueError(f"{name} holds {int((~tensor.isfinite()).sum()):,} values that are not finite")
    matrices = [tensor for name, tensor in state.items() if name in own and tensor.ndim > 1 and tensor.numel()]
    if matrices and not any(tensor.any() for tensor in matrices):
        raise ValueError("all weights are zero")


def load_weights(
    module: nn.Module, state: Mapping[str, Tensor], name: str = "the network", classifier: Iterable[str] = ()
) -> list[str]:
    """Copy all weights into a module; return what was left out on purpose, one sentence each.

    classifier: names, or prefixes of names, of the classifier of an earlier task; it is left out where the module has
    none or one of another size. The weights of a whole `FaceNet` are accepted, without its neck and head. Batch norm's
    `num_batches_tracked` may be missing, as in older files. Raises ValueError, and changes nothing, where anything else
    is missing, unexpected or of another shape, and for weights that no training leaves.
    """
    own, notes = module.state_dict(), []
    state = dict(state)
    if any(key.startswith("backbone.") for key in state) and not any(key.startswith("backbone.") for key in own):
        notes.append("left out the neck and the head of a whole face network: only its backbone is used")
        state = {key.removeprefix("backbone."): t for key, t in state.items() if key.startswith("backbone.")}
    beginnings = tuple(classifier)
    old = [
        key
        for key in state
        if beginnings and key.startswith(beginnings) and (key not in own or own[key].shape != state[key].shape)
    ]
    if old:
        classes = next((f" of {len(state[key])} classes" for key in old if state[key].ndim), "")
        notes.append(f"left out the classifier{classes} that the weights were trained with: {', '.join(sorted(old))}")
    state = {key: value for key, value in state.items() if key not in old}
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and own[key].shape != state[key].shape and key not in beginnings
    ]
    wrong = [
        f"{len(names)} {kind} ({', '.join(names[:MAX_LISTED_NAMES])}{', ...' if len(names) > MAX_LISTED_NAMES else ''})"
        for kind, names in {"missing": missing, "unexpected": unexpected, "of another shape": shapes}.items()
        if names
    ]
    if wrong:
        fit = sum(key in state and own[key].shape == state[key].shape for key in own)
        raise ValueError(
            f"these are not the weights of {name}: {'; '.join(wrong)}; of its {len(own)} tensors, "
            f"{fit} fit: name the network that the file was made for"
        )
    try:
        refuse_unusable(own, state)
    except ValueError as error:
        raise ValueError(f"these weights of {name} are damaged: {error}; fetch or train them again") from error
    module.load_state_dict(state, strict=False)
    return notes
