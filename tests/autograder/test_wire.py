"""The language between grader and worker takes nothing that it does not know."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.wire import WireError, pack, unpack

_DTYPES = hnp.floating_dtypes(endianness="<") | hnp.integer_dtypes(endianness="<") | hnp.boolean_dtypes()


@given(hnp.arrays(_DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
def test_what_is_packed_comes_back(array: np.ndarray) -> None:
    ((header, (back,)),) = unpack(pack({"kind": "result"}, [array]))
    assert header["kind"] == "result"
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    try:
        for header, arrays in unpack(data):
            assert isinstance(header, dict)
            assert isinstance(arrays, list)
    except WireError:
        pass


@given(st.data())
def test_a_message_that_is_cut_short_is_none(data: st.DataObject) -> None:
    whole = pack({"kind": "result"}, [np.arange(6.0)])
    assert list(unpack(whole[: data.draw(st.integers(0, len(whole) - 1))])) == []


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["text"]), np.array([1j]), np.array([(1,)], "i4,")])
def test_only_plain_numbers_are_sent(array: np.ndarray) -> None:
    with pytest.raises(WireError):
        pack({}, [array])


@pytest.mark.parametrize(
    "described",
    [
        {"dtype": "|O", "shape": [1]},
        {"dtype": "<f8", "shape": [-1]},
        {"dtype": "<f8", "shape": [True]},
        {"dtype": "<f8", "shape": [1 << 50]},
        {"dtype": "<f8", "shape": "3"},
        {"dtype": ["<f8"], "shape": []} | {"dtype": None},
        [],
    ],
)
def test_descriptions_are_checked(described: object) -> None:
    text = json.dumps({"arrays": [described]}).encode()
    with pytest.raises(WireError):
        list(unpack(struct.pack(">I", len(text)) + text + bytes(64)))
