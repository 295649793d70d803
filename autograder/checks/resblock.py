"""Checks of the residual block. Its weights are known only by the order in which they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import (
    EDGES,
    EVALUATION,
    FORWARD,
    INPUT,
    NON_SQUARE,
    SHAPE,
    Case,
    Dialect,
    Expectation,
    Family,
    Guess,
    Guesses,
)
from autograder.checks.layer import generator
from autograder.script import Kept, Script
from autograder.wire import Array

if TYPE_CHECKING:
    import torch

_EPS, _ALPHA = 1e-8, 0.9
_SIZES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [  # the constructor's numbers, the input's shape
    ((2, 2, 1, 1, 0), (3, 2, 2, 2)),
    ((4, 4, 1, 1, 0), (2, 4, 3, 3)),
    ((2, 3, 3, 1, 1), (2, 2, 4, 4)),
    ((3, 4, 3, 2, 1), (3, 3, 7, 7)),
    ((2, 2, 1, 1, 0), (3, 2, 2, 3)),
    ((2, 3, 3), (2, 2, 7, 10)),
    ((2, 3, 3, 1, 1), (2, 2, 4, 5)),
]


class Block:
    """The block in PyTorch, with the weights that a correct block draws after `np.random.seed(seed)`."""

    def __init__(self, seed: int, sizes: tuple[int, ...]) -> None:
        import torch

        inputs, outputs, kernel, self.stride, self.padding = (*sizes, *(3, 1)[len(sizes) - 3 :])
        g = np.random.RandomState(seed)
        self.first = torch.from_numpy(g.normal(0, 1, (outputs, inputs, kernel, kernel)))
        self.second = torch.from_numpy(g.normal(0, 1, (outputs, outputs, 1, 1)))
        changed = (inputs, kernel, self.stride, self.padding) != (outputs, 1, 1, 0)
        self.shortcut = torch.from_numpy(g.normal(0, 1, self.first.shape)) if changed else None

    def __call__(self, A: torch.Tensor, mistake: str = "", running: list[torch.Tensor] | None = None) -> torch.Tensor:
        """Forward, possibly with a mistake, and with the statistics in `running` if given."""
        import torch

        known = iter(running or [])

        def norm(Z: torch.Tensor) -> torch.Tensor:
            M, V = Z.mean((0, 2, 3), keepdim=True), Z.var((0, 2, 3), correction=0, keepdim=True)
            if running is not None:
                M, V = next(known), next(known)
            return Z if mistake == "norm_missing" else (Z - M) / (V + _EPS).sqrt()

        inner = norm(oracle.convolve(A, self.first, None, self.stride, self.padding))
        if mistake != "resblock_inner_relu":
            inner = torch.relu(inner)
        residual = norm(oracle.convolve(inner, self.second, None))
        past = A
        if self.shortcut is not None:
            past = norm(oracle.convolve(A, self.shortcut, None, self.stride, self.padding))
        if mistake == "resblock_no_shortcut":
            past = past * 0
        if mistake == "resblock_shortcut_constant":
            past = past.detach()
        if mistake == "resblock_branch_constant":
            residual = residual.detach()
        if mistake == "resblock_relu_twice":
            residual = torch.relu(residual)
        total = residual + past
        return total if mistake == "resblock_last_relu" else torch.relu(total)

    def running(self, A: torch.Tensor) -> list[torch.Tensor]:
        """The running statistics after one training forward, in the order of use in `__call__`."""
        import torch

        found: list[torch.Tensor] = []

        def norm(Z: torch.Tensor) -> torch.Tensor:
            M, V = Z.mean((0, 2, 3), keepdim=True), Z.var((0, 2, 3), correction=0, keepdim=True)
            found.extend([(1 - _ALPHA) * M, _ALPHA + (1 - _ALPHA) * V])
            return (Z - M) / (V + _EPS).sqrt()

        inner = torch.relu(norm(oracle.convolve(A, self.first, None, self.stride, self.padding)))
        norm(oracle.convolve(inner, self.second, None))
        if self.shortcut is not None:
            norm(oracle.convolve(A, self.shortcut, None, self.stride, self.padding))
        return found


def residual() -> Family:
    """ResBlock(in_channels, out_channels, filter_size, stride=3, padding=1)."""

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, "ResBlock")
        cases = []
        for sizes, shape in _SIZES:
            number, A = int(g.integers(1 << 30)), oracle.draw(g, *shape)
            block = Block(number, sizes)
            upstream = oracle.draw(g, *oracle.calculate(block, A).shape)
            script = Script().seed(number).new("block", "ResBlock", *sizes).call("block", "forward", A, out="Z")
            script.call("block", "backward", upstream, out="dLdA")
            words = f"ResBlock{sizes} on {oracle.sizes(shape)}"
            part = "" if shape[2] == shape[3] else NON_SQUARE
            cases.append(Case(words, script, _expected(block, A, upstream, part), A.size, batch=shape[0]))
            if not part:
                usual = (block, A, upstream, number, sizes)
        cases.sort(key=lambda case: case.size)
        return [
            *cases,
            _evaluated(*usual),
            *_edges(*usual),
        ]

    return Family("ResBlock", (SHAPE, FORWARD, INPUT, EVALUATION, NON_SQUARE, EDGES), build)


def _expected(block: Block, A: Array, upstream: Array, part: str = "") -> dict[str, Expectation]:
    guesses = _guesses(block, A, upstream)
    Z = oracle.calculate(block, A)
    dLdA = oracle.gradients(lambda t: block(t["A"]), {"A": A}, upstream)["A"]
    return {
        "Z": Expectation("Z", part or FORWARD, Z, guesses["Z"], needs=(FORWARD,) if part else ()),
        "dLdA": Expectation(
            "dLdA", part or INPUT, dLdA, guesses["dLdA"], needs=(INPUT, FORWARD) if part else (FORWARD,)
        ),
    }


def _guesses(block: Block, A: Array, upstream: Array) -> Mapping[str, Guesses]:
    def forward(mistake: str) -> Guess:
        return lambda: oracle.calculate(lambda a: block(a, mistake), A)

    def backward(mistake: str) -> Guess:
        return lambda: oracle.gradients(lambda t: block(t["A"], mistake), {"A": A}, upstream)["A"]

    both = ("resblock_no_shortcut", "resblock_inner_relu", "resblock_last_relu", "resblock_relu_twice", "norm_missing")
    detached = ("resblock_shortcut_constant", "resblock_branch_constant")
    return {
        "Z": {mistake: forward(mistake) for mistake in both},
        "dLdA": {mistake: backward(mistake) for mistake in (*detached, *both)},
    }


def _evaluated(block: Block, A: Array, upstream: Array, number: int, sizes: tuple[int, ...]) -> Case:
    script = Script().seed(number).new("block", "ResBlock", *sizes).call("block", "forward", A)
    script.evaluate("block", A, out="Z")
    Z = oracle.calculate(lambda a: block(a, running=block.running(a)), A)
    guess: dict[str, Guess] = {"eval_uses_batch": lambda: oracle.calculate(block, A)}
    expected = {"Z": Expectation("Z in evaluation", EVALUATION, Z, guess, needs=(FORWARD,))}
    return Case(f"ResBlock{sizes} with eval=True", script, expected, A.size)


def _edges(block: Block, A: Array, upstream: Array, number: int, sizes: tuple[int, ...]) -> list[Case]:
    words = f"ResBlock{sizes}"
    again = Script().seed(number).new("block", "ResBlock", *sizes).call("block", "forward", A[:1] * 2 + 1, out="Z_1")
    again.call("block", "forward", A, out="Z").call("block", "backward", upstream, out="dLdA")
    unchanged = Script().seed(number).new("block", "ResBlock", *sizes).keep("A", A).keep("dLdZ", upstream)
    unchanged.call("block", "forward", Kept("A")).call("block", "backward", Kept("dLdZ"))
    unchanged.get("A", "", "A").get("dLdZ", "", "dLdZ")
    right = _expected(block, A, upstream, EDGES)
    same = {
        "A": Expectation("A afterwards", EDGES, A, exact=True),
        "dLdZ": Expectation("dLdZ afterwards", EDGES, upstream, exact=True),
    }
    return [
        Case(f"{words}, forward twice, then backward", again, right, A.size, "state_kept"),
        Case(f"{words}, the input afterwards", unchanged, same, A.size, "input_changed"),
    ]
