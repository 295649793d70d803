"""Dropout (Srivastava et al. 2014), inverted: what stays is scaled up, so that evaluation does nothing."""

from mytorch.device import Array, namespace
from mytorch.nn.checks import expect
from mytorch.nn.module import Module
from mytorch.random import generator


class Dropout(Module):
    """In training, each element is zero with probability p, else divided by 1 - p. As torch.nn.Dropout."""

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"p={p}: the probability of dropping an element lies between 0 and 1")
        self.p = p

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        expect(self, x, "(*)")
        if not self.training or self.p == 0:
            self.keep(None, output=x)
            return x
        scale = x.dtype.type(0 if self.p == 1 else 1 / (1 - self.p))
        mask = namespace(x).asarray(generator().random(x.shape, "f") >= self.p) * scale
        y = x * mask
        self.keep(mask, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (mask,) = self.kept(grad)
        return grad if mask is None else grad * mask

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"p={self.p}"
