"""An MLP that scans its input, as a convolutional network with the same outputs.

An MLP that looks at K frames at a time and moves by S frames computes the same product of a window and a matrix at
every stop: that is a convolution with kernel K and stride S. Only the order of the numbers differs. The MLP reads its
window time-major, frame by frame; a convolution keeps channels apart from time:

    column o of the matrix (K · C, out)                     channel o of the weight (out, C, K)

      frame 0   c₀ ┐  M[0]                                            k = 0     k = 1    ...
                c₁ │  M[1]            reshape to (K, C),         c₀    M[0]      M[C]
                .. ┘                  transpose to (C, K)        c₁    M[1]      M[C + 1]
      frame 1   c₀ ┐  M[C]           ────────────────────►       ..
                c₁ │  M[C + 1]
                .. ┘                  W[o, c, k] = M[k C + c, o]

The layers above see one stop each: convolutions with kernel 1. Where the MLP shares weights between the parts of its
window (a "distributed" MLP), its first layers are convolutions with smaller kernels, and no part is computed twice;
`shared_blocks` tells which part of each matrix is then the weight. In 2d, rows and columns take the place of frames.

Waibel and others, "Phoneme Recognition Using Time-Delay Neural Networks", 1989.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.scratch.shared_blocks import positions, shared_blocks
from mytorch.course import Conv1d, Conv2d, Flatten, Layer, ReLU

Array = npt.NDArray[Any]


def block_to_kernel(block: Array, kernel: int, dims: int = 1) -> Array:
    """An MLP's matrix or shared block, (kernel^dims · C, out), as a convolution's weight, (out, C, kernel, ...)."""
    out = block.shape[1]
    return np.moveaxis(block.T.reshape(out, *(kernel,) * dims, -1), -1, 1)


class ScanningCNN:
    """Convolutions with an activation between them, and nothing after the last but Flatten.

    A (N, C, T), or (N, C, H, W) where dims is 2 -> Z (N, out, stops, ...), flattened to (N, out · stops) if `flatten`.

    channels: those of the input and of each convolution, one more than there are kernels and strides.
    activation: a layer's class, elementwise.
    weight_init_fn: as the convolutions take it; see also `init_weights`.
    """

    def __init__(
        self,
        channels: Sequence[int],
        kernels: Sequence[int],
        strides: Sequence[int],
        dims: int = 1,
        activation: Callable[[], Layer] = ReLU,
        flatten: bool = True,
        weight_init_fn: Callable[..., Array] | None = None,
    ) -> None:
        if dims not in (1, 2):
            raise ValueError(f"dims is 1 for sequences and 2 for images, got {dims}")
        if len(channels) != len(positions(kernels, strides)):
            raise ValueError(f"got {len(channels)} channels for {len(kernels)} kernels: give one more than kernels")
        self.kernels, self.strides, self.dims = tuple(kernels), tuple(strides), dims
        convolution: Callable[..., Layer] = Conv1d if dims == 1 else Conv2d
        self.layers: list[Layer] = []
        for C_in, C_out, kernel, stride in zip(channels[:-1], channels[1:], kernels, strides, strict=True):
            self.layers += [convolution(C_in, C_out, kernel, stride, weight_init_fn=weight_init_fn), activation()]
        self.layers.pop()
        if flatten:
            self.layers.append(Flatten())

    @property
    def convolutions(self) -> list[Any]:
        """The stride-1 convolutions that hold the parameters, first to last."""
        inner = f"conv{self.dims}d_stride1"
        return [getattr(layer, inner) for layer in self.layers if hasattr(layer, inner)]

    def init_weights(self, matrices: Sequence[Array], biases: Sequence[Array] | None = None) -> None:
        """Take the weights of an MLP: its full matrices, (inputs, outputs), and its biases (zeros if left out).

        Of a matrix that shares weights only the first block is read; `mlp_to_cnn` also checks the others.
        Raises ValueError where the matrices do not fit this network.
        """
        blocks, biases = shared_blocks(matrices, self.kernels, self.strides, biases, self.dims, check=False)
        weights = [block_to_kernel(block, k, self.dims) for block, k in zip(blocks, self.kernels, strict=True)]
        for n, (layer, weight) in enumerate(zip(self.convolutions, weights, strict=True)):
            if weight.shape != layer.W.shape:
                raise ValueError(
                    f"matrix {n}, {matrices[n].shape}, makes a weight of {weight.shape}, expected {layer.W.shape}: "
                    "give the matrices of an MLP of this network's kernels and channels"
                )
        for layer, weight, bias in zip(self.convolutions, weights, biases, strict=True):
            layer.W, layer.b = weight.copy(), bias.copy()

    def forward(self, A: Array) -> Array:
        """A (N, C, T) or (N, C, H, W) -> the MLP's answers at every stop."""
        for layer in self.layers:
            A = layer.forward(A)
        return A

    def __call__(self, A: Array) -> Array:
        """Call forward."""
        return self.forward(A)

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ, as forward's answer -> dLdA, as its input; sets the convolutions' gradients."""
        for layer in reversed(self.layers):
            dLdZ = layer.backward(dLdZ)
        return dLdZ


def mlp_to_cnn(
    matrices: Sequence[Array],
    kernels: Sequence[int],
    strides: Sequence[int],
    biases: Sequence[Array] | None = None,
    dims: int = 1,
    activation: Callable[[], Layer] = ReLU,
    flatten: bool = True,
    check: bool = True,
) -> ScanningCNN:
    """The CNN that gives the same answers as an MLP scanning its input.

    matrices: (inputs, outputs) each (for a Linear that is W transposed); biases: (outputs,) each, zeros if left out.
    kernels, strides: those of the convolutions. For an MLP that shares nothing, (K, 1, 1, ...) and (S, 1, 1, ...),
        where it sees K frames (or K by K pixels) at a time and moves on by S.
    check: whether a matrix must really share its weights as the kernels and strides say.

    Raises ValueError where matrices, kernels and strides do not fit each other.
    """
    blocks, _ = shared_blocks(matrices, kernels, strides, biases, dims, check)
    channels = [len(blocks[0]) // kernels[0] ** dims, *(block.shape[1] for block in blocks)]
    network = ScanningCNN(channels, kernels, strides, dims, activation, flatten, lambda *sizes: np.zeros(sizes))
    network.init_weights(matrices, biases)
    return network


def scan_mlp(
    A: Array,
    matrices: Sequence[Array],
    window: int,
    step: int,
    biases: Sequence[Array] | None = None,
    activation: Callable[[], Layer] = ReLU,
) -> Array:
    """The MLP itself, run at one stop after the other: slow, obvious, and what `mlp_to_cnn` must agree with.

    A (N, C, T) or (N, C, H, W) -> (N, out, stops) or (N, out, stops down, stops across).
    window, step: how many frames (or pixels each way) the MLP sees, and moves on by. For an MLP with shared weights
        they are `positions(kernels, strides)[0]` and the product of the strides.
    """
    stops = [(size - window) // step + 1 for size in A.shape[2:]]
    if min(stops) < 1:
        raise ValueError(f"a window of {window} does not fit an input of {A.shape}: use a larger input")
    vectors = biases if biases is not None else [np.zeros(matrix.shape[1]) for matrix in matrices]
    Z = np.zeros((len(A), matrices[-1].shape[1], *stops), A.dtype)
    for stop in np.ndindex(*stops):
        seen: tuple[Any, ...] = (..., *(slice(step * s, step * s + window) for s in stop))
        values = np.moveaxis(A[seen], 1, -1).reshape(len(A), -1)  # frame by frame: channels run fastest
        for n, (matrix, bias) in enumerate(zip(matrices, vectors, strict=True)):
            values = values @ matrix + bias
            if n < len(matrices) - 1:
                values = activation().forward(values)
        Z[(..., *stop)] = values
    return Z


class CNN_SimpleScanningMLP(ScanningCNN):
    """The MLP 192-8-16-4 that sees 8 frames of 24 channels and moves on by 4: (N, 24, 128) -> (N, 124).

    init_weights((w1, w2, w3)): (192, 8), (8, 16), (16, 4), the input of w1 frame by frame.
    """

    def __init__(self) -> None:
        super().__init__(channels=(24, 8, 16, 4), kernels=(8, 1, 1), strides=(4, 1, 1))


class CNN_DistributedScanningMLP(ScanningCNN):
    """The same MLP with shared weights: its 8 hidden neurons are 4 positions of 2, the next 16 are 2 positions of 8.

    init_weights((w1, w2, w3)): (192, 8), (8, 16), (16, 4), of which the blocks w1[:48, :2], w2[:4, :8] and w3 are read:
    frames 0 and 1 to position 0 (2 · 24 rows, 2 columns), positions 0 and 1 to position 0 (2 · 2 rows, 8 columns), and
    the last two positions to one (2 · 8 rows, 4 columns).
    """

    def __init__(self) -> None:
        super().__init__(channels=(24, 2, 8, 4), kernels=(2, 2, 2), strides=(2, 2, 1))
