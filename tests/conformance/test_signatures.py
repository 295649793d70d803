"""Constructors and forwards take PyTorch's arguments under PyTorch's names, in PyTorch's order, with its defaults."""

import inspect

import pytest
import torch

from mytorch import nn

DEPRECATED = {"size_average", "reduce", "min_value", "max_value"}
"""Arguments that PyTorch itself has replaced. What comes after them is given by keyword: mytorch lacks their place."""
NOT_COMPARED = {"Module", "Sequential", "Parameter", "Identity"}
SHARED = sorted(name for name in nn.__all__ if hasattr(torch.nn, name) and name not in NOT_COMPARED)


def arguments(function):
    """Return the arguments that can be given by position, and those that are by keyword alone."""
    positional, keywords = [], []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in DEPRECATED:
            keywords.append(None)  # from here on by keyword
        elif name not in ("self", "device", "dtype") and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            (keywords if keywords or parameter.kind is parameter.KEYWORD_ONLY else positional).append(name)
    return positional, {name for name in keywords if name is not None}


@pytest.mark.parametrize("name", SHARED)
def test_a_constructor_takes_pytorchs_arguments_in_its_order(name):
    ours, keywords = arguments(getattr(nn, name))
    theirs, their_keywords = arguments(getattr(torch.nn, name))
    assert ours[: len(theirs)] == theirs
    assert their_keywords <= keywords | set(ours)


@pytest.mark.parametrize("name", SHARED)
def test_dtype_and_device_are_by_keyword_alone(name):
    parameters = inspect.signature(getattr(nn, name)).parameters
    kinds = {parameters[key].kind for key in ("dtype", "device") if key in parameters}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", SHARED)
def test_defaults_are_pytorchs(name):
    ours, theirs = (inspect.signature(getattr(library, name)).parameters for library in (nn, torch.nn))
    different = {
        key: (ours[key].default, theirs[key].default)
        for key in set(ours) & set(theirs) - {"dtype", "device", "args", "kwargs"}
        if ours[key].default != theirs[key].default
    }
    assert different == {}


@pytest.mark.parametrize("name", SHARED)
def test_forward_takes_pytorchs_arguments(name):
    ours, _ = arguments(getattr(nn, name).forward)
    theirs, _ = arguments(getattr(torch.nn, name).forward)
    assert ours == theirs
