"""Class means of embeddings: a classifier without training, or a start for one with."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces
from experiments.data.loader import EpochLoader, ShardedBatches, normalize_tensor
from experiments.progress import track
from models.face_net import FaceNet
from models.prototypes import Prototypes


@torch.inference_mode()
def embed_images(network: FaceNet, faces: Faces, recipe: Recipe, workers: int) -> tuple[Tensor, Tensor]:
    """Embeddings (N, D) of pictures, each with its mirror image's, and labels (N,), on the network's device.

    Pictures that cannot be read are left out where the recipe skips them; else FacesError names the first.
    """
    device, found, labels = next(network.parameters()).device, [], []
    loader = EpochLoader(ShardedBatches(faces, recipe, training=False), workers)
    network.eval()
    with track("embedding", len(faces), "images") as advance:
        for share in loader.epoch(0):
            pixels = normalize_tensor(share.images, recipe.data, device, recipe.training.channels_last)
            both = F.normalize(network.embed(pixels) + network.embed(pixels.flip(3)))
            good = share.weights > 0
            found.append(both[good.to(device)])
            labels.append(share.labels[good].to(device))
            advance(sum(map(len, labels)), len(faces))
    return torch.cat(found), torch.cat(labels)


def fit_prototypes(
    vectors: Tensor, labels: Tensor, classes: int, trim: float = 0.0, nearest: float = 0.0
) -> Prototypes:
    """The class means (C, D) of embeddings (N, D), less the share `trim` of a class that lies farthest from its mean.

    A mislabelled picture is far from its class's mean and pulls it away: the second mean does without. nearest: the
    share of the cosine with the nearest embedding, for which those that are left are kept.
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


def init_head_from_prototypes(network: FaceNet, faces: Faces, recipe: Recipe, workers: int) -> None:
    """Give a head that begins with prototypes, or consists of them, the class means of the training pictures."""
    head, settings = network.head, recipe.torch_model.head
    vectors, labels = embed_images(network, faces, recipe, workers)
    means = fit_prototypes(
        vectors, labels, len(faces.names), getattr(settings, "trim", 0.0), getattr(settings, "nearest", 0.0)
    )
    if isinstance(head, Prototypes):
        head.load_state_dict(means.state_dict())
    elif isinstance(weight := getattr(head, "weight", None), nn.Parameter):
        with torch.no_grad():
            weight.copy_(means.means)


def starts_from_prototypes(recipe: Recipe) -> bool:
    """Whether a recipe's head begins with class means."""
    head = recipe.torch_model.head
    return head.name == "prototypes" or getattr(head, "start", "random") == "prototypes"
