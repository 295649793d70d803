"""The parts of a network by name, its layers in order, and which of them are trained."""

import re
from collections.abc import Iterable, Iterator

from torch import nn

STEM, TAIL, NECK, HEAD = "stem", "tail", "neck", "head"

STAGES_BY_CLASS: dict[str, dict[str, tuple[str, ...]]] = {
    "MobileNetV2": {
        STEM: ("features.0",),
        **{
            f"stage{n}": tuple(f"features.{block}" for block in range(first, last))
            for n, (first, last) in enumerate([(1, 2), (2, 4), (4, 7), (7, 11), (11, 14), (14, 17), (17, 18)], start=1)
        },
        TAIL: ("features.18",),
    },
    "MobileFaceNet": {
        STEM: ("conv1", "dw_conv1"),
        **{
            f"stage{n}": tuple(f"blocks.{block}" for block in range(first, last))
            for n, (first, last) in enumerate([(0, 5), (5, 6), (6, 12), (12, 13), (13, 15)], start=1)
        },
        TAIL: ("conv2", "linear7", "linear1"),
    },
    "InceptionResnetV1": {
        STEM: ("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a", "conv2d_4b"),
        "repeat_1": ("repeat_1",),
        "mixed_6a": ("mixed_6a",),
        "repeat_2": ("repeat_2",),
        "mixed_7a": ("mixed_7a",),
        "repeat_3": ("repeat_3",),
        "block8": ("block8",),
        TAIL: ("dropout", "last_linear", "last_bn"),
    },
}
"""Stages of networks whose modules do not show them, by the name of the network's class: the modules of each."""

STAGE_LIST_NAMES = ("blocks", "stages", "layers", "features")
"""Attributes in which libraries keep the list of a network's stages."""


class ModuleGroup(nn.Module):
    """Several modules of a network as one. It shares them with the network, so changing it changes them."""

    def __init__(self, members: dict[str, nn.Module], parameters: dict[str, nn.Parameter] | None = None):
        super().__init__()
        for name, module in members.items():
            self.add_module(name.replace(".", "_"), module)
        for name, parameter in (parameters or {}).items():
            self.register_parameter(name, parameter)


def named_parts(net: nn.Module) -> dict[str, nn.Module]:
    """Return the parts of a face network in order from the input: stem, stages, tail, neck (if any) and head.

    Every parameter is in exactly one part. A backbone alone has its own parts only. ResNets have stem and layer1 to
    layer4; most networks of timm have stem, stage1, stage2, ..., tail. `list(named_parts(net))` shows the names.
    """
    inner = getattr(net, "backbone", None)
    found = {name: part for name, part in _backbone_parts(inner or net).items() if _has_parameters(part.parameters())}
    if inner is None:
        return found
    neck = getattr(net, NECK)
    return found | ({NECK: neck} if _has_parameters(neck.parameters()) else {}) | {HEAD: getattr(net, HEAD)}


def _has_parameters(parameters: Iterator[nn.Parameter]) -> bool:
    return next(parameters, None) is not None


def _backbone_parts(backbone: nn.Module) -> dict[str, nn.Module]:
    for kind in type(backbone).__mro__:
        if kind.__name__ in STAGES_BY_CLASS:
            members = {
                name: {path: found for path in paths if (found := _find_module(backbone, path)) is not None}
                for name, paths in STAGES_BY_CLASS[kind.__name__].items()
            }
            return {name: ModuleGroup(group) for name, group in members.items() if group}
    return _found_parts(backbone)


def _find_module(module: nn.Module, path: str) -> nn.Module | None:
    return dict(module.named_modules()).get(path)


def _found_parts(backbone: nn.Module) -> dict[str, nn.Module]:
    """Return the stages of an unknown network: its lists of blocks, and what comes before and after them."""
    stages: dict[str, nn.Module] = {}
    before: dict[str, nn.Module] = {}
    after: dict[str, nn.Module] = {}
    for name, child in backbone.named_children():
        if name in STAGE_LIST_NAMES and isinstance(child, nn.Sequential | nn.ModuleList):
            stages |= after | {f"stage{n}": block for n, block in enumerate(child, start=1)}
        elif re.fullmatch(r"(layer|stage|stages|block|s)_?\d+", name):
            stages |= after | {name: child}
        else:
            (after if stages else before)[name] = child
            continue
        after = {}
    own = dict(backbone.named_parameters(recurse=False))
    if not stages:
        named = {TAIL if name in (NECK, HEAD) else name: child for name, child in before.items()}
        return ({STEM: ModuleGroup({}, own)} if own else {}) | named
    return {STEM: ModuleGroup(before, own), **stages, TAIL: ModuleGroup(after)}


def named_layers(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return name and module of every layer that has parameters of its own, in order from the input.

    A convolution, a normalization or a linear layer counts as one, whatever the number of its parameter tensors. A face
    network's neck and head come last.
    """
    return [(name, module) for name, module in net.named_modules() if _has_own_parameters(module)]


def _has_own_parameters(module: nn.Module) -> bool:
    return _has_parameters(module.parameters(recurse=False))


def set_trainable(net: nn.Module, names: Iterable[str], last_layers: int = 0) -> None:
    """Make the named parts trainable, and the last `last_layers` layers of the backbone; freeze the rest.

    "all" names every part. Frozen parts have no gradient and stay in evaluation mode even after `FaceNet.train`, so
    that running statistics do not change and nothing is dropped. Raises ValueError for an unknown name.
    """
    known, names = named_parts(net), list(names)
    if unknown := [name for name in names if name not in known and name != "all"]:
        raise ValueError(f"no part is called {unknown[0]!r}: this network has {', '.join(known)}, and 'all' of them")
    backbone = [module for name, part in known.items() if name not in (NECK, HEAD) for _, module in named_layers(part)]
    if last_layers < 0 or last_layers > len(backbone):
        raise ValueError(f"the last {last_layers} layers: the backbone has {len(backbone)}; expected 0 to all of them")
    train = {id(module) for module in backbone[len(backbone) - last_layers :]}
    for name, part in known.items():
        chosen = name in names or "all" in names
        train |= {id(module) for _, module in named_layers(part) if chosen}
        for module, frozen in _frozen_states(part, train, chosen):
            module.frozen = frozen  # type: ignore[assignment]
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(not frozen)
    net.train(net.training)
    eval_frozen_modules(net)


def _frozen_states(part: nn.Module, train: set[int], chosen: bool) -> Iterator[tuple[nn.Module, bool]]:
    """Yield each module of a part, and whether it is frozen.

    A module with layers is frozen if all of them are. One without, such as dropout, is treated like the layer before
    it, or like the first of its part.
    """
    own = [module for _, module in named_layers(part)]
    frozen = id(own[0]) not in train if own else not chosen
    for module in part.modules():
        below = [id(layer) not in train for _, layer in named_layers(module)]
        if _has_own_parameters(module):
            frozen = id(module) not in train
        yield module, all(below) if below else frozen


def eval_frozen_modules(net: nn.Module) -> None:
    """Set everything that `set_trainable` froze to evaluation mode."""
    for module in net.modules():
        if getattr(module, "frozen", False):
            module.training = False
