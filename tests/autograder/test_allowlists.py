"""The sandbox allows what a submission needs, and nothing else: system calls, libraries, folders; jailed or not."""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from corpus.planting import correct

from autograder import reference
from autograder.grading import Options, grade
from autograder.rubric import LIBRARIES, Rubric
from autograder.sandbox import host, libraries, seccomp
from autograder.sandbox.host import Sandbox
from autograder.sandbox.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's protections are Linux's")
jails = pytest.mark.parametrize("jailed", [True, False], ids=["jailed", "unjailed"])


def _run(folder: Path, code: str, **how: bool) -> str:
    """What a module with this code prints as it is imported; a failure of it is printed too."""
    indented = "\n    ".join(code.strip().splitlines())
    text = f"import traceback\ntry:\n    {indented}\nexcept BaseException: traceback.print_exc()\nclass Thing: pass\n"
    (folder / "mine.py").write_text(text)
    os.chmod(folder, 0o755)
    request = {"classes": {"Thing": ["mine.py", "Thing"]}, "folders": [[".", False]], "cases": []}
    with Sandbox(folder, ["torch", "scipy.signal", "autograder"], LIBRARIES, **how) as box:
        return box.run(request, [np.zeros(3)], Limits(seconds=20)).output


_HARMS = """
import ctypes, fcntl, os, resource, struct
C = ctypes.CDLL(None, use_errno=True)
parent, path, fd = os.getppid(), b"CANARY", os.open(os.curdir, os.O_RDONLY)
r, w = os.pipe()
def call(name, number, *args):
    result = C.syscall(ctypes.c_long(number), *args)
    print(name, "refused" if result < 0 else "ALLOWED")
def attempt(name, f):
    try: f(); print(name, "ALLOWED")
    except (OSError, ValueError) as error: print(name, "refused")
attempt("chmod", lambda: os.chmod(path, 0o600))
attempt("chown", lambda: os.chown(path, 1, 1))
attempt("utime", lambda: os.utime(path, (0, 0)))
attempt("utime by an open folder", lambda: os.utime(fd, (0, 0)))
attempt("setxattr", lambda: os.setxattr(path, "user.x", b"1"))
attempt("truncate", lambda: os.truncate(path, 0))
attempt("open a reader that truncates", lambda: os.open(path, os.O_RDONLY | os.O_TRUNC))
attempt("write", lambda: os.open(path, os.O_WRONLY))
attempt("link", lambda: os.link(path, "mine"))
attempt("symlink", lambda: os.symlink(path, "mine"))
attempt("mknod", lambda: os.mkfifo("pipe"))
attempt("unlink", lambda: os.unlink(path))
attempt("rename", lambda: os.rename(path, path + b"2"))
attempt("F_SETOWN", lambda: fcntl.fcntl(r, fcntl.F_SETOWN, parent))
attempt("F_SETOWN_EX", lambda: fcntl.fcntl(r, 15, struct.pack("ii", 1, parent)))
attempt("F_SETSIG", lambda: fcntl.fcntl(r, 10, 9))
attempt("F_NOTIFY", lambda: fcntl.fcntl(fd, 1026, 1))
attempt("FIOSETOWN", lambda: fcntl.ioctl(r, 0x8901, struct.pack("i", parent)))
attempt("FIOASYNC", lambda: fcntl.ioctl(r, 0x5452, struct.pack("i", 1)))
attempt("TIOCSTI", lambda: fcntl.ioctl(0, 0x5412, b"x"))
attempt("prlimit", lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (0, 0)))
attempt("read its limits", lambda: resource.prlimit(parent, resource.RLIMIT_CPU))
attempt("setpriority", lambda: os.setpriority(os.PRIO_PROCESS, parent, 19))
attempt("sched_setaffinity", lambda: os.sched_setaffinity(parent, {0}))
attempt("sched_setscheduler", lambda: os.sched_setscheduler(parent, os.SCHED_IDLE, os.sched_param(0)))
attempt("setpgid", lambda: os.setpgid(parent, parent))
call("kill", KILL, parent, 0)
call("pidfd_open", 434, parent, 0)
call("process_madvise", 440, 0, 0, 0, 0, 0)
call("socket", SOCKET, 1, 1, 0)
call("io_uring_setup", 425, 1, 0)
call("a call of the future", 470, 0)
call("PR_SET_DUMPABLE", PRCTL, 4, 1, 0, 0, 0)
call("PR_SET_PDEATHSIG", PRCTL, 1, 0, 0, 0, 0)
"""


@jails
def test_what_harms_others_is_refused(tmp_path: Path, jailed: bool) -> None:
    canary = tmp_path / "canary"
    canary.write_text("alive")
    canary.chmod(0o666)
    folder = tmp_path / "submission"
    folder.mkdir()
    arm = os.uname().machine == "aarch64"
    code = _HARMS.replace("CANARY", str(canary)).replace("KILL", "129" if arm else "62")
    code = code.replace("SOCKET", "198" if arm else "41").replace("PRCTL", "167" if arm else "157")
    before = canary.stat()
    printed = _run(folder, code, jailed=jailed)
    assert len(printed.splitlines()) == 34, printed
    assert "ALLOWED" not in printed
    after = canary.stat()
    assert canary.read_text() == "alive"
    assert (after.st_mode, after.st_mtime_ns, after.st_nlink) == (before.st_mode, before.st_mtime_ns, before.st_nlink)
    assert os.getpriority(os.PRIO_PROCESS, 0) != 19


_NEEDS = """
import concurrent.futures, contextlib, ctypes, datetime, decimal, fcntl, glob, hashlib, io, json, locale, logging, mmap
import os, pathlib, pickle, queue, random, select, shutil, signal, sqlite3, sys, tempfile, threading, time, uuid
import numpy as np
threads = [threading.Thread(target=lambda: np.linalg.svd(np.ones((40, 40)))) for _ in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
with concurrent.futures.ThreadPoolExecutor(2) as pool: assert list(pool.map(abs, [-1, 2])) == [1, 2]
time.sleep(0.01); time.perf_counter(); datetime.datetime.now().astimezone()
pathlib.Path("a.txt").write_text("x" * 100); os.rename("a.txt", "b.txt"); shutil.copyfile("b.txt", "c.txt")
np.save("a.npy", np.arange(4.0)); assert np.load("a.npy").sum() == 6; np.load("a.npy", mmap_mode="r")
with tempfile.TemporaryDirectory() as room: pathlib.Path(room, "d").mkdir(); pathlib.Path(room, "e").touch()
with tempfile.TemporaryFile() as file: file.write(b"x"); file.truncate(0); file.flush(); os.fsync(file.fileno())
with open("b.txt", "r+") as file: fcntl.flock(file, fcntl.LOCK_EX); os.set_blocking(file.fileno(), True)
r, w = os.pipe(); os.write(w, b"x"); assert select.select([r], [], [], 1)[0]; os.dup2(r, w); os.isatty(1)
sqlite3.connect("x.db").execute("create table t (x)"); os.remove("b.txt"); os.listdir("."); glob.glob("*"); os.getcwd()
signal.signal(signal.SIGALRM, lambda *a: None); signal.alarm(1); signal.alarm(0)
np.random.default_rng(0).normal(size=4); random.random(); uuid.uuid4(); os.urandom(4); hashlib.sha256(b"x")
import resource; resource.getrlimit(resource.RLIMIT_AS); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.sched_getaffinity(0); os.cpu_count(); os.uname(); os.getpid(); os.times(); os.statvfs("."); mmap.mmap(-1, 4096)
print("all of it")
"""


@jails
def test_what_python_and_numpy_need_is_allowed(tmp_path: Path, jailed: bool) -> None:
    assert _run(tmp_path, _NEEDS, jailed=jailed) == "all of it\n"


def test_the_numbers_are_the_kernels_own() -> None:
    """Both columns against the kernel's own headers."""
    for column, header in enumerate(("x86_64-linux-gnu/asm/unistd_64.h", "asm-generic/unistd.h")):
        file = Path("/usr/include", header)
        if not file.exists():
            pytest.skip(f"{file} is not installed")
        defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", file.read_text())
        known = {name: int(number) for name, number in defined}
        known.setdefault("newfstatat", known.get("fstatat", -1))
        for name, numbers in seccomp._ALLOWED.items():
            assert numbers[column] in (known.get(name), None), name
        named = {
            "fcntl": seccomp._FCNTL, "ioctl": seccomp._IOCTL, "prctl": seccomp._PRCTL, "prlimit64": seccomp._PRLIMIT,
            "openat": seccomp._OPENAT, "clone": seccomp._CLONE, "clone3": seccomp._CLONE3,
        }  # fmt: skip
        assert {name: numbers[column] for name, numbers in named.items()} == {name: known[name] for name in named}


_OTHERS = ("onnx", "onnxruntime", "faiss", "torch", "sklearn", "pandas", "pydantic", "autograder", "_pytest", "cv2")


@pytest.mark.parametrize("how", [{}, {"jailed": False}, {"jailed": False, "filtered": False}], ids=["", "open", "bare"])
def test_only_the_listed_libraries_can_be_imported(tmp_path: Path, how: dict[str, bool]) -> None:
    code = f"""
import importlib
for name in {_OTHERS!r} + ("scipy.signal",):
    try: importlib.import_module(name); print(name, "IMPORTED")
    except ImportError: pass
import numpy, scipy.special, matplotlib.pyplot, tqdm
print("done", scipy.special.erf(0.0))
"""
    assert _run(tmp_path, code, **how).splitlines()[-1] == "done 0.0"
    assert "IMPORTED" not in _run(tmp_path, code, **how)


@jails
def test_a_module_of_the_submissions_own_may_have_any_name(tmp_path: Path, jailed: bool) -> None:
    (tmp_path / "pandas.py").write_text("x = 1\n")
    assert _run(tmp_path, "import pandas\nprint(pandas.x)", jailed=jailed) == "1\n"


@jails
def test_what_is_installed_elsewhere_cannot_be_read(tmp_path: Path, jailed: bool) -> None:
    """Another Python's packages, those of the base Python, other libraries in the same folder, and the grader."""
    base = Path(os.__file__).parent / "site-packages"
    places = [*base.glob("*/__init__.py"), *Path("/usr/lib/python3/dist-packages").glob("*/__init__.py")][:3]
    site = Path(libraries.site_folders()[0])
    places += [site / "pydantic" / "__init__.py", site / "torch" / "__init__.py", Path(host.__file__)]
    code = (
        "import os\nfor p in PLACES:\n    try: open(p).read(); print('READ', p)\n    except OSError: print('refused')"
    )
    printed = _run(tmp_path, code.replace("PLACES", repr([str(place) for place in places])), jailed=jailed)
    assert printed == "refused\n" * len(places)


@jails
def test_importing_matplotlib_is_no_attempt_to_start_a_program(tmp_path: Path, default: Rubric, jailed: bool) -> None:
    correct(tmp_path)
    (tmp_path / "resampling.py").write_text(
        f"import matplotlib.pyplot as plt\n{(tmp_path / 'correct/resampling.py').read_text()}"
    )
    report = grade(tmp_path, default, Options(only=("Upsample1d",), jailed=jailed))
    assert [(test.status, test.remarks) for test in report.tests] == [("passed", [])]


@jails
def test_starting_a_program_oneself_is_reported(tmp_path: Path, default: Rubric, jailed: bool) -> None:
    correct(tmp_path)
    act = "import subprocess\ntry: subprocess.run(['true'])\nexcept OSError: pass\n"
    (tmp_path / "resampling.py").write_text(act + (tmp_path / "correct" / "resampling.py").read_text())
    (test,) = grade(tmp_path, default, Options(only=("Upsample1d",), jailed=jailed)).tests
    assert test.remarks == ["The submission tried something forbidden: it starts another program."]


_GRADE = """
import sys
from pathlib import Path
from autograder.grading import Options, grade
from autograder.rubric import load
report = grade(Path(sys.argv[1]), load("default"), Options(only=("Conv1d", "Upsample1d")))
print(report.mark, report.full, report.protections)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lose")
@pytest.mark.parametrize("lost", [(6, 7), range(41)], ids=["SETUID and SETGID", "all"])
def test_missing_capabilities_cost_protection_and_no_marks(tmp_path: Path, lost: range) -> None:
    """As in a hardened container (docker --cap-drop): a worker that cannot change its user is no fault of its own."""
    libc = ctypes.CDLL(None)

    def drop() -> None:
        for capability in lost:
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP

    reference.copy(tmp_path)
    done = subprocess.run(
        [sys.executable, "-B", "-c", _GRADE, str(tmp_path)], preexec_fn=drop, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("10.5 10.5"), done.stderr
    assert "'user': False" in done.stdout
    assert "'seccomp': True" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_worker_that_cannot_be_protected_is_tried_with_less(
    tmp_path: Path, default: Rubric, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference.copy(tmp_path)
    monkeypatch.setattr(host, "_works", {(True, True): 0})  # as if it had worked a moment ago
    monkeypatch.setattr("autograder.sandbox.host.secrets.randbelow", lambda limit: 1 << 40)  # no user has this number
    report = grade(tmp_path, default, Options(only=("Upsample1d",)))
    assert report.is_full
    assert not report.protections["user"]
