"""What every layer is: parameters, a forward that keeps what backward needs, and a backward."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from mytorch.device import DEVICES, Array, require_cuda, side, to_device
from mytorch.modes import keeping
from mytorch.nn.checks import expect_gradient


class Parameter:
    """A learned array.

    data: the values. grad: the sum of the gradients since the last `zero_grad`, or None where there was none.
    """

    def __init__(self, data: Array):
        self.data = data
        self.grad: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.data.dtype

    def accumulate(self, grad: Array) -> None:
        """Add a gradient to what is there, in the parameter's own dtype.

        Raises ValueError where its shape is not the parameter's.
        """
        if grad.shape != self.shape:
            raise ValueError(f"a parameter of shape {self.shape} got a gradient of shape {grad.shape}")
        if self.grad is None:
            self.grad = grad.astype(self.dtype)  # a copy, which the caller keeps no hold of: the next one is added in
        else:
            self.grad += grad

    def __repr__(self) -> str:
        return f"Parameter({'x'.join(map(str, self.shape)) or 'scalar'}, {self.dtype})"


class Module:
    """Base of all layers and networks.

    A subclass defines `forward(x)` and `backward(grad)`. Forward hands what backward needs to `self.keep(...)`, and
    backward asks for it with `self.kept()`. Attributes that are Parameters or Modules are found by themselves, in the
    order in which they were set; arrays named in `buffers` are saved with them.

    What is kept belongs to the mode it was kept in: a forward in evaluation between a training step's forward and its
    backward changes nothing. Within a mode the last forward counts.
    """

    buffers: ClassVar[tuple[str, ...]] = ()
    training: bool = True
    needs_input_grad: bool = True
    """False in a convolution or linear layer saves the gradient at its input, which nobody needs of a first layer."""

    def forward(self, x: Array) -> Array:
        """The layer's output for `x`."""
        raise TypeError(f"{type(self).__name__} has no forward: define forward(self, x) in your subclass of Module")

    def backward(self, grad: Array) -> Array:
        """The gradient at the input of the last forward, given that at its output; accumulates the parameters'."""
        raise TypeError(
            f"{type(self).__name__} has no backward: define backward(self, grad) in your subclass of Module"
        )

    def __call__(self, x: Array) -> Array:
        """The layer's forward."""
        return self.forward(x)

    def keep(self, *values: Any, output: Array | None = None) -> None:
        """Keep `values` for the backward that follows, unless inside `no_grad`.

        output: what forward returns; its shape, dtype and side are remembered, for `kept` to hold a gradient against.
        """
        if keeping():
            form = None if output is None else (output.shape, output.dtype, side(output))
            self.__dict__.setdefault("_kept", {})[self.training] = values, form

    def kept(self, grad: Array | None = None) -> tuple[Any, ...]:
        """What the last forward in this mode kept; forgotten thereby, so that its memory is free.

        Raises RuntimeError where there was no such forward, or its backward has been done; ValueError or TypeError
        where `grad` is given and has another shape or dtype than the output had.
        """
        values, form = self.__dict__.get("_kept", {}).pop(self.training, (None, None))
        if values is None:
            mode = "training" if self.training else "evaluation"
            raise RuntimeError(
                f"{type(self).__name__}.backward has no forward in {mode} mode to go back over: call forward first, "
                "outside of no_grad, and backward once after each forward; a layer stands in one place of a network"
            )
        if grad is not None and form is not None:
            expect_gradient(self, grad, *form)
        return values

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules that are attributes of this one."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, with dotted names."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters, with dotted names, in PyTorch's order."""
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self) -> Iterator[Parameter]:
        """All parameters."""
        return (parameter for _, parameter in self.named_parameters())

    def state_dict(self) -> dict[str, Array]:
        """Every parameter's and buffer's array (not a copy) under its dotted name, which is PyTorch's too."""
        state = {}
        for prefix, module in self.named_modules():
            dot = f"{prefix}." if prefix else ""
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    state[dot + name] = value.data
            for name in module.buffers:
                if getattr(module, name) is not None:
                    state[dot + name] = getattr(module, name)
        return state

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy values in, keeping this module's dtypes and its side; they may come from either.

        Raises ValueError, changing nothing, where a name is missing or unknown or a shape differs; it lists them all.
        """
        own = self.state_dict()
        problems = [f"missing: {name}" for name in own if name not in state]
        problems += [f"unknown: {name}" for name in state if name not in own]
        problems += [
            f"{name}: shape {state[name].shape} where {own[name].shape} is expected"
            for name in own
            if name in state and state[name].shape != own[name].shape
        ]
        if problems:
            raise ValueError(f"these weights do not fit this {type(self).__name__}:\n  " + "\n  ".join(problems))
        for name, value in own.items():
            value[...] = to_device(state[name], side(value))

    def train(self, mode: bool = True) -> Self:
        """Training mode, for this module and all below it."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode: dropout does nothing, and batch norm uses its running statistics."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, target: type | np.dtype | str) -> Self:
        """Parameters and buffers on another device, "cpu" or "cuda", or in another dtype, float32 or float64.

        Gradients are forgotten, and what forward kept. Whole-number buffers keep their dtype. Make the optimiser
        afterwards: it must not hold the old arrays. Raises RuntimeError, saying what is missing, where there is no GPU.
        """
        change = _change(target)
        for _, module in self.named_modules():
            module.__dict__.pop("_kept", None)
            for value in vars(module).values():
                if isinstance(value, Parameter):
                    value.data, value.grad = change(value.data), None
            for name in module.buffers:
                if getattr(module, name) is not None:
                    setattr(module, name, change(getattr(module, name)))
        return self

    def extra_repr(self) -> str:
        """The arguments that made this layer, for printing."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}({self.extra_repr()}", *lines, ")"])


def _change(target: type | np.dtype | str) -> Callable[[Array], Array]:
    """What `Module.to` does to each array."""
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
