"""ONNX models as the package onnx has them: from a path, bytes or an object, checked before anything is done with them.

Opening a file from a stranger runs no code: a model is data.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

OLDEST_OPSET = 7
"""Broadcasting, batch norm and dropout were defined in another way before."""

DOMAINS = ("", "ai.onnx")
"""The names of ONNX's own set of operators."""


def require_onnx() -> Any:
    """Return the package onnx. Raises ImportError with the remedy if it is not installed."""
    try:
        for part in ("shape_inference", "reference", "numpy_helper", "external_data_helper", "inliner"):
            import_module(f"onnx.{part}")
        return import_module("onnx")
    except ImportError as error:
        raise ImportError(
            f"ONNX files need the package onnx, which cannot be imported ({error}): "
            "in the project's folder, pip install -e '.[export]'"
        ) from error


def read_model(source: Any) -> tuple[Any, str]:
    """Return a ModelProto that is complete, its opset and weights included, and a name of it for messages.

    source: a path, the bytes of a file, or a ModelProto, which stays unchanged.

    Raises FileNotFoundError, TypeError for another kind of source, and ValueError for what is not a complete model, for
    an opset that is too old or too new, and for weights that are missing or NaN.
    """
    onnx = require_onnx()
    folder = None
    if isinstance(source, onnx.ModelProto):
        model, name = onnx.ModelProto(), f"the model {source.graph.name!r}"
        model.CopyFrom(source)
    elif isinstance(source, bytes | bytearray | memoryview):
        model, name = _parse(onnx, bytes(source), "these bytes"), "these bytes"
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "no such file"
            raise FileNotFoundError(f"{path}: {what}; give the path of an .onnx file")
        model, name, folder = _parse(onnx, path.read_bytes(), str(path)), str(path), path.parent
    else:
        raise TypeError(f"load got {source!r:.60}: expected a path, bytes or an onnx.ModelProto")
    _check_opset(onnx, model, name)
    _read_external_data(onnx, model, name, folder)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    _refuse_nan(model, name)
    return model, name


def opset_of(model: Any) -> int:
    """Return the version of ONNX's own operators that a model uses, 0 if it does not say."""
    return max((int(one.version) for one in model.opset_import if one.domain in DOMAINS), default=0)


def to_array(tensor: Any) -> np.ndarray:
    """Return a TensorProto as an array."""
    return np.asarray(require_onnx().numpy_helper.to_array(tensor))


def _parse(onnx: Any, content: bytes, name: str) -> Any:
    """Return a file's content as a ModelProto. Raises ValueError if it is not that of a whole ONNX file."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's own class, which has changed its place
        raise ValueError(
            f"{name}: not an ONNX file, or a truncated one ({len(content):,} bytes; {error}); "
            "if it was downloaded or copied, fetch it again"
        ) from error
    if not model.ir_version or not model.graph.node or not model.graph.output or not model.opset_import:
        missing = "no version" if not model.ir_version else "no network"
        raise ValueError(
            f"{name}: not a complete ONNX file ({len(content):,} bytes, {missing}); "
            "if it was downloaded or copied, fetch it again"
        )
    return model


def _check_opset(onnx: Any, model: Any, name: str) -> None:
    opset, newest = opset_of(model), onnx.defs.onnx_opset_version()
    if opset > newest:
        raise ValueError(
            f"{name}: opset {opset} is newer than {newest}, the newest that onnx {onnx.__version__} knows: "
            "upgrade the package onnx, or export the network with an older opset"
        )
    if opset < OLDEST_OPSET:
        raise ValueError(
            f"{name}: opset {opset} is too old, expected at least {OLDEST_OPSET}: convert the model first, with "
            "onnx.version_converter.convert_version(model, 13)"
        )


def _read_external_data(onnx: Any, model: Any, name: str, folder: Path | None) -> None:
    """Read the weights that are stored in other files. Raises ValueError, naming them all, if some are missing."""
    tensors = [*model.graph.initializer]
    tensors += [a.t for node in model.graph.node for a in node.attribute if a.type == onnx.AttributeProto.TENSOR]
    external = [one for one in tensors if onnx.external_data_helper.uses_external_data(one)]
    if not external:
        return
    files = {onnx.external_data_helper.ExternalDataInfo(one).location for one in external}
    listed = ", ".join(sorted(files))
    if folder is None:
        raise ValueError(f"{name}: its weights are in other files ({listed}): give the path of the .onnx file instead")
    if missing := sorted(file for file in files if not (folder / file).is_file()):
        raise ValueError(
            f"{name}: its weights are in {', '.join(missing)}, missing in {folder}: copy all files of the model there"
        )
    try:
        for tensor in external:
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
            to_array(tensor)
    except Exception as error:  # of the checker, NumPy or the file system
        raise ValueError(f"{name}: its weights in {listed} cannot be read ({error}); fetch the files again") from error


def _refuse_nan(model: Any, name: str) -> None:
    bad, unreadable = [], []
    for tensor in model.graph.initializer:
        try:
            array = to_array(tensor)
        except (TypeError, ValueError) as error:
            unreadable.append(f"{tensor.name} ({error})")
            continue
        if array.dtype.kind == "f" and array.size and np.isnan(array.min()):
            bad.append(f"{tensor.name} ({np.isnan(array).sum():,} of {array.size:,})")
    if unreadable:
        raise ValueError(f"{name}: weights cannot be read: {', '.join(unreadable)}; fetch the file again")
    if bad:
        raise ValueError(f"{name}: weights are NaN: {', '.join(bad)}; train or export the network again")
