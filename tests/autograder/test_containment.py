"""One hand-in never harms another: whatever a file holds, the class is graded, and everything has a line."""

import csv
import json
import os
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autograder import bounded, wire
from autograder.classroom import Entry, grade_all, report_file
from autograder.cli import app
from autograder.grading import GraderError, Options, grade
from autograder.render import autolab, gradescope, table
from autograder.rubric import Rubric, load
from autograder.submission import SubmissionError, fill, remove, staged

GOOD = """
import numpy as np
class Upsample1d:
    def __init__(self, k): self.k = k
    def __call__(self, A): return self.forward(A)
    def forward(self, A):
        Z = np.zeros((*A.shape[:2], self.k * (A.shape[2] - 1) + 1), A.dtype)
        Z[:, :, :: self.k] = A
        return Z
    def backward(self, d): return d[:, :, :: self.k].copy()
"""
RAISES = "class Upsample1d:\n    def __init__(self, k): pass\n    def forward(self, A): raise ValueError({!r})\n"
PUT = """
import json, os, struct
def put(header, data=b""):
    text = json.dumps(header).encode()
    for fd in range(3, 64):
        try: os.write(fd, struct.pack(">I", len(text)) + text + data)
        except OSError: pass
"""


@pytest.fixture
def one(tmp_path: Path) -> Rubric:
    """A rubric with one test."""
    file = tmp_path / "rubric.yaml"
    file.write_text(
        "title: T\nseed: 3\nsections:\n  - name: R\n    tests:\n      - {name: Upsample1d, check: Upsample1d, "
        "seconds: 5, parts: {shape: 1, forward: 1, input gradient: 1}}\n"
    )
    return load(file)


def _damaged(method: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        path = folder / "mallory.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("a.py", GOOD * 20)
        data = bytearray(path.read_bytes())
        for i in range(46, 70):
            data[i] ^= 0x5A
        path.write_bytes(bytes(data))

    return make


def _deep(folder: Path) -> None:
    (folder / "mallory").mkdir()
    start = os.getcwd()
    os.chdir(folder / "mallory")
    try:
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(start)


def _file(text: str | bytes, name: str = "a.py") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        target = folder / "mallory" / name
        target.parent.mkdir(parents=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))

    return make


def _zip(files: dict[str, str]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / "mallory.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)

    return make


def _truncated(folder: Path) -> None:
    with tarfile.open(folder / "mallory.tar.xz", "w:xz") as archive:
        (folder / "a.py").write_text(GOOD * 400)
        archive.add(folder / "a.py", "a.py")
    (folder / "a.py").unlink()
    path = folder / "mallory.tar.xz"
    path.write_bytes(path.read_bytes()[:200])


def _bytes_in_the_name(folder: Path) -> None:
    os.makedirs(os.fsencode(folder) + b"/st\xffudent")
    Path(os.fsdecode(os.fsencode(folder) + b"/st\xffudent/a.py")).write_text(GOOD)


KILLERS: dict[str, Callable[[Path], None]] = {
    "an expression of 2,500 terms": _file(RAISES.format("x") + "x = " + " + ".join(["A"] * 2500)),
    "a folder 1,500 deep": _deep,
    "a damaged deflate": _damaged(zipfile.ZIP_DEFLATED),
    "a damaged LZMA": _damaged(zipfile.ZIP_LZMA),
    "a damaged bzip2": _damaged(zipfile.ZIP_BZIP2),
    "half an xz": _truncated,
    "an entry 1,900 deep": _zip({"a/" * 1900 + "x.py": GOOD}),
    "an entry's name too long": _zip({"n" * 300 + ".py": GOOD}),
    "a file and a folder of one name": _zip({"a": "x", "a/b.py": GOOD}),
    "a name too long for its report": lambda folder: (
        (folder / ("m" * 250)).mkdir(), (folder / ("m" * 250) / "a.py").write_text(GOOD), None,
    )[2],
    "a name that is not UTF-8": _bytes_in_the_name,
    "half a surrogate pair in a message": _file(RAISES.format("bad \ud800 x")),
    "half a surrogate pair in a class's name": _file(
        "class Upsample1d:\n    def __init__(self, k): raise type('\\ud800', (Exception,), {})('x')\n"
    ),
    "a forged dtype that is a list": _file(
        PUT + "put({'kind': 'x', 'arrays': [{'dtype': [], 'shape': [1]}]})\n" + GOOD
    ),
    "a forged shape without numbers": _file(
        PUT + "put({'kind': 'x', 'arrays': [{'dtype': '<f8', 'shape': [0, 1 << 39, 1 << 39]}]})\n" + GOOD
    ),
    "a forged result of many kinds": _file(
        PUT + "for v in ([], {}, [[[]]], 1e999, None, 'x' * 60000, 1 << 70):\n"
        "    for k in ('kind', 'case', 'out', 'is', 'type', 'step', 'error', 'class'):\n"
        "        put({'kind': 'result', 'case': 0, 'out': 'Z', 'arrays': []} | {k: v})\n" + GOOD
    ),
    "headers without end": _file(PUT + "for _ in range(400000): put({'arrays': []})\n" + GOOD),
    "source with NULs": _file(b"\0\0\0class Upsample1d: pass"),
    "source in an unknown coding": _file("# coding: nonsense\n" + GOOD),
    "a link": lambda folder: os.symlink("/etc/passwd", folder / "mallory.py"),
    "a pipe": lambda folder: os.mkfifo(folder / "mallory.py"),
    "an empty file": lambda folder: (folder / "mallory.zip").touch(),
}  # fmt: skip


@pytest.mark.parametrize("killer", KILLERS)
def test_the_others_are_graded(killer: str, tmp_path: Path, one: Rubric) -> None:
    folder = tmp_path / "class"
    (folder / "aaa").mkdir(parents=True)
    (folder / "aaa" / "up.py").write_text(GOOD)
    KILLERS[killer](folder)
    entries = {entry.name: entry for entry in _grade_all(folder, tmp_path / "out", one, jobs=1)}
    assert entries["aaa"].mark == one.full
    (other,) = [entry for name, entry in entries.items() if name != "aaa"]
    assert not other.failed
    assert other.report or other.reason
    (tmp_path / "out" / "marks.html").read_text()
    with (tmp_path / "out" / "marks.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
    remove(folder)  # which pytest cannot, where it is 1,500 deep
    if other.report:
        for text in (table.text(other.report, True), gradescope.render(other.report), autolab.render(other.report)):
            text.encode()


def test_everything_in_the_folder_has_a_line(tmp_path: Path, one: Rubric) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "a.py").write_text(GOOD)
    with zipfile.ZipFile(folder / "b.ZIP", "w") as archive:
        archive.writestr("hw\\nn\\up.py", GOOD)
    for name, mode in (("c.tar", "w"), ("d.tar.gz", "w:gz"), ("e.tgz", "w:gz"), ("f.tar.bz2", "w:bz2"), ("g", "w:xz")):
        with tarfile.open(folder / name, mode) as packed:  # type: ignore[call-overload]
            packed.add(folder / "a.py", "hw/up.py")
    with zipfile.ZipFile(folder / "h.zip", "w") as archive:
        archive.write(folder / "d.tar.gz", "inner/d.tar.gz")
    (folder / "i").mkdir()
    (folder / "i" / "hw.zip").write_bytes((folder / "h.zip").read_bytes())
    (folder / "J.PY").write_text(GOOD)
    heads = {"k.rar": b"Rar!\x1a\x07\x00", "l.7z": b"7z\xbc\xaf\x27\x1c", "m.pdf": b"%PDF-1.7", "n": b"?"}
    for name, head in heads.items():
        (folder / name).write_bytes(head)
    (folder / ".hidden").mkdir()
    (folder / ".DS_Store").write_bytes(b"x")
    entries = {entry.name: entry for entry in _grade_all(folder, tmp_path / "out", one)}
    assert sorted(entries) == sorted(name for name in os.listdir(folder) if name != ".DS_Store")
    graded = {name for name, entry in entries.items() if entry.mark == one.full}
    assert graded == {"a.py", "b.ZIP", "c.tar", "d.tar.gz", "e.tgz", "f.tar.bz2", "g", "h.zip", "i", "J.PY"}
    assert "a RAR archive" in entries["k.rar"].reason
    assert "a 7z archive" in entries["l.7z"].reason
    assert "a PDF" in entries["m.pdf"].reason
    assert "neither a zip nor a tar" in entries["n"].reason


def test_what_tools_leave_behind_neither_counts_nor_is_written(tmp_path: Path) -> None:
    link = zipfile.ZipInfo(".venv/bin/python3")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    for source in (tmp_path / "hw.zip", tmp_path / "hw2.zip"):
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("hw/up.py", GOOD)
            archive.writestr(link, "/usr/bin/python3")
            for i in range(2100):
                archive.writestr(f"hw/.git/objects/{i}", "")
                archive.writestr(f"hw/node_modules/{i}.js", "")
            archive.writestr("hw/env/pyvenv.cfg", "home = /usr/bin")
            for i in range(2100):
                archive.writestr(f"hw/env/lib/{i}.py", GOOD)
    notes: list[str] = []
    with staged(tmp_path / "hw.zip", notes) as folder:
        assert [str(path.relative_to(folder)) for path in folder.rglob("*.py")] == ["hw/up.py"]
    assert notes == []
    with zipfile.ZipFile(tmp_path / "hw.zip") as archive:
        archive.extractall(tmp_path / "raw")
    with staged(tmp_path / "raw", notes) as folder:  # a folder of the same content is judged the same
        assert [str(path.relative_to(folder)) for path in folder.rglob("*.py")] == ["hw/up.py"]


def test_an_inner_archive_that_cannot_be_unpacked_costs_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.bin", bytes(70 << 20))
    with zipfile.ZipFile(tmp_path / "hw.zip", "w") as archive:
        archive.writestr("up.py", GOOD)
        archive.write(tmp_path / "data.zip", "data.zip")
        archive.writestr("broken.tar.gz", "no tar")
    notes: list[str] = []
    with staged(tmp_path / "hw.zip", notes) as folder:
        assert (folder / "up.py").is_file()
    assert [note.split(":")[0] for note in sorted(notes)] == ["broken.tar.gz was left out", "data.zip was left out"]


def test_archives_in_archives_end(tmp_path: Path) -> None:
    (tmp_path / "0.zip").write_bytes(b"")
    for i in range(1, 8):
        with zipfile.ZipFile(tmp_path / f"{i}.zip", "w") as archive:
            archive.write(tmp_path / f"{i - 1}.zip", f"{i - 1}.zip")
    (tmp_path / "out").mkdir()
    assert "archives in archives" in fill(tmp_path / "7.zip", tmp_path / "out")[0]


def test_a_locked_zip_is_named_as_such(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.py", GOOD)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1  # the bit that says "encrypted"
    (tmp_path / "x.zip").write_bytes(bytes(data))
    with pytest.raises(SubmissionError, match="password"), staged(tmp_path / "x.zip"):
        pass


def test_reading_is_bounded_in_time_and_memory(tmp_path: Path) -> None:
    with pytest.raises(bounded.BoundedError, match="memory"):
        bounded.call(bytes, 1 << 30, memory=400 << 20)
    with pytest.raises(bounded.BoundedError, match="more than 1 seconds"):
        bounded.call(sum, range(10**12), seconds=1)
    with pytest.raises(SubmissionError, match="no such file"):
        bounded.call(fill, tmp_path / "nowhere", tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from Linux's /proc")
def test_many_headers_cost_the_grader_little() -> None:
    """64 MiB of headers are refused before they are objects."""
    text = json.dumps({"arrays": [], "x": [[] for _ in range(300)]}).encode()
    message = struct.pack(">I", len(text)) + text
    data = message * ((64 << 20) // len(message))
    before = _resident()
    with pytest.raises(wire.WireError, match="MiB of headers"):
        for _ in wire.unpack(data):
            pass
    assert _resident() - before < 100 << 20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_graders_own_failure_is_no_mark(tmp_path: Path, one: Rubric, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RecursionError("deep inside")

    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "a.py").write_text(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr("autograder.grading.mark", broken)
        with pytest.raises(GraderError, match="Upsample1d: the grader failed: RecursionError"):
            grade(folder / "a.py", one)
        (entry,) = _grade_all(folder, tmp_path / "out", one)
        assert (entry.mark, entry.report, entry.failed) == (None, None, True)
        with (tmp_path / "out" / "marks.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert (row["mark"], row["extra"]) == ("", "")
        assert row["remark"].startswith("not graded: the grader failed")
        out = tmp_path / "results.json"
        command = ["grade", str(folder / "a.py"), "--only", "Upsample1d", "--format", "gradescope", "--out", str(out)]
        assert CliRunner().invoke(app, command).exit_code == 3
        assert not out.exists()
    (entry,) = _grade_all(folder, tmp_path / "out", one)  # graded as soon as the grader works
    assert (entry.mark, entry.kept) == (one.full, False)


def test_reports_have_names_that_any_file_system_holds() -> None:
    names = ["alice", "=cmd()", "a/b", "n" * 250, "st\udcffudent", "\x1b[2J", "né", "ne\u0301", "a b.zip"]
    files = [report_file(name) for name in names]
    assert len(set(files)) == len(names)
    assert all(file.isascii() and len(file) <= 110 and "/" not in file for file in files)
    assert report_file("alice") == "alice.json"


def test_a_drawn_seed_is_kept_for_the_class_and_is_in_the_report(tmp_path: Path, one: Rubric) -> None:
    unseeded = one.model_copy(update={"seed": None})
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "a.py").write_text(GOOD)
    (folder / "b.py").write_text(GOOD)
    first = _grade_all(folder, tmp_path / "out", unseeded)
    kept = int((tmp_path / "out" / "seed.txt").read_text())
    assert {_seed(entry) for entry in first} == {kept}
    assert all(entry.kept for entry in _grade_all(folder, tmp_path / "out", unseeded))
    other = _grade_all(folder, tmp_path / "other", unseeded)
    assert {_seed(entry) for entry in other} != {kept}
    assert _seed(_grade_all(folder, tmp_path / "third", unseeded, Options(seed=7))[0]) == 7
    drawn = {grade(folder / "a.py", unseeded).seed for _ in range(2)}
    assert len(drawn) == 2
    (tmp_path / "out" / "seed.txt").write_text("minus one")
    with pytest.raises(ValueError, match=r"seed\.txt: expected a seed"):
        _grade_all(folder, tmp_path / "out", unseeded)


def test_a_table_of_known_answers_earns_nothing(tmp_path: Path, one: Rubric) -> None:
    """Answers computed beforehand with the public grader are those to another seed's questions."""
    answers = tmp_path / "answers.py"
    answers.write_text(
        "import numpy as np\nclass Upsample1d:\n    def __init__(self, k): self.k = k\n"
        "    def forward(self, A):\n        print(repr((A.tobytes(), A.shape, self.k)))\n        return A\n"
    )
    spied = grade(answers, one)
    assert spied.tests[0].output
    again = grade(answers, one)
    assert again.tests[0].output == spied.tests[0].output
    assert grade(answers, one, Options(seed=4)).tests[0].output != spied.tests[0].output


def test_a_class_whose_grading_is_killed_is_resumed(tmp_path: Path, one: Rubric) -> None:
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    for number in range(6):
        (folder / f"s{number}.py").write_text(f"{GOOD}# {number}\n")
    command = [sys.executable, "-m", "autograder", "grade-all", str(folder), "--out", str(out), "--jobs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    rubric = ["--rubric", str(tmp_path / "rubric.yaml")]
    process = subprocess.Popen([*command, *rubric], env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("reports/*.json")):
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = len(list(out.glob("reports/*.json")))
    assert 1 <= done < 6
    assert not (out / "marks.csv").exists()
    entries = _grade_all(folder, out, one)
    assert [entry.mark for entry in entries] == [one.full] * 6
    assert sum(entry.kept for entry in entries) == done


def _grade_all(*arguments: Any, **options: Any) -> list[Entry]:
    return [scored.entry for scored in grade_all(*arguments, **options)]


def _seed(entry: Entry) -> int:
    assert entry.report is not None
    return entry.report.seed
