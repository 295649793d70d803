"""The course's CNN over sequences: alternating convolutions and activations, then one linear layer."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mytorch.course import Conv1d, Flatten, Layer, Linear

Array = npt.NDArray[Any]
InitFn = Callable[..., Array]


def _standard_normal(*sizes: int) -> Array:
    return np.random.normal(size=sizes)


class CNN:
    """A (N, num_input_channels, input_width) -> logits (N, num_linear_neurons).

        A ── Conv1d ── activation ── Conv1d ── activation ── ... ── Flatten ── Linear ── logits

    num_channels, kernel_sizes, strides, activations: one entry for each convolution; none pads.
    activations: layers, or their classes. A layer that occurs twice is copied, because each occurrence must store its
        own forward pass.
    conv_weight_init_fn(out, in, k), bias_init_fn(out), linear_weight_init_fn(out, in): called layer by layer, weight
        before bias, and the only draws from NumPy's global generator.
    criterion: a loss such as CrossEntropyLoss(), or its class.
    lr: the step of plain gradient descent, see `step`.

    Raises ValueError where the lists differ in length or the sequence gets shorter than a kernel.
    """

    def __init__(
        self,
        input_width: int,
        num_input_channels: int,
        num_channels: Sequence[int],
        kernel_sizes: Sequence[int],
        strides: Sequence[int],
        num_linear_neurons: int,
        activations: Sequence[Any],
        conv_weight_init_fn: InitFn | None,
        bias_init_fn: InitFn | None,
        linear_weight_init_fn: InitFn | None,
        criterion: Any,
        lr: float,
    ) -> None:
        lengths = [len(num_channels), len(kernel_sizes), len(strides), len(activations)]
        if len(set(lengths)) > 1:
            raise ValueError(
                "num_channels, kernel_sizes, strides and activations have one entry for each convolution, "
                f"got {lengths} entries: make the four lists equally long"
            )
        self.train_mode = True
        self.lr = lr
        self.criterion = criterion() if isinstance(criterion, type) else criterion

        self.convolutional_layers: list[Conv1d] = []
        self.activations: list[Any] = []
        width, channels = input_width, num_input_channels
        for out_channels, kernel, stride, activation in zip(
            num_channels, kernel_sizes, strides, activations, strict=True
        ):
            if kernel > width:
                raise ValueError(
                    f"convolution {len(self.convolutional_layers)} has a kernel of {kernel} but only {width} samples "
                    "to work on: use a wider input, smaller kernels or smaller strides"
                )
            self.convolutional_layers.append(
                Conv1d(channels, out_channels, kernel, stride, 0, conv_weight_init_fn, bias_init_fn)
            )
            self.activations.append(self._own(activation))
            width, channels = (width - kernel) // stride + 1, out_channels
        self.flatten = Flatten()
        linear_weight_init_fn = linear_weight_init_fn or _standard_normal
        self.linear_layer = Linear(channels * width, num_linear_neurons, linear_weight_init_fn, bias_init_fn)

    def _own(self, activation: Any) -> Any:
        """Return the activation as a layer that occurs in this network once."""
        if isinstance(activation, type):
            return activation()
        return copy.copy(activation) if any(activation is other for other in self.activations) else activation

    def forward(self, A: Array) -> Array:
        """A (N, num_input_channels, input_width) -> logits Z (N, num_linear_neurons)."""
        for convolution, activation in zip(self.convolutional_layers, self.activations, strict=True):
            A = activation.forward(convolution.forward(A))
        self.Z = self.linear_layer.forward(self.flatten.forward(A))
        return self.Z

    def __call__(self, A: Array) -> Array:
        """Call forward."""
        return self.forward(A)

    def backward(self, labels: Array) -> Array:
        """One-hot labels (N, num_linear_neurons) -> dL/dA (N, num_input_channels, input_width).

        Sets `loss` and every layer's gradients. RuntimeError where there has been no forward yet.
        """
        if not hasattr(self, "Z"):
            raise RuntimeError("CNN.backward was called before forward: call forward(A) first, then backward(labels)")
        self.loss = self.criterion.forward(self.Z, labels)
        grad: Array = self.criterion.backward()
        grad = self.flatten.backward(self.linear_layer.backward(grad))
        for convolution, activation in zip(
            reversed(self.convolutional_layers), reversed(self.activations), strict=True
        ):
            grad = convolution.backward(activation.backward(grad))
        return grad

    def _parameters(self) -> Iterator[tuple[Layer, str]]:
        """Yield pairs of a layer and the name of a parameter, including those of activations (Swish's beta)."""
        for layer in (*(conv.conv1d_stride1 for conv in self.convolutional_layers), self.linear_layer):
            yield layer, "W"
            yield layer, "b"
        for activation in self.activations:
            if hasattr(activation, "beta"):
                yield activation, "beta"

    def zero_grads(self) -> None:
        """Set every gradient to zero; backward overwrites them in any case."""
        for layer, name in self._parameters():
            setattr(layer, f"dLd{name}", np.zeros_like(getattr(layer, name)))

    def step(self) -> None:
        """One step of gradient descent, W = W - lr dLdW; the gradient of a mean loss is a mean over the batch."""
        for layer, name in self._parameters():
            setattr(layer, name, getattr(layer, name) - self.lr * getattr(layer, f"dLd{name}"))

    def train(self) -> None:
        """Set training mode, which changes none of these layers."""
        self.train_mode = True

    def eval(self) -> None:
        """Set evaluation mode."""
        self.train_mode = False
