"""Dropout (Srivastava et al. 2014) of elements, of channels, and of blocks.

It is inverted: what remains is scaled up in training, so evaluation does nothing. The masks are drawn on the CPU (see
`mytorch.manual_seed`), so that the CPU and the GPU drop the same elements.
"""

from typing import ClassVar, Literal

import numpy as np

from mytorch.device import Array, is_cuda, to_device
from mytorch.geometry import Size
from mytorch.nn.module import Module, as_array
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import activation as ops
from mytorch.ops.drop_block import block_mask, block_start_probability
from mytorch.ops.pointwise import SELU_ALPHA, SELU_SCALE
from mytorch.random import default_generator

SELU_LIMIT = -SELU_ALPHA * SELU_SCALE


class _Dropout(Module):
    """Base of all kinds of dropout. A subclass sets `shapes`, if not all are allowed, and defines `draw_mask`."""

    shapes: ClassVar[dict[int, str]] = {}
    """The shapes of inputs by their number of axes. One without N is a single example, without the batch axis."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        if not 0 <= p <= 1:
            raise ValueError(f"p={p}: expected the probability of dropping an element, from 0 to 1")
        self.p, self.inplace = float(p), bool(inplace)

    def forward(self, input: Array) -> Array:
        """The shape stays."""
        first = next(iter(self.shapes.values()), "(*)")
        check_input(self, input, self.shapes.get(getattr(input, "ndim", 0), first))
        if not self.training or self.p == 0 or not input.size:
            self.save_for_backward(None, 1.0, output=input)
            return input
        single = self.shapes.get(input.ndim, "").startswith("(C")
        mask, scale = self.draw_mask((1, *input.shape) if single else input.shape)
        mask = mask[0] if single else mask
        if is_cuda(input):
            mask = to_device(np.broadcast_to(mask, input.shape), "cuda")
        elif single:
            mask = np.broadcast_to(mask, input.shape)
        y = as_array(self.drop(input, mask, scale))
        self.save_for_backward(mask, scale, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The shape stays."""
        mask, scale = self.saved(grad)
        return grad if mask is None else ops.dropout(grad, mask, scale)

    def drop(self, x: Array, mask: Array, scale: float) -> Array:
        """Return what remains of `x`."""
        return ops.dropout(x, mask, scale)

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Return a mask for an input of this shape, or for its channels (N, C, 1, 1), and the scale of what remains."""
        raise TypeError(f"{type(self).__name__} has no draw_mask: define draw_mask(self, shape) in your subclass")

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"p={self.p}, inplace={self.inplace}"

    def _scale(self) -> float:
        return 0.0 if self.p == 1 else float(1 / (1 - self.p))


class Dropout(_Dropout):
    """In training, set each element to zero with probability p, and divide the others by 1 - p. As torch.nn.Dropout."""

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Draw each element independently."""
        return default_generator().random(shape, "f") >= self.p, self._scale()


class _ChannelDropout(_Dropout):
    """Base of the dropouts of whole channels."""

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Draw each channel independently."""
        return default_generator().random((*shape[:2], *(1,) * (len(shape) - 2)), "f") >= self.p, self._scale()


class Dropout1d(_ChannelDropout):
    """In training, set each channel of each sequence to zero with probability p, and divide the others by 1 - p.

    As torch.nn.Dropout1d, of (N, C, L) or (C, L).
    """

    shapes: ClassVar = {3: "(N, C, L)", 2: "(C, L)"}


class Dropout2d(_ChannelDropout):
    """In training, set each channel of each image to zero with probability p, and divide the others by 1 - p.

    As torch.nn.Dropout2d, of (N, C, H, W), or of (N, C, L), which PyTorch takes for a batch of sequences. Neighboring
    pixels are highly correlated (Tompson et al., arXiv 1411.4280).
    """

    shapes: ClassVar = {4: "(N, C, H, W)", 3: "(N, C, L)"}


class Dropout3d(_ChannelDropout):
    """In training, set each channel of each volume to zero with probability p, and divide the others by 1 - p.

    As torch.nn.Dropout3d, of (N, C, D, H, W) or (C, D, H, W).
    """

    shapes: ClassVar = {5: "(N, C, D, H, W)", 4: "(C, D, H, W)"}


class _AlphaDropout(_Dropout):
    """Base of the dropouts that keep mean 0 and variance 1, for networks with SELU.

    Dropped elements become SELU's limit at minus infinity; then all are scaled and moved (Klambauer et al., arXiv
    1706.02515).
    """

    def _scale(self) -> float:
        return 0.0 if self.p == 1 else ((SELU_LIMIT**2 * self.p + 1) * (1 - self.p)) ** -0.5

    def drop(self, x: Array, mask: Array, scale: float) -> Array:
        """Return scale * (x or the limit) + offset, where the offset makes the mean 0 again."""
        factor = mask.astype(x.dtype)
        return (x * factor + SELU_LIMIT * (1 - factor)) * scale - scale * SELU_LIMIT * self.p


class AlphaDropout(_AlphaDropout, Dropout):
    """Dropout that keeps mean 0 and variance 1 (Klambauer et al., arXiv 1706.02515). As torch.nn.AlphaDropout.

    In training, each element is with probability p replaced by SELU's limit at minus infinity, -1.758; then all are
    scaled and moved. With p=1 everything becomes zero.
    """


class FeatureAlphaDropout(_AlphaDropout, _ChannelDropout):
    """AlphaDropout of whole channels of (N, C, *) (arXiv 1706.02515). As torch.nn.FeatureAlphaDropout."""

    def forward(self, input: Array) -> Array:
        """The shape stays."""
        if getattr(input, "ndim", 2) < 2:
            raise ValueError(f"FeatureAlphaDropout got an input of shape {input.shape}: expected (N, C, *)")
        return super().forward(input)


class StochasticDepth(_Dropout):
    """In training, set whole images (mode="row") or the whole batch (mode="batch") to zero with probability p.

    What remains is divided by 1 - p. It ends the branch of a residual block (Huang et al., arXiv 1603.09382). As
    torchvision.ops.StochasticDepth.
    """

    def __init__(self, p: float, mode: Literal["batch", "row"]):
        super().__init__(p)
        if mode not in ("batch", "row"):
            raise ValueError(f"mode={mode!r}: expected 'batch' or 'row'")
        self.mode = mode

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Draw one number for each image, or for the batch, and repeat it for each channel."""
        one_each = (shape[0] if self.mode == "row" else 1, *(1,) * (len(shape) - 1)) if shape else ()
        kept = default_generator().random(one_each, "f") >= self.p
        return np.broadcast_to(kept, (*shape[:2], *one_each[2:])), self._scale()

    def extra_repr(self) -> str:
        """Return the arguments as torchvision prints them."""
        return f"p={self.p}, mode={self.mode}"


class DropBlock2d(_Dropout):
    """In training, set squares of block_size x block_size pixels to zero, a fraction p of all, and scale up the rest.

    Ghiasi, Lin and Le, arXiv 1810.12890. As torchvision.ops.DropBlock2d: each channel has its own blocks, and what
    remains is multiplied by elements / remaining elements. Even block sizes, which torchvision refuses, work too.
    """

    shapes: ClassVar = {4: "(N, C, H, W)"}

    def __init__(self, p: float = 0.1, block_size: int = 7, eps: float = 1e-6, inplace: bool = False):
        super().__init__(p, inplace)
        (self.block_size,) = to_tuple(block_size, 1, "block_size", minimum=1)
        self.eps = float(eps)

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Draw where blocks start, and drop what they cover."""
        size = shape[2:]
        block_size = min(self.block_size, *size)
        positions = (*shape[:2], *(n - block_size + 1 for n in size))
        starts = default_generator().random(positions, "f") < block_start_probability(self.p, size, block_size)
        mask = block_mask(starts, size)
        return mask, mask.size / (self.eps + float(mask.sum()))

    def extra_repr(self) -> str:
        """Return the arguments as torchvision prints them."""
        return f"p={self.p}, block_size={self.block_size}"
