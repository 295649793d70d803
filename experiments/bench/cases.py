"""The convolutions that face networks have."""

from dataclasses import dataclass
from math import prod

import numpy as np

from mytorch.geometry import output_size


@dataclass(frozen=True)
class Convolution:
    """A convolution of `batch` images (or sequences) of `size`, padded so that the size stays but for the stride.

    found_in: a network that has it. first: it sees pixels, so nobody asks for the gradient of its input.
    """

    found_in: str
    inside: int
    outside: int
    kernel: int
    size: tuple[int, ...]
    stride: int = 1
    groups: int = 1
    batch: int = 64

    @property
    def name(self) -> str:
        """Such as "3x3 64-128 28px s2"."""
        kernel = "x".join([str(self.kernel)] * len(self.size))
        channels = f"{self.inside}-{self.outside}"
        unit = "px" if len(self.size) == 2 else " long"
        text = f"{kernel} {channels} {self.size[0]}{unit}" + (f" s{self.stride}" if self.stride > 1 else "")
        return text + (" depthwise" if self.groups > 1 else "") + (" 1-d" if len(self.size) == 1 else "")

    @property
    def first(self) -> bool:
        """Whether its input is pixels."""
        return self.inside == 3

    @property
    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """stride, padding and dilation, a number an axis."""
        axes = len(self.size)
        return (self.stride,) * axes, (self.kernel // 2,) * axes, (1,) * axes

    @property
    def out(self) -> tuple[int, ...]:
        """The size of the output."""
        return tuple(output_size(n, self.kernel, self.stride, self.kernel // 2) for n in self.size)

    def gflop(self, batch: int, passes: int = 1) -> float:
        """10^9 operations, products and sums counted apart, in the direct way, whatever way is taken."""
        taps = self.inside // self.groups * self.kernel ** len(self.size)
        return 2e-9 * passes * batch * self.outside * prod(self.out) * taps

    def arrays(self, batch: int, dtype: type, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (N, C, *size), weight (F, C / groups, *kernel) and the gradient at the output (N, F, *out), drawn by seed.

        Of the size that keeps a float32 sum of them near 1.
        """
        rng = np.random.default_rng(seed)
        taps = self.inside // self.groups * self.kernel ** len(self.size)
        shapes = (
            (batch, self.inside, *self.size),
            (self.outside, self.inside // self.groups, *(self.kernel,) * len(self.size)),
            (batch, self.outside, *self.out),
        )
        x, weight, grad = (rng.standard_normal(shape, np.float32) for shape in shapes)
        return x.astype(dtype), (weight / taps**0.5).astype(dtype), grad.astype(dtype)


CONVOLUTIONS = (
    Convolution("ArcFace's IR-ResNets", 3, 64, 3, (112, 112), batch=32),
    Convolution("ResNet-18 and 50 at 112 px", 3, 64, 7, (112, 112), stride=2),
    Convolution("the scratch CNN at 64 px", 32, 64, 3, (32, 32)),
    Convolution("ArcFace's IR-ResNets", 64, 64, 3, (112, 112), stride=2, batch=16),
    Convolution("ResNet-18, IR-ResNets", 64, 64, 3, (56, 56), batch=32),
    Convolution("VGG, IR-ResNets", 64, 128, 3, (28, 28)),
    Convolution("ResNet-18, IR-ResNets", 128, 128, 3, (28, 28), batch=32),
    Convolution("ResNet-18", 128, 256, 3, (28, 28), stride=2),
    Convolution("the scratch CNN", 128, 256, 3, (14, 14)),
    Convolution("IR-ResNets", 256, 256, 3, (14, 14), batch=32),
    Convolution("ResNet-18, IR-ResNets", 256, 512, 3, (14, 14), stride=2),
    Convolution("ResNet-18, IR-ResNets", 512, 512, 3, (7, 7), batch=32),
    Convolution("ResNet-50", 64, 256, 1, (56, 56), batch=32),
    Convolution("ResNet-50", 1024, 256, 1, (14, 14)),
    Convolution("Inception", 32, 96, 5, (28, 28)),
    Convolution("MobileFaceNet", 128, 128, 3, (56, 56), groups=128, batch=32),
    Convolution("MobileFaceNet", 256, 256, 3, (28, 28), stride=2, groups=256),
    Convolution("a scanning network of sequences", 64, 128, 5, (256,)),
)
