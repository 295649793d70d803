"""Pretrained backbones with weights from a file, unchanged, as networks that embed.

A frozen network has a folder like a run's: `network.json` says what it is, and thresholds are stored next to it. So
that folder can be given wherever a command takes a run.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import mytorch.nn
from experiments.errors import FacesError
from experiments.files import Record
from experiments.inference.embedder import Embedder
from experiments.progress import track
from experiments.runtime import keep_freed_memory
from models.backbones import build_backbone, find_backbone

NETWORK_FILE = "network.json"
BATCH_SIZE = {"cpu": 16, "cuda": 256}
"""Images per forward pass: on a CPU few enough for the activations to stay in its cache."""


class FrozenNetwork(Record):
    """network.json: the backbone's name, the file of its weights, and a hash of them."""

    backbone: str
    weights: str
    fingerprint: str


def open_frozen_backbone(backbone: str, weights: str | os.PathLike[str], folder: Path | None = None) -> Embedder:
    """Open a backbone with its weights, unchanged. Raises FacesError where they are missing or another network's."""
    keep_freed_memory()
    try:
        known = find_backbone(backbone, str(weights))
        network = build_backbone(known.name, str(weights)).to(_device()).to(memory_format=torch.channels_last).eval()
    except ValueError as error:
        raise FacesError(str(error)) from error
    batch = BATCH_SIZE[_device().type]
    mean, std = (torch.tensor(values, device=_device()).view(1, 3, 1, 1) for values in (known.mean, known.std))

    @torch.inference_mode()
    def vectors(images: np.ndarray, flip: bool) -> np.ndarray:
        parts = []
        with track("embedding", len(images), "images") as advance:
            for start in range(0, len(images), batch):
                pixels = torch.from_numpy(np.ascontiguousarray(images[start : start + batch])).to(_device())
                x = (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std
                embedded = F.normalize(network(x).float())
                if flip:
                    embedded = F.normalize(embedded + F.normalize(network(x.flip(3)).float()))
                parts.append(embedded.cpu().numpy())
                advance(start + len(pixels), len(images))
        return np.concatenate(parts)

    source, size = (known.name, str(Path(weights).resolve())), (known.size, known.size)
    return Embedder(f"{known.name}, frozen", folder, hash_weights(network), size, vectors, source)


def save_frozen_network(embedder: Embedder) -> None:
    """Write network.json into a frozen network's folder, so that `open_embedder` opens it; does nothing for a run."""
    if embedder.source and embedder.folder:
        backbone, weights = embedder.source
        known = FrozenNetwork(backbone=backbone, weights=weights, fingerprint=embedder.fingerprint)
        known.write(embedder.folder / NETWORK_FILE)


def hash_weights(network: nn.Module | mytorch.nn.Module) -> str:
    """Return a hash of a network's weights, by name, shape and value: the same in whatever file they are stored."""
    digest = hashlib.blake2b(digest_size=16)
    for name, values in sorted(network.state_dict().items()):
        if not name.endswith("num_batches_tracked"):
            array = torch.as_tensor(values).detach().cpu().float().contiguous().numpy()
            digest.update(f"{name} {array.shape}".encode())
            digest.update(array.data)
    return digest.hexdigest()


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def read_frozen_network(folder: Path) -> Embedder:
    """Open the folder that `save_frozen_network` made. Raises FacesError where the weights have changed since."""
    known = FrozenNetwork.read(folder / NETWORK_FILE, f"make {folder} again with `faces verify --backbone`")
    embedder = open_frozen_backbone(known.backbone, known.weights, folder)
    if embedder.fingerprint != known.fingerprint:
        raise FacesError(
            f"{known.weights}: not the weights that {folder} was made with: put those back, or make {folder} again "
            "with `faces verify --backbone`"
        )
    return embedder
