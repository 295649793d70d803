"""Activations: elementwise functions of Z, and softmax, which is a function of each row.

For elementwise functions, backward is dLdZ = dLdA · dA/dZ; the classes differ only in A and in dA/dZ. Without dLdA, as
in old versions of the assignment, backward returns dA/dZ.
"""

import math

import numpy as np

from mytorch.course.layer import Array, Layer

# NumPy has no erf. Python's is accurate to the last bit or two; one call per element is slow but easy to read.
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(Z: Array) -> Array:
    """1 / (1 + exp(-Z)) as exp(-log(1 + exp(-Z))), which neither overflows nor loses precision at either end."""
    return np.exp(-np.logaddexp(0, -Z))


class Identity(Layer):
    """A = Z; dA/dZ = 1."""

    def forward(self, Z: Array) -> Array:
        """Z of any shape -> A = Z."""
        self.A = self.check(Z)
        return self.A

    def backward(self, dLdA: Array | None = None) -> Array:
        """dLdA -> dLdZ = dLdA."""
        return self.gradient(dLdA, self.saved("A").shape)


class Sigmoid(Layer):
    """A = 1 / (1 + exp(-Z)); dA/dZ = A (1 - A)."""

    def forward(self, Z: Array) -> Array:
        """Z of any shape -> A, between 0 and 1."""
        self.A = _sigmoid(self.check(Z))
        return self.A

    def backward(self, dLdA: Array | None = None) -> Array:
        """dLdA -> dLdZ = dLdA · A (1 - A)."""
        A = self.saved("A")
        return self.gradient(dLdA, A.shape) * A * (1 - A)


class Tanh(Layer):
    """A = tanh(Z); dA/dZ = 1 - A²."""

    def forward(self, Z: Array) -> Array:
        """Z of any shape -> A, between -1 and 1."""
        self.A = np.tanh(self.check(Z))
        return self.A

    def backward(self, dLdA: Array | None = None) -> Array:
        """dLdA -> dLdZ = dLdA · (1 - A²)."""
        A = self.saved("A")
        return self.gradient(dLdA, A.shape) * (1 - A**2)


class ReLU(Layer):
    """A = max(Z, 0); dA/dZ = 1 where Z > 0, else 0 (at 0 too)."""

    def forward(self, Z: Array) -> Array:
        """Z of any shape -> A, never negative."""
        self.A = np.maximum(self.check(Z), 0)
        return self.A

    def backward(self, dLdA: Array | None = None) -> Array:
        """dLdA -> dLdZ = dLdA where A > 0, else 0."""
        A = self.saved("A")
        return np.where(A > 0, self.gradient(dLdA, A.shape), 0)


class GELU(Layer):
    """A = Z Φ(Z), Φ(z) = (1 + erf(z / √2)) / 2 the normal distribution; dA/dZ = Φ(Z) + Z exp(-Z² / 2) / √(2π).

    Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016; with erf, not with the tanh approximation.
    """

    def forward(self, Z: Array) -> Array:
        """Z of any shape -> A."""
        self.Z = self.check(Z)
        self.Phi = ((1 + _erf(self.Z / math.sqrt(2))) / 2).astype(self.Z.dtype)
        return self.Z * self.Phi

    def backward(self, dLdA: Array | None = None) -> Array:
        """dLdA -> dLdZ = dLdA · (Φ(Z) + Z exp(-Z² / 2) / √(2π))."""
        Z = self.saved("Z")
        density = np.exp(-(Z**2) / 2) / math.sqrt(2 * math.pi)
        return self.gradient(dLdA, Z.shape) * (self.Phi + Z * density)


class Swish(Layer):
    """A = Z σ(β Z), β is one learned number, initially 1; with S = σ(β Z), so that S' = S (1 - S):

    dA/dZ   = S + β Z S'
    dLdbeta = Σ dLdA · Z² S'

    Ramachandran, Zoph and Le, "Searching for Activation Functions", 2017.
    """

    def __init__(self) -> None:
        self.beta = 1.0
        self.dLdbeta = 0.0

    def forward(self, Z: Array) -> Array:
        """Z of any shape -> A."""
        self.Z = self.check(Z)
        self.S = _sigmoid(self._beta() * self.Z)
        return self.Z * self.S

    def backward(self, dLdA: Array | None = None) -> Array:
        """dLdA -> dLdZ = dLdA · (S + β Z S'); sets dLdbeta."""
        Z = self.saved("Z")
        gradient, S = self.gradient(dLdA, Z.shape), self.S
        self.dLdbeta = float(np.sum(gradient * Z**2 * S * (1 - S)))
        return gradient * (S + self._beta() * Z * S * (1 - S))

    def _beta(self) -> float:
        """Return β as a Python number, so that float32 arrays stay float32. It may be an array of one number."""
        return float(np.asarray(self.beta).item())


class Softmax(Layer):
    """The softmax of each row.

    forward:  Z (N, C) -> A (N, C)
        A[n, c] = exp(Z[n, c]) / Σ_k exp(Z[n, k])
    backward: dLdA (N, C) -> dLdZ (N, C): each row times its own Jacobian (C, C)
        J[c, k]    = dA[n, c] / dZ[n, k] = A[n, c] (δ[c, k] - A[n, k])
        dLdZ[n, :] = dLdA[n, :] J = A[n, :] · (dLdA[n, :] - Σ_c dLdA[n, c] A[n, c])
    """

    def forward(self, Z: Array) -> Array:
        """Z (N, C) -> A (N, C), every row summing to 1."""
        Z = self.check(Z, "N C")
        exp = np.exp(Z - Z.max(axis=1, keepdims=True))  # the largest becomes exp(0): nothing overflows
        self.A = exp / exp.sum(axis=1, keepdims=True)
        return self.A

    def backward(self, dLdA: Array) -> Array:
        """dLdA (N, C) -> dLdZ (N, C)."""
        A = self.saved("A")
        dLdA = self.gradient(dLdA, A.shape)
        return A * (dLdA - np.sum(dLdA * A, axis=1, keepdims=True))
