"""Checks of the losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import EDGES, FORWARD, INPUT, SHAPE, Case, Dialect, Expectation, Family, Guess, Guesses
from autograder.checks.layer import generator
from autograder.script import Kept, Script
from autograder.wire import Array

if TYPE_CHECKING:
    import torch

_SIZES = ((1, 2), (2, 3), (5, 4), (3, 7))


def mean_squared() -> Family:
    """MSELoss()."""
    return _family("MSELoss", lambda A, Y: ((A - Y) ** 2).mean(), oracle.draw, _squared_guesses)


def cross_entropy() -> Family:
    """CrossEntropyLoss()."""

    def one_hot(g: np.random.Generator, N: int, C: int) -> Array:
        return np.asarray(np.eye(C)[g.integers(0, C, N)])

    return _family("CrossEntropyLoss", _cross_entropy, one_hot, _entropy_guesses)


def _family(
    name: str,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    targets: Callable[..., Array],
    guess: Callable[[Array, Array, Array], Mapping[str, Guesses]],
) -> Family:
    def values(A: Array, Y: Array, old: bool) -> tuple[Array, Array, dict[str, Guesses], tuple[Array, ...]]:
        """The loss, its gradient, guesses, and other correct gradients. The old dialect halves the squared error."""
        L, dLdA = oracle.calculate(loss, A, Y), _gradient(loss, A, Y)
        guesses = dict(guess(A, Y, dLdA))
        if not old:
            return L, dLdA, guesses, ()
        if name == "CrossEntropyLoss":  # published solutions divide by N here or in Linear
            return L, dLdA, {**guesses, "dLdA": _without(guesses["dLdA"], "batch_not_divided")}, (dLdA * len(A),)
        half = {"L": _without(guesses["L"], "loss_half"), "dLdA": _without(guesses["dLdA"], "loss_half")}
        return L / 2, dLdA / 2, half, (dLdA / 2 * A.size,)

    def expected(A: Array, Y: Array, old: bool, part: str = "") -> dict[str, Expectation]:
        L, dLdA, guesses, also = values(A, Y, old)
        return {
            "L": Expectation("the loss", part or FORWARD, L, guesses["L"], needs=(FORWARD,) if part else ()),
            "dLdA": Expectation(
                "dLdA", part or INPUT, dLdA, guesses["dLdA"], needs=(INPUT,) if part else (), also=also
            ),
        }

    def once(A: Array, Y: Array, old: bool, aspect: str = "", words: str = "") -> Case:
        script = Script().new("loss", name).call("loss", "forward", A, Y, out="L").call("loss", "backward", out="dLdA")
        text = f"{name}() on {oracle.sizes(A.shape)}{words}"
        return Case(text, script, expected(A, Y, old, EDGES if aspect else ""), A.size, aspect, len(A))

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g, old = generator(seed, name), dialect == "hw1p1-old"
        drawn = [(oracle.draw(g, *size), targets(g, *size)) for size in _SIZES]
        cases = [once(A, Y, old) for A, Y in drawn]
        cases.append(once(drawn[1][0] * 300, drawn[1][1], old, "far_out", ", numbers in the hundreds"))

        (A, Y), (B, X) = drawn[1], drawn[2]
        script = Script().new("loss", name).call("loss", "forward", A, Y, out="L_1").call("loss", "backward")
        script.call("loss", "forward", B, X, out="L").call("loss", "backward", out="dLdA")
        cases.append(
            Case(f"{name}(), then again with another batch", script, expected(B, X, old, EDGES), B.size, "repeated")
        )

        script = Script().new("loss", name).keep("A", A).keep("Y", Y).call("loss", "forward", Kept("A"), Kept("Y"))
        script.call("loss", "backward").get("A", "", "A").get("Y", "", "Y")
        unchanged = {
            "A": Expectation("A afterwards", EDGES, A, exact=True),
            "Y": Expectation("Y afterwards", EDGES, Y, exact=True),
        }
        cases.append(Case(f"{name}(), the input afterwards", script, unchanged, A.size, "input_changed"))
        return cases

    return Family(name, (SHAPE, FORWARD, INPUT, EDGES), build)


def _cross_entropy(A: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional as F

    return F.cross_entropy(A, Y)


def _without(guesses: Guesses, key: str) -> Guesses:
    return {name: guess for name, guess in guesses.items() if name != key}


def _gradient(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], A: Array, Y: Array) -> Array:
    import torch

    return oracle.gradients(lambda t: loss(t["A"], torch.from_numpy(Y)), {"A": A}, np.ones(()))["A"]


def _squared_guesses(A: Array, Y: Array, right: Array) -> Mapping[str, Guesses]:
    N, C = A.shape
    square = (A - Y) ** 2
    return {
        "L": {
            "loss_half": lambda: square.mean() / 2,
            "loss_summed": lambda: np.asarray(square.sum()),
            "loss_batch_only": lambda: square.sum() / N,
            "loss_absolute": lambda: np.abs(A - Y).mean(),
            "loss_not_reduced": lambda: square,
        },
        "dLdA": {
            "loss_half": lambda: right / 2,
            "loss_summed": lambda: right * N * C,
            "loss_batch_only": lambda: right * C,
            "sign_wrong": lambda: -right,
        },
    }


def _entropy_guesses(A: Array, Y: Array, right: Array) -> Mapping[str, Guesses]:
    import torch
    from torch.nn import functional as F

    N, C = A.shape
    P = oracle.calculate(lambda a: torch.softmax(a, 1), A)
    each = oracle.calculate(lambda a, y: F.cross_entropy(a, y, reduction="none"), A, Y)
    forward: dict[str, Guess] = {
        "loss_summed": lambda: np.asarray(each.sum()),
        "loss_all_entries": lambda: each.sum() / (N * C),
        "sign_wrong": lambda: -each.mean(),
        "loss_not_reduced": lambda: each,
        "softmax_axis": lambda: oracle.calculate(lambda a, y: -(y * torch.log_softmax(a, 0)).sum() / N, A, Y),
        "softmax_twice": lambda: oracle.calculate(F.cross_entropy, P, Y),
    }
    return {
        "L": forward,
        "dLdA": {
            "batch_not_divided": lambda: right * N,
            "loss_all_entries": lambda: right / C,
            "sign_wrong": lambda: -right,
            "softmax_axis": lambda: (oracle.calculate(lambda a: torch.softmax(a, 0), A) - Y) / N,
            "softmax_missing": lambda: (A - Y) / N,
        },
    }
