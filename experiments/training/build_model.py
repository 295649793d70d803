"""Build the network of a transfer recipe: a backbone with its weights, a neck, a head. Read and write its weights.

The weights may be those of another run: its backbone, and its embedding where that fits, under a new head. A head may
start from class means of embeddings, or consist of them: a classifier without training.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.config.model_settings import ScratchModel, TransferModel
from experiments.config.pretrained_run import PretrainedRun, find_pretrained_run
from experiments.config.recipe import Recipe
from experiments.config.schema import OptimizerSettings, StageSettings
from experiments.data.dataset import Faces
from experiments.data.loader import EpochLoader, ShardedBatches, normalize_tensor
from experiments.errors import FacesError
from experiments.progress import say, track
from experiments.runtime import keep_freed_memory
from experiments.training.build_mytorch import build_mytorch_network
from experiments.training.parameter_groups import AFTER_BACKBONE, group_parameters
from models.backbones import build_backbone, find_backbone
from models.face_net import FaceNet, SequentialFaceNet, embedding_neck, named_parts, set_trainable
from models.heads import build_head
from models.prototypes import Prototypes
from models.surgery import insert_drop_block, keep_depthwise_float32, pool_to_grid, remove_last_stride
from models.twin import twin
from models.weights import load_weights, read_weights, refuse_unusable
from mytorch import manual_seed
from mytorch.files import atomic_write

NUM_DROP_BLOCK_STAGES = 2
"""DropBlock follows this many of the backbone's last stages, as in its paper (arXiv 1810.12890, section 4)."""


def build_network(recipe: Recipe, classes: int, pretrained: bool = True) -> FaceNet | SequentialFaceNet:
    """Return the network of a recipe in PyTorch, with the recipe's seed: one of mytorch as a converted copy."""
    if isinstance(model := recipe.model, ScratchModel):
        manual_seed(recipe.seed)
        return convert_scratch(model, classes)
    torch.manual_seed(recipe.seed)
    return build_face_net(model, classes, pretrained)


def convert_scratch(model: ScratchModel, classes: int) -> FaceNet | SequentialFaceNet:
    """Return a network of mytorch in PyTorch, with the same weights under the same names."""
    ours: Any = build_mytorch_network(model, classes)
    if not model.has_parts:
        return SequentialFaceNet(*twin(ours).children())
    settings = model.head_arguments
    features = model.embedding or model.widths[-1]
    network = FaceNet(twin(ours.backbone), build_head(settings.pop("kind"), features, classes, **settings))
    network.neck = twin(ours.neck)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()})
    return network


def build_face_net(model: TransferModel, classes: int, pretrained: bool = True) -> FaceNet:
    """Return the network that a recipe describes; without `pretrained`, with random weights to be replaced by a run's.

    Raises FacesError for weights that are missing or another network's, and for settings that do not fit.
    """
    keep_freed_memory()
    try:
        start = find_pretrained_run(model.weights) if pretrained else None
        backbone = build_backbone(model.backbone, model.weights if pretrained and not start else "none", say)
        features = find_backbone(model.backbone).features
        if model.grid:
            pool_to_grid(backbone, model.grid)
            features *= model.grid**2
        neck = embedding_neck(features, model.embedding, model.dropout) if model.embedding else _dropout_neck(model)
        settings = model.head_arguments
        head = build_head(settings.pop("kind"), model.embedding or features, classes, **settings)
        network = FaceNet(backbone, head, neck)
        for note in load_pretrained_run(network, model, start) if start else ():
            say(note)
        if model.dense:
            remove_last_stride(network)
        keep_depthwise_float32(network)
        if model.drop_block:
            insert_drop_block(network, _last_stages(network), model.drop_block)
    except ValueError as error:
        raise FacesError(str(error)) from error
    return network


def _dropout_neck(model: TransferModel) -> nn.Module | None:
    """Return the dropout before a head that has none of its own."""
    return nn.Dropout(model.dropout) if model.dropout and model.head.name not in ("linear", "dense") else None


def _last_stages(network: FaceNet) -> list[str]:
    """Return the names of the backbone's last stages, whose outputs are feature maps."""
    return [name for name in named_parts(network) if name.startswith(("stage", "layer"))][-NUM_DROP_BLOCK_STAGES:]


def load_pretrained_run(network: FaceNet, model: TransferModel, start: PretrainedRun) -> list[str]:
    """Load a run's backbone, and its embedding layer where it fits; return what was loaded and left out, in words.

    Raises ValueError where the file does not hold that run's network.
    """
    state, earlier = read_weights(start.file), start.recipe.torch_model
    load_weights(network.backbone, {key: t for key, t in state.items() if key.startswith("backbone.")}, model.backbone)
    loaded, notes = "its backbone", []
    if model.embedding:
        if _load_neck(network, {key: tensor for key, tensor in state.items() if key.startswith("neck.")}):
            loaded += f" and its embedding of {model.embedding}"
        else:
            reason = _why_neck_does_not_fit(earlier, model)
            notes.append(f"the embedding of {model.embedding} starts with random weights: {reason}")
    elif earlier.embedding:
        notes.append(f"its embedding of {earlier.embedding} is left out, because this recipe has none")
    if earlier.dense != model.dense:
        notes.append(f"it was trained with model.dense={str(earlier.dense).lower()}: its feature maps had another size")
    means = "prototypes" in (model.head.name, getattr(model.head, "start", ""))
    begins = "class means" if means else "random weights"
    notes.append(
        f"its {earlier.head.name} head of {start.num_people:,} people is left out: the {model.head.name} head starts "
        f"with {begins}"
    )
    return [f"{start.file}: starts with {loaded}", *notes]


def _load_neck(network: FaceNet, theirs: dict[str, Tensor]) -> bool:
    """Load a neck's tensors if they fit. A dropout layer before them shifts their names by one index."""
    own = network.neck.state_dict()
    pairs = list(zip(sorted(own), sorted(theirs), strict=False))
    if len(own) != len(theirs) or any(own[name].shape != theirs[other].shape for name, other in pairs):
        return False
    network.neck.load_state_dict({name: theirs[other] for name, other in pairs})
    return True


def _why_neck_does_not_fit(earlier: TransferModel, model: TransferModel) -> str:
    """Return why a run's embedding layer was not loaded. earlier: the settings of its network."""
    if not earlier.embedding:
        return "the run has none"
    if earlier.embedding == model.embedding:
        return f"the run's was trained with model.grid={earlier.grid or 'none'}"
    return f"the run's has a length of {earlier.embedding}"


def warn_of_other_split(recipe: Recipe) -> str | None:
    """Return a warning where a recipe starts from a run with another split, so that its metrics would be too good."""
    start = find_pretrained_run(getattr(recipe.model, "weights", "none"))
    if start is None or start.recipe.split == recipe.split:
        return None
    earlier = start.recipe.split
    return (
        f"note: {start.folder} has split.train={earlier.train} and split.seed={earlier.seed}: of the same people, "
        "validation images of this run may have been training images there, and its metrics would be too good; use the "
        "same split"
    )


def save_tensors(tensors: dict[str, Tensor], path: Path, notes: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all. Raises OSError where there is no room.

    The library's own writer is not used: its errors are not OSErrors, and its files are readable by their owner alone.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(serialize(plain, notes))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and notes of a safetensors file. Raises FacesError where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise FacesError(f"{path}: not a safetensors file that can be read ({error}): get it again") from error


def load_network_weights(network: nn.Module, path: Path) -> None:
    """Load a run's weights into its network. Raises FacesError, which names what does not match or is unusable."""
    tensors, _ = read_tensors(path)
    try:
        refuse_unusable(network.state_dict(), tensors)
        network.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        raise FacesError(f"{path}: {error}\nwere these weights moved here from another run, or damaged?") from error


def apply_stage(network: nn.Module, stage: StageSettings) -> None:
    """Make the parts of a stage trainable and freeze the others. Raises FacesError for a part that does not exist."""
    ends = [name for name in AFTER_BACKBONE if name in named_parts(network)]
    try:
        match stage.train:
            case dict():
                set_trainable(network, ends, stage.train["last_layers"])
            case "head":
                set_trainable(network, ends)
            case str():
                set_trainable(network, [stage.train])
            case names:
                set_trainable(network, names)
    except ValueError as error:
        raise FacesError(f"a stage with train={stage.train}: {error}") from error


def parameter_groups(network: nn.Module, stage: StageSettings, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """Return the trainable parameters by part and by whether weight decay applies, as `group_parameters` does."""
    parts = {name: [p for p in part.parameters() if p.requires_grad] for name, part in named_parts(network).items()}
    return group_parameters(parts, stage, settings)


def starts_from_prototypes(recipe: Recipe) -> bool:
    """Return whether a recipe's head consists of class means, or starts with them."""
    head = recipe.model.head
    return head.name == "prototypes" or getattr(head, "start", "random") == "prototypes"


def init_head_from_prototypes(network: FaceNet | SequentialFaceNet, faces: Faces, recipe: Recipe, workers: int) -> None:
    """Give the network's head the class means of the training images.

    Raises FacesError where the embeddings are not finite or a person has no readable image.
    """
    head, settings = network.head, recipe.model.head
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
def embed_images(
    network: FaceNet | SequentialFaceNet, faces: Faces, recipe: Recipe, workers: int
) -> tuple[Tensor, Tensor]:
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
