"""Convolutions and pooling as students write them: by loops, strides, numpy.convolve and columns."""

LOOPS = """
import numpy as np

class Conv1d_stride1:
    def __init__(self, in_channels, out_channels, kernel_size, weight_init_fn=None, bias_init_fn=None):
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        if weight_init_fn is None:
            self.W = np.random.normal(0, 1.0, (out_channels, in_channels, kernel_size))
        else:
            self.W = weight_init_fn(out_channels, in_channels, kernel_size)
        self.b = np.zeros(out_channels) if bias_init_fn is None else bias_init_fn(out_channels)

    def __call__(self, A):
        return self.forward(A)

    def forward(self, A):
        self.A = A
        n, _, w = A.shape
        Z = np.zeros((n, self.out_channels, w - self.kernel_size + 1))
        for i in range(Z.shape[2]):
            for o in range(self.out_channels):
                Z[:, o, i] = np.sum(A[:, :, i : i + self.kernel_size] * self.W[o], axis=(1, 2)) + self.b[o]
        return Z

    def backward(self, dLdZ):
        self.dLdW, dLdA = np.zeros(self.W.shape), np.zeros(self.A.shape)
        self.dLdb = np.sum(dLdZ, axis=(0, 2))
        for i in range(dLdZ.shape[2]):
            for o in range(self.out_channels):
                up = dLdZ[:, o, i][:, None, None]
                self.dLdW[o] += np.sum(up * self.A[:, :, i : i + self.kernel_size], axis=0)
                dLdA[:, :, i : i + self.kernel_size] += up * self.W[o]
        return dLdA


class Conv2d_stride1(Conv1d_stride1):
    def __init__(self, in_channels, out_channels, kernel_size, weight_init_fn=None, bias_init_fn=None):
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.W = np.random.normal(0, 1.0, shape) if weight_init_fn is None else weight_init_fn(*shape)
        self.b = np.zeros(out_channels) if bias_init_fn is None else bias_init_fn(out_channels)

    def forward(self, A):
        self.A, k = A, self.kernel_size
        Z = np.zeros((len(A), self.out_channels, A.shape[2] - k + 1, A.shape[3] - k + 1))
        for i in range(Z.shape[2]):
            for j in range(Z.shape[3]):
                for o in range(self.out_channels):
                    Z[:, o, i, j] = np.sum(A[:, :, i : i + k, j : j + k] * self.W[o], axis=(1, 2, 3)) + self.b[o]
        return Z

    def backward(self, dLdZ):
        k = self.kernel_size
        self.dLdW, dLdA = np.zeros(self.W.shape), np.zeros(self.A.shape)
        self.dLdb = np.sum(dLdZ, axis=(0, 2, 3))
        for i in range(dLdZ.shape[2]):
            for j in range(dLdZ.shape[3]):
                for o in range(self.out_channels):
                    up = dLdZ[:, o, i, j][:, None, None, None]
                    self.dLdW[o] += np.sum(up * self.A[:, :, i : i + k, j : j + k], axis=0)
                    dLdA[:, :, i : i + k, j : j + k] += up * self.W[o]
        return dLdA


class MaxPool2d_stride1:
    def __init__(self, kernel):
        self.kernel = kernel

    def __call__(self, A):
        return self.forward(A)

    def forward(self, A):
        k = self.kernel
        self.shape, self.place = A.shape, {}
        Z = np.zeros((*A.shape[:2], A.shape[2] - k + 1, A.shape[3] - k + 1))
        for at in np.ndindex(*Z.shape):
            n, c, h, w = at
            window = A[n, c, h : h + k, w : w + k]
            i, j = np.unravel_index(np.argmax(window), window.shape)
            self.place[at] = (n, c, h + i, w + j)
            Z[at] = window[i, j]
        return Z

    def backward(self, dLdZ):
        dLdA = np.zeros(self.shape)
        for at, place in self.place.items():
            dLdA[place] += dLdZ[at]
        return dLdA


class MeanPool2d_stride1:
    def __init__(self, kernel):
        self.kernel = kernel

    def __call__(self, A):
        return self.forward(A)

    def forward(self, A):
        k, self.shape = self.kernel, A.shape
        Z = np.zeros((*A.shape[:2], A.shape[2] - k + 1, A.shape[3] - k + 1))
        for h in range(Z.shape[2]):
            for w in range(Z.shape[3]):
                Z[:, :, h, w] = np.mean(A[:, :, h : h + k, w : w + k], axis=(2, 3))
        return Z

    def backward(self, dLdZ):
        k, dLdA = self.kernel, np.zeros(self.shape)
        for h in range(dLdZ.shape[2]):
            for w in range(dLdZ.shape[3]):
                dLdA[:, :, h : h + k, w : w + k] += dLdZ[:, :, h : h + 1, w : w + 1] / k / k
        return dLdA
"""

STRIDED = """
from numpy.lib.stride_tricks import as_strided
import numpy as np

def windows(A, k):
    n, c, h, w = A.shape
    s = A.strides
    return as_strided(A, (n, c, h - k + 1, w - k + 1, k, k), (*s, s[2], s[3]), writeable=False)

class Conv2d_stride1(object):
    def __init__(self, in_channels, out_channels, kernel_size, weight_init_fn=None, bias_init_fn=None):
        self.kernel_size = kernel_size
        shape = out_channels, in_channels, kernel_size, kernel_size
        self.W = weight_init_fn(*shape) if weight_init_fn else np.random.normal(size=shape)
        self.b = bias_init_fn(out_channels) if bias_init_fn else np.zeros((out_channels,))
        self.dLdW, self.dLdb = np.zeros(self.W.shape), np.zeros(self.b.shape)

    def forward(self, A):
        self.A = A
        return np.tensordot(windows(A, self.kernel_size), self.W, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2) \\
            + self.b.reshape(1, -1, 1, 1)

    __call__ = forward

    def backward(self, dLdZ):
        k = self.kernel_size
        self.dLdb = np.einsum("nohw->o", dLdZ)
        self.dLdW = np.tensordot(dLdZ, windows(self.A, k), ((0, 2, 3), (0, 2, 3)))
        wide = np.pad(dLdZ, ((0, 0), (0, 0), (k - 1, k - 1), (k - 1, k - 1)))
        return np.tensordot(windows(wide, k), np.flip(self.W, (2, 3)), ((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
"""

CONVOLVE = '''
import numpy as np

class Conv1d_stride1:
    """By numpy.convolve, a row at a time."""

    def __init__(self, cin, cout, k, weight_init_fn=None, bias_init_fn=None):
        self.cin, self.cout, self.k = cin, cout, k
        self.W = np.random.normal(0, 1, (cout, cin, k)) if weight_init_fn is None else weight_init_fn(cout, cin, k)
        self.b = np.zeros(cout) if bias_init_fn is None else bias_init_fn(cout)

    def __call__(self, A):
        return self.forward(A)

    def forward(self, A):
        self.A = np.array(A)
        rows = [[sum(np.convolve(A[n, c], self.W[o, c][::-1], "valid") for c in range(self.cin)) + self.b[o]
                 for o in range(self.cout)] for n in range(len(A))]
        return np.array(rows)

    def backward(self, dLdZ):
        N = range(len(dLdZ))
        self.dLdb = dLdZ.sum(2).sum(0)
        self.dLdW = np.array([[sum(np.convolve(self.A[n, c], dLdZ[n, o][::-1], "valid") for n in N)
                               for c in range(self.cin)] for o in range(self.cout)])
        return np.array([[sum(np.convolve(dLdZ[n, o], self.W[o, c]) for o in range(self.cout))
                          for c in range(self.cin)] for n in N])
'''

IM2COL = """
import numpy as np
print("loading my layers, as", __name__)
np.seterr(all="ignore")

class Conv2d_stride1:
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, weight_init_fn=None, bias_init_fn=None):
        self.ci, self.co, self.k = in_channels, out_channels, kernel_size
        draw = weight_init_fn or (lambda *s: np.random.randn(*s))
        self.W = draw(out_channels, in_channels, kernel_size, kernel_size)
        self.b = (bias_init_fn or np.zeros)(out_channels)

    def __call__(self, A):
        print("forward", A.shape)
        return self.forward(A)

    def _columns(self, A):
        n, c, h, w = A.shape
        k = self.k
        y, x = np.mgrid[: h - k + 1, : w - k + 1]
        i, j = np.mgrid[:k, :k]
        self.rows, self.cols = y.ravel()[:, None] + i.ravel(), x.ravel()[:, None] + j.ravel()
        return A[:, :, self.rows, self.cols].transpose(0, 2, 1, 3).reshape(n, len(self.rows), c * k * k)

    def forward(self, A):
        print("forward", A.shape)
        self.shape = A.shape
        self.columns = self._columns(A)
        Z = self.columns @ self.W.reshape(self.co, -1).T + self.b
        return Z.swapaxes(1, 2).reshape(len(A), self.co, A.shape[2] - self.k + 1, A.shape[3] - self.k + 1)

    def backward(self, dLdZ):
        flat = dLdZ.reshape(len(dLdZ), self.co, -1)
        self.dLdb = flat.sum((0, 2))
        self.dLdW = np.einsum("nop,npk->ok", flat, self.columns).reshape(self.W.shape)
        back = np.einsum("nop,ok->npk", flat, self.W.reshape(self.co, -1))
        back = back.reshape(*back.shape[:2], self.ci, self.k * self.k).transpose(0, 2, 1, 3)
        dLdA = np.zeros(self.shape)
        np.add.at(dLdA, (slice(None), slice(None), self.rows, self.cols), back)
        return dLdA
"""
