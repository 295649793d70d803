"""Networks of ONNX files that embed aligned faces, computed by onnxruntime where it is installed, else by mytorch."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.preparation import AlignSettings, Preparation
from experiments.errors import FacesError
from experiments.files import file_digest
from experiments.inference.embedder import Embedder, normalize_embeddings
from experiments.progress import track
from experiments.weights import find_weights, known_weights, weights_folder

Compute = Callable[[np.ndarray], np.ndarray]

BATCH_SIZE = 16
"""Images per forward pass: few enough for the activations to stay in a processor's cache."""

PREPARED: dict[str, Preparation] = {"sface": AlignSettings(size=112, detector="yunet").preparation}
"""The known networks that embed, and how commands prepare images for them."""


def open_known_network(name: str) -> Embedder:
    """Open a known network, such as "sface". Raises FacesError where its weights are missing or damaged.

    It takes RGB values from 0 to 255, and normalizes them itself. Thresholds of one's own are stored with the weights.
    """
    if name not in PREPARED:
        raise FacesError(
            f"{name} {known_weights(name).task}, it embeds no faces: expected one of {', '.join(PREPARED)}"
        )
    preparation = PREPARED[name]
    assert preparation.size is not None
    compute = _open_graph(find_weights(name))
    size, folder = (preparation.size, preparation.size), weights_folder() / name
    vectors = _vectors(lambda images: compute(np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)))
    return Embedder(name, folder, known_weights(name).sha256, size, vectors, None, preparation)


def open_onnx_file(path: Path) -> Embedder:
    """Open an embedding that `faces export --what embedding` wrote. Raises FacesError for any other file.

    Thresholds are stored in a folder of its name next to it.
    """
    if not path.is_file():
        raise FacesError(f"{path}: no such file: expected an ONNX file that `faces export` wrote")
    about = _read_metadata(path)
    if about.get("what") != "embedding" or "size" not in about:
        raise FacesError(
            f"{path}: not an embedding that `faces export RUN --what embedding` wrote, so how it takes its images is "
            "unknown: export the network again"
        )
    height, width = json.loads(about["size"])
    preparation = Preparation.model_validate_json(about["preparation"]) if "preparation" in about else None
    vectors = _vectors(_open_graph(path))
    return Embedder(path.stem, path.with_suffix(""), file_digest(path), (height, width), vectors, None, preparation)


def _vectors(compute: Compute) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Return `Embedder.vectors` of a function from images (N, H, W, 3) uint8 to outputs (N, D) of any length."""

    def vectors(images: np.ndarray, flip: bool) -> np.ndarray:
        parts = []
        with track("embedding", len(images), "images") as advance:
            for start in range(0, len(images), BATCH_SIZE):
                some = images[start : start + BATCH_SIZE]
                embedded = normalize_embeddings(compute(some))
                if flip:
                    mirrored = normalize_embeddings(compute(np.ascontiguousarray(some[:, :, ::-1])))
                    embedded = normalize_embeddings(embedded + mirrored)
                parts.append(embedded)
                advance(start + len(some), len(images))
        return np.concatenate(parts)

    return vectors


def _read_metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in _read_model(path).metadata_props}


def _read_model(path: Path) -> Any:
    import onnx

    try:
        return onnx.load(path)
    except Exception as error:  # of protobuf and of onnx, whose classes differ between versions
        raise FacesError(f"{path}: a damaged file, or no ONNX file ({error}): export or fetch it again") from error


def _open_graph(path: Path) -> Compute:
    """Return the function that a graph of one input and one output computes, for any number of images."""
    model = _read_model(path)
    stored = {tensor.name for tensor in model.graph.initializer}
    used = {name for node in model.graph.node for name in node.input}  # the zoo's files list weights as inputs, too
    inputs = [one for one in model.graph.input if one.name in used - stored]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise FacesError(
            f"{path}: {len(inputs)} inputs and {len(model.graph.output)} outputs, expected one of each: images in, "
            "embeddings out"
        )
    if find_spec("onnxruntime") is None:
        return _mytorch_graph(model, path)
    del model.graph.input[:]  # onnxruntime warns of inputs that are weights
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    return _onnxruntime_graph(model, path)


def _onnxruntime_graph(model: Any, path: Path) -> Compute:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes, which differ between its versions
        raise FacesError(f"{path}: onnxruntime cannot compute it ({str(error).splitlines()[0]})") from error
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


def _mytorch_graph(model: Any, path: Path) -> Compute:
    from mytorch import no_grad
    from mytorch.onnx import load

    try:
        graph = load(model).eval()
    except ValueError as error:
        raise FacesError(f"{path}: {error}") from error

    def compute(images: np.ndarray) -> np.ndarray:
        with no_grad():
            return np.asarray(graph(images.astype(np.float32, copy=False)))  # bytes are not a type of mytorch

    return compute
