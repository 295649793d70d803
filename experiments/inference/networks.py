"""Open whatever a command calls a network: a run, a known network's name, an ONNX file, a frozen backbone's folder."""

import os
from pathlib import Path

from experiments.errors import FacesError, nearest_name
from experiments.inference.embedder import Embedder
from experiments.weights import KNOWN

DEFAULT = "sface"
"""The network of commands that are given none."""


def open_embedder(network: str | os.PathLike[str]) -> Embedder:
    """Open a network by its name, such as "sface", by its ONNX file, or by the folder of a run or frozen network.

    PyTorch is imported only for the folders. Raises FacesError for anything else, and for networks without embeddings.
    """
    path = Path(network)
    if str(network) in KNOWN and not path.exists():
        from experiments.inference.onnx_network import open_known_network

        return open_known_network(str(network))
    if path.suffix.lower() == ".onnx":
        from experiments.inference.onnx_network import open_onnx_file

        return open_onnx_file(path)
    if (path / "network.json").is_file():
        from experiments.inference.frozen_backbone import read_frozen_network

        return read_frozen_network(path)
    return _open_run(network)


def _open_run(folder: str | os.PathLike[str]) -> Embedder:
    from experiments.inference.frozen_backbone import hash_weights
    from experiments.inference.model import TrainedModel

    path = Path(folder)
    if not path.exists() and path.name == str(folder) and _is_backbone(path.name):
        raise FacesError(
            f"{path}: the name of a backbone without weights, expected a folder: first `faces verify --backbone {path} "
            "--weights FILE --pairs PAIRS --images DIR --out FOLDER`, which calibrates it, then give FOLDER"
        )
    if not path.exists():
        found = nearest_name(str(folder), KNOWN)
        near = f"did you mean {found}? " if found else ""
        raise FacesError(
            f"{path}: no such folder, and no known network: {near}give a run's folder, an ONNX file, or a name that "
            "`faces networks` lists"
        )
    trained = TrainedModel.open(path)
    preparation = trained.run.preparation()
    return Embedder(path.name, path, hash_weights(trained.network), trained.size, trained.embed, None, preparation)


def _is_backbone(name: str) -> bool:
    from models.backbones import find_backbone

    try:
        find_backbone(name)
    except ValueError:
        return False
    return True
