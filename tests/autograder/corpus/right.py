"""Correct submissions in different styles of arithmetic, layout and habit, each written into a folder."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from autograder.reference import MODELS, copy, sources
from corpus.planting import correct

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


def loops_in_one_file(folder: Path) -> None:
    correct(folder)
    for name in ("conv1d.py", "conv2d.py", "pool.py"):
        (folder / name).write_text(LOOPS)


def as_strided(folder: Path) -> None:
    correct(folder)
    (folder / "conv2d.py").write_text(STRIDED)


def convolve(folder: Path) -> None:
    correct(folder)
    (folder / "conv1d.py").write_text(CONVOLVE)


def im2col_and_prints(folder: Path) -> None:
    correct(folder)
    (folder / "conv2d.py").write_text(IM2COL)


def float32_safe(folder: Path) -> None:
    """The reference as it is: it answers in the type that it is given."""
    copy(folder)


def one_file(folder: Path) -> None:
    """All classes in one file, imports within the submission left out."""
    texts = [*_ordered(sources("mytorch.course")), *(sources("models.scratch")[name] for name in reversed(MODELS))]
    text = "\n".join(texts)
    # A parenthesised import spans lines; every import of our own goes, since all names are in this file.
    text = re.sub(r"from (mytorch|models)[^\n]*\([^)]*\)\n", "", text)
    text = re.sub(r"from (mytorch|models)[^\n]*\n", "", text)
    (folder / "solution.py").write_text(text.replace('"""All', '"""'))


def flat_files(folder: Path) -> None:
    """A file a topic, imported as a handout does: `from resampling import *`."""
    for name, text in sources("mytorch.course").items():
        if name != "__init__.py":
            (folder / name).write_text(text.replace("from mytorch.course.", "from "))
    for name in MODELS:
        text = sources("models.scratch")[name].replace("from mytorch.course import", "from everything import")
        (folder / name).write_text(text.replace("from models.scratch.", "from "))
    (folder / "everything.py").write_text(sources("mytorch.course")["__init__.py"].replace("mytorch.course.", ""))


def handout_layout(folder: Path) -> None:
    """mytorch/nn/... and models/..., absolute imports, no __init__ anywhere above."""
    nn, models = folder / "hw2p1_handout" / "mytorch" / "nn", folder / "hw2p1_handout" / "models"
    nn.mkdir(parents=True)
    models.mkdir()
    for name, text in sources("mytorch.course").items():
        (nn / name).write_text(text.replace("mytorch.course", "mytorch.nn"))
    for name in MODELS:
        text = sources("models.scratch")[name]
        (models / name).write_text(text.replace("mytorch.course", "mytorch.nn").replace("models.scratch", "models"))


def relative_imports(folder: Path) -> None:
    """One package, `from .layer import Layer`."""
    package = folder / "my_layers"
    package.mkdir()
    for name, text in sources("mytorch.course").items():
        (package / name).write_text(text.replace("from mytorch.course.", "from ."))
    (package / "nets").mkdir()
    for name in MODELS:
        text = sources("models.scratch")[name].replace("from mytorch.course import", "from .. import")
        (package / "nets" / name).write_text(text.replace("from models.scratch.", "from ."))


def path_juggling(folder: Path) -> None:
    """sys.path put together by hand, from __file__ and from the working folder."""
    copy(folder / "src")
    for path in (folder / "src" / "models" / "scratch").glob("*.py"):
        juggle = (
            "import os, sys\nsys.path.append('mytorch')\n"
            "sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))\n"
        )
        path.write_text(juggle + path.read_text())


def clutter(folder: Path) -> None:
    """The solution among stubs, old versions, tests that import torch, and notebooks."""
    copy(folder)
    stub = "class Conv1d:\n    def forward(self, A):\n        raise NotImplementedError\n"
    (folder / "conv1d.py").write_text(stub)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_conv.py").write_text("import torch\nclass Conv2d:\n    pass\n")
    (folder / "old").mkdir()
    (folder / "old" / "conv2d.py").write_text("class Conv2d:\n    def forward(self, A):\n        return A\n")
    (folder / "notes.ipynb").write_text("{}")
    (folder / "broken.py").write_text("def (:\n")
    (folder / "main.py").write_text("import torch\nfrom mytorch.course import Conv1d\nprint(Conv1d)\n")


def zipped(folder: Path) -> None:
    """A zip with one folder in it, whose name Python could not import."""
    copy(folder / "raw")
    with zipfile.ZipFile(folder / "handin.zip", "w") as archive:
        for path in sorted((folder / "raw").rglob("*.py")):
            archive.write(path, Path("hw2 (final) v3") / path.relative_to(folder / "raw"))


def aliases(folder: Path) -> None:
    """Classes under other names, bound to the contract's."""
    correct(folder)
    for name, text in (("conv1d.py", CONVOLVE), ("conv2d.py", STRIDED)):
        (known,) = re.findall(r"^class (\w+)", text, re.M)
        (folder / name).write_text(f"{text.replace(known, 'Mine')}\n{known} = Mine\n")


def _ordered(texts: dict[str, str]) -> list[str]:
    """The course's files so that each comes after those it needs."""
    first = ["layer.py", "resampling.py", "activation.py", "batchnorm.py", "conv1d.py", "conv2d.py"]
    rest = [name for name in texts if name not in (*first, "__init__.py", "resblock.py")]
    return [texts[name] for name in (*first, *rest, "resblock.py")]


STYLES: list[Callable[[Path], None]] = [
    loops_in_one_file,
    as_strided,
    convolve,
    im2col_and_prints,
    float32_safe,
    one_file,
    flat_files,
    handout_layout,
    relative_imports,
    path_juggling,
    clutter,
    zipped,
    aliases,
]
