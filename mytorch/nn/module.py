"""The base of all layers and networks: parameters, buffers, and what forward saves for backward."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from mytorch.device import DEVICES, Array, device_of, get_array_module, require_cuda, to_device
from mytorch.geometry import to_nhwc
from mytorch.modes import is_grad_enabled
from mytorch.nn.validate import check_gradient


class Parameter:
    """A learned array.

    data: the values. grad: the sum of the gradients since the last `zero_grad`, or None if there was none. Both are
    arrays, also without dimensions, so that optimizers and clipping can change them in place.
    """

    def __init__(self, data: Array):
        self.data = as_array(data)
        self.grad = None

    @property
    def grad(self) -> Array | None:
        """The sum of the gradients, an array of the parameter's shape, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Array | None) -> None:
        self._grad = None if value is None else as_array(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.data.dtype

    def accumulate(self, grad: Array) -> None:
        """Add a gradient to `grad`, in the parameter's dtype.

        Raises ValueError if its shape is not the parameter's.
        """
        if grad.shape != self.shape:
            raise ValueError(f"a parameter of shape {self.shape} got a gradient of shape {grad.shape}")
        if self.grad is None:  # a copy, because later gradients are added in place; an array even without dimensions
            self.grad = get_array_module(self.data).array(grad, self.dtype)
        else:
            self.grad += grad

    def __repr__(self) -> str:
        return f"Parameter({'x'.join(map(str, self.shape)) or 'scalar'}, {self.dtype})"


SAMPLED_ELEMENTS = 256
"""How many elements of a saved array are compared before backward: a change of a few elements may be missed."""


def _sample(value: Any) -> bytes | None:
    """Return evenly spaced elements of a NumPy array of floats as bytes, or None for anything else."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return None
    if value.flags.c_contiguous:
        flat = value.reshape(-1)
    elif value.ndim > 2 and (nhwc := to_nhwc(value)).flags.c_contiguous:
        flat = nhwc.reshape(-1)
    else:
        return value[tuple(slice(None, None, n // 6 + 1) for n in value.shape)].tobytes()
    return flat[:: value.size // SAMPLED_ELEMENTS | 1].tobytes()


def as_array(value: Any) -> Array:
    """Return an array; NumPy's scalars, which cannot be changed in place, become arrays without dimensions."""
    return np.asarray(value) if isinstance(value, np.generic) else value


class Module:
    """Base class of all layers and networks.

    A subclass defines `forward(x)` and `backward(grad)`. Forward passes what backward needs to
    `self.save_for_backward(...)`, and backward gets it from `self.saved(grad)`. Attributes that are Parameters or
    Modules are registered automatically, in the order in which they are set; other arrays that belong to the state,
    such as running statistics, with `register_buffer`.

    Training and evaluation mode save separately: a forward in evaluation mode between a training step's forward and
    backward changes nothing. Within a mode the last forward counts.
    """

    training: bool = True
    needs_input_grad: bool = True
    """Set False on the first convolution or linear layer of a network to skip the gradient at its input."""

    def forward(self, input: Array) -> Array:
        """Return the layer's output for `input`."""
        raise TypeError(f"{type(self).__name__} has no forward: define forward(self, x) in your subclass of Module")

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input of the last forward, given that at its output.

        Accumulates the gradients of the parameters.
        """
        raise TypeError(
            f"{type(self).__name__} has no backward: define backward(self, grad) in your subclass of Module"
        )

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Return what `forward` does with these inputs. Most layers have one, called `input`."""
        return self.forward(*inputs, **named)

    def save_for_backward(self, *values: Any, output: Array | None = None) -> None:
        """Save `values` for the next backward, unless gradients are turned off by `no_grad`.

        output: what forward returns. Its shape, dtype and device are saved so that `saved` can validate the gradient.
        A sample of each saved array is kept as well, by which `saved` sees that somebody changed the array in place.
        """
        if is_grad_enabled():
            expected = None if output is None else (output.shape, output.dtype, device_of(output))
            samples = [_sample(value) for value in values]
            self.__dict__.setdefault("_saved", {})[self.training] = values, expected, samples

    def saved(self, grad: Array | None = None) -> tuple[Any, ...]:
        """Return what the last forward in this mode saved, and release it so that its memory is free.

        Raises RuntimeError if there was no such forward, if it has been used already, or if a saved array has been
        changed in place; ValueError or TypeError if `grad` does not have the shape and dtype of the output.
        """
        values, expected, samples = self.__dict__.get("_saved", {}).pop(self.training, (None, None, ()))
        if values is None:
            mode = "training" if self.training else "evaluation"
            raise RuntimeError(
                f"{type(self).__name__}.backward found nothing saved by a forward in {mode} mode: call forward first, "
                "outside of no_grad, and backward once after each forward; use a layer in one place of a network only"
            )
        if grad is not None and expected is not None:
            check_gradient(self, grad, *expected)
        for value, sample in zip(values, samples, strict=True):
            if sample is not None and _sample(value) != sample:
                raise RuntimeError(
                    f"{type(self).__name__}.backward needs an array of shape {value.shape} that has been changed in "
                    "place since forward, so its gradient would be wrong: write y = 2 * y instead of y *= 2"
                )
        return values

    def register_buffer(self, name: str, array: Array, persistent: bool = True) -> None:
        """Set the attribute `name` to an array that belongs to the state but is not learned, such as running means.

        persistent: False leaves it out of `state_dict`, as in PyTorch.
        """
        self.__dict__.setdefault("_buffer_names", {})[name] = persistent
        self._attributes()[name] = array

    def _attributes(self) -> dict[str, Any]:
        """Return the dictionary of this module's own parameters, buffers and modules, by name."""
        return vars(self)

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield the name and module of every attribute that is a module."""
        return ((name, value) for name, value in self._attributes().items() if isinstance(value, Module))

    def children(self) -> Iterator["Module"]:
        """Yield every attribute that is a module."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield this module and all modules below it, with dotted names."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """Yield this module and all modules below it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with dotted names, in PyTorch's order."""
        for prefix, module in self.named_modules():
            for name, value in module._attributes().items():
                if isinstance(value, Parameter):
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """Yield all buffers with dotted names."""
        for prefix, module in self.named_modules():
            for name in vars(module).get("_buffer_names", ()):
                yield f"{prefix}.{name}" if prefix else name, module._attributes()[name]

    def buffers(self) -> Iterator[Array]:
        """Yield all buffers."""
        return (buffer for _, buffer in self.named_buffers())

    def state_dict(self) -> dict[str, Array]:
        """Return every parameter's and buffer's array (not a copy) by its dotted name, which is PyTorch's name too."""
        state = {}
        for prefix, module in self.named_modules():
            dot = f"{prefix}." if prefix else ""
            for name, value in module._attributes().items():
                if isinstance(value, Parameter):
                    state[dot + name] = value.data
            for name, persistent in vars(module).get("_buffer_names", {}).items():
                if persistent:
                    state[dot + name] = module._attributes()[name]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Array]) -> None:
        """Copy values from a state dict. This module keeps its dtypes and its device; the values may be on either.

        Raises ValueError, changing nothing, if a name is missing or unknown, a shape differs or a value is not numeric.
        It lists all of them. Raises TypeError for values that are not arrays, such as the tensors of PyTorch.
        """
        if others := [name for name, value in state_dict.items() if not hasattr(value, "astype")]:
            raise TypeError(
                f"these weights are not arrays, but such as a {type(state_dict[others[0]]).__name__}: "
                f"{', '.join(others[:5])}{', ...' if len(others) > 5 else ''}; convert each with numpy.asarray"
            )
        own = self.state_dict()
        problems = [f"missing: {name}" for name in own if name not in state_dict]
        problems += [f"unknown: {name}" for name in state_dict if name not in own]
        problems += [
            f"{name}: shape {state_dict[name].shape} where {own[name].shape} is expected"
            for name in own
            if name in state_dict and state_dict[name].shape != own[name].shape
        ]
        values = {}
        for name, value in own.items():
            if name in state_dict:
                try:
                    values[name] = to_device(state_dict[name], device_of(value)).astype(value.dtype)
                except (TypeError, ValueError) as error:
                    problems.append(f"{name}: not numbers ({error})")
        if problems:
            raise ValueError(f"these weights do not fit this {type(self).__name__}:\n  " + "\n  ".join(problems))
        for name, value in own.items():
            value[...] = values[name]

    def train(self, mode: bool = True) -> Self:
        """Set training mode for this module and all below it."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode: dropout does nothing, and batch norm uses its running statistics."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, target: type | np.dtype | str) -> Self:
        """Move parameters and buffers to a device, "cpu" or "cuda", or convert them to float32 or float64.

        Gradients and saved values are dropped; integer buffers keep their dtype. Create the optimizer afterwards: an
        older one holds the old arrays. Raises RuntimeError if there is no usable GPU.
        """
        convert = _converter(target)
        for module in self.modules():
            module.__dict__.pop("_saved", None)
            attributes = module._attributes()
            for value in attributes.values():
                if isinstance(value, Parameter):
                    value.data, value.grad = convert(value.data), None
            for name in vars(module).get("_buffer_names", ()):
                attributes[name] = convert(attributes[name])
        return self

    def extra_repr(self) -> str:
        """Return the arguments of this layer, for printing."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}({self.extra_repr()}", *lines, ")"])


def _converter(target: type | np.dtype | str) -> Callable[[Array], Array]:
    """Return what `Module.to(target)` does to each array."""
    if isinstance(target, str) and target in DEVICES:
        if target == "cuda":
            require_cuda()
        return lambda array: to_device(array, target)
    try:
        dtype = np.dtype(target)
    except TypeError as error:
        raise TypeError(f"to({target!r}): expected a device, 'cpu' or 'cuda', or float32 or float64") from error
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"to({dtype}): networks compute in float32 or float64; use one of them")
    return lambda array: array.astype(dtype) if array.dtype.kind == "f" else array
