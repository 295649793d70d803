# ruff: noqa: E501
"""Submissions in the styles and with the habits of real students, each with what its own faults cost."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from autograder.reference import copy
from corpus.right.layout import flat_files, handout_layout, one_file

LAYERS = ("Upsample1d", "Conv1d", "Conv2d", "MaxPool2d_stride1", "CNN", "CNN_SimpleScanningMLP")
EARLIER = ("Linear", "Tanh", "MSELoss", "SGD", "BatchNorm1d")
_COURSE, _MODELS = Path("mytorch/course"), Path("models/scratch")


@dataclasses.dataclass(frozen=True)
class Habit:
    """build: writes the submission. cost: points that its own faults cost. rubric, only: what it is graded by."""

    name: str
    build: Callable[[Path], None]
    cost: float = 0.0
    rubric: str = "cmu-f25"
    only: tuple[str, ...] = LAYERS


def _edited(*edits: tuple[str, str, str], base: Callable[[Path], None] = copy) -> Callable[[Path], None]:
    """The reference with texts replaced: file (or a pattern of files), old, new."""

    def build(folder: Path) -> None:
        base(folder)
        for pattern, old, new in edits:
            files = sorted(folder.glob(pattern))
            found = [path for path in files if re.search(old, path.read_text())]
            assert found, (pattern, old)
            for path in found:
                path.write_text(re.sub(old, lambda _, new=new: new, path.read_text()))

    return build


def _with(files: dict[str, str], base: Callable[[Path], None] = copy) -> Callable[[Path], None]:
    """The reference and more files, or others in their place."""

    def build(folder: Path) -> None:
        base(folder)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return build


def _everywhere(change: Callable[[str], str], base: Callable[[Path], None] = copy) -> Callable[[Path], None]:
    """Every file changed."""

    def build(folder: Path) -> None:
        base(folder)
        for path in sorted(folder.rglob("*.py")):
            path.write_text(change(path.read_text()))

    return build


def _after_imports(text: str, line: str) -> str:
    """A line before the first import."""
    return re.sub(r"^(import|from) ", lambda match: f"{line}\n{match.group()}", text, count=1, flags=re.M)


def _renamed(name: str) -> Callable[[Path], None]:
    """Everything in one file of this name."""

    def build(folder: Path) -> None:
        one_file(folder)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "solution.py").rename(target)

    return build


def _s22(folder: Path) -> None:
    """hw2/hw2.py with the CNN, everything else in modules next to it; no padding, positional initializers."""
    hw2 = folder / "hw2"
    hw2.mkdir()
    flat_files(hw2)
    (hw2 / "course_cnn.py").rename(hw2 / "hw2.py")
    for path in hw2.glob("conv*d.py"):
        text = path.read_text().replace("padding: int | InitFn = 0,\n", "")
        text = re.sub(r"        if callable\(padding\).*?\n.*?\n", "        padding = 0\n", text)
        path.write_text(text)
    path = hw2 / "hw2.py"
    path.write_text(path.read_text().replace("kernel, stride, 0, conv_weight", "kernel, stride, conv_weight"))


def _relative_at_the_top(folder: Path) -> None:
    flat_files(folder)
    for path in folder.glob("*.py"):
        text = re.sub(
            r"^from (?=(layer|resampling|conv1d|conv2d|activation|batchnorm|linear|everything|shared_blocks|dropout|loss|optim|pool|resblock|transposed|scanning_mlp|batch_mean) import)",
            "from .",
            path.read_text(),
            flags=re.M,
        )
        path.write_text(text)


def _copies(name: str) -> Callable[[Path], None]:
    """An older, wrong state of everything in another folder."""

    def build(folder: Path) -> None:
        for place in ("work", name):
            (folder / place).mkdir()
            flat_files(folder / place)
        for path in (folder / name).glob("*.py"):
            path.write_text(path.read_text().replace("+ b[:, None", "- b[:, None").replace("argmax", "argmin"))

    return build


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        copy(folder)
        for path in sorted(folder.rglob("*.py")):
            path.write_bytes(change(path.read_bytes()))

    return build


def _imported_as(folder: Path) -> None:
    copy(folder)
    path = folder / _COURSE / "resampling.py"
    text = path.read_text().replace("class Upsample1d", "class Up")
    (folder / _COURSE / "mine.py").write_text(text)
    path.write_text("from mytorch.course.mine import Up as Upsample1d, Downsample1d, Upsample2d, Downsample2d\n")


_NOTEBOOK = "%matplotlib inline\n!pip install numpy\nget_ipython().run_line_magic('time', 'x = 1')\n"
_DEMO = "\n\nprint(open('data/train.npy').read())\nraise SystemExit\n"
_GUARDED = "try:\n    import torch\n    import matplotlib.pyplot as plt\nexcept ImportError:\n    torch = None\n"

HABITS: Sequence[Habit] = (
    # how files are named and laid out
    Habit("handout's folders", handout_layout),
    Habit("flat files", flat_files),
    Habit("one file", one_file),
    Habit("a dot in the name", _renamed("hw2p1.v2.py")),
    Habit("a copy's name", _renamed("hw2p1 (1).py")),
    Habit("a digit first", _renamed("2_hw.py")),
    Habit("a module in a folder of its name", _renamed("hw2/hw2.py")),
    Habit("a module with the name of Python's", _renamed("test.py")),
    Habit("spring 2022", _s22, rubric="cmu-s22"),
    Habit("relative imports at the top", _relative_at_the_top),
    Habit("a backup", _copies("backup")),
    Habit("a folder's copy", _copies("work copy")),
    Habit("an old folder", _copies("old")),
    Habit("names of Python's modules", _with({f"mytorch/{name}.py": "x = 1\n" for name in ("random", "types", "copy", "abc")})),
    Habit("Python's names next to flat files", _with({"random.py": "x = 1\n", "operator.py": "x = 1\n"}, flat_files)),
    Habit("tests next to it", _with({"tests/test_conv.py": "import torch\nclass Conv1d: pass\nclass CNN: pass\n"})),
    Habit("stubs left over", _with({"conv1d.py": "class Conv1d:\n    def forward(self, A):\n        Z = None\n        return Z\n"})),
    Habit("an import under another name", _imported_as),
    Habit("a file that Python cannot read", _with({"notes.py": "def (:\n"})),
    # what runs on import
    Habit("a broken __init__", _edited(("mytorch/course/__init__.py", r"import Layer\n", "import Layer, Nothing\n"))),
    Habit("an __init__ that imports torch", _with({"mytorch/__init__.py": "from .demo import x\n", "mytorch/demo.py": "import torch\nx = 1\n"})),
    Habit("an unused import of torch", _everywhere(lambda text: _after_imports(text, "from torch import nn"))),
    Habit("imports in try", _everywhere(lambda text: _after_imports(text, _GUARDED))),
    Habit("an exported notebook", _everywhere(lambda text: f"{_NOTEBOOK}{text}")),
    Habit("a demonstration at the end", _everywhere(lambda text: text + _DEMO)),
    Habit("prints", _everywhere(lambda text: _after_imports(text, "print('here')"))),
    Habit("seeds NumPy", _everywhere(lambda text: text + "\n\nnp.random.seed(0)\n", flat_files)),
    Habit("path juggling", _everywhere(lambda text: _after_imports(text, "import sys; sys.path.append('mytorch')"))),
    Habit("Windows line ends", _bytes(lambda data: data.replace(b"\n", b"\r\n"))),
    Habit("a byte order mark", _bytes(lambda data: b"\xef\xbb\xbf" + data)),
    Habit("Latin-1", _bytes(lambda data: b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + data.decode().encode("ascii", "replace"))),
    # how the layers are written
    Habit("no __call__", _edited(("mytorch/course/layer.py", r"def __call__\(self", "def call(self"))),
    Habit("+= for gradients", _edited(("mytorch/course/conv?d.py", r"self\.dLdW = np\.einsum", "self.dLdW = self.dLdW + np.einsum"),
                                      ("mytorch/course/conv?d.py", r"self\.dLdb = dLdZ", "self.dLdb = self.dLdb + dLdZ")), cost=0.06),
    Habit("three convolutions only", _edited(("models/scratch/course_cnn.py", r"self\.train_mode = True\n        self\.lr", "num_channels[2]\n        self.lr")), cost=0.5),
    Habit("zero_grads fills", _edited(("models/scratch/course_cnn.py", r"setattr\(layer, f\"dLd\{name\}\", np\.zeros_like\(getattr\(layer, name\)\)\)", 'getattr(layer, f"dLd{name}").fill(0)'))),
    Habit("initializers of the linear layer ignored", _edited(("models/scratch/course_cnn.py", r"num_linear_neurons, linear_weight_init_fn, bias_init_fn\)", "num_linear_neurons)")), cost=0.5),
    Habit("square pooling", _edited(("mytorch/course/pool.py", r"H, W = dLdZ\.shape\[2:\]", "H = W = dLdZ.shape[2]")), cost=0.25),
    Habit("no layer for Flatten's result", _edited(("models/scratch/scanning_mlp.py", r"self\.layers\.append\(Flatten\(\)\)", "pass")), cost=0.5),
    Habit("float64 for float32", _edited(("mytorch/course/layer.py", r"        if array\.dtype\.kind != \"f\":\n", "        if True:\n"))),
    Habit("long double", _edited(("mytorch/course/activation.py", r"np\.tanh\(self\.check\(Z\)\)", "np.tanh(self.check(Z)).astype(np.longdouble)")), rubric="hw1p1", only=EARLIER),
    Habit("a bias of one axis", _edited(("mytorch/course/linear.py", r"self\.dLdb = dLdZ\.sum\(axis=0\)\[:, None\]", "self.dLdb = dLdZ.sum(axis=0)"),
                                        ("mytorch/course/linear.py", r"\(bias_init_fn, self\.out_features\)\[:, None\]", "(bias_init_fn, self.out_features)")), cost=0.5, rubric="hw1p1", only=EARLIER),
    Habit("a loss in brackets", _edited(("mytorch/course/loss.py", r"return np\.mean\(self\.difference\*\*2\)", "return np.mean(self.difference**2).reshape(1, 1)")), cost=0.25, rubric="hw1p1", only=EARLIER),
    Habit("every second layer", _edited(("mytorch/course/optim.py", r"\[layer for layer in model\.layers if hasattr\(layer, \"W\"\)\]", "model.layers[::2]")), rubric="hw1p1", only=EARLIER),
    Habit("rows for channels", _edited(("mytorch/course/batchnorm.py", r"np\.sum\(dLdBZ \* NZ, axis=self\.axes, keepdims=True\)", "np.sum(dLdBZ * NZ, axis=self.axes)")), cost=0.5, rubric="hw1p1", only=EARLIER),
)  # fmt: skip
