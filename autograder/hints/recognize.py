"""Chooses the mistake that explains a wrong result. No hint is better than a wrong one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np

from autograder.checks.case import DEPTHS, NON_SQUARE, SHAPE
from autograder.compare import Verdict, close
from autograder.hints.catalogue import SENTENCES
from autograder.hints.errors import causes
from autograder.rubric import Tolerance
from autograder.wire import Array

_GENERAL = frozenset({"scaled", "all_zero", "permuted", "cropped", "enlarged", "sign_wrong"})

_SYMPTOMS = frozenset(
    {
        "shapes_clash",
        "reshape_size",
        "out_of_bounds",
        "unpack_axes",
        "too_few_axes",
        "key_missing",
        "operand_types",
        "attribute_not_set",
        "attribute_missing",
        "gradient_missing",
        "negative_size",
        "empty_slice",
        "is_none",
    }
)
"""What an exception says about a line, but not about the mistake."""


def recognize(shown: Verdict, failures: Sequence[Verdict], part: str) -> tuple[str, str]:
    """The key and the sentence of the mistake that explains the failure that a report shows; ("", "") for none.

    If several mistakes explain it, the other failures of the same part decide.
    """
    if part == SHAPE:
        keys = list(_shape_keys(shown))
    else:
        keys = list(dict.fromkeys(_keys(shown, part)))
    if not keys:
        return "", ""
    general = _GENERAL.intersection(keys)
    if general:  # what is seen without knowing the layer must hold for every failure
        keys = [key for key in keys if key not in general or all(key in set(_keys(v, part)) for v in failures[:20])]
        if not keys:
            return "", ""
    votes: Counter[str] = Counter()
    if len(keys) > 1:
        for verdict in sorted(failures, key=lambda v: v.case.size)[:20]:
            votes.update(set(_keys(verdict, part)))
    best = max(keys, key=lambda key: (votes[key], -keys.index(key)))
    return best, SENTENCES[best].format(what=shown.expectation.what)


def mistakes(verdict: Verdict) -> list[str]:
    """The keys of the known mistakes that give exactly what came back."""
    if verdict.got is None:
        return []
    found = []
    for key, guess in verdict.expectation.guesses.items():
        try:
            value = np.asarray(guess())
        except (ValueError, IndexError, RuntimeError, ZeroDivisionError):  # this size leaves no room for the mistake
            continue
        if value.size and not _alike(value, verdict.expectation.value) and _alike(verdict.got, value):
            found.append(key.strip())
    if not found and _is_single(verdict):
        found.append("float32")
    return list(dict.fromkeys(found))


def _is_single(verdict: Verdict) -> bool:
    """Whether a float64 result has only the precision of float32."""
    got, right = verdict.got, verdict.expectation.value
    if got is None or got.shape != right.shape or verdict.expectation.types != "float64" or not got.size:
        return False
    if verdict.right or not np.isfinite(got).all():
        return False
    near = close(got, right, Tolerance(absolute=1e-5, relative=1e-5)).all()
    return bool(near) and ((got.dtype.kind == "f" and got.dtype.itemsize < 8) or _rounded(got, right))


def _shape_keys(verdict: Verdict) -> Iterable[str]:
    """Mistakes that explain a wrong shape."""
    if verdict.error is not None or verdict.got is None:
        yield from _keys(verdict, SHAPE)
        return
    special = mistakes(verdict)
    got, right = verdict.got, verdict.expectation.value
    if verdict.right:
        if "bias_row" in special or "scan_not_flattened" in special:
            yield next(key for key in special if key in ("bias_row", "scan_not_flattened"))
        elif _squeezed(got) == _squeezed(right):
            yield "dimensions_lost" if got.ndim < right.ndim else "axis_of_one"
        else:
            yield "reshaped"
    elif special:
        yield from special
    elif not got.size and right.size:
        yield "empty_slice"
    else:
        yield from _general(got, right, verdict)


def _keys(verdict: Verdict, part: str) -> Iterable[str]:
    """Every mistake that explains one failure, the most specific first."""
    if verdict.error is not None:
        yield from _of_exception(verdict, part)
        return
    got, expectation = verdict.got, verdict.expectation
    if got is None:
        yield "returned_none" if "(None)" in verdict.problem else "not_an_array"
        return
    if expectation.exact and verdict.case.aspect:
        yield verdict.case.aspect
        return
    if part in (NON_SQUARE, DEPTHS):  # the other inputs work
        yield "square_only" if part == NON_SQUARE else "fixed_depth"
        return
    special = mistakes(verdict)
    if not got.size and expectation.value.size:
        special = ["empty_slice"]
    yield from special
    if special:
        return
    if verdict.case.aspect:
        yield verdict.case.aspect
    else:
        yield from _general(got, expectation.value, verdict)


def _of_exception(verdict: Verdict, part: str) -> Iterable[str]:
    """The cause of an exception. Where only a special use fails, that use is the cause, not the line that noticed."""
    keys = list(causes(verdict.error or {}, verdict.case.aspect))
    if keys and keys[0] not in _SYMPTOMS:
        yield from keys
    elif part == NON_SQUARE:
        yield "square_only"
    elif part == DEPTHS:
        yield "fixed_depth"
    elif verdict.case.aspect:
        yield verdict.case.aspect
    else:
        yield from keys


def _general(got: Array, right: Array, verdict: Verdict) -> Iterable[str]:
    """Mistakes that can be recognized without knowing the layer."""
    batch = verdict.case.batch
    if got.shape == right.shape:
        if not np.isfinite(got).all():
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


def _squeezed(array: Array) -> list[int]:
    return [size for size in array.shape if size != 1]


def _alike(a: Array, b: Array) -> bool:
    """Whether two arrays are equal up to rounding, relative to the largest value."""
    if a.shape != b.shape:
        return False
    with np.errstate(all="ignore"):
        scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0)) if b.size else 0.0
    return bool(close(a, b, Tolerance(absolute=min(1.0, 1e-9 * scale), relative=1e-9)).all())


def _rounded(got: Array, right: Array) -> bool:
    """Whether the differences are those of float32 arithmetic: small, but not tiny."""
    scale = float(np.abs(right).max(initial=0.0)) or 1.0
    with np.errstate(all="ignore"):
        worst = float(np.abs(got - right).max(initial=0.0)) / scale
    return 1e-9 < worst < 1e-5


def _proportional(got: Array, right: Array) -> bool:
    """Whether one constant factor explains all differences."""
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
    """Whether `small` is the first part of `large` along every axis."""
    if small.ndim != large.ndim or any(a > b for a, b in zip(small.shape, large.shape, strict=True)) or not small.size:
        return False
    return _alike(small, large[tuple(slice(size) for size in small.shape)])
