"""Face networks of mytorch, with the parts and the names of weights that `models.face_net` gives those of PyTorch."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from models.mytorch_heads import PrototypesHead
from mytorch import nn, no_grad
from mytorch.ops.margin import normalize

CLASSIFIER_LAYERS = 2
"""Dropout and a linear layer: the last layers of a network from random weights, whose input is its embedding."""


class MytorchFaceNet(nn.Module):
    """Images to embeddings and to logits: a backbone, a neck and a head, as `models.face_net.FaceNet`.

    backbone: (N, 3, H, W) to features (N, F). neck: features to embeddings (N, D). head: embeddings and labels or None
    to logits (N, classes), as `models.mytorch_heads` builds it. frozen: the names of modules that stay in evaluation
    mode. skips_backbone: no gradient of the backbone is computed, because all of it is frozen.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, neck: nn.Module | None = None):
        self.backbone = backbone
        self.neck = nn.Identity() if neck is None else neck
        self.head = head
        self.frozen: frozenset[str] = frozenset()
        self.skips_backbone = False
        skip_pixel_gradient(backbone)

    def features(self, x: np.ndarray) -> np.ndarray:
        """Return embeddings (N, D), not normalized: the input of the head."""
        if self.skips_backbone:
            with no_grad():
                found = self.backbone(x)
        else:
            found = self.backbone(x)
        return self.neck(found)

    def classify(self, features: np.ndarray) -> np.ndarray:
        """Return logits (N, classes) of what `features` returned, without margins. Call `eval()` first."""
        return self.head(features)

    def train_logits(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return logits (N, classes). labels (N,): for the margin of margin heads."""
        return self.head(self.features(x), labels)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return logits (N, classes), without margins."""
        return self.head(self.features(x))

    def backward(self, grad: np.ndarray) -> Any:
        """Accumulate the gradients of the weights; that at the pixels is never used."""
        grad = self.neck.backward(self.head.backward(grad))
        return None if self.skips_backbone else self.backbone.backward(grad)

    def freeze(self, modules: Iterable[str], parameters: Iterable[str]) -> None:
        """Keep these modules in evaluation mode. parameters: the names of all that are not trained.

        They still get gradients; only if they include the whole backbone, its backward is left out.
        """
        self.frozen, still = frozenset(modules), set(parameters)
        names = [name for name, _ in self.named_parameters() if name.startswith("backbone.")]
        self.skips_backbone = still.issuperset(names)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training mode for all but the frozen modules, which stay in evaluation mode."""
        super().train(mode)
        for name, module in self.named_modules():
            if name in self.frozen:
                module.training = False
        return self

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Copy values from a state dict; the embeddings of a head of class means take the size of theirs."""
        members = state_dict.get("head.members")
        if isinstance(self.head, PrototypesHead) and self.head.nearest and members is not None:
            self.head.members = np.zeros(members.shape, self.head.means.dtype)
        super().load_state_dict(state_dict)


class ScratchClassifier(nn.Sequential):
    """A network from random weights, one layer after another; the input of its classifier is the embedding."""

    def __init__(self, *layers: nn.Module):
        super().__init__(*layers)
        skip_pixel_gradient(self)

    def features(self, x: np.ndarray) -> np.ndarray:
        """Return embeddings (N, D), not normalized: the input of the classifier. Call `eval()` first."""
        return self[:-CLASSIFIER_LAYERS](x)

    def classify(self, features: np.ndarray) -> np.ndarray:
        """Return logits (N, classes) of what `features` returned. Call `eval()` first."""
        return self[-CLASSIFIER_LAYERS:](features)

    def train_logits(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return logits (N, classes); labels are ignored."""
        return self(x)


Network = MytorchFaceNet | ScratchClassifier


def embed(network: Network, x: np.ndarray) -> np.ndarray:
    """Return embeddings (N, D) of length one, whose products are cosines. Call `eval()` first."""
    return normalize(network.features(x))[0]


def skip_pixel_gradient(network: nn.Module) -> None:
    """Tell the layers that see the pixels not to compute the gradient at them, which is never used."""
    if isinstance(network, nn.Sequential) and len(network):
        skip_pixel_gradient(network[0])
    elif isinstance(network, nn.Graph):
        for node in network.nodes:
            if all(value.name in network.inputs for value in node.inputs):
                skip_pixel_gradient(network[node.layer])
    elif isinstance(network, nn.Conv2d):
        network.needs_input_grad = False
