"""Submissions that attack the grader or the machine, each bounded by itself as well, in case a protection fails.

The attack sits in Conv1d_stride1, at the top of conv1d.py; everything else in the submission is correct. CANARY is
for a folder that anyone may write to, and REPOSITORY for the grader's own.
"""

# ruff: noqa: E501

import dataclasses
from pathlib import Path

from corpus.planting import correct

_WRONG = "return np.zeros((len(A), self.out_channels, A.shape[2] - self.kernel_size + 1))"
_RIGHT = """K = self.kernel_size
        return np.array([[sum(np.convolve(a[c], w[c][::-1], "valid") for c in range(len(a))) + b
                          for w, b in zip(self.W, self.b)] for a in A])"""

_TEMPLATE = """
import numpy as np
{top}

class Conv1d_stride1:
    def __init__(self, in_channels, out_channels, kernel_size, weight_init_fn=None, bias_init_fn=None):
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.W = weight_init_fn(out_channels, in_channels, kernel_size) if weight_init_fn else (
            np.random.normal(size=(out_channels, in_channels, kernel_size)))
        self.b = bias_init_fn(out_channels) if bias_init_fn else np.zeros(out_channels)

    def __call__(self, A):
        return self.forward(A)

    def forward(self, A):
        {before}
        {forward}

    def backward(self, dLdZ):
        return None
"""


@dataclasses.dataclass(frozen=True)
class Attack:
    """top: runs at import. before: runs in forward. honest: whether forward then answers rightly.

    earns: which parts of the test are rightly earned: "nothing", or "forward" where the attack is harmless and the
    forward pass is right. status: the test's, where it is of interest.
    """

    name: str
    top: str = ""
    before: str = "pass"
    honest: bool = False
    forward: str = ""
    earns: str = "nothing"
    status: str = ""

    def write(self, folder: Path, canary: Path, repository: Path) -> None:
        """Write the submission."""
        correct(folder)
        forward = self.forward or (_RIGHT if self.honest else _WRONG)
        before = self.before.strip("\n").replace("\n", "\n        ")
        text = _TEMPLATE.format(top=self.top, before=before, forward=forward)
        text = text.replace("CANARY", str(canary)).replace("REPOSITORY", str(repository))
        (folder / "conv1d.py").write_text(text)


_FORGE = """
import os, json, struct
for fd in range(3, 64):
    for case in range(40):
        for out in ("Z", "dLdA", "dLdW", "dLdb"):
            head = json.dumps({"kind": "result", "case": case, "out": out, "is": "array",
                               "arrays": [{"dtype": "<f8", "shape": [1, 1, 3]}]}).encode()
            try:
                os.write(fd, struct.pack(">I", len(head)) + head + bytes(24))
            except OSError:
                break
"""
_ALWAYS = """
class Always(np.ndarray):
    __eq__ = __ne__ = __lt__ = __le__ = lambda self, other: True
    __array_ufunc__ = lambda self, *args, **kwargs: True
    def all(self, *args): return True
    def tobytes(self, *args): return b""
"""

ATTACKS = [
    # time, processes, memory, output
    Attack("endless loop at import", "while True: pass", status="crashed"),
    Attack("endless loop in forward", before="while True: pass", status="crashed"),
    Attack("sleeps", before="import time; time.sleep(3600)", status="crashed"),
    Attack(
        "ignores signals and spins",
        "import signal\nfor s in (1, 2, 15, 24): signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
    ),
    Attack("a regular expression without end", "import re", "re.match(r'(a+)+$', 'a' * 64 + 'b')"),
    Attack("fork bomb", "import os\nfor _ in range(5): os.fork()"),
    Attack(
        "fork bomb behind the guard", "import _posixsubprocess, os, ctypes\nfor _ in range(5): ctypes.CDLL(None).fork()"
    ),
    Attack(
        "threads without end",
        "import threading, time\nfor _ in range(200):\n    try: "
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    except RuntimeError: break",
        honest=True,
        earns="forward",
    ),
    Attack("memory bomb", before="x = [np.ones(1 << 23) for _ in range(64)]"),
    Attack("memory bomb in one", before="x = np.ones(1 << 33)"),
    Attack("recursion without end", before="f = lambda n: f(n + 1); f(0)"),
    Attack(
        "a gigabyte of output",
        before="import sys\nfor _ in range(1 << 16): sys.stdout.write('x' * 16384)",
        status="crashed",
    ),
    Attack(
        "a gigabyte of errors", before="import os\nfor _ in range(1 << 16): os.write(2, b'x' * 16384)", status="crashed"
    ),
    Attack("a gigabyte in a file", "with open('x', 'wb') as f:\n    for _ in range(1 << 10): f.write(bytes(1 << 20))"),
    Attack("ten thousand files", "for i in range(10000): open(f'file{i}', 'w').close()"),
    Attack("returns too much", forward="return np.zeros((1 << 14, 1 << 13))"),
    Attack("returns a view of eight terabytes", forward="return np.broadcast_to(0.0, (1 << 20, 1 << 20))"),
    # endings
    Attack("os._exit at import", "import os; os._exit(0)", status="crashed"),
    Attack("os._exit in forward", before="import os; os._exit(0)", status="crashed"),
    Attack("sys.exit(0)", "import sys; sys.exit(0)"),
    Attack("sys.exit(0) in forward", before="import sys; sys.exit(0)"),
    Attack("crashes the interpreter", before="import ctypes; ctypes.string_at(0)", status="crashed"),
    Attack("kills its parent", "import os, signal\nfor p in (os.getppid(), 1, -1): os.kill(p, signal.SIGKILL)"),
    Attack(
        "kills behind the guard",
        "import ctypes, os\nfor p in (os.getppid(), 1): ctypes.CDLL(None).kill(p, 9)",
        honest=True,
        earns="forward",
    ),
    Attack("closes everything", "import os; os.closerange(0, 256)", status="crashed"),
    Attack(
        "an exception that cannot be printed", "class E(Exception):\n    def __str__(self): raise self", "raise E()"
    ),
    # files
    Attack(
        "deletes files",
        "import shutil, os\nfor p in ('CANARY', os.path.dirname(os.path.abspath(__file__)), 'REPOSITORY/nothing',"
        " os.path.expanduser('~')): shutil.rmtree(p, ignore_errors=True)",
        honest=True,
        earns="forward",
    ),
    Attack("overwrites files", "open('CANARY/canary.txt', 'w').write('gone')"),
    Attack("overwrites itself", "open(__file__, 'a').write('# hello')"),
    Attack("reads the reference", "text = open('REPOSITORY/mytorch/course/conv1d.py').read(); exec(text)"),
    Attack(
        "reads the grader",
        "import glob\ntext = [open(p).read() for p in glob.glob('REPOSITORY/autograder/**/*.py')]",
        honest=True,
        earns="forward",
    ),
    Attack(
        "imports the reference",
        "import sys; sys.path.insert(0, 'REPOSITORY')\nfrom mytorch.course import Conv1d_stride1 as Base",
    ),
    Attack(
        "looks for the seed",
        "import os\nfor p in os.listdir('/proc'):\n    if p.isdigit(): open(f'/proc/{p}/cmdline').read()",
    ),
    Attack(
        "writes the results file",
        "import json\nfor p in ('results.json', 'CANARY/results.json', '/autograder/results/results.json'):\n"
        "    try: open(p, 'w').write(json.dumps({'score': 100, 'tests': []}))\n    except OSError: pass",
    ),
    # fooling
    Attack("prints full marks", "print('100/100')\nprint('{\"scores\": {\"Convolution\": 100}}')"),
    Attack(
        "patches numpy",
        "np.allclose = np.array_equal = np.isclose = lambda *a, **k: True\nnp.abs = lambda *a: np.zeros(1)\n"
        "np.testing.assert_allclose = lambda *a, **k: None",
    ),
    Attack(
        "patches the grader",
        "import sys\nfor m in list(sys.modules.values()):\n    for n in ('judge', 'close', 'mark', 'recognize', "
        "'pack'):\n        if hasattr(m, n) and 'autograder' in str(m): setattr(m, n, lambda *a, **k: True)",
    ),
    Attack("patches builtins", "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.abs = lambda x: 0"),
    Attack("forges the results", _FORGE),
    Attack(
        "spoils the results",
        "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'\\xff' * 4096)\n    except OSError: pass",
    ),
    Attack(
        "an __eq__ that always agrees",
        "class Yes:\n    shape = (1, 1, 3); dtype = np.float64\n    __eq__ = lambda s, o: True\n"
        "    __array__ = lambda s, *a, **k: np.zeros(3)\n    __sub__ = __rsub__ = lambda s, o: 0",
        forward="return Yes()",
    ),
    Attack("an array that always agrees", _ALWAYS, forward="return np.zeros((1, 1, 3)).view(Always)"),
    Attack(
        "arrays of objects",
        forward="return np.array([[[Always()] * 3]], dtype=object)",
        top="class Always:\n    __eq__ = lambda s, o: True\n    __reduce__ = lambda s: (print, ('hello',))",
    ),
    Attack("arrays of text", forward="return np.array([[['1', '2', '3']]])"),
    Attack("NaN", forward="return np.full((len(A), self.out_channels, A.shape[2] - self.kernel_size + 1), np.nan)"),
    Attack(
        "infinity", forward="return np.full((len(A), self.out_channels, A.shape[2] - self.kernel_size + 1), np.inf)"
    ),
    Attack(
        "traces the worker",
        "import sys\ndef t(frame, event, arg):\n    frame.f_locals.clear() if 'case' in frame.f_locals else None\n"
        "    return t\nsys.settrace(t)",
    ),
    Attack(
        "walks up the frames",
        "import sys, gc\nf = sys._getframe()\nwhile f:\n    f.f_globals['describe'] = lambda *a: {}\n"
        "    f = f.f_back\ngc.get_objects()",
    ),
    # forbidden imports
    # An import that is written as one is refused and named, and the rest is graded.
    *(
        Attack(f"forbidden: {name}", code, honest=True, earns="forward", status="failed")
        for name, code in {
            "import": "import torch",
            "from": "from torch import nn",
            "in try": "try:\n    import torch\nexcept ImportError:\n    torch = None",
            "scipy.signal": "try:\n    from scipy.signal import convolve\nexcept ImportError: pass",
            "scipy import signal": "try:\n    from scipy import signal\nexcept ImportError: pass",
            "tensorflow": "try:\n    import tensorflow as tf\nexcept ImportError: pass",
            "jax": "try:\n    import jax.numpy as jnp\nexcept ImportError: pass",
            "the grader": "try:\n    import autograder.checks\nexcept ImportError: pass",
            "behind the finder": "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if "
            "type(f).__module__.startswith('_frozen') or isinstance(f, type)]\n"
            "try:\n    import torch\nexcept ImportError: pass",
        }.items()
    ),
    # An import in disguise earns nothing.
    *(
        Attack(f"forbidden: {name}", code, honest=True, status="violation")
        for name, code in {
            "__import__": "__import__('to' + 'rch')",
            "importlib": "import importlib\ntry: importlib.import_module('tor' + 'ch')\nexcept ImportError: pass",
            "exec": "try: exec(''.join(map(chr, [105, 109, 112, 111, 114, 116, 32, 116, 111, 114, 99, 104])))\nexcept ImportError: pass",
        }.items()
    ),
    Attack("forbidden: import in forward", before="import torch", honest=True, status="violation"),
    Attack(
        "torch by its file",
        "import importlib.util, glob, sys\n"
        "for p in sys.path:\n    spec = importlib.util.spec_from_file_location('t', p + '/torch/__init__.py')\n    try:\n"
        "        m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m); break\n    except (OSError, AttributeError): pass\n"
        "m.nn",
    ),
    Attack(
        "torch in another process",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import torch'], check=True)",
    ),
    Attack("another program", "import os\nos.execv('/bin/sh', ['/bin/sh', '-c', 'touch CANARY/touched'])"),
    # the network
    Attack("opens a socket", "import socket\ns = socket.socket(); s.settimeout(1); s.connect(('127.0.0.1', 22))"),
    Attack(
        "sends a datagram",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'hello', ('127.0.0.1', 9))",
    ),
    Attack("asks for a page", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/', timeout=1)"),
]
