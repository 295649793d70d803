"""Containers of layers."""

from collections.abc import Iterator
from typing import overload

from mytorch.device import Array
from mytorch.nn.fusion import fuse
from mytorch.nn.module import Module


class Sequential(Module):
    """Layers one after another. As torch.nn.Sequential: children are named "0", "1", ...

    Some neighboring layers are computed together (see `mytorch.nn.fusion`). So call the backward of the Sequential, not
    those of its layers.
    """

    def __init__(self, *layers: Module):
        for index, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(
                    f"Sequential got {layer!r} as layer {index}: expected a Module of mytorch, such as nn.ReLU()"
                )
            setattr(self, str(index), layer)

    def forward(self, x: Array) -> Array:
        """Apply every layer in order."""
        for layer in fuse(self):
            x = layer.forward(x)
        return x

    def backward(self, grad: Array) -> Array:
        """Apply every layer's backward in reverse order."""
        for layer in reversed(fuse(self)):
            grad = layer.backward(grad)
        return grad

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...
    def __getitem__(self, index: int | slice) -> "Module":
        layers = list(self)
        return Sequential(*layers[index]) if isinstance(index, slice) else layers[index]
