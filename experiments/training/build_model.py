"""Transfer networks as recipes have them: a backbone with its weights, a neck, a head."""

from typing import Any

from torch import nn

from experiments.allocator import keep_freed_memory
from experiments.config.pretrained_run import origin
from experiments.config.recipe import Transfer
from experiments.errors import FacesError
from experiments.progress import say
from experiments.training.continuation import take_over
from models.backbones import build, find
from models.drop_block import insert_drop_block
from models.face_net import FaceNet, embedding_neck, parts
from models.grid import keep_places
from models.half_precision import keep_strided_depthwise
from models.heads import build_head
from models.surgery import keep_last_resolution

DROP_BLOCK_PARTS = 2
"""How many of the backbone's last stages DropBlock is for, as in its paper (arXiv 1810.12890, section 4)."""


def build_face_net(model: Transfer, classes: int, pretrained: bool = True) -> FaceNet:
    """The network that a recipe describes; without `pretrained`, its weights are drawn, to be read from a run.

    Raises FacesError for weights that cannot be had or are another network's, and settings that do not fit.
    """
    keep_freed_memory()
    try:
        start = origin(model.weights) if pretrained else None
        backbone = build(model.backbone, model.weights if pretrained and not start else "none", say)
        features = find(model.backbone).features
        if model.grid:
            keep_places(backbone, model.grid)
            features *= model.grid**2
        neck = embedding_neck(features, model.embedding, model.dropout) if model.embedding else _dropout(model)
        settings = _head_settings(model)
        head = build_head(settings.pop("kind"), model.embedding or features, classes, **settings)
        network = FaceNet(backbone, head, neck)
        for note in take_over(network, model, start) if start else ():
            say(note)
        if model.dense:
            keep_last_resolution(network)
        keep_strided_depthwise(network)
        if model.drop_block:
            insert_drop_block(network, _stages(network), model.drop_block)
    except ValueError as error:
        raise FacesError(str(error)) from error
    return network


def _dropout(model: Transfer) -> nn.Module | None:
    """The dropout before a head that has none of its own."""
    return nn.Dropout(model.dropout) if model.dropout and model.head.name not in ("linear", "dense") else None


def _head_settings(model: Transfer) -> dict[str, Any]:
    """A head's settings by the names of models/heads.py, of which `kind` is the head's."""
    settings = model.head.model_dump(exclude={"name", "start", "trim", "each"})
    if model.head.name == "subcenter":
        return {"kind": "subcentre_arcface", "centres": settings.pop("centers"), **settings}
    if model.head.name == "dense" or (model.head.name == "linear" and not model.embedding):
        settings["dropout"] = model.dropout
    return {"kind": model.head.name, **settings}


def _stages(network: FaceNet) -> list[str]:
    """The backbone's last stages, whose outputs are feature maps."""
    return [name for name in parts(network) if name.startswith(("stage", "layer"))][-DROP_BLOCK_PARTS:]
