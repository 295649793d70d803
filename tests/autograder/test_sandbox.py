"""The sandbox: what holds where, with the jail and without it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from corpus.planting import correct

from autograder import reference
from autograder.grading import Options, grade
from autograder.rubric import Rubric
from autograder.sandbox import seccomp
from autograder.sandbox.host import PROTECTIONS, Sandbox
from autograder.sandbox.limits import Limits

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's protections are Linux's")


def _run(folder: Path, code: str, seconds: float = 60, forbidden: tuple[str, ...] = (), **how: bool) -> tuple[str, str]:
    """The outcome's status, and what a module with this code printed."""
    (folder / "mine.py").write_text(f"{code}\nclass Thing: pass\n")
    os.chmod(folder, 0o755)
    request = {"classes": {"Thing": ["mine.py", "Thing"]}, "cases": []}
    with Sandbox(folder, forbidden, **how) as box:
        outcome = box.run({**request, "folders": [[".", False]]}, [np.zeros(3)], Limits(seconds=seconds))
    return outcome.status, outcome.output


@linux
def test_the_worker_sees_libraries_and_the_submission_and_nothing_else(tmp_path: Path) -> None:
    with Sandbox(tmp_path, []) as box:
        if not box.protections["jail"]:
            pytest.skip("this system refuses namespaces")
    code = "import os\nprint(sorted(os.listdir('/submission')), os.listdir(os.getcwd()), os.path.exists('/proc/self'))"
    assert _run(tmp_path, code)[1] == "['mine.py'] [] False\n"
    code = f"import os\nprint(os.path.exists({str(Path(__file__))!r}), os.path.exists('/etc/passwd'))"
    assert _run(tmp_path, code)[1] == "False False\n"


@linux
@pytest.mark.parametrize("jailed", [True, False])
def test_without_the_jail_there_is_still_no_new_process_and_no_network(tmp_path: Path, jailed: bool) -> None:
    code = (
        "import ctypes, socket\nprint(ctypes.CDLL(None).fork())\n"
        "try: socket.socket()\nexcept PermissionError: print('refused')"
    )
    assert _run(tmp_path, code, jailed=jailed)[1] == "-1\nrefused\n"


@linux
def test_without_either_the_clock_and_the_guard_remain(tmp_path: Path) -> None:
    bare = {"jailed": False, "filtered": False}
    assert _run(tmp_path, "while True: pass", seconds=0.5, **bare)[0] == "timeout"
    code = "import os, time\nif os.fork() == 0:\n    time.sleep(60)"
    assert "may not" in _guarded(tmp_path, code, **bare)
    with Sandbox(tmp_path, [], jailed=False, filtered=False) as box:
        assert box.protections == {**dict.fromkeys(PROTECTIONS, False), "limits": True, "guard": True}


def _guarded(folder: Path, code: str, **how: bool) -> str:
    indented = "\n    ".join(code.splitlines())
    return _run(folder, f"try:\n    {indented}\nexcept PermissionError as error: print(error)", **how)[1]


@linux
@pytest.mark.parametrize("jailed", [True, False])
def test_what_a_worker_leaves_behind_is_killed(tmp_path: Path, jailed: bool) -> None:
    """Without filter or guard in the way (the raw call), a child outlives its parent, but not the test."""
    sign = tmp_path / "room" / "sign"
    sign.parent.mkdir()
    os.chmod(sign.parent, 0o777)
    code = (
        "import ctypes, os, time\nif ctypes.CDLL(None).fork() == 0:\n    os.setsid()\n    time.sleep(0.7)\n"
        f"    try: open({str(sign)!r}, 'w').close()\n    except OSError: pass\n    time.sleep(60)\nprint('left')"
    )
    assert _run(tmp_path, code, seconds=60, jailed=jailed, filtered=False) == ("exited", "left\n")
    time.sleep(1)
    assert not sign.exists()


@linux
def test_the_scratch_folder_is_bounded_and_gone_afterwards(tmp_path: Path) -> None:
    code = (
        "import os\nroom = os.getcwd()\ntotal = 0\n"
        "try:\n    for i in range(64):\n        with open(f'f{i}', 'wb') as f: total += f.write(bytes(4 << 20))\n"
        "except OSError as error: print(type(error).__name__, total <= 16 << 20)"
    )
    with Sandbox(tmp_path, []) as box:
        jailed = box.protections["jail"]
    if not jailed:
        pytest.skip("this system refuses namespaces")
    assert _run(tmp_path, code)[1] == "OSError True\n"


def test_grading_without_protections_says_so_and_marks_the_same(tmp_path: Path, default: Rubric) -> None:
    reference.copy(tmp_path)
    report = grade(tmp_path, default, Options(jailed=False, filtered=False, only=("Conv1d", "CNN")))
    assert report.is_full
    assert not report.protections["jail"]


def test_a_submission_that_deletes_itself_is_still_graded(tmp_path: Path, default: Rubric) -> None:
    """Also where the jail does not hold: each test has the files as they were handed in."""
    correct(tmp_path)
    home = (tmp_path / "correct" / "conv1d.py").read_text()
    attack = "import os, shutil\nshutil.rmtree(os.path.dirname(os.path.abspath(__file__)), ignore_errors=True)\n"
    (tmp_path / "conv1d.py").write_text(f"{home}\n{attack}")
    for jailed in (True, False):
        report = grade(
            tmp_path, default, Options(jailed=jailed, only=("Conv1d_stride1", "Upsample1d", "Conv1d", "CNN"))
        )
        assert [test.status for test in report.tests] == ["passed"] * 4
    assert (tmp_path / "conv1d.py").exists()


def test_the_filter_knows_both_architectures() -> None:
    for machine in ("x86_64", "aarch64"):
        lines = seccomp.program(machine)
        assert lines[-1][0] == 0x06
        assert all(0 <= true < 256 and 0 <= false < 256 for _, true, false, _ in lines)


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_works_for_a_user_without_privileges(tmp_path: Path) -> None:
    """The grader as nobody: the jail comes by a user namespace, or the report says that there is none."""
    python = Path(sys.base_prefix)
    if any(folder.stat().st_mode & 0o005 != 0o005 for folder in (python, *python.parents)):
        pytest.skip("Python itself lies where only root may read")
    reference.copy(tmp_path)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_mode & 0o005 == 0o005:
            break  # from here on upwards it is the system's
        os.chmod(path, 0o755)
    program = (
        "from pathlib import Path\nfrom autograder.grading import Options, grade\nfrom autograder.rubric import load\n"
        f"report = grade(Path({str(tmp_path)!r}), load('default'), Options(only=('Conv1d', 'CNN')))\n"
        "print(report.mark, report.full, report.protections)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": "/tmp", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        capture_output=True, text=True, env=environment, cwd="/", timeout=120, check=False, user=65534, group=65534,
        extra_groups=[],
    )  # fmt: skip
    assert done.stdout.startswith("18.5 18.5"), done.stderr
