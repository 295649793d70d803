"""Standard output in ASCII, full, closed, or a pipe that nobody reads: no traceback, and the work is done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from experiments import progress

PROGRAM = "import sys; from experiments.cli import main; sys.argv[0] = 'faces'; main()"
COMMANDS = {
    "help": ["--help"],
    "settings": ["recipes", "scratch_cnn"],
    "wrong verb": ["trian"],
    "check": ["data", "check"],
}
STATUS = {"help": 0, "settings": 0, "wrong verb": 2, "check": 1}
TABLE = "from rich.table import Table; from experiments.progress import print_table, say; t = Table('José'); \
t.add_row('Zoë'); print_table(t, 60); say('José'); print('done', file=sys.stderr)"


def start(program: str, arguments: list, stdout: object, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, text=True,
        errors="replace", env={**os.environ, **variables},
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    """What a process wrote to standard error. It must be no traceback, nor Python's complaint at its end."""
    err = process.communicate(timeout=120)[1]
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    return err


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder of people whose names ASCII does not have, with something wrong in it."""
    root = tmp_path_factory.mktemp("streams") / "people"
    (root / "José").mkdir(parents=True)
    (root / "José" / "é.jpg").write_text("no image")
    return root


@pytest.mark.parametrize("name", COMMANDS)
def test_ascii(name, folder, tmp_path):
    arguments = [*COMMANDS[name], *([folder] if name == "check" else [])]
    with (tmp_path / "out").open("w") as out:
        process = start(PROGRAM, arguments, out, PYTHONIOENCODING="ascii")
        finish(process)
    assert process.returncode == STATUS[name]
    if name == "check":
        assert "Jos\\xe9" in (tmp_path / "out").read_text(encoding="ascii")


@pytest.mark.parametrize("name", ["help", "settings", "check"])
def test_a_pipe_that_nobody_reads(name, folder):
    reading, writing = os.pipe()
    os.close(reading)
    process = start(PROGRAM, [*COMMANDS[name], *([folder] if name == "check" else [])], writing)
    os.close(writing)
    finish(process)
    assert process.returncode in (STATUS[name], 1, 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("stream", ["full", "closed", "ascii"])
def test_a_table_and_a_line(stream, tmp_path):
    program = f"import sys; {TABLE}"
    if stream == "closed":
        program = f"import sys; sys.stdout = None; {TABLE}"
    with open("/dev/full" if stream == "full" else tmp_path / "out", "w") as out:
        process = start(program, [], out, **({"PYTHONIOENCODING": "ascii"} if stream == "ascii" else {}))
        err = finish(process)
    assert process.returncode == 0
    assert err.endswith("done\n")
    assert err.count("standard output cannot be written") == (stream == "full")


def test_a_table_has_its_width_where_there_is_no_terminal(capsys):
    table = Table("a" * 30, "b" * 30)
    progress.print_table(table, 100)
    out = capsys.readouterr().out
    assert "a" * 30 in out
    assert "b" * 30 in out
