"""How layers are put together: one after the other, or beside a shortcut."""

from collections.abc import Iterator

from mytorch.device import Array
from mytorch.nn.module import Module


class Sequential(Module):
    """Layers one after the other. As torch.nn.Sequential: children are named "0", "1", ..."""

    def __init__(self, *layers: Module):
        for index, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential got {layer!r} as layer {index}: expected a Module, such as nn.ReLU()")
            setattr(self, str(index), layer)

    def forward(self, x: Array) -> Array:
        """Through every layer in turn."""
        for layer in self:
            x = layer(x)
        return x

    def backward(self, grad: Array) -> Array:
        """Back through every layer, the last first."""
        for layer in reversed(list(self)):
            grad = layer.backward(grad)
        return grad

    def __iter__(self) -> Iterator[Module]:
        return (layer for _, layer in self.named_children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]


class Residual(Module):
    """y = body(x) + shortcut(x), the shortcut being the identity by default (He et al., arXiv 1512.03385)."""

    def __init__(self, body: Module, shortcut: Module | None = None):
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Array) -> Array:
        """The sum of both ways; they must agree in shape."""
        long, short = self.body(x), x if self.shortcut is None else self.shortcut(x)
        if long.shape != short.shape:
            raise ValueError(
                f"Residual: the body gives {long.shape} and the shortcut {short.shape}: "
                "give a shortcut that changes the shape likewise, such as a 1x1 convolution with the body's stride"
            )
        return long + short

    def backward(self, grad: Array) -> Array:
        """Back over both ways, added up."""
        return self.body.backward(grad) + (grad if self.shortcut is None else self.shortcut.backward(grad))
