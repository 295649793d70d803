"""Checks of the losses."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional as F

from autograder.checks import oracle
from autograder.checks.case import EDGES, FORWARD, INPUT, SHAPE, Case, Expectation, Family, Guess, Guesses
from autograder.checks.layer import generator
from autograder.script import Kept, Script
from autograder.wire import Array

_SIZES = ((1, 2), (2, 3), (5, 4), (3, 7))


def mean_squared() -> Family:
    """MSELoss()."""
    return _family("MSELoss", lambda A, Y: ((A - Y) ** 2).mean(), oracle.draw, _squared_guesses)


def cross_entropy() -> Family:
    """CrossEntropyLoss()."""

    def one_hot(g: np.random.Generator, N: int, C: int) -> Array:
        return np.asarray(np.eye(C)[g.integers(0, C, N)])

    return _family("CrossEntropyLoss", lambda A, Y: F.cross_entropy(A, Y), one_hot, _entropy_guesses)


def _family(
    name: str,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    targets: Callable[..., Array],
    guess: Callable[[Array, Array, Array], Mapping[str, Guesses]],
) -> Family:
    def expected(A: Array, Y: Array, part: str = "", suffix: str = "") -> dict[str, Expectation]:
        guesses = guess(A, Y, _gradient(loss, A, Y))
        return {
            f"L{suffix}": Expectation("the loss", part or FORWARD, oracle.calculate(loss, A, Y), guesses["L"]),
            f"dLdA{suffix}": Expectation("dLdA", part or INPUT, _gradient(loss, A, Y), guesses["dLdA"]),
        }

    def once(A: Array, Y: Array, aspect: str = "", words: str = "") -> Case:
        script = Script().new("loss", name).call("loss", "forward", A, Y, out="L").call("loss", "backward", out="dLdA")
        text = f"{name}() on {oracle.sizes(A.shape)}{words}"
        return Case(text, script, expected(A, Y, EDGES if aspect else ""), A.size, aspect, len(A))

    def build(seed: int) -> list[Case]:
        g = generator(seed, name)
        drawn = [(oracle.draw(g, *size), targets(g, *size)) for size in _SIZES]
        cases = [once(A, Y) for A, Y in drawn]
        cases.append(once(drawn[1][0] * 300, drawn[1][1], "far_out", ", numbers in the hundreds"))

        (A, Y), (B, X) = drawn[1], drawn[2]
        script = Script().new("loss", name).call("loss", "forward", A, Y, out="L_1").call("loss", "backward")
        script.call("loss", "forward", B, X, out="L").call("loss", "backward", out="dLdA")
        cases.append(
            Case(f"{name}(), then again with another batch", script, expected(B, X, EDGES), B.size, "repeated")
        )

        script = Script().new("loss", name).keep("A", A).keep("Y", Y).call("loss", "forward", Kept("A"), Kept("Y"))
        script.call("loss", "backward").get("A", "", "A").get("Y", "", "Y")
        unchanged = {
            "A": Expectation("A afterwards", EDGES, A, exact=True),
            "Y": Expectation("Y afterwards", EDGES, Y, exact=True),
        }
        cases.append(Case(f"{name}(), looking at the input afterwards", script, unchanged, A.size, "input_changed"))
        return cases

    return Family(name, (SHAPE, FORWARD, INPUT, EDGES), build)


def _gradient(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], A: Array, Y: Array) -> Array:
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
