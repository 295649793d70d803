"""Checks of dropout. Its mask is one draw from NumPy's global generator."""

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import EDGES, EVALUATION, FORWARD, INPUT, SHAPE, Case, Dialect, Expectation, Family, Guess
from autograder.checks.layer import generator
from autograder.script import Kept, Script
from autograder.wire import Array

_PARTS = (SHAPE, FORWARD, INPUT, EVALUATION, EDGES)


def dropout(name: str) -> Family:
    """Dropout or Dropout2d."""
    channels = name == "Dropout2d"
    sizes = [(1, 3, 2, 2), (3, 5, 2, 4), (4, 6, 3, 2)] if channels else [(1, 6), (4, 5), (3, 4, 6)]

    def mask(seed: int, shape: tuple[int, ...], p: float) -> Array:
        wanted = (*shape[:2], 1, 1) if channels else shape
        return np.random.RandomState(seed).binomial(1, 1 - p, wanted).astype(np.float64) * np.ones(shape)

    def guesses(A: Array, drawn: Array, p: float, seed: int) -> dict[str, Guess]:
        per_pixel = np.random.RandomState(seed).binomial(1, 1 - p, A.shape)
        opposite = np.random.RandomState(seed).binomial(1, p, (*A.shape[:2], 1, 1) if channels else A.shape)
        per_channel = np.random.RandomState(seed).binomial(1, 1 - p, (1, A.shape[1], *[1] * (A.ndim - 2)))
        found: dict[str, Guess] = {
            "dropout_not_scaled": lambda: A * drawn,
            "dropout_scaled_by_p": lambda: A * drawn / p,
            "dropout_mask_inverted": lambda: A * opposite / (1 - p),
            "dropout_mask_inverted ": lambda: A * (1 - drawn) / (1 - p),
            "dropout_multiplied": lambda: A * drawn * (1 - p),
            "dropout_batch_shared": lambda: A * per_channel / (1 - p),
            "dropout_missing": lambda: A,
        }
        if channels:
            found["dropout_per_pixel"] = lambda: A * per_pixel / (1 - p)
        return found

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        cases = []
        for shape, p in zip(sizes, (0.5, 0.3, 0.7), strict=True):
            A, upstream, number = oracle.draw(g, *shape), oracle.draw(g, *shape), int(g.integers(1 << 30))
            drawn = mask(number, shape, p)
            script = Script().new("layer", name, p).seed(number).call("layer", "forward", A, out="Z")
            script.call("layer", "backward", upstream, out="dLdA")
            also = (upstream * drawn,) if dialect == "bonus" and not channels else ()
            expected = {
                "Z": Expectation("Z", FORWARD, A * drawn / (1 - p), guesses(A, drawn, p, number)),
                "dLdA": Expectation(
                    "dLdA", INPUT, upstream * drawn / (1 - p), guesses(upstream, drawn, p, number), also=also
                ),
            }
            cases.append(Case(f"{name}({p}) on {oracle.sizes(shape)}", script, expected, A.size, batch=shape[0]))
        return [*cases, _evaluated(A, p), *_edges(A, upstream, p, number, drawn, dialect)]

    def _evaluated(A: Array, p: float) -> Case:
        script = Script().new("layer", name, p).evaluate("layer", A, out="Z")
        expected = {
            "Z": Expectation(
                "Z in evaluation",
                EVALUATION,
                A,
                {"eval_scaled": lambda: A * (1 - p), "eval_scaled ": lambda: A / (1 - p)},
            )
        }
        return Case(f"{name}({p}) with eval=True", script, expected, A.size)

    def _edges(A: Array, upstream: Array, p: float, number: int, drawn: Array, dialect: Dialect) -> list[Case]:
        also = (upstream * drawn,) if dialect == "bonus" and not channels else ()
        gradient = Expectation("dLdA", EDGES, upstream * drawn / (1 - p), needs=(INPUT,), also=also)
        between = Script().new("layer", name, p).seed(number).call("layer", "forward", A)
        between.evaluate("layer", A).call("layer", "backward", upstream, out="dLdA")
        unchanged = Script().new("layer", name, p).keep("A", A).call("layer", "forward", Kept("A"))
        unchanged.get("A", "", "A")
        once = Script().new("layer", name, p).seed(number).call("layer", "forward", A).draw("draw")
        after = np.random.RandomState(number)
        after.binomial(1, 1 - p, (*A.shape[:2], 1, 1) if channels else A.shape)
        return [
            Case(f"{name}({p}), an evaluation forward between forward and backward", between, {"dLdA": gradient},
                 A.size, "state_overwritten"),
            Case(f"{name}({p}), the input afterwards", unchanged,
                 {"A": Expectation("A afterwards", EDGES, A, exact=True)}, A.size, "input_changed"),
            Case(f"{name}({p}), the generator afterwards", once,
                 {"draw": Expectation("the next random number", EDGES, np.array(after.random_sample()), exact=True,
                                      needs=(FORWARD,))},
                 A.size, "draws"),
        ]  # fmt: skip

    return Family(name, _PARTS, build)
