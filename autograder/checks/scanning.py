"""Checks of the scanning MLPs, against the MLP itself applied to one window after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import EDGES, FORWARD, INPUT, SHAPE, Case, Dialect, Expectation, Family, Guess
from autograder.checks.layer import generator
from autograder.script import Kept, Like, Script
from autograder.wire import Array

if TYPE_CHECKING:
    import torch

_WINDOW, _STEP = 8, 4
_PLANS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {  # channels, kernels, strides
    "CNN_SimpleScanningMLP": ((24, 8, 16, 4), (8, 1, 1), (4, 1, 1)),
    "CNN_DistributedScanningMLP": ((24, 2, 8, 4), (2, 2, 2), (2, 2, 1)),
}


def scanning(name: str) -> Family:
    """One of the two scanning MLPs, by its class name."""

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        cases = []
        for remark in ("", " with other numbers"):
            A, matrices = oracle.draw(g, 1, 24, 128), _matrices(name, g)
            upstream = oracle.draw(g, 1, 124)
            script = Script().new("model", name).call("model", "init_weights", matrices)
            script.keep("A", A).call("model", "forward", Kept("A"), out="Z")
            script.call("model", "backward", Like(upstream, "Z"), out="dLdA")
            expected = _expected(name, A, matrices, upstream)
            cases.append(Case(f"{name}() on 1×24×128{remark}", script, expected, A.size))
        return [*cases, _again(g), _unchanged(g)]

    def _again(g: np.random.Generator) -> Case:
        first, second = oracle.draw(g, 1, 24, 128), oracle.draw(g, 1, 24, 128)
        old, matrices, upstream = _matrices(name, g), _matrices(name, g), oracle.draw(g, 1, 124)
        script = Script().new("model", name).call("model", "init_weights", old).call("model", "forward", first)
        script.call("model", "init_weights", matrices).call("model", "forward", second, out="Z")
        script.call("model", "backward", Like(upstream, "Z"), out="dLdA")
        expected = _expected(name, second, matrices, upstream, EDGES)
        return Case(f"{name}(), weights given twice", script, expected, second.size, "repeated")

    def _unchanged(g: np.random.Generator) -> Case:
        A, upstream = oracle.draw(g, 1, 24, 128), oracle.draw(g, 1, 124)
        script = Script().new("model", name).call("model", "init_weights", _matrices(name, g)).keep("A", A)
        script.call("model", "forward", Kept("A"), out="Z").call("model", "backward", Like(upstream, "Z"))
        script.get("A", "", "A")
        expected = {"A": Expectation("A afterwards", EDGES, A, exact=True)}
        return Case(f"{name}(), the input afterwards", script, expected, A.size, "input_changed")

    return Family(name, (SHAPE, FORWARD, INPUT, EDGES), build)


def _matrices(name: str, g: np.random.Generator) -> list[Array]:
    """w1, w2, w3 of the MLP; those of the distributed one repeat small blocks along the diagonal."""
    if name == "CNN_SimpleScanningMLP":
        return [oracle.draw(g, *shape) / 4 for shape in ((192, 8), (8, 16), (16, 4))]
    blocks = [(oracle.draw(g, 48, 2) / 4, 4), (oracle.draw(g, 4, 8) / 2, 2), (oracle.draw(g, 16, 4) / 4, 1)]
    return [np.kron(np.eye(count), block) for block, count in blocks]


def _scan(A: torch.Tensor, matrices: list[torch.Tensor], mistake: str = "") -> torch.Tensor:
    """The MLP at each stop, its window frame by frame; (1, 4 · 31)."""
    import torch

    answers = []
    for start in range(0, A.shape[2] - _WINDOW + 1, 1 if mistake == "stride_forgotten" else _STEP):
        window = A[:, :, start : start + _WINDOW]
        if mistake == "kernel_flipped":
            window = window.flip(2)
        values = window.flatten(1) if mistake == "scan_channel_major" else window.transpose(1, 2).flatten(1)
        for i, matrix in enumerate(matrices):
            values = values @ matrix
            if (i < 2 and mistake != "activations_missing") or mistake == "scan_relu_last":
                values = torch.relu(values)
        answers.append(values)
    stacked = torch.stack(answers, 1 if mistake == "flatten_order" else 2)
    return stacked if mistake == "scan_not_flattened" else stacked.flatten(1)


def _convolved(A: torch.Tensor, weights: list[torch.Tensor], strides: tuple[int, ...]) -> torch.Tensor:
    import torch

    for i, (W, stride) in enumerate(zip(weights, strides, strict=True)):
        A = oracle.convolve(A, W, None, stride)
        A = torch.relu(A) if i < 2 else A
    return A.flatten(1)


def _misread(name: str, matrices: list[Array]) -> list[Array]:
    """The convolutions' weights as they are when a reshape takes the place of a transposition."""
    channels, kernels, _ = _PLANS[name]
    blocks = zip(matrices, channels[:-1], channels[1:], kernels, strict=True)
    return [matrix[: k * c, :out].T.reshape(out, c, k) for matrix, c, out, k in blocks]


def _expected(name: str, A: Array, matrices: list[Array], upstream: Array, part: str = "") -> dict[str, Expectation]:
    import torch

    def scan(t: oracle.Tensors, mistake: str = "") -> torch.Tensor:
        return _scan(t["A"], [torch.from_numpy(matrix) for matrix in matrices], mistake)

    def misread(t: oracle.Tensors) -> torch.Tensor:
        weights = [torch.from_numpy(np.ascontiguousarray(W)) for W in _misread(name, matrices)]
        return _convolved(t["A"], weights, _PLANS[name][2])

    def forward(mistake: str) -> Guess:
        return lambda: oracle.value(lambda t: scan(t, mistake), {"A": A})

    def backward(mistake: str) -> Guess:
        return lambda: oracle.gradients(lambda t: scan(t, mistake), {"A": A}, upstream)["A"]

    mistakes = ("scan_channel_major", "kernel_flipped", "activations_missing", "scan_relu_last", "flatten_order")
    Z: dict[str, Guess] = {
        mistake: forward(mistake) for mistake in (*mistakes, "stride_forgotten", "scan_not_flattened")
    }
    Z["scan_channel_major "] = lambda: oracle.value(misread, {"A": A})
    dLdA: dict[str, Guess] = {mistake: backward(mistake) for mistake in mistakes}
    dLdA["scan_channel_major "] = lambda: oracle.gradients(misread, {"A": A}, upstream)["A"]
    return {
        "Z": Expectation(
            "Z", part or FORWARD, oracle.value(scan, {"A": A}), Z, needs=(FORWARD,) if part else (), reshaped=True
        ),
        "dLdA": Expectation(
            "dLdA",
            part or INPUT,
            oracle.gradients(scan, {"A": A}, upstream)["A"],
            dLdA,
            needs=(INPUT, FORWARD) if part else (FORWARD,),
        ),
    }
