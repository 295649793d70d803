"""A residual block: a few layers whose output is added to their input.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016.
"""

from mytorch.course.activation import Identity, ReLU
from mytorch.course.batchnorm import BatchNorm2d
from mytorch.course.conv2d import Conv2d
from mytorch.course.layer import Array, Layer


class ConvBlock(Layer):
    """A convolution, then batch normalization: (N, C_in, H, W) -> (N, C_out, H_out, W_out)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int) -> None:
        self.conv2d = Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.batchnorm2d = BatchNorm2d(out_channels)
        self.layers = [self.conv2d, self.batchnorm2d]

    def forward(self, A: Array, eval: bool = False) -> Array:
        """Z = batchnorm(conv(A))."""
        return self.batchnorm2d.forward(self.conv2d.forward(A), eval)

    def backward(self, dLdZ: Array) -> Array:
        """dLdA = conv.backward(batchnorm.backward(dLdZ))."""
        return self.conv2d.backward(self.batchnorm2d.backward(dLdZ))


class ResBlock(Layer):
    """Two convolutions with batch normalization, and a shortcut around both.

              ┌─ first (filter_size, stride, padding) ── ReLU ── second (1 x 1) ─┐
        A ────┤                                                                  + ── ReLU ── Z
              └─ shortcut ───────────────────────────────────────────────────────┘

    forward:  A (N, C_in, H_in, W_in) -> Z (N, C_out, H_out, W_out), sizes as Conv2d's
        Z    = relu(second(relu(first(A))) + shortcut(A))
    backward: dLdZ, as Z -> dLdA, as A: the sum passes its gradient dLdS to both paths, and dLdA is the sum of both
        dLdS = final_activation.backward(dLdZ)
        dLdA = first.backward(relu.backward(second.backward(dLdS))) + shortcut.backward(dLdS)

    The shortcut is the identity if the first block keeps the shape (stride 1, padding 0, 1 x 1, equal channels);
    otherwise it is a block like the first. `eval` affects only the batch normalizations. A backward belongs to the
    latest forward, so call it before an evaluating forward, not after.
    """

    def __init__(
        self, in_channels: int, out_channels: int, filter_size: int, stride: int = 3, padding: int = 1
    ) -> None:
        form = (in_channels, out_channels, filter_size, stride, padding)
        # The weights are drawn in the order in which the blocks are built.
        self.first = ConvBlock(*form)
        self.activation = ReLU()
        self.second = ConvBlock(out_channels, out_channels, 1, 1, 0)
        unchanged = in_channels == out_channels and (filter_size, stride, padding) == (1, 1, 0)
        self.shortcut: ConvBlock | Identity = Identity() if unchanged else ConvBlock(*form)
        self.final_activation = ReLU()

    def forward(self, A: Array, eval: bool = False) -> Array:
        """A (N, C_in, H_in, W_in) -> Z (N, C_out, H_out, W_out)."""
        residual = self.second.forward(self.activation.forward(self.first.forward(A, eval)), eval)
        past = self.shortcut.forward(A) if isinstance(self.shortcut, Identity) else self.shortcut.forward(A, eval)
        return self.final_activation.forward(residual + past)

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out, H_out, W_out) -> dLdA (N, C_in, H_in, W_in)."""
        dLdS = self.final_activation.backward(dLdZ)
        residual = self.first.backward(self.activation.backward(self.second.backward(dLdS)))
        return residual + self.shortcut.backward(dLdS)
