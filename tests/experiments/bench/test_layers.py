"""The layers and optimizers of the benchmark: all of mytorch.nn, with the results of PyTorch."""

import re

import numpy as np
import pytest

from experiments.bench.layers import LAYERS, OPTIMIZERS, layer_runners
from experiments.bench.timing import Cpu
from mytorch import nn, optim

FUNCTIONS = {
    "Add",
    "Subtract",
    "Multiply",
    "Divide",
    "Concatenate",
    "Scale",
    "Mean",
    "Normalize",
    "Slice",
    "Chunk",
    "Split",
}
FUNCTIONS |= {"Permute", "Transpose", "Reshape"}
FUNCTIONS |= {
    "Power",
    "Exp",
    "Log",
    "Abs",
    "Clamp",
    "Sum",
    "Matmul",
    "Flip",
    "Squeeze",
    "Unsqueeze",
    "Expand",
    "IndexSelect",
    "Erf",
    "Resize",
}
"""A few passes over memory each, within a Graph."""

ELSEWHERE = {
    *("Conv1d", "Conv2d", "Module", "Parameter", "Sequential", "Residual", "Graph", "Identity", "Flatten", "Unflatten"),
    *("StochasticDepth", "AlphaDropout", "FeatureAlphaDropout", "RReLU", "Softmin", "Bilinear", "CELU", "SELU"),
    *("Hardtanh", "Threshold", "Hardshrink", "Softshrink", "Tanhshrink", "LogSigmoid", "Softsign"),
    *("UpsamplingNearest2d", "UpsamplingBilinear2d", "PixelShuffle", "PixelUnshuffle", "ChannelShuffle"),
    *("Unfold", "Fold", "LPPool2d", "MaxUnpool2d"),
    *("BCELoss", "PoissonNLLLoss", "GaussianNLLLoss", "SoftMarginLoss", "KLDivLoss", "HingeEmbeddingLoss"),
    *("CosineEmbeddingLoss", "MarginRankingLoss", "TripletMarginLoss", "CosineSimilarity", "PairwiseDistance"),
    *("MultiMarginLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss"),
}
ELSEWHERE |= FUNCTIONS
"""Timed as convolutions or within a step, computed as another that is timed, rare in networks, or nothing to time."""

DRAWN = {"Dropout", "Dropout2d", "DropBlock2d"}
"""Each library drops what it likes."""


def is_variant(name: str, others: set[str]) -> bool:
    """Whether a layer differs from another in its number of axes alone, such as BatchNorm3d; or only copies, to pad."""
    base = re.sub("[123]d$", "", name)
    return base != name and (base.endswith("Pad") or any(re.sub("[123]d$", "", other) == base for other in others))


def test_every_layer_and_optimizer_is_timed():
    timed = {type(layer.build()).__name__ for layer in LAYERS.values()}
    missing = set(nn.__all__) - timed - ELSEWHERE
    assert {name for name in missing if not is_variant(name, timed | ELSEWHERE)} == set()
    assert timed | ELSEWHERE <= set(nn.__all__)
    kinds = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)}
    assert set(OPTIMIZERS) == {name for name in kinds if issubclass(getattr(optim, name), optim.Optimizer)} - {
        "Optimizer",
        "LAMB",  # which PyTorch does not have
    }


@pytest.mark.parametrize("name", sorted(set(LAYERS) - DRAWN))
def test_every_side_computes_the_same(name):
    layer = LAYERS[name]
    runners = layer_runners(layer, (3, *layer.shape[1:]), 5, Cpu())
    ours = runners["mytorch"]()
    for backend in sorted(set(runners) - {"mytorch"}):
        theirs = [value.detach().numpy() if hasattr(value, "detach") else value for value in runners[backend]()]
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert np.shape(mine) == np.shape(other)
            scale = max(np.abs(other).max(), 1e-30)
            assert np.abs(mine - other).max() / scale < 1e-4, backend


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_what_is_dropped_goes_both_ways(name):
    layer = LAYERS[name]
    for run in layer_runners(layer, (3, *layer.shape[1:]), 5, Cpu()).values():
        y, grad = (np.asarray(value.detach()) if hasattr(value, "detach") else value for value in run())
        np.testing.assert_array_equal(y == 0, grad == 0)
        assert 0 < np.mean(y == 0) < 1
