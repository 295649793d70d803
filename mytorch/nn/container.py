"""Layers one after the other."""

from collections.abc import Iterator

from mytorch.device import Array
from mytorch.nn.module import Module
from mytorch.nn.together import steps


class Sequential(Module):
    """Layers one after the other. As torch.nn.Sequential: children are named "0", "1", ...

    Some neighbours are computed together (`mytorch.nn.together`), so a Sequential goes back as a whole.
    """

    def __init__(self, *layers: Module):
        for index, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential got {layer!r} as layer {index}: expected a Module, such as nn.ReLU()")
            setattr(self, str(index), layer)

    def forward(self, x: Array) -> Array:
        """Through every layer in turn."""
        for step in steps(self):
            x = step.forward(x)
        return x

    def backward(self, grad: Array) -> Array:
        """Back through every layer, the last first."""
        for step in reversed(steps(self)):
            grad = step.backward(grad)
        return grad

    def __iter__(self) -> Iterator[Module]:
        return (layer for _, layer in self.named_children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]
