"""The base of layers over images: one to three spatial axes, with or without a batch."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from mytorch.device import Array
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module
from mytorch.nn.validate import check_gradient, check_input

SHAPES = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}
"""The shape of a batch, by the number of spatial axes."""


class SpatialLayer(Module):
    """Base of layers over (N, C, *size). A subclass sets `axes`, the number of spatial axes.

    Decorate `forward` with `unbatched_forward` and `backward` with `unbatched_backward` to accept (C, *size) as well.
    """

    axes: ClassVar[int]

    def check_input(self, x: Array, channels: int | None = None, dtype: Any = None) -> Array:
        """Return the batch `x`, or raise ValueError or TypeError, see `validate.check_input`."""
        shape = SHAPES[self.axes]
        if getattr(x, "ndim", self.axes + 2) != self.axes + 2:
            raise ValueError(
                f"{type(self).__name__} got an input of shape {x.shape}: expected {self.axes + 2} axes, {shape}, or "
                f"{self.axes + 1}, {shape.replace('N, ', '')}, for one without a batch"
            )
        return check_input(self, x, shape, channels, dtype)


class _Unbatched(tuple):
    """The values that forward saved for an input without a batch axis."""


def unbatched_forward(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a layer's forward so that it accepts (C, *size): a batch of one, whose results have no batch axis."""

    @wraps(forward)
    def wrapper(self: Any, input: Array, *args: Any, **kwargs: Any) -> Any:
        if getattr(input, "ndim", 0) != self.axes + 1:
            return forward(self, input, *args, **kwargs)
        args = tuple(value[None] if hasattr(value, "ndim") else value for value in args)
        kwargs = {name: value[None] if hasattr(value, "ndim") else value for name, value in kwargs.items()}
        y = forward(self, input[None], *args, **kwargs)
        y = tuple(one[0] for one in y) if isinstance(y, tuple) else y[0]
        if is_grad_enabled():
            values, (_, *expected), samples = self._saved[self.training]
            shape = y[0].shape if isinstance(y, tuple) else y.shape
            self._saved[self.training] = _Unbatched(values), (shape, *expected), samples
        return y

    return wrapper


def unbatched_backward(backward: Callable[..., Array]) -> Callable[..., Array]:
    """Decorate a layer's backward so that it accepts the gradient of an output without a batch axis."""

    @wraps(backward)
    def wrapper(self: Any, grad: Array) -> Array:
        values, expected, samples = vars(self).get("_saved", {}).get(self.training, ((), None, ()))
        if not isinstance(values, _Unbatched):
            return backward(self, grad)
        check_gradient(self, grad, *expected)
        self._saved[self.training] = values, None, samples
        grad_x = backward(self, grad[None])
        return None if grad_x is None else grad_x[0]

    return wrapper
