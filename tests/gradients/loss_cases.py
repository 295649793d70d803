"""A random configuration of every loss and every margin, and inputs for it."""

from typing import Any

import numpy as np

from mytorch import nn
from tests.gradients.drawing import Case, Draw, case, flip, integers, perturbed, separated, values


@case("ArcFace", "CosFace")
def _margin(draw: Draw, name: str) -> Case:
    (features,), (n, classes) = integers(draw, 2, 16, 1), integers(draw, 1, 7, 2)
    highest = 1.5 if name == "ArcFace" else 1.0
    layer = getattr(nn, name)(features, classes, float(draw.uniform(1, 64)), float(draw.uniform(0, highest)))
    return Case(perturbed(layer, draw), values(draw, n, features), (draw.integers(0, classes, n),))


def reduction(draw: Draw) -> str:
    """Return one of the ways to reduce the terms of a loss."""
    return str(draw.choice(["mean", "sum", "none"]))


@case("CrossEntropyLoss", "NLLLoss")
def _classification(draw: Draw, name: str) -> Case:
    n, classes = integers(draw, 1, 7, 2)
    size = integers(draw, 1, 3, int(draw.integers(3)))
    options: dict[str, Any] = {"weight": draw.uniform(0.5, 2, classes) if flip(draw, 0.4) else None}
    options |= {"reduction": reduction(draw), "ignore_index": 0 if classes > 1 and flip(draw, 0.3) else -100}
    target: np.ndarray = draw.integers(0, classes, (n, *size))
    target.flat[0] = classes - 1  # one that is not left out
    x = values(draw, n, classes, *size)
    if name == "NLLLoss":
        return Case(nn.NLLLoss(**options), x, (target,))
    if flip(draw, 0.3):
        target, options["ignore_index"] = draw.random((n, classes, *size)), -100
    return Case(nn.CrossEntropyLoss(**options, label_smoothing=float(draw.choice([0, 0.1, 1]))), 3 * x, (target,))


@case("MultiMarginLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss")
def _class_margin(draw: Draw, name: str) -> Case:
    n, classes = integers(draw, 1, 6, 2)
    weight = draw.uniform(0.5, 2, classes) if flip(draw, 0.4) and name != "MultiLabelMarginLoss" else None
    options = {"weight": weight, "reduction": reduction(draw)} if weight is not None else {"reduction": reduction(draw)}
    if name == "MultiMarginLoss":
        options |= {"p": int(draw.integers(1, 3)), "margin": float(draw.uniform(0.3, 2))}
    targets = {
        "MultiMarginLoss": draw.integers(0, classes, n),
        "MultiLabelMarginLoss": draw.integers(-1, classes, (n, classes)),
        "MultiLabelSoftMarginLoss": draw.integers(0, 2, (n, classes)).astype(float),
    }
    return Case(getattr(nn, name)(**options), values(draw, n, classes), (targets[name],))


@case("HuberLoss", "BCELoss", "KLDivLoss", "PoissonNLLLoss", "HingeEmbeddingLoss", "SoftMarginLoss")
def _element_loss(draw: Draw, name: str) -> Case:
    shape = integers(draw, 1, 5, int(draw.integers(1, 4)))
    options: dict[str, Any] = {"reduction": reduction(draw)}
    x, target = values(draw, *shape), draw.choice([-1.0, 1.0], shape)
    if name == "HuberLoss":
        options["delta"] = float(draw.choice([0.5678, 1.2345, 2.3456]))
        target = x - separated(values(draw, *shape))
    elif name == "BCELoss":
        options["weight"] = draw.uniform(0.5, 2, shape[-1:]) if flip(draw) else None
        x, target = draw.uniform(0.05, 0.95, shape), draw.random(shape)
    elif name == "KLDivLoss":
        options["log_target"] = flip(draw)
        target = np.log(draw.random(shape)) if options["log_target"] else draw.random(shape)
    elif name == "PoissonNLLLoss":
        options |= {"log_input": flip(draw), "full": flip(draw)}
        x, target = (x if options["log_input"] else draw.uniform(0.5, 3, shape)), draw.uniform(0, 4, shape)
    elif name == "HingeEmbeddingLoss":
        options["margin"] = 0.7654
        x = separated(x)
    return Case(getattr(nn, name)(**options), x, (target,))


@case("CosineEmbeddingLoss", "MarginRankingLoss", "TripletMarginLoss", "GaussianNLLLoss")
def _pair_loss(draw: Draw, name: str) -> Case:
    n, features = integers(draw, 1, 5, 1)[0], integers(draw, 2, 6, 1)[0]
    options: dict[str, Any] = {"reduction": reduction(draw)}
    if name == "GaussianNLLLoss":
        variance = draw.uniform(0.5, 2, (n, features) if flip(draw) else (n, 1))
        layer = nn.GaussianNLLLoss(full=flip(draw), **options)
        return Case(layer, values(draw, n, features), (values(draw, n, features), variance))
    if name == "MarginRankingLoss":
        layer = nn.MarginRankingLoss(0.3456, **options)
        return Case(layer, values(draw, n), (values(draw, n), draw.choice([-1.0, 1.0], n)))
    x, others = values(draw, n, features), [values(draw, n, features) for _ in range(2)]
    if name == "CosineEmbeddingLoss":
        return Case(nn.CosineEmbeddingLoss(0.1234, **options), x, (others[0], draw.choice([-1.0, 1.0], n)))
    layer = nn.TripletMarginLoss(1.2345, float(draw.choice([1, 2, 3])), swap=flip(draw), **options)
    return Case(layer, x, tuple(others))


@case("CosineSimilarity", "PairwiseDistance")
def _similarity(draw: Draw, name: str) -> Case:
    shape = integers(draw, 2, 5, int(draw.integers(2, 5)))
    if name == "CosineSimilarity":
        layer: Any = nn.CosineSimilarity(int(draw.integers(-len(shape), len(shape))))
    else:
        layer = nn.PairwiseDistance(float(draw.choice([1, 2, 3])), keepdim=flip(draw))
    return Case(layer, values(draw, *shape), (values(draw, *shape),))


@case("MSELoss", "L1Loss", "SmoothL1Loss", "BCEWithLogitsLoss")
def _elementwise(draw: Draw, name: str) -> Case:
    shape = integers(draw, 1, 5, int(draw.integers(1, 4)))
    options: dict[str, Any] = (
        {"beta": float(draw.choice([0, 0.5678, 1.2345, 2.3456]))} if name == "SmoothL1Loss" else {}
    )
    if name == "BCEWithLogitsLoss":
        drawn = {"weight": draw.uniform(0.5, 2, shape), "pos_weight": draw.uniform(0.5, 2, shape[-1:])}
        options = {key: value for key, value in drawn.items() if flip(draw)}
    layer = getattr(nn, name)(reduction=reduction(draw), **options)
    x, target = values(draw, *shape), values(draw, *shape)
    return Case(layer, x, (draw.random(shape) if name == "BCEWithLogitsLoss" else x - separated(target),))
