"""A transfer network of PyTorch as one of mytorch: built by timm, converted with its weights, frozen by names."""

from pathlib import Path

import torch
from torch import nn as theirs

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces
from experiments.errors import FacesError
from experiments.progress import say
from experiments.training.build_model import (
    apply_stage,
    build_network,
    init_head_from_prototypes,
    load_network_weights,
    parameter_groups,
    starts_from_prototypes,
    warn_of_other_split,
)
from experiments.training.parameter_groups import StagePlan
from models.face_net import FaceNet
from models.from_torch import from_torch
from models.from_torch.modules import layer_like
from models.mytorch_face_net import MytorchFaceNet
from models.mytorch_heads import build_mytorch_head
from mytorch import nn


def convert_transfer_model(
    recipe: Recipe, faces: Faces, workers: int, resume: bool
) -> tuple[MytorchFaceNet, list[StagePlan]]:
    """Return a recipe's transfer network in mytorch, with its first weights, and what each of its stages trains.

    Weights, class means and stages are those that the engine of PyTorch has. With `resume` the weights are random, to
    be replaced. Raises FacesError for a network that mytorch cannot compute.
    """
    if not resume and (warning := warn_of_other_split(recipe)):
        say(warning)
    network = build_network(recipe, len(faces.names), pretrained=not resume)
    if not resume and starts_from_prototypes(recipe):
        init_head_from_prototypes(network, faces, recipe, workers)
    converted = convert_face_net(network.train(), recipe, len(faces.names))
    return converted, plan_stages(network, recipe)


def open_converted(recipe: Recipe, classes: int, weights: Path) -> MytorchFaceNet:
    """Return a run's transfer network in mytorch, with the weights of a file that either engine wrote."""
    network = build_network(recipe, classes, pretrained=False)
    load_network_weights(network, weights)
    return convert_face_net(network.train(), recipe, classes)


def convert_face_net(network: theirs.Module, recipe: Recipe, classes: int) -> MytorchFaceNet:
    """Return a face network of PyTorch in mytorch, with the same weights under the same names, in training mode."""
    assert isinstance(network, FaceNet)
    model = recipe.torch_model
    example = torch.zeros(2, 3, *recipe.data.size)
    try:
        backbone = from_torch(network.backbone, example)
    except ValueError as error:
        raise FacesError(
            f"{model.name} cannot be trained by mytorch: {error}\nor train it with --engine torch"
        ) from error
    neck = network.neck
    ours = nn.Sequential(*map(layer_like, neck)) if isinstance(neck, theirs.Sequential) else layer_like(neck)
    with torch.inference_mode():
        network.eval()
        features = network.features(example.to(next(network.parameters()))).shape[1]
        network.train()
    settings = model.head_arguments
    head = build_mytorch_head(settings.pop("kind"), features, classes, **settings)
    converted = MytorchFaceNet(backbone, head, ours)
    arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}
    if left := arrays.keys() ^ converted.state_dict().keys():
        raise FacesError(
            f"{model.name}: mytorch would lose weights that its forward does not use, such as {sorted(left)[0]}: "
            "train it with --engine torch"
        )
    converted.load_state_dict(arrays)
    return converted


def plan_stages(network: theirs.Module, recipe: Recipe) -> list[StagePlan]:
    """Return what each stage of a recipe trains, by the names that the weights and modules of the network have."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    plans = []
    for stage in recipe.planned_stages:
        apply_stage(network, stage)
        groups = parameter_groups(network, stage, recipe.optimizer)
        named = [{**group, "params": [names[id(one)] for one in group["params"]]} for group in groups]
        frozen = frozenset(name for name, module in network.named_modules() if getattr(module, "frozen", False))
        plans.append(StagePlan(named, frozen))
    return plans
