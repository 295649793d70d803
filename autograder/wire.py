"""The only language between grader and worker: a JSON header and the raw bytes of arrays.

Nothing in it can run code when it is read (no pickle, no object arrays), and everything read is checked: a message
comes from a process that a submission controls. One message is

    length of the header, 4 bytes, big-endian | header, UTF-8 JSON | the arrays' bytes, one after the other

and `header["arrays"]` lists each array's dtype and shape.
"""

import json
import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DTYPES = frozenset({"<f2", "<f4", "<f8", "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"})
_LENGTH = struct.Struct(">I")
_MAX_HEADER = 1 << 20
_MAX_HEADERS = 8 << 20  # of all messages in one answer together
_MAX_MESSAGES = 20_000
_MAX_AXES = 8


class WireError(ValueError):
    """A message that is not in this language."""


def pack(header: dict[str, Any], arrays: Sequence[Array] = ()) -> bytes:
    """One message; WireError where an array's dtype cannot be sent, as Python objects cannot."""
    plain = [_little_endian(array) for array in arrays]
    described = {**header, "arrays": [{"dtype": a.dtype.str, "shape": list(a.shape)} for a in plain]}
    text = json.dumps(described).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *(a.tobytes() for a in plain)])


def unpack(data: bytes) -> Iterator[tuple[dict[str, Any], list[Array]]]:
    """The messages in `data`, in order, and none of a last one that is cut short; WireError at the first bad one.

    Their number and the size of their headers are bounded, as each header costs the reader many times its size.
    """
    position = messages = headers = 0
    while position + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        if length > _MAX_HEADER:
            raise WireError(f"a header of {length} bytes, expected at most {_MAX_HEADER}")
        messages, headers = messages + 1, headers + length
        if messages > _MAX_MESSAGES or headers > _MAX_HEADERS:
            raise WireError(f"more than {_MAX_MESSAGES} messages, or than {_MAX_HEADERS >> 20} MiB of headers")
        start = position + _LENGTH.size
        if start + length > len(data):
            return
        header = _header(data[start : start + length])
        position = start + length
        arrays = []
        for described in header["arrays"]:
            dtype, shape = _description(described)
            count = math.prod(shape)
            end = position + count * dtype.itemsize
            if end > len(data):
                return
            try:
                arrays.append(np.frombuffer(data, dtype, count, position).reshape(shape).copy())
            except (ValueError, OverflowError, MemoryError) as error:  # shapes with a 0 and a few huge numbers
                raise WireError(f"not the shape of an array: {shape!r:.80}") from error
            position = end
        yield header, arrays


def _little_endian(array: Array) -> Array:
    """The array as this language sends it."""
    plain = np.ascontiguousarray(array).reshape(np.shape(array))
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    if plain.dtype.str not in DTYPES:
        raise WireError(f"an array of {plain.dtype} cannot be sent")
    if plain.ndim > _MAX_AXES:
        raise WireError(f"an array of {plain.ndim} axes cannot be sent")
    return plain


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the header is not JSON: {error}") from None
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), list):
        raise WireError("the header is not an object with a list of arrays")
    return header


def _description(described: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Dtype and shape as a message gives them."""
    dtype = described.get("dtype") if isinstance(described, dict) else None
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise WireError(f"not the description of an array: {described!r:.80}")
    shape = described.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) > _MAX_AXES
        or not all(type(size) is int and 0 <= size < 1 << 40 for size in shape)
    ):
        raise WireError(f"not the shape of an array: {shape!r:.80}")
    return np.dtype(dtype), tuple(shape)
