"""Which layer of mytorch computes what a function of PyTorch does, and with which arguments.

An adapter has PyTorch's signature. It returns the layer, its inputs and its parameters; anything it raises is the
reason why a sample is unsupported.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional

from mytorch import nn


@dataclass(frozen=True)
class Case:
    """A layer that computes what PyTorch's function does.

    inputs: tensors whose gradients backward returns, in that order. others: further arguments of its forward.
    parameters, buffers: tensors by the layer's names, copied into it. fixed: parameters with a value that the function
    does not have.
    """

    layer: Any
    inputs: tuple[torch.Tensor, ...]
    others: tuple[Any, ...] = ()
    parameters: dict[str, torch.Tensor | None] = field(default_factory=dict)
    buffers: dict[str, torch.Tensor | None] = field(default_factory=dict)
    fixed: dict[str, float] = field(default_factory=dict)
    training: bool = True


@dataclass(frozen=True)
class Adapter:
    """make: from PyTorch's arguments to a Case. constants: its arguments without a gradient."""

    make: Callable[..., Case]
    constants: tuple[str, ...] = ()


ADAPTERS: dict[str, Adapter] = {}
"""By the name of the operator in PyTorch's table."""


def adapter(*names: str, constants: tuple[str, ...] = ()) -> Callable[[Callable[..., Case]], Callable[..., Case]]:
    """Register the adapter of these operators; the operator's name is its first argument."""

    def register(make: Callable[..., Case]) -> Callable[..., Case]:
        for name in names:
            ADAPTERS[name] = Adapter(_with_first(make, name), constants)
        return make

    return register


def maker(name: str) -> Any:
    """Return a layer's class by name. Raises AttributeError that says that mytorch has none."""
    found = getattr(nn, name, None)
    if found is None:
        raise AttributeError(f"mytorch.nn has no {name}")
    return found


def array(tensor: torch.Tensor | None) -> Any:
    """Return a copy of a tensor as an array, or None."""
    return None if tensor is None else tensor.detach().numpy().copy()


def given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}


def _with_first(make: Callable[..., Case], name: str) -> Callable[..., Case]:
    def bound(*args: Any, **kwargs: Any) -> Case:
        return make(name, *args, **kwargs)

    signature = inspect.signature(make)
    bound.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return bound


def _one_input(name: str, layer: str, names: tuple[str, ...], ignored: tuple[str, ...] = ()) -> None:
    """Register a function of one input. names: its further arguments in PyTorch's order, also the layer's."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(n, kind, default=None) for n in ("input", *names, *ignored)])

    def make(*args: Any, **kwargs: Any) -> Case:
        bound = dict(signature.bind(*args, **kwargs).arguments)
        x = bound.pop("input")
        return Case(maker(layer)(**{key: bound[key] for key in names if key in bound}), (x,))

    make.__signature__ = signature  # type: ignore[attr-defined]
    ADAPTERS[name] = Adapter(make)


POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
ONE_INPUT: dict[str, tuple[str, tuple[str, ...]]] = {
    "nn.functional.relu": ("ReLU", ("inplace",)),
    "nn.functional.relu6": ("ReLU6", ("inplace",)),
    "nn.functional.leaky_relu": ("LeakyReLU", ("negative_slope", "inplace")),
    "nn.functional.elu": ("ELU", ("alpha", "inplace")),
    "nn.functional.celu": ("CELU", ("alpha", "inplace")),
    "nn.functional.selu": ("SELU", ("inplace",)),
    "nn.functional.silu": ("SiLU", ("inplace",)),
    "nn.functional.mish": ("Mish", ("inplace",)),
    "nn.functional.gelu": ("GELU", ("approximate",)),
    "nn.functional.glu": ("GLU", ("dim",)),
    "nn.functional.hardsigmoid": ("Hardsigmoid", ("inplace",)),
    "nn.functional.hardswish": ("Hardswish", ("inplace",)),
    "nn.functional.hardtanh": ("Hardtanh", ("min_val", "max_val", "inplace")),
    "nn.functional.hardshrink": ("Hardshrink", ("lambd",)),
    "nn.functional.softshrink": ("Softshrink", ("lambd",)),
    "nn.functional.tanhshrink": ("Tanhshrink", ()),
    "nn.functional.softsign": ("Softsign", ()),
    "nn.functional.softplus": ("Softplus", ("beta", "threshold")),
    "nn.functional.logsigmoid": ("LogSigmoid", ()),
    "nn.functional.threshold": ("Threshold", ("threshold", "value", "inplace")),
    "sigmoid": ("Sigmoid", ()),
    "tanh": ("Tanh", ()),
    "softmax": ("Softmax", ("dim",)),
    "log_softmax": ("LogSoftmax", ("dim",)),
    "nn.functional.softmin": ("Softmin", ("dim",)),
    "nn.functional.local_response_norm": ("LocalResponseNorm", ("size", "alpha", "beta", "k")),
    "nn.functional.pixel_shuffle": ("PixelShuffle", ("upscale_factor",)),
    "nn.functional.pixel_unshuffle": ("PixelUnshuffle", ("downscale_factor",)),
    "nn.functional.channel_shuffle": ("ChannelShuffle", ("groups",)),
    "nn.functional.unfold": ("Unfold", ("kernel_size", "dilation", "padding", "stride")),
    **{f"nn.functional.max_pool{n}d": (f"MaxPool{n}d", POOL) for n in (1, 2, 3)},
    "nn.functional.avg_pool1d": ("AvgPool1d", AVERAGE[:-1]),
    **{f"nn.functional.avg_pool{n}d": (f"AvgPool{n}d", AVERAGE) for n in (2, 3)},
    **{f"nn.functional.adaptive_avg_pool{n}d": (f"AdaptiveAvgPool{n}d", ("output_size",)) for n in (1, 2, 3)},
    **{
        f"nn.functional.adaptive_max_pool{n}d": (f"AdaptiveMaxPool{n}d", ("output_size", "return_indices"))
        for n in (1, 2, 3)
    },
}
"""Functions of one input: the layer, and their arguments in PyTorch's order, which are also those of the layer."""

for _name, (_layer, _names) in ONE_INPUT.items():
    _one_input(_name, _layer, _names, ("dtype",) if "softm" in _name else ())


@adapter("nn.functional.conv1d", "nn.functional.conv2d", "nn.functional.conv3d")
def _conv(
    name: str, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Case:  # fmt: skip
    layer = maker(f"Conv{name[-2:]}")(
        weight.shape[1] * groups, weight.shape[0], tuple(weight.shape[2:]), stride, padding, dilation, groups,
        bias is not None,
    )  # fmt: skip
    return Case(layer, (input,), parameters=given(weight=weight, bias=bias))


@adapter("nn.functional.conv_transpose1d", "nn.functional.conv_transpose2d", "nn.functional.conv_transpose3d")
def _conv_transpose(
    name: str, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Case:  # fmt: skip
    layer = maker(f"ConvTranspose{name[-2:]}")(
        weight.shape[0], weight.shape[1] * groups, tuple(weight.shape[2:]), stride, padding, output_padding, groups,
        bias is not None, dilation,
    )  # fmt: skip
    return Case(layer, (input,), parameters=given(weight=weight, bias=bias))


@adapter("nn.functional.linear")
def _linear(name: str, input: Any, weight: Any, bias: Any = None) -> Case:
    layer = maker("Linear")(weight.shape[1], weight.shape[0], bias is not None)
    return Case(layer, (input,), parameters=given(weight=weight, bias=bias))


@adapter("nn.functional.bilinear")
def _bilinear(name: str, input1: Any, input2: Any, weight: Any, bias: Any = None) -> Case:
    layer = maker("Bilinear")(weight.shape[1], weight.shape[2], weight.shape[0], bias is not None)
    return Case(layer, (input1, input2), parameters=given(weight=weight, bias=bias))


@adapter("nn.functional.prelu")
def _prelu(name: str, input: Any, weight: Any) -> Case:
    return Case(maker("PReLU")(weight.numel()), (input,), parameters={"weight": weight})


@adapter("nn.functional.max_unpool1d", "nn.functional.max_unpool2d", "nn.functional.max_unpool3d")
def _unpool(
    name: str, input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Case:
    layer = maker(f"MaxUnpool{name[-2:]}")(kernel_size, stride, padding)
    return Case(layer, (input,), (array(indices), None if output_size is None else tuple(output_size)))


@adapter("nn.functional.interpolate")
def _interpolate(
    name: str, input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None,
    recompute_scale_factor: Any = None, antialias: bool = False,
) -> Case:  # fmt: skip
    further = {"antialias": True} if antialias else {}
    recompute = given(recompute_scale_factor=recompute_scale_factor)
    return Case(maker("Upsample")(size, scale_factor, mode, align_corners, **recompute, **further), (input,))


@adapter("nn.functional.upsample_nearest", "nn.functional.upsample_bilinear")
def _upsample(name: str, input: Any, size: Any = None, scale_factor: Any = None) -> Case:
    mode = name.rpartition("_")[2]
    return Case(maker("Upsample")(size, scale_factor, mode, True if mode == "bilinear" else None), (input,))


@adapter("nn.functional.pad")
def _pad(name: str, input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Case:
    kind = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}[mode]
    axes = max(len(pad) // 2, input.ndim - 2)
    ends = (*pad, *(0,) * (2 * axes - len(pad)))  # the axes before those that are padded
    layer = maker(f"{kind}Pad{axes}d")
    return Case(layer(ends, value or 0.0) if mode == "constant" else layer(ends), (input,))


@adapter("nn.functional.batch_norm", constants=("running_mean", "running_var"))
def _batch_norm(
    name: str, input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Case:  # fmt: skip
    axes = max(input.ndim - 2, 1)
    tracks = running_mean is not None
    affine = weight is not None or bias is not None
    layer = maker(f"BatchNorm{axes}d")(input.shape[1], eps, momentum, affine, tracks)
    return Case(
        layer, (input,), parameters=given(weight=weight, bias=bias),
        buffers=given(running_mean=running_mean, running_var=running_var),
        fixed=_neutral(affine, weight=weight, bias=bias), training=training,
    )  # fmt: skip


@adapter("nn.functional.instance_norm", constants=("running_mean", "running_var"))
def _instance_norm(
    name: str, input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Case:  # fmt: skip
    affine = weight is not None or bias is not None
    layer = maker(f"InstanceNorm{input.ndim - 2}d")(input.shape[1], eps, momentum, affine, running_mean is not None)
    return Case(
        layer, (input,), parameters=given(weight=weight, bias=bias),
        buffers=given(running_mean=running_mean, running_var=running_var),
        fixed=_neutral(affine, weight=weight, bias=bias), training=use_input_stats,
    )  # fmt: skip


@adapter("nn.functional.layer_norm")
def _layer_norm(
    name: str, input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Case:
    layer = maker("LayerNorm")(tuple(normalized_shape), eps, weight is not None, bias is not None)
    return Case(layer, (input,), parameters=given(weight=weight, bias=bias))


@adapter("nn.functional.rms_norm")
def _rms_norm(name: str, input: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Case:
    layer = maker("RMSNorm")(tuple(normalized_shape), eps, weight is not None)
    return Case(layer, (input,), parameters=given(weight=weight))


@adapter("nn.functional.group_norm")
def _group_norm(
    name: str, input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Case:
    affine = weight is not None or bias is not None
    layer = maker("GroupNorm")(num_groups, input.shape[1], eps, affine)
    fixed = _neutral(affine, weight=weight, bias=bias)
    return Case(layer, (input,), parameters=given(weight=weight, bias=bias), fixed=fixed)


@adapter(
    "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.alpha_dropout"
)  # fmt: skip
def _dropout(name: str, input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Case:
    kind = {"dropout": "Dropout", "alpha_dropout": "AlphaDropout"}.get(name.rpartition(".")[2])
    return Case(maker(kind or f"Dropout{name[-2:]}")(p), (input,), training=training)


@adapter("nn.functional.cosine_similarity")
def _cosine_similarity(name: str, x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Case:
    return Case(maker("CosineSimilarity")(dim, eps), (x1, x2))


@adapter("nn.functional.pairwise_distance")
def _pairwise_distance(name: str, x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Case:
    return Case(maker("PairwiseDistance")(p, eps, keepdim), (x1, x2))


LOSSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "cross_entropy": ("CrossEntropyLoss", ("input",)),
    "nll_loss": ("NLLLoss", ("input",)),
    "binary_cross_entropy": ("BCELoss", ("input",)),
    "binary_cross_entropy_with_logits": ("BCEWithLogitsLoss", ("input",)),
    "mse_loss": ("MSELoss", ("input",)),
    "l1_loss": ("L1Loss", ("input",)),
    "smooth_l1_loss": ("SmoothL1Loss", ("input",)),
    "huber_loss": ("HuberLoss", ("input",)),
    "kl_div": ("KLDivLoss", ("input",)),
    "poisson_nll_loss": ("PoissonNLLLoss", ("input",)),
    "gaussian_nll_loss": ("GaussianNLLLoss", ("input", "target", "var")),
    "hinge_embedding_loss": ("HingeEmbeddingLoss", ("input",)),
    "margin_ranking_loss": ("MarginRankingLoss", ("input1", "input2")),
    "multi_margin_loss": ("MultiMarginLoss", ("input",)),
    "cosine_embedding_loss": ("CosineEmbeddingLoss", ("input1", "input2")),
    "soft_margin_loss": ("SoftMarginLoss", ("input",)),
    "multilabel_margin_loss": ("MultiLabelMarginLoss", ("input",)),
    "multilabel_soft_margin_loss": ("MultiLabelSoftMarginLoss", ("input",)),
    "triplet_margin_loss": ("TripletMarginLoss", ("anchor", "positive", "negative")),
}
"""Losses: the layer, and the arguments of its forward before a target. All others are arguments of the constructor."""
TENSORS = ("target", "weight", "pos_weight")


def _loss(name: str, layer: str, inputs: tuple[str, ...]) -> None:
    signature = inspect.signature(getattr(functional, name))

    def make(*args: Any, **kwargs: Any) -> Case:
        bound = dict(signature.bind(*args, **kwargs).arguments)
        values = tuple(bound.pop(key) for key in inputs)
        target = bound.pop("target", None)
        settings = {key: array(value) if key in TENSORS else value for key, value in given(**bound).items()}
        others = () if target is None else (array(target),)
        return Case(maker(layer)(**settings), values, others)

    make.__signature__ = signature  # type: ignore[attr-defined]
    ADAPTERS[f"nn.functional.{name}"] = Adapter(make, tuple(key for key in TENSORS if key not in inputs))


for _name, (_layer, _names) in LOSSES.items():
    _loss(_name, _layer, _names)


def _neutral(affine: bool, **parameters: Any) -> dict[str, float]:
    """Return the values of the parameters that a function lacks, while its layer has them."""
    neutral = {"weight": 1.0, "bias": 0.0}
    return {name: neutral[name] for name, value in parameters.items() if affine and value is None}
