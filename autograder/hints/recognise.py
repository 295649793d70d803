"""Chooses the mistake that explains what came out wrong."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np

from autograder.compare import Verdict, close
from autograder.hints.catalogue import SENTENCES
from autograder.rubric import Tolerance
from autograder.wire import Array

_SAME = Tolerance(absolute=1e-9, relative=1e-9)


def recognise(failures: Sequence[Verdict], others_fail: bool) -> tuple[str, str]:
    """The key and the sentence for the mistake that explains most of these failures; ("", "") where none does.

    others_fail: whether parts other than the edge cases fail too, so that an edge case need not be the reason.
    """
    votes: Counter[str] = Counter()
    first: dict[str, Verdict] = {}
    for verdict in failures:
        for key in dict.fromkeys(_keys(verdict, others_fail)):
            votes[key] += 1
            first.setdefault(key, verdict)
    if not votes:
        return "", ""
    best = max(votes, key=lambda key: (votes[key], -list(votes).index(key)))
    return best, SENTENCES[best].format(what=first[best].expectation.what)


def _keys(verdict: Verdict, others_fail: bool) -> Iterable[str]:
    """Every mistake that explains one failure, the most telling first."""
    if verdict.error is not None:
        yield from _of_error(verdict, others_fail)
        return
    got, expectation = verdict.got, verdict.expectation
    if got is None:
        yield "returned_none" if "(None)" in verdict.problem else "not_an_array"
        return
    right = expectation.value
    if expectation.exact and verdict.case.aspect:
        yield verdict.case.aspect
        return
    special = []
    for key, guess in expectation.guesses.items():
        try:
            value = np.asarray(guess())
        except (ValueError, IndexError, RuntimeError):  # a mistake that this size leaves no room for
            continue
        if value.size and not _alike(value, right) and _alike(got, value):
            special.append(key.strip())
    yield from special
    if verdict.case.aspect and not others_fail:
        yield verdict.case.aspect
    if not special:
        yield from _general(got, right, verdict)


def _general(got: Array, right: Array, verdict: Verdict) -> Iterable[str]:
    """What can be seen without knowing the layer."""
    batch = verdict.case.batch
    if got.shape == right.shape:
        if verdict.expectation.types == "float64" and (
            (got.dtype.itemsize < 8 and got.dtype.kind == "f") or _rounded(got, right)
        ):
            yield "float32"
        elif not np.isfinite(got).all():
            yield "not_finite"
        elif not got.any() and right.any():
            yield "all_zero"
        elif _alike(got, -right):
            yield "sign_wrong"
        elif batch > 1 and _alike(got * batch, right):
            yield "batch_divided"
        elif batch > 1 and _alike(got, right * batch):
            yield "batch_not_divided"
        elif _proportional(got, right):
            yield "scaled"
        else:
            yield from _permuted(got, right)
        return
    if got.size == right.size and _alike(got.reshape(right.shape), right):
        yield "reshaped"
    elif _part_of(got, right):
        yield "cropped"
    elif _part_of(right, got):
        yield "enlarged"
    else:
        yield from _permuted(got, right)


def _of_error(verdict: Verdict, others_fail: bool) -> Iterable[str]:
    """What an exception says."""
    error = verdict.error or {}
    kind, text = error.get("type", ""), str(error.get("message", ""))
    if kind == "NotImplementedError":
        yield "not_written"
    elif kind == "MemoryError" or kind.endswith("ArrayMemoryError"):
        yield "memory"
    elif kind == "Timeout":
        yield "endless"
    elif verdict.case.aspect == "not_callable" and not others_fail:
        yield "not_callable"
    elif kind == "AttributeError" and error.get("step", "").startswith("reading"):
        yield "attribute_missing"
    elif kind == "TypeError" and ("argument" in text or "callable" in text):
        yield "signature"
    elif verdict.case.aspect and not others_fail:
        yield verdict.case.aspect
    elif kind == "ValueError" and ("broadcast" in text or "shape" in text or "aligned" in text or "mismatch" in text):
        yield "shapes_clash"


def _alike(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(close(a, b, _SAME).all())


def _rounded(got: Array, right: Array) -> bool:
    """Whether the differences are those of float32 arithmetic: everywhere small, and nowhere much smaller."""
    scale = float(np.abs(right).max(initial=0.0)) or 1.0
    with np.errstate(all="ignore"):
        worst = float(np.abs(got - right).max(initial=0.0)) / scale
    return 1e-9 < worst < 1e-5


def _proportional(got: Array, right: Array) -> bool:
    """Whether one factor explains it all."""
    if right.size < 2 or not right.any():
        return False
    place = np.unravel_index(int(np.abs(right).argmax()), right.shape)
    return _alike(got, right * (got[place] / right[place]))


def _permuted(got: Array, right: Array) -> Iterable[str]:
    if 2 <= got.ndim <= 4 and got.ndim == right.ndim and sorted(got.shape) == sorted(right.shape):
        orders = [order for order in permutations(range(got.ndim)) if order != tuple(range(got.ndim))]
        if any(_alike(got.transpose(order), right) for order in orders):
            yield "permuted"


def _part_of(small: Array, large: Array) -> bool:
    """Whether `small` is the beginning of `large` along every axis."""
    if small.ndim != large.ndim or any(a > b for a, b in zip(small.shape, large.shape, strict=True)) or not small.size:
        return False
    return _alike(small, large[tuple(slice(size) for size in small.shape)])
