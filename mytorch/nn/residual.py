"""Residual connections."""

from mytorch.device import Array
from mytorch.nn.module import Module
from mytorch.ops import activation as ops


class Residual(Module):
    """y = body(x) + shortcut(x), where the shortcut is by default the identity (He et al., arXiv 1512.03385)."""

    def __init__(self, body: Module, shortcut: Module | None = None):
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Array) -> Array:
        """Return body(x) + shortcut(x). They must have the same shape."""
        return self._forward(x, relu=False)

    def forward_relu(self, x: Array) -> Array:
        """Return relu(body(x) + shortcut(x)), computed in one pass; `backward` then differentiates both."""
        return self._forward(x, relu=True)

    def _forward(self, x: Array, relu: bool) -> Array:
        residual, shortcut = self.body(x), x if self.shortcut is None else self.shortcut(x)
        if residual.shape != shortcut.shape:
            raise ValueError(
                f"Residual: the body returns {residual.shape} and the shortcut {shortcut.shape}: "
                "give a shortcut that changes the shape likewise, such as a 1x1 convolution with the body's stride"
            )
        y = ops.add_relu(residual, shortcut) if relu else ops.add(residual, shortcut)
        self.save_for_backward(y if relu else None, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the sum of the gradients through body and shortcut."""
        (y,) = self.saved(grad)
        grad = grad if y is None else ops.relu_grad(grad, y)
        return ops.add(self.body.backward(grad), grad if self.shortcut is None else self.shortcut.backward(grad))
