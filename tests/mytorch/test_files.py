"""Files are written completely or not at all, where links lead, with the right permissions."""

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mytorch.files import atomic_write


def test_block_that_ends_well_replaces_the_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
        assert temporary.suffix == ".txt"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_block_that_fails_changes_nothing(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")

    def write():
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_file_has_the_permissions_of_any_new_file(tmp_path):
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("new")
    (tmp_path / "b").write_text("new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_two_writers_at_once_do_not_meet(tmp_path):
    with atomic_write(tmp_path / "a") as first, atomic_write(tmp_path / "a") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"  # the last to end


def test_missing_folder_is_named(tmp_path):
    message = f"{tmp_path / 'none'}: no such folder to write a.txt in; create it first"
    with pytest.raises(FileNotFoundError, match=message), atomic_write(tmp_path / "none" / "a.txt"):
        pass


@pytest.mark.parametrize("there", [True, False], ids=["there", "dangling"])
def test_links_are_followed_and_stay(tmp_path, there):
    (tmp_path / "store").mkdir()
    if there:
        (tmp_path / "store" / "real.csv").write_text("old")
    (tmp_path / "one.csv").symlink_to(tmp_path / "two.csv")
    (tmp_path / "two.csv").symlink_to("store/real.csv")
    with atomic_write(tmp_path / "one.csv") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "store" / "real.csv").read_text() == "new"
    assert (tmp_path / "one.csv").is_symlink()
    assert (tmp_path / "two.csv").is_symlink()
    assert os.listdir(tmp_path / "store") == ["real.csv"]


@given(
    mode=st.integers(0o400, 0o777).filter(lambda mode: mode & 0o400), private=st.booleans(), umask=st.integers(0, 0o77)
)
def test_an_existing_file_keeps_its_permissions(tmp_path_factory, mode, private, umask):
    path = tmp_path_factory.mktemp("mode") / "a"
    path.write_text("old")
    path.chmod(mode)
    before = os.umask(umask)
    try:
        with atomic_write(path, private=private) as temporary:
            temporary.unlink()  # as libraries do that write a file of their own and move it
            temporary.write_text("new")
            temporary.chmod(0o600)
    finally:
        os.umask(before)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_follows_the_umask_unless_it_is_private(tmp_path, umask):
    before = os.umask(umask)
    try:
        for name, private in (("weights", False), ("gallery", True)):
            with atomic_write(tmp_path / name, private=private) as temporary:
                assert not (private and temporary.stat().st_mode & 0o077)
                temporary.unlink()
                temporary.write_text("new")
                temporary.chmod(0o600 if not private else 0o644)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "weights").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "gallery").stat().st_mode) == 0o600


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
@pytest.mark.parametrize("kind", ["folder", "FIFO", "socket", "device"])
def test_what_is_no_regular_file_is_refused_and_left_alone(tmp_path, kind, linked, monkeypatch):
    path = tmp_path / "there"
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(tmp_path)  # a socket's path may not be long
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("there")
    else:
        path = Path("/dev/null")
    before = path.stat().st_mode
    given_path = tmp_path / "link" if linked else path
    if linked:
        given_path.symlink_to(path)
    with pytest.raises(OSError, match=f"{given_path}: is a {kind}, expected a regular file"), atomic_write(given_path):
        pytest.fail("the block ran")
    assert path.stat().st_mode == before
    assert not [name for name in os.listdir(path.parent) if name.startswith(f".{path.name}.")]
