"""Optimizers: they update the parameters from their gradients.

Each updates W and b of every layer in `model.layers` that has `W`. A Conv1d or Conv2d has its parameters in an inner
layer, so list that one: `model.layers = [conv.conv2d_stride1, linear]`. Every step replaces the arrays of the
parameters and does not write into the old ones, which other code may hold.
"""

from typing import Any

import numpy as np

from mytorch.course.layer import Array


class _Optimizer:
    """The layers with parameters, `l`, and their parameters as pairs: (linear, "W"), (linear, "b"), ..."""

    def __init__(self, model: Any, lr: float) -> None:
        self.lr = float(lr)
        layers = [layer for layer in model.layers if hasattr(layer, "W")]
        if not layers:
            raise ValueError(
                "no layer in model.layers has W: list the layers that have parameters, "
                "which for a Conv2d is its inner conv2d_stride1"
            )
        self.l = layers
        self.parameters = [(layer, name) for layer in layers for name in ("W", "b") if hasattr(layer, name)]

    def zeros(self) -> list[Array]:
        """Return an array of zeros for each parameter, in its shape."""
        return [np.zeros_like(getattr(layer, name)) for layer, name in self.parameters]


class SGD(_Optimizer):
    """Stochastic gradient descent with momentum μ.

    v = μ v + dLdW
    W = W - lr v
    """

    def __init__(self, model: Any, lr: float = 0.1, momentum: float = 0) -> None:
        super().__init__(model, lr)
        self.momentum = momentum
        self.v = self.zeros()

    def step(self) -> None:
        """Update every parameter."""
        for i, (layer, name) in enumerate(self.parameters):
            W, dLdW = getattr(layer, name), getattr(layer, f"dLd{name}")
            self.v[i] = self.momentum * self.v[i] + dLdW
            setattr(layer, name, W - self.lr * self.v[i])


class Adam(_Optimizer):
    """Steps scaled by running estimates of the gradient's mean m and square v, at step t = 1, 2, ...

    m = β₁ m + (1 - β₁) dLdW           m̂ = m / (1 - β₁ᵗ)
    v = β₂ v + (1 - β₂) dLdW²          v̂ = v / (1 - β₂ᵗ)
    W = W - lr m̂ / (√v̂ + ε)

    m and v start at zero, so they are too small at first; the divisions correct that.
    Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015.
    """

    def __init__(self, model: Any, lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__(model, lr)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.t = 0
        self.m, self.v = self.zeros(), self.zeros()

    def step(self) -> None:
        """Update every parameter, and count the step."""
        self.t += 1
        for i, (layer, name) in enumerate(self.parameters):
            W, dLdW = self.decayed(getattr(layer, name)), getattr(layer, f"dLd{name}")
            self.m[i] = self.beta1 * self.m[i] + (1 - self.beta1) * dLdW
            self.v[i] = self.beta2 * self.v[i] + (1 - self.beta2) * dLdW**2
            m_hat = self.m[i] / (1 - self.beta1**self.t)
            v_hat = self.v[i] / (1 - self.beta2**self.t)
            setattr(layer, name, W - self.lr * m_hat / (np.sqrt(v_hat) + self.eps))

    def decayed(self, W: Array) -> Array:
        """Return the parameter before the step. Adam does not change it."""
        return W


class AdamW(Adam):
    """Adam with decoupled weight decay λ: every step first shrinks W itself, so the decay is in neither m nor v.

    W = W - lr λ W,  then Adam's step

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; scaled by lr, and on b too, as in PyTorch.
    """

    def __init__(
        self,
        model: Any,
        lr: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(model, lr, beta1, beta2, eps)
        self.weight_decay = weight_decay

    def decayed(self, W: Array) -> Array:
        """Return the parameter, shrunk by lr λ."""
        return W - self.lr * self.weight_decay * W
