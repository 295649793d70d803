"""Transposed convolution as the course defines it: insert zeros into the input, then convolve with stride 1.

PyTorch's ConvTranspose is the gradient of a strided convolution, which rotates W by 180 degrees, swaps its first two
axes and pads by K - 1. This one does none of that, so the two agree only if W and the input are prepared accordingly.
"""

from mytorch.course.conv1d import Conv1d_stride1
from mytorch.course.conv2d import Conv2d_stride1
from mytorch.course.layer import Array, InitFn, Layer
from mytorch.course.resampling import Upsample1d, Upsample2d


class ConvTranspose1d(Layer):
    """Upsampling by a factor k, then a stride-1 convolution: the output is about k times as wide as the input.

    forward:  A (N, C_in, W_in) -> Z (N, C_out, k (W_in - 1) + 1 - K + 1)
        Z = conv_stride1(upsample(A))
    backward: dLdZ, as Z -> dLdA, as A
        dLdA = upsample.backward(conv_stride1.backward(dLdZ))

    The parameters and their gradients are those of `conv1d_stride1`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        upsampling_factor: int,
        weight_init_fn: InitFn | None = None,
        bias_init_fn: InitFn | None = None,
    ) -> None:
        self.upsample1d = Upsample1d(upsampling_factor)
        self.conv1d_stride1 = Conv1d_stride1(in_channels, out_channels, kernel_size, weight_init_fn, bias_init_fn)

    def forward(self, A: Array) -> Array:
        """A (N, C_in, W_in) -> Z (N, C_out, W_out)."""
        A = self.check(A, "N C W", C=self.conv1d_stride1.in_channels)
        return self.conv1d_stride1.forward(self.upsample1d.forward(A))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out, W_out) -> dLdA (N, C_in, W_in); sets the inner layer's dLdW and dLdb."""
        return self.upsample1d.backward(self.conv1d_stride1.backward(dLdZ))


class ConvTranspose2d(Layer):
    """Upsampling by a factor k, then a stride-1 convolution: the output is about k times as high and as wide.

    forward:  A (N, C_in, H_in, W_in) -> Z (N, C_out, k (H_in - 1) + 1 - K + 1, k (W_in - 1) + 1 - K + 1)
        Z = conv_stride1(upsample(A))
    backward: dLdZ, as Z -> dLdA, as A
        dLdA = upsample.backward(conv_stride1.backward(dLdZ))

    The parameters and their gradients are those of `conv2d_stride1`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        upsampling_factor: int,
        weight_init_fn: InitFn | None = None,
        bias_init_fn: InitFn | None = None,
    ) -> None:
        self.upsample2d = Upsample2d(upsampling_factor)
        self.conv2d_stride1 = Conv2d_stride1(in_channels, out_channels, kernel_size, weight_init_fn, bias_init_fn)

    def forward(self, A: Array) -> Array:
        """A (N, C_in, H_in, W_in) -> Z (N, C_out, H_out, W_out)."""
        A = self.check(A, "N C H W", C=self.conv2d_stride1.in_channels)
        return self.conv2d_stride1.forward(self.upsample2d.forward(A))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out, H_out, W_out) -> dLdA (N, C_in, H_in, W_in); sets the inner layer's dLdW and dLdb."""
        return self.upsample2d.backward(self.conv2d_stride1.backward(dLdZ))
