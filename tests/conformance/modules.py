"""PyTorch's own inputs for its modules, given to PyTorch and to mytorch: outputs, buffers and every gradient."""

import inspect
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from mytorch import nn
from tests.conformance.arrays import (
    PRECISIONS,
    as_tuple,
    back_through,
    exact,
    gradients_differ,
    lowered,
    named,
    random_gradients,
    short,
)
from tests.conformance.equal import difference
from tests.conformance.record import Outcome
from tests.conformance.scope import EXCLUDED_MODULE_SAMPLES, OUTSIDE_MODULES, why_excluded

NOT_LEARNED = {"target", "indices", "output_size"}
"""Arguments of a forward that get no gradient: the truth, positions, a size."""


def module_infos() -> list[Any]:
    """Return PyTorch's table of module inputs. Raises RuntimeError with a remedy if it cannot be imported."""
    try:
        from torch.testing._internal.common_modules import module_db
    except ImportError as error:
        raise RuntimeError(
            f"PyTorch {torch.__version__}: its module inputs cannot be imported ({error}); install expecttest "
            "(pip install -e '.[dev]' has it), or a version of PyTorch from 2.6 that has "
            "torch.testing._internal.common_modules.module_db"
        ) from error
    return list(module_db)


def run_modules(seed: int, names: Sequence[str] = ()) -> Iterator[Outcome]:
    """Yield the outcome of every input of every module in scope, or of the modules named, in train and eval mode."""
    for info in module_infos():
        name = info.module_cls.__name__
        if name in OUTSIDE_MODULES or (names and name not in names):
            continue
        for training in (True, False):
            for module_input in inputs_of(info, seed, training):
                yield outcome(info.module_cls, module_input, seed, training)


def inputs_of(info: Any, seed: int, training: bool) -> list[Any]:
    """Return PyTorch's inputs of a module, in float64."""
    torch.manual_seed(seed)
    made = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=False, training=training)
    return list(made)


def outcome(cls: type[torch.nn.Module], module_input: Any, seed: int, training: bool) -> Outcome:
    """Return what mytorch makes of one input, in float64 and in float32."""
    name, sample = cls.__name__, described(cls.__name__, module_input, training)
    excluded = why_excluded(EXCLUDED_MODULE_SAMPLES, name, sample)
    found = Outcome(name, sample, "agree")
    for precision in PRECISIONS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's own
            warnings.simplefilter("error", RuntimeWarning)  # NumPy's: an overflow or a division by zero in mytorch
            problem = compare(cls, module_input, seed, training, precision)
        if problem:
            status, reason = problem
            found = Outcome(name, sample, status, reason)
            break
    if excluded:
        return Outcome(name, sample, "excluded", excluded, stale=found.status == "agree")
    return found


def compare(
    cls: type[torch.nn.Module], module_input: Any, seed: int, training: bool, precision: str
) -> tuple[Any, str] | None:
    """Return None if mytorch agrees with PyTorch, otherwise the status and the reason.

    PyTorch computes in float64, from the numbers as they are in `precision`.
    """
    constructor, forward = module_input.constructor_input, module_input.forward_input
    theirs = _their_module(cls, constructor, seed, training, precision)
    order = _learned(cls, forward)
    tensors = {
        key: exact(value, precision) if key in order else exact(value, precision).detach()
        for key, value in [*enumerate(forward.args), *forward.kwargs.items()]
        if isinstance(value, torch.Tensor)
    }
    args = [tensors.get(index, value) for index, value in enumerate(forward.args)]
    kwargs = {key: tensors.get(key, value) for key, value in forward.kwargs.items()}
    state = {key: value.detach().numpy().copy() for key, value in theirs.state_dict().items()}
    expected = as_tuple(theirs(*args, **kwargs))
    gradients = random_gradients(expected, seed, precision)
    wanted = [tensors[key].grad for key in order]

    maker = getattr(nn, cls.__name__, None)
    if maker is None:
        return "unsupported", f"mytorch.nn has no {cls.__name__}"
    try:
        ours = maker(
            *map(as_argument, constructor.args),
            **{key: as_argument(value) for key, value in constructor.kwargs.items()},
        )
        ours = ours.to(precision).train(training)
        load(ours, theirs, state, precision)
        found = as_tuple(
            ours(
                *(as_input(value, precision) for value in args),
                **{key: as_input(value, precision) for key, value in kwargs.items()},
            )
        )
    except Exception as error:  # whatever it raises is the reason
        return "unsupported", f"{type(error).__name__}: {error}"
    if len(found) != len(expected):
        return "differ", f"{len(found)} outputs, expected {len(expected)}"
    problems = [
        named("output", difference(np.asarray(y), right.detach().numpy(), precision))
        for y, right in zip(found, expected, strict=True)
    ]
    if gradients and not any(problems):
        try:
            back = back_through(ours, found, gradients, precision)
        except Exception as error:
            return "unsupported", f"backward raises {type(error).__name__}: {error}"
        problems += gradients_differ(ours, {n: p.grad for n, p in theirs.named_parameters()}, back, wanted, precision)
    own = dict(ours.named_buffers())
    for key, buffer in theirs.named_buffers():
        if key in own and not any(problems):
            problems.append(named(f"buffer {key}", difference(own[key], buffer.numpy(), precision)))
    reasons = [problem for problem in problems if problem]
    return ("differ", f"{precision}: {'; '.join(reasons)}") if reasons else None


def load(ours: Any, theirs: torch.nn.Module, state: dict[str, np.ndarray], precision: str) -> None:
    """Copy parameters and buffers by name. Raises ValueError for a parameter that `ours` does not have."""
    own = ours.state_dict()
    missing = [name for name, _ in theirs.named_parameters() if name not in own]
    if missing:
        raise ValueError(f"no parameter {', '.join(missing)}")
    ours.load_state_dict({name: lowered(value, precision) for name, value in state.items() if name in own})


def described(name: str, module_input: Any, training: bool) -> str:
    """Return a sample in words: the constructor's arguments, and the shapes of the inputs."""
    constructor, forward = module_input.constructor_input, module_input.forward_input
    given = [short(value) for value in constructor.args]
    given += [f"{key}={short(value)}" for key, value in constructor.kwargs.items()]
    inputs = [short(value) for value in forward.args]
    inputs += [f"{key}={short(value)}" for key, value in forward.kwargs.items()]
    return f"{name}({', '.join(given)}) on {', '.join(inputs)}, {'train' if training else 'eval'}"


def _their_module(
    cls: type[torch.nn.Module], constructor: Any, seed: int, training: bool, precision: str
) -> torch.nn.Module:
    """Return PyTorch's module in float64, with parameters and statistics other than the initial ones."""
    torch.manual_seed(seed)
    args = [_value(value, precision) for value in constructor.args]
    module = cls(*args, **{key: _value(value, precision) for key, value in constructor.kwargs.items()})
    module = module.double().train(training)
    draw = np.random.default_rng(seed)
    running = [(name, value) for name, value in module.named_buffers() if name in ("running_mean", "running_var")]
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *running]:
            values = draw.uniform(0.5, 1.5, tuple(tensor.shape))
            if name != "running_var":
                values = values * draw.choice([-1, 1], tuple(tensor.shape))
            tensor.copy_(torch.tensor(np.asarray(values.astype(precision))))
    return module


def _value(value: Any, precision: str) -> Any:
    """Return an argument of a constructor, a tensor as `precision` can hold it."""
    return exact(value, precision).detach() if isinstance(value, torch.Tensor) else deepcopy(value)


def as_argument(value: Any) -> Any:
    """Return an argument of a constructor for mytorch."""
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().copy()
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    return tuple(value) if isinstance(value, torch.Size) else deepcopy(value)


def as_input(value: Any, precision: str) -> Any:
    """Return an argument of a forward for mytorch."""
    if isinstance(value, torch.Tensor):
        return lowered(value.detach().numpy().copy(), precision)
    return tuple(value) if isinstance(value, torch.Size) else value


def _learned(cls: type[torch.nn.Module], forward: Any) -> list[Any]:
    """Return the positions or names of the floating arguments of a forward that get a gradient."""
    names = [name for name in inspect.signature(cls.forward).parameters if name != "self"]
    given = [*enumerate(forward.args), *forward.kwargs.items()]
    not_learned = NOT_LEARNED - ({"target"} if cls is torch.nn.GaussianNLLLoss else set())  # mytorch has that gradient
    return [
        key
        for key, value in given
        if isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and (names[key] if isinstance(key, int) and key < len(names) else key) not in not_learned
    ]
