"""Class means of embeddings: a classifier without training, or a start for one with it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces
from experiments.data.loader import EpochLoader, ShardedBatches, normalize_tensor
from experiments.errors import FacesError
from experiments.progress import track
from models.face_net import FaceNet
from models.prototypes import Prototypes


def starts_from_prototypes(recipe: Recipe) -> bool:
    """Return whether a recipe's head consists of class means, or starts with them."""
    head = recipe.torch_model.head
    return head.name == "prototypes" or getattr(head, "start", "random") == "prototypes"


def init_head_from_prototypes(network: FaceNet, faces: Faces, recipe: Recipe, workers: int) -> None:
    """Give the network's head the class means of the training images.

    Raises FacesError where the embeddings are not finite or a person has no readable image.
    """
    head, settings = network.head, recipe.torch_model.head
    vectors, labels = embed_images(network, faces, recipe, workers)
    trim, nearest = getattr(settings, "trim", 0.0), getattr(settings, "nearest", 0.0)
    try:
        means = fit_prototypes(vectors, labels, len(faces.names), trim, nearest)
    except ValueError as error:
        raise FacesError(f"class means of the training images: {error}") from error
    if isinstance(head, Prototypes):
        head.load_state_dict(means.state_dict())
    elif isinstance(weight := getattr(head, "weight", None), nn.Parameter):
        with torch.no_grad():
            weight.copy_(means.means)


@torch.inference_mode()
def embed_images(network: FaceNet, faces: Faces, recipe: Recipe, workers: int) -> tuple[Tensor, Tensor]:
    """Return embeddings (N, D) of images, each added to its mirror image's, and labels (N,), on the network's device.

    Images that cannot be read are left out where the recipe skips them; otherwise FacesError names the first. Raises
    FacesError for embeddings that are not finite.
    """
    device, found, labels = next(network.parameters()).device, [], []
    loader = EpochLoader(ShardedBatches(faces, recipe, training=False), workers)
    network.eval()
    with track("embedding", len(faces), "images") as advance:
        for shard in loader.epoch(0):
            pixels = normalize_tensor(shard.images, recipe.data, device, recipe.training.channels_last)
            both = F.normalize(network.embed(pixels) + network.embed(pixels.flip(3)))
            good = shard.weights > 0
            found.append(both[good.to(device)])
            labels.append(shard.labels[good].to(device))
            advance(sum(map(len, labels)), len(faces))
    vectors = torch.cat(found)
    if not vectors.isfinite().all():
        raise FacesError(
            f"the embeddings of {recipe.model.name} are not finite: its weights are damaged; expected others by "
            "--weights, or --set model.head.start=random"
        )
    return vectors, torch.cat(labels)


def fit_prototypes(
    vectors: Tensor, labels: Tensor, classes: int, trim: float = 0.0, nearest: float = 0.0
) -> Prototypes:
    """Return class means (C, D) of embeddings (N, D), without the fraction `trim` of a class farthest from its mean.

    A mislabeled image is far from its class's mean and moves it; the second mean is computed without. nearest: weight
    of the cosine with the nearest embedding, for which the remaining ones are stored.
    """
    means = Prototypes(vectors.shape[1], classes, nearest=nearest).to(vectors.device).fit(vectors, labels)
    if trim:
        near = (vectors * means.means[labels]).sum(1)
        keep = torch.ones(len(labels), dtype=torch.bool, device=labels.device)
        for label in range(classes):
            rows = (labels == label).nonzero()[:, 0]
            keep[rows[near[rows].argsort()[: int(trim * len(rows))]]] = False
        means.fit(vectors[keep], labels[keep])
    return means
