"""Submissions are taken in with care, and their classes found without running them."""

import os
import stat
import zipfile
from pathlib import Path

import pytest

from autograder import archives
from autograder.contract import CLASSES
from autograder.discovery import find
from autograder.submission import SubmissionError, fill, staged


def _zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../out.py", "/tmp/out.py", "a/../../out.py", "..\\out.py", "C:\\out.py"])
def test_a_zip_cannot_lead_out_of_its_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="leads out"), staged(_zip(tmp_path / "x.zip", {name: b"x = 1"})):
        pass
    assert not list(tmp_path.parent.glob("out.py"))


def test_links_in_a_zip_are_left_out_and_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.py", "x = 1")
        entry = zipfile.ZipInfo("conv.py")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    notes: list[str] = []
    with staged(tmp_path / "x.zip", notes) as folder:
        assert [path.name for path in folder.rglob("*")] == ["a.py"]
    assert notes == ["conv.py was left out: it is a link"]


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = _zip(tmp_path / "x.zip", {f"{i}.bin": bytes(8 << 20) for i in range(10)})
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(SubmissionError, match="more than"), staged(bomb):
        pass


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = _zip(tmp_path / "x.zip", {"x.bin": bytes(4 << 20)})
    data = bomb.read_bytes()
    size = (4 << 20).to_bytes(4, "little")
    assert data.count(size) == 2
    bomb.write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 20)
    (tmp_path / "out").mkdir()
    with pytest.raises(SubmissionError, match="cannot be unpacked"):
        fill(bomb, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 1 << 20


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x05\x06" + bytes(10)])
def test_what_is_no_submission_is_said_to_be_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(SubmissionError, match=r"x\.zip"), staged(tmp_path / "x.zip"):
        pass
    with pytest.raises(SubmissionError, match="no such"), staged(tmp_path / "nowhere"):
        pass


def test_links_in_a_folder_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    os.symlink("/etc/passwd", tmp_path / "b.py")
    os.symlink(tmp_path.parent, tmp_path / "up")
    os.mkfifo(tmp_path / "pipe.py")
    with staged(tmp_path) as folder:
        assert sorted(path.name for path in folder.rglob("*")) == ["a.py"]


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    source = tmp_path / "source"
    source.mkdir()
    for i in range(4):
        (source / f"{i}.py").write_text("")
    (tmp_path / "out").mkdir()
    with pytest.raises(SubmissionError, match="more than 3 files"):
        fill(source, tmp_path / "out")


_WRITTEN = "class Conv1d:\n    def forward(self, A):\n        return A\n"
_STUB = 'class Conv1d:\n    def forward(self, A):\n        """Doc."""\n        raise NotImplementedError\n'


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"conv1d.py": _STUB, "mine/x.py": _WRITTEN}, "mine/x.py:1"),
        ({"conv1d.py": _WRITTEN, "a.py": _WRITTEN}, "conv1d.py:1"),
        ({"old/conv1d.py": _WRITTEN, "mytorch/nn/conv1d.py": _WRITTEN}, "mytorch/nn/conv1d.py:1"),
        ({"test_conv1d.py": _WRITTEN, "deep/er/layers.py": _WRITTEN}, "deep/er/layers.py:1"),
        ({"x.py": _WRITTEN + _WRITTEN}, "x.py:4"),
        (
            {"x.py": "try:\n    import y\nexcept ImportError:\n    y = None\nif y is None:\n    class Conv1d: pass\n"},
            "x.py:6",
        ),
        ({"x.py": "class Mine: pass\nConv1d = Mine\n"}, "x.py:2"),
        ({".hidden/conv1d.py": _WRITTEN, "x.py": _WRITTEN}, "x.py:1"),
    ],
)
def test_the_likeliest_definition_is_chosen(files: dict[str, str], chosen: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert str(find(tmp_path, CLASSES).classes["Conv1d"]) == chosen


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "nul.py").write_bytes(b"x = 1\0")
    (tmp_path / "deep.py").write_text("(" * 5000)
    (tmp_path / "fine.py").write_text("class Conv1d: pass")
    found = find(tmp_path, CLASSES)
    assert set(found.classes) == {"Conv1d"}
    assert {str(file) for file in found.unreadable} == {"broken.py", "nul.py", "deep.py"}
    assert "line 1" in found.where()


def test_nothing_is_run_to_find_classes(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Conv1d: pass")
    find(tmp_path, CLASSES)
    assert not (tmp_path / "ran").exists()


def test_an_import_under_another_name_is_a_definition_of_last_resort(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Up: pass\n")
    (tmp_path / "layers.py").write_text("from mine import Up as Conv1d, Up as Conv2d\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.py").write_text(_WRITTEN)
    found = find(tmp_path, CLASSES)
    assert str(found.classes["Conv1d"]) == "deep/x.py:1"
    assert str(found.classes["Conv2d"]) == "layers.py:1"


@pytest.mark.parametrize(
    ("body", "stub"),
    [
        ("raise NotImplementedError", True),
        ("pass", True),
        ('"""Doc."""\n        ...', True),
        ("Z = None  # TODO\n        return Z", True),
        ("return NotImplemented", True),
        ("return A", False),
        ("Z = None\n        return A", False),
        ("Z = A * 2\n        return None", False),
    ],
)
def test_a_class_is_unwritten_if_no_method_does_anything(body: str, stub: bool, tmp_path: Path) -> None:
    text = f"class Conv1d:\n    def __init__(self, k): self.k = k\n    def forward(self, A):\n        {body}\n"
    (tmp_path / "x.py").write_text(text)
    assert find(tmp_path, CLASSES).classes["Conv1d"].stub is stub


def test_lines_of_notebooks_do_not_hide_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("%matplotlib inline\n!pip install numpy\n" + _WRITTEN)
    assert str(find(tmp_path, CLASSES).classes["Conv1d"]) == "x.py:3"
