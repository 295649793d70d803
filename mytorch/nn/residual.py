"""Layers beside a shortcut."""

from mytorch.device import Array
from mytorch.nn.module import Module
from mytorch.ops import activation as ops


class Residual(Module):
    """y = body(x) + shortcut(x), the shortcut being the identity by default (He et al., arXiv 1512.03385)."""

    def __init__(self, body: Module, shortcut: Module | None = None):
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Array) -> Array:
        """The sum of both ways; they must agree in shape."""
        return self._forward(x, relu=False)

    def forward_relu(self, x: Array) -> Array:
        """The sum of both ways, and ReLU, in one go; backward goes back through both."""
        return self._forward(x, relu=True)

    def _forward(self, x: Array, relu: bool) -> Array:
        long, short = self.body(x), x if self.shortcut is None else self.shortcut(x)
        if long.shape != short.shape:
            raise ValueError(
                f"Residual: the body gives {long.shape} and the shortcut {short.shape}: "
                "give a shortcut that changes the shape likewise, such as a 1x1 convolution with the body's stride"
            )
        y = ops.add_relu(long, short) if relu else ops.add(long, short)
        self.save_for_backward(y if relu else None, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Back over both ways, added up."""
        (y,) = self.saved(grad)
        grad = grad if y is None else ops.relu_grad(grad, y)
        return ops.add(self.body.backward(grad), grad if self.shortcut is None else self.shortcut.backward(grad))
