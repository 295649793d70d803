"""A network that starts with what a run has learned: its backbone and its embedding, under a head of its own."""

from typing import Any

from torch import Tensor

from experiments.config.pretrained_run import Origin, origin
from experiments.config.recipe import Recipe, Transfer
from models.face_net import FaceNet
from models.weights import load_weights, read_weights


def take_over(network: FaceNet, model: Transfer, start: Origin) -> list[str]:
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


def warning(recipe: Recipe) -> str | None:
    """What is to be known of figures of a recipe that starts from a run with another split; none where all is well."""
    start = origin(recipe.transfer.weights)
    if start is None or start.recipe["split"] == recipe.split.model_dump(mode="json"):
        return None
    then = start.recipe["split"]
    return (
        f"note: {start.folder} has split.train={then['train']} and split.seed={then['seed']}: of the same people, "
        "pictures that validate here may have trained there, and the figures would flatter; set them alike"
    )


def _of_another_kind(then: dict[str, Any], model: Transfer) -> str:
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
