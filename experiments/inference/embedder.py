"""Networks that turn aligned faces into embeddings: a run's, or a frozen backbone with weights from a file.

A frozen network has a folder like a run's: `network.json` says what it is, and thresholds are stored next to it. So
that folder can be given wherever a command takes a run.

Embeddings can be adapted to another kind of image by whitening with images of other people, without labels.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from experiments.data.images import fit_image, load_images
from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.files import Record
from experiments.inference.model import TrainedFaceNet, TrainedModel
from experiments.progress import track
from experiments.runtime import keep_freed_memory
from models.backbones import build_backbone, find_backbone

NETWORK_FILE = "network.json"
BATCH_SIZE = {"cpu": 16, "cuda": 256}
"""Images per forward pass: on a CPU few enough for the activations to stay in its cache."""


RIDGE = 0.5
"""Added to the variance of each direction, as a fraction of the mean variance, because few images estimate it badly."""


class FrozenNetwork(Record):
    """network.json: the backbone's name, the file of its weights, and a hash of them."""

    backbone: str
    weights: str
    fingerprint: str


@dataclass(frozen=True)
class Embedder:
    """A network that embeds.

    title: its name for people. folder: where its thresholds are stored. fingerprint: a hash of its weights. size:
    (height, width) of its images. vectors: function from images (N, H, W, 3) uint8, and whether to add the mirror
    image's embedding, to embeddings (N, D) float32 of length 1. source: for a frozen network, the backbone's name and
    the file of its weights. preparation: how the images that a run learned from were prepared, if recorded.
    """

    title: str
    folder: Path | None
    fingerprint: str
    size: tuple[int, int]
    vectors: Callable[[np.ndarray, bool], np.ndarray]
    source: tuple[str, str] | None = None
    preparation: Preparation | None = None

    def embed(self, images: np.ndarray, flip: bool = True, zooms: Sequence[float] = (1.0,)) -> np.ndarray:
        """Return embeddings (N, D) of length 1, of images (N, H, W, 3) uint8.

        flip: adds the mirror image's. zooms: adds those of the image's center, enlarged by each factor. Raises
        FacesError where they are zero or not finite.
        """
        views = (images if zoom == 1 else np.stack([zoom_center(image, zoom) for image in images]) for zoom in zooms)
        return normalize_embeddings(np.sum([self.vectors(view, flip) for view in views], axis=0))

    def embed_files(
        self, paths: Sequence[Path], flip: bool = True, zooms: Sequence[float] = (1.0,), chunk: int = 4096
    ) -> np.ndarray:
        """Return embeddings (N, D) of image files of aligned faces, with `chunk` images in memory at a time."""
        starts = range(0, len(paths), chunk)
        parts = (load_images(paths[start : start + chunk], self.size, "crop") for start in starts)
        return np.concatenate([self.embed(images, flip, zooms) for images in parts])


def open_embedder(folder: str | os.PathLike[str]) -> Embedder:
    """Open the network of a run, or of a folder made by `save_frozen_network`. Raises FacesError for anything else."""
    path = Path(folder)
    if (path / NETWORK_FILE).is_file():
        known = FrozenNetwork.read(path / NETWORK_FILE, f"make {path} again with `faces verify --backbone`")
        embedder = open_frozen_backbone(known.backbone, known.weights, path)
        if embedder.fingerprint != known.fingerprint:
            raise FacesError(
                f"{known.weights}: not the weights that {path} was made with: put those back, or make {path} again "
                "with `faces verify --backbone`"
            )
        return embedder
    if not path.exists() and path.name == str(folder) and _is_backbone(path.name):
        raise FacesError(
            f"{path}: the name of a network, expected a folder: first `faces verify --backbone {path} --weights FILE "
            "--pairs PAIRS --images DIR --out FOLDER`, which calibrates it, then give FOLDER"
        )
    trained = TrainedModel.open(path)
    if not isinstance(trained, TrainedFaceNet):
        raise FacesError(f"{path}: a network of mytorch, which has no embeddings: give a run of a PyTorch backbone")
    preparation = trained.run.preparation()
    return Embedder(path.name, path, hash_weights(trained.network), trained.size, trained.embed, None, preparation)


def _is_backbone(name: str) -> bool:
    try:
        find_backbone(name)
    except ValueError:
        return False
    return True


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


def hash_weights(network: nn.Module) -> str:
    """Return a hash of a network's weights, by name, shape and value: the same in whatever file they are stored."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(network.state_dict().items()):
        if not name.endswith("num_batches_tracked"):
            array = tensor.detach().cpu().float().contiguous().numpy()
            digest.update(f"{name} {array.shape}".encode())
            digest.update(array.data)
    return digest.hexdigest()


def zoom_center(image: np.ndarray, zoom: float) -> np.ndarray:
    """Return the center of an image (H, W, 3) uint8, enlarged by `zoom`, at least 1, to the image's size."""
    if zoom == 1:
        return image
    height, width = image.shape[:2]
    inner_h, inner_w = round(height / zoom), round(width / zoom)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    return fit_image(image[top : top + inner_h, left : left + inner_w], (height, width), "stretch")


def normalize_embeddings(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (N, D) scaled to length 1, float32. Raises FacesError where one is zero or not finite."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise FacesError(
            "an embedding is zero or not finite: the network's weights are damaged, or its training diverged: get the "
            "weights again, or train again"
        )
    return (vectors / lengths).astype(np.float32)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True, eq=False)
class Whitening:
    """Centers embeddings and divides each direction by its spread over a cohort of other people.

    A network trained on one collection spreads the faces of another unevenly: some directions reflect the collection
    (its light, its crops) and outweigh those that reflect the person. Dividing by the spread evens them. Jegou and Chum
    2012, "Negative evidences and co-occurrences in image retrieval", section 3. No pair and no label is used.

    mean: (D,). matrix: (D, D), by which centered embeddings are multiplied from the right.
    """

    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def fit(cls, cohort: np.ndarray, ridge: float = RIDGE) -> "Whitening":
        """Fit to a cohort's embeddings (C, D) of length 1. Raises FacesError for a cohort no larger than D."""
        count, length = cohort.shape
        if count <= length:
            raise FacesError(
                f"a cohort of {count} images is too small for embeddings of length {length}: give more than "
                f"{length}, better several times as many"
            )
        wide = cohort.astype(np.float64)
        variances, directions = np.linalg.eigh(np.cov(wide.T))
        if not variances[-1] > 1e-9:
            raise FacesError("the cohort's images are all alike: give images of many people")
        return cls(wide.mean(0), directions / np.sqrt(variances + ridge * variances.mean()))

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Return embeddings (N, D) centered, whitened, and scaled to length 1 again."""
        return normalize_embeddings((embeddings.astype(np.float64) - self.mean) @ self.matrix)
