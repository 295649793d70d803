"""Transfer networks as recipes have them: a backbone with its weights, a neck, a head.

A network that starts with what a run has learned: its backbone and its embedding, under a head of its own.
"""

from typing import Any

from torch import Tensor, nn

from experiments.config.pretrained_run import PretrainedRun, find_pretrained_run
from experiments.config.recipe import Recipe, TransferModel
from experiments.errors import FacesError
from experiments.progress import say
from experiments.runtime import keep_freed_memory
from models.backbones import build_backbone, find_backbone
from models.face_net import FaceNet, embedding_neck, named_parts
from models.heads import build_head
from models.surgery import insert_drop_block, keep_depthwise_float32, pool_to_grid, remove_last_stride
from models.weights import load_weights, read_weights


def load_pretrained_run(network: FaceNet, model: TransferModel, start: PretrainedRun) -> list[str]:
    """Load a run's backbone, and its embedding's layer where it is as long; returns what was taken and left, in words.

    Raises ValueError where the file is not that run's network.
    """
    state = read_weights(start.file)
    then = start.recipe["model"]
    load_weights(network.backbone, {key: t for key, t in state.items() if key.startswith("backbone.")}, model.backbone)
    taken = "its backbone"
    notes = []
    if model.embedding:
        if _take_neck(network, {key: tensor for key, tensor in state.items() if key.startswith("neck.")}):
            taken += f" and its embedding of {model.embedding}"
        else:
            notes.append(f"the embedding of {model.embedding} starts anew, as {_of_another_kind(then, model)}")
    elif then.get("embedding"):
        notes.append(f"its embedding of {then['embedding']} is left out, as this recipe has none")
    if bool(then.get("dense")) != model.dense:
        notes.append(f"it learned with model.dense={str(not model.dense).lower()}, so its maps were of another size")
    head = then.get("head", {}).get("name", "linear")
    means = "prototypes" in (model.head.name, getattr(model.head, "start", ""))
    begins = "class means" if means else "weights drawn by lot"
    notes.append(f"its {head} head of {start.people:,} people is left out: the {model.head.name} head has {begins}")
    return [f"{start.file}: starts with {taken}", *notes]


def warn_of_other_split(recipe: Recipe) -> str | None:
    """What is to be known of figures of a recipe that starts from a run with another split; none where all is well."""
    start = find_pretrained_run(recipe.torch_model.weights)
    if start is None or start.recipe["split"] == recipe.split.model_dump(mode="json"):
        return None
    then = start.recipe["split"]
    return (
        f"note: {start.folder} has split.train={then['train']} and split.seed={then['seed']}: of the same people, "
        "pictures that validate here may have trained there, and the figures would flatter; set them alike"
    )


def _of_another_kind(then: dict[str, Any], model: TransferModel) -> str:
    """Why a run's embedding does not serve, in words. then: the settings of its network."""
    if not then.get("embedding"):
        return "it has none"
    if then["embedding"] == model.embedding:
        return f"its own stands on model.grid={then.get('grid') or 'none'}"
    return f"its own of {then['embedding']} is left out"


def _take_neck(network: FaceNet, theirs: dict[str, Tensor]) -> bool:
    """Load a neck's tensors if they are as many and as large. Dropout before them moves their names by one place."""
    own = network.neck.state_dict()
    pairs = list(zip(sorted(own), sorted(theirs), strict=False))
    if len(own) != len(theirs) or any(own[name].shape != theirs[other].shape for name, other in pairs):
        return False
    network.neck.load_state_dict({name: theirs[other] for name, other in pairs})
    return True


NUM_DROP_BLOCK_STAGES = 2
"""How many of the backbone's last stages DropBlock is for, as in its paper (arXiv 1810.12890, section 4)."""


def build_face_net(model: TransferModel, classes: int, pretrained: bool = True) -> FaceNet:
    """The network that a recipe describes; without `pretrained`, its weights are drawn, to be read from a run.

    Raises FacesError for weights that cannot be had or are another network's, and settings that do not fit.
    """
    keep_freed_memory()
    try:
        start = find_pretrained_run(model.weights) if pretrained else None
        backbone = build_backbone(model.backbone, model.weights if pretrained and not start else "none", say)
        features = find_backbone(model.backbone).features
        if model.grid:
            pool_to_grid(backbone, model.grid)
            features *= model.grid**2
        neck = embedding_neck(features, model.embedding, model.dropout) if model.embedding else _dropout(model)
        settings = _head_settings(model)
        head = build_head(settings.pop("kind"), model.embedding or features, classes, **settings)
        network = FaceNet(backbone, head, neck)
        for note in load_pretrained_run(network, model, start) if start else ():
            say(note)
        if model.dense:
            remove_last_stride(network)
        keep_depthwise_float32(network)
        if model.drop_block:
            insert_drop_block(network, _stages(network), model.drop_block)
    except ValueError as error:
        raise FacesError(str(error)) from error
    return network


def _dropout(model: TransferModel) -> nn.Module | None:
    """The dropout before a head that has none of its own."""
    return nn.Dropout(model.dropout) if model.dropout and model.head.name not in ("linear", "dense") else None


def _head_settings(model: TransferModel) -> dict[str, Any]:
    """A head's settings by the names of models/heads.py, of which `kind` is the head's."""
    settings = model.head.model_dump(exclude={"name", "start", "trim", "each"})
    if model.head.name == "subcenter":
        return {"kind": "subcenter_arcface", "centers": settings.pop("centers"), **settings}
    if model.head.name == "dense" or (model.head.name == "linear" and not model.embedding):
        settings["dropout"] = model.dropout
    return {"kind": model.head.name, **settings}


def _stages(network: FaceNet) -> list[str]:
    """The backbone's last stages, whose outputs are feature maps."""
    return [name for name in named_parts(network) if name.startswith(("stage", "layer"))][-NUM_DROP_BLOCK_STAGES:]
