"""Recognizes the usual cause behind an exception, from its type, its message and the line that raised it."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

_BY_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "NotImplementedError": "not_written",
        "MemoryError": "memory",
        "Timeout": "endless",
        "RecursionError": "recursion",
        "UnboundLocalError": "unbound_local",
        "ZeroDivisionError": "division_by_zero",
        "KeyError": "key_missing",
        "ModuleNotFoundError": "module_missing",
        "ForbiddenImport": "forbidden_import",
        "SyntaxError": "syntax",
        "IndentationError": "syntax",
        "TabError": "syntax",
        "Output": "too_much_output",
    }
)
_FORBIDDEN = re.compile(r"\b(torch|tf|tensorflow|jax|cupy|signal|F)\b")
_MINUS_SLICE = re.compile(r":\s*-\s*(self\.)?[A-Za-z_]")
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    # type, pattern of the message, key
    ("TypeError", r"positional argument|unexpected keyword|required .*argument|takes \d+ ", "signature"),
    ("TypeError", r"'NoneType'", "is_none"),
    ("TypeError", r"object is not callable|not callable", "not_callable"),
    (
        "TypeError",
        r"interpreted as an integer|indices must be integers|expected a sequence of integers",
        "float_as_size",
    ),
    (
        "TypeError",
        r"only int.* scalar arrays|only integer scalar arrays|only length-1 arrays|only 0-dimensional",
        "array_as_number",
    ),
    ("TypeError", r"unsupported operand|can't multiply", "operand_types"),
    ("IndexError", r"only integers, slices", "float_as_size"),
    ("IndexError", r"too many indices", "too_few_axes"),
    ("IndexError", r"out of bounds|out of range", "out_of_bounds"),
    ("IndexError", r"boolean index|did not match", "shapes_clash"),
    ("AttributeError", r"'NoneType' object", "is_none"),
    ("AttributeError", r"module '?numpy", "numpy_name"),
    ("ValueError", r"negative dimensions", "negative_size"),
    ("ValueError", r"read-only", "read_only"),
    ("ValueError", r"cannot reshape", "reshape_size"),
    (
        "ValueError",
        r"could not broadcast|operands could not|broadcast together|not aligned|mismatch|shapes?\b",
        "shapes_clash",
    ),
    ("ValueError", r"inhomogeneous|setting an array element", "ragged"),
    ("ValueError", r"truth value", "truth_value"),
    ("ValueError", r"not enough values to unpack|too many values to unpack", "unpack_axes"),
    ("ValueError", r"zero-size array|empty sequence", "empty_slice"),
    ("ImportError", r"cannot import name", "import_name"),
    ("ImportError", r"relative import", "module_missing"),
)


def causes(error: Mapping[str, Any], aspect: str = "") -> Iterable[str]:
    """The keys of the causes of an exception, the most specific first; none if its cause is not known.

    error: its type, message, the line of code that raised it and the step of the script. aspect: the case's.
    """
    kind, text, code, step = (str(error.get(key, "")) for key in ("type", "message", "code", "step"))
    if kind in ("UFuncTypeError", "_UFuncOutputCastingError", "UFuncOutputCastingError"):
        yield "integer_array"
        return
    if kind.endswith("ArrayMemoryError"):
        yield "memory"
        return
    if kind == "AxisError":
        yield "too_few_axes"
        return
    if kind == "NameError":
        yield "forbidden_name" if _FORBIDDEN.search(text) else "name_missing"
        return
    if kind == "AttributeError" and "object has no attribute" in text and "NoneType" not in text:
        if aspect == "several_layers" and ("'W'" in text or "dLd" in text or "'b'" in text):
            yield "layer_without_W"
            return
        own = not step.startswith("reading") and code
        if "dLd" in text and step.startswith("reading"):
            yield "gradient_missing"
        elif "'forward'" in text or "'backward'" in text or "'step'" in text:
            yield "method_missing"
        else:
            yield "attribute_not_set" if own else "attribute_missing"
        return
    if kind in ("ValueError", "IndexError") and _MINUS_SLICE.search(code):
        yield "minus_zero_slice"
        return
    if kind in _BY_TYPE:
        yield _BY_TYPE[kind]
        return
    for wanted, pattern, key in _PATTERNS:
        if kind == wanted and re.search(pattern, text):
            yield key
            return
