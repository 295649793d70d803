"""PyTorch's own samples for its functions (OpInfo), given to PyTorch and to mytorch: outputs, statistics, gradients."""

import inspect
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from mytorch.random import seeded
from tests.conformance import functions  # noqa: F401 - registers its adapters
from tests.conformance.adapters import ADAPTERS, Adapter, Case
from tests.conformance.arrays import as_tuple, back_through, exact, gradients_differ, named, random_gradients, short
from tests.conformance.equal import difference
from tests.conformance.record import Outcome
from tests.conformance.scope import EXCLUDED_OP_SAMPLES, why_excluded

PRECISION = "float64"


def op_infos() -> list[Any]:
    """Return PyTorch's table of functions. Raises RuntimeError with a remedy if it cannot be imported."""
    try:
        from torch.testing._internal.common_methods_invocations import op_db
    except ImportError as error:
        raise RuntimeError(
            f"PyTorch {torch.__version__}: its samples of functions cannot be imported ({error}); install expecttest "
            "(pip install -e '.[dev]' has it), or a version of PyTorch from 2.6 that has "
            "torch.testing._internal.common_methods_invocations.op_db"
        ) from error
    return [op for op in op_db if torch.float64 in op.supported_dtypes("cpu")]


def run_opinfo(seed: int, names: Sequence[str] = (), most: int | None = None) -> Iterator[Outcome]:
    """Yield the outcome of every sample of every function in scope, or of the functions named.

    most: this many samples of each entry of PyTorch's table, spread over all.
    """
    for op in op_infos():
        if op.name in ADAPTERS and (not names or names_match(op.name, names)):
            samples = samples_of(op, seed)
            count = len(samples) if most is None else min(most, len(samples))
            for index in np.linspace(0, len(samples) - 1, count).astype(int):
                yield outcome(op, samples[index], seed)


def names_match(name: str, names: Sequence[str]) -> bool:
    """Return True for a function that is named in full, or without nn.functional."""
    return name in names or name.removeprefix("nn.functional.") in names


def samples_of(op: Any, seed: int) -> list[Any]:
    """Return PyTorch's samples of a function, in float64."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(op.sample_inputs("cpu", torch.float64, requires_grad=False))


def outcome(op: Any, sample: Any, seed: int) -> Outcome:
    """Return what mytorch makes of one sample, in float64."""
    text, name = described(op, sample), op.name.removeprefix("nn.functional.")
    excluded = why_excluded(EXCLUDED_OP_SAMPLES, name, text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own
        warnings.simplefilter("error", RuntimeWarning)  # NumPy's: an overflow or a division by zero in mytorch
        if excluded:  # random masks of a few elements can agree by chance, but not ten times
            stale = all(compare(op, sample, seed + more) is None for more in range(10))
            return Outcome(name, text, "excluded", excluded, stale)
        problem = compare(op, sample, seed)
    return Outcome(name, text, *(problem or ("agree", "")))


def compare(op: Any, sample: Any, seed: int) -> tuple[Any, str] | None:
    """Return None if mytorch agrees with PyTorch, otherwise the status and the reason."""
    adapter = ADAPTERS[op.name]
    try:
        args, kwargs = _leaves(adapter, sample)
        case = adapter.make(*args, **kwargs)
        layer = case.layer.to(PRECISION).train(case.training)
        _load(layer, case)
        arrays = [tensor.detach().numpy().copy() for tensor in case.inputs]
        with seeded(seed):
            found = as_tuple(layer(*arrays, *case.others))
    except Exception as error:  # whatever it raises is the reason
        return "unsupported", f"{type(error).__name__}: {error}"
    expected = as_tuple(op(*args, **kwargs))
    gradients = random_gradients(expected, seed, PRECISION)
    if len(found) != len(expected):
        return "differ", f"{len(found)} outputs, expected {len(expected)}"
    problems = [
        named("output", difference(np.asarray(y), right.detach().numpy(), PRECISION))
        for y, right in zip(found, expected, strict=True)
    ]
    if gradients and not any(problems):
        try:
            back = back_through(layer, found, gradients, PRECISION)
        except Exception as error:
            return "unsupported", f"backward raises {type(error).__name__}: {error}"
        own = dict(layer.named_parameters())
        wanted = {
            name: tensor.grad.reshape(own[name].shape)  # one slope for all is an array without dimensions in PyTorch
            for name, tensor in case.parameters.items()
            if tensor is not None and tensor.grad is not None
        }
        problems += gradients_differ(layer, wanted, back, [x.grad for x in case.inputs if x.requires_grad], PRECISION)
    buffers = dict(layer.named_buffers())
    for name, tensor in case.buffers.items():
        if tensor is not None and not any(problems):
            problems.append(named(f"buffer {name}", difference(buffers[name], tensor.numpy(), PRECISION)))
    reasons = [problem for problem in problems if problem]
    return ("differ", "; ".join(reasons)) if reasons else None


def described(op: Any, sample: Any) -> str:
    """Return a sample in words: the function and its arguments."""
    parts = [short(sample.input), *map(short, sample.args)]
    parts += [f"{key}={short(value)}" for key, value in sample.kwargs.items()]
    return f"{op.name.removeprefix('nn.functional.')}({', '.join(parts)})"


def _leaves(adapter: Adapter, sample: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return a sample's arguments, with leaves that need a gradient unless they are constants."""
    bound = inspect.signature(adapter.make).bind(sample.input, *sample.args, **sample.kwargs).arguments
    constants = {id(bound.get(name)) for name in adapter.constants} - {id(None)}

    def leaf(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            copy = exact(value, PRECISION)
            return copy.detach() if id(value) in constants else copy
        if isinstance(value, list | tuple) and any(isinstance(item, torch.Tensor) for item in value):
            return [leaf(item) for item in value]
        return value

    args = [leaf(value) for value in (sample.input, *sample.args)]
    return args, {key: leaf(value) for key, value in sample.kwargs.items()}


def _load(layer: Any, case: Case) -> None:
    """Copy parameters and buffers into the layer. Raises ValueError for one that it does not have."""
    own = layer.state_dict()
    for name, tensor in {**case.parameters, **case.buffers}.items():
        if tensor is None:
            continue
        if name not in own:
            raise ValueError(f"no parameter or buffer {name}")
        own[name][...] = tensor.detach().numpy().reshape(own[name].shape)
    for name, value in case.fixed.items():
        own[name][...] = value
