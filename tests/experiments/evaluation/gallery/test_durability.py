"""Nothing is lost and nothing is left over: deletions, kill -9, a full disk, several writers at once."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery import store as store_module
from experiments.evaluation.gallery.records import NewPhoto
from experiments.evaluation.gallery.store import GalleryStore

from .conftest import DIMENSION, photo, vector

ROOT = Path(__file__).parents[4]


def secrets_of(name: str, texts: list[str]) -> list[bytes]:
    """What nobody may find afterwards: the name, the images' names and digests, embeddings, thumbnails."""
    found = [name.encode()]
    for text in texts:
        found += [
            f"{text}.jpg".encode(),
            f"digest-{text}".encode(),
            vector(text, 64).tobytes(),
            f"thumb-{text}".encode(),
        ]
    return found


def traces(folder: Path, secrets: list[bytes]) -> list[bytes]:
    contents = [path.read_bytes() for path in folder.iterdir()]
    return [secret for secret in secrets if any(secret in content for content in contents)]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.sampled_from(["remove", "remove_photos", "rename", "merge"]))
def test_of_who_is_removed_no_byte_is_left_in_any_file(tmp_path_factory, seed, how):
    """After many insertions in random order, as pages that are split keep copies of what they held."""
    folder, random = tmp_path_factory.mktemp("erase"), Random(seed)
    names = {
        f"NAME-{random.getrandbits(64):016x}": [f"T{random.getrandbits(64):016x}" for _ in range(2)] for _ in range(60)
    }
    with (
        GalleryStore.create(folder / "g", "net", 64, EmbedOptions()) as store,
        GalleryStore.open(folder / "g") as other,
    ):
        for name, texts in names.items():
            own = [
                NewPhoto(f"{t}.jpg", f"digest-{t}", vector(t, 64), thumbnail=f"thumb-{t}".encode() * 40) for t in texts
            ]
            store.enroll({name: own}, "net", "test")
        other.search(vector("probe", 64)[None])
        chosen = random.sample(sorted(names), 3)
        for name in chosen:
            assert traces(folder, secrets_of(name, names[name])) == secrets_of(name, names[name])
        if how == "remove":
            store.remove(chosen, "test")
            gone = [secret for name in chosen for secret in secrets_of(name, names[name])]
        elif how == "remove_photos":
            store.remove_photos([one.id for one in store.photos(chosen[0])], "test")
            gone = secrets_of(chosen[0], names[chosen[0]])
        elif how == "rename":
            store.rename(chosen[0], "other", "test")
            gone = [chosen[0].encode()]
        else:
            store.merge(chosen[0], chosen[1:], "test")
            gone = [name.encode() for name in chosen[1:]]
        assert traces(folder, gone) == []
        assert not store.stats().erase_pending
        matches = other.search(vector(names[chosen[0]][0], 64)[None], 60)[0]
        assert {match.name.encode() for match in matches}.isdisjoint(gone)
    assert traces(folder, gone) == []


def test_a_copy_that_a_split_page_kept_is_overwritten_too(tmp_path):
    """SQLite leaves such copies between a page's pointers and its cells, where secure_delete does not reach."""
    path, secret = tmp_path / "g", b"STALE-COPY-OF-A-NAME"
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as store:
        store.enroll({"ben": [photo("1")], "anna": [photo("2")]}, "net", "test")
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        kind, cells, first = content[start], content[start + 3 : start + 5], content[start + 5 : start + 7]
        end_of_pointers = start + 8 + 2 * int.from_bytes(cells, "big")
        if kind == 13 and int.from_bytes(cells, "big") and start + int.from_bytes(first, "big") > end_of_pointers + 100:
            content[end_of_pointers + 40 : end_of_pointers + 40 + len(secret)] = secret
    path.write_bytes(content)
    assert traces(tmp_path, [secret]) == [secret]
    with GalleryStore.open(path) as store:
        store.remove(["ben"], "test")
        assert traces(tmp_path, [secret]) == []
        assert [person.name for person in store.people()] == ["anna"]


def test_what_a_killed_removal_did_not_overwrite_is_when_it_is_opened_next(tmp_path, monkeypatch):
    path = tmp_path / "g"
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as store:
        store.enroll({"SECRET-NAME": [photo("1")], "anna": [photo("2")]}, "net", "test")
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "erase", lambda engine: False)  # as far as a kill lets it come
            store.remove(["SECRET-NAME"], "test")
        assert store.stats().erase_pending
        assert [person.name for person in store.people()] == ["anna"]
        assert traces(tmp_path, [b"SECRET-NAME"]) == [b"SECRET-NAME"]
    with GalleryStore.open(path) as store:
        assert not store.stats().erase_pending
        assert traces(tmp_path, [b"SECRET-NAME"]) == []


def test_a_removal_while_somebody_reads_waits_and_leaves_nothing(tmp_path):
    path = tmp_path / "g"
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as store:
        store.enroll({"SECRET-NAME": [photo("1")], "anna": [photo("2")]}, "net", "test")
        script = (
            "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN');"
            "print(c.execute('SELECT count(*) FROM person').fetchone()[0], flush=True); time.sleep(1.5)"
        )
        reader = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
        assert reader.stdout is not None
        assert reader.stdout.readline() == "2\n"
        store.remove(["SECRET-NAME"], "test")
        assert traces(tmp_path, [b"SECRET-NAME"]) == []
        reader.communicate()


def run_script(name: str, *words: object) -> dict:
    done = subprocess.run(
        [sys.executable, ROOT / "results" / "gallery" / name, *map(str, words)],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_after_kill_9_everybody_acknowledged_is_there(location):
    found = run_script("kill.py", location, 3)
    assert found["acknowledged"]["enrolled"] >= 3
    assert found["wrong"] == []


def test_several_processes_at_once_lose_nobody_and_see_no_lock(location):
    found = run_script("load.py", location, 3, 2)
    assert found["enrolled"] > 3
    assert (found["failed_processes"], found["wrong_names"], found["wrong"]) == (0, 0, [])


FULL = """
import resource, sys
from experiments.errors import FacesError
from experiments.evaluation.gallery.store import GalleryStore
sys.path.insert(0, sys.argv[2])
from workers import NETWORK, photos
with GalleryStore.open(sys.argv[1]) as store:
    size = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    number = 0
    try:
        while True:
            store.enroll({f"full-{number}": photos(f"full-{number}", 20)}, NETWORK, "test")
            print("enrolled", f"full-{number}", flush=True)
            number += 1
    except FacesError as error:
        print("refused", error)
"""


def test_a_full_disk_is_refused_and_loses_nobody(tmp_path):
    sys.path.insert(0, str(ROOT / "results" / "gallery"))
    try:
        from workers import DIMENSION as LENGTH
        from workers import NETWORK, check, enrolled_by, photos
    finally:
        sys.path.pop(0)
    path = tmp_path / "g"
    with GalleryStore.create(path, NETWORK, LENGTH, EmbedOptions()) as store:
        store.enroll({"before": photos("before")}, NETWORK, "test")
    done = subprocess.run(
        [sys.executable, "-c", FULL, path, ROOT / "results" / "gallery", "200000"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(f"refused {path}: "), done.stdout + done.stderr
    assert "nothing was changed: make room, and try again" in lines[-1]
    there, _ = enrolled_by(["enrolled before", *lines[:-1]])
    assert len(there) > 2
    assert check(path, there, set(), exactly=True) == []
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_gallery_that_does_not_fit_is_not_made(tmp_path):
    script = (
        "import resource, sys; from pathlib import Path; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000));"
        "from experiments.errors import FacesError; from experiments.evaluation.embedding import EmbedOptions;"
        "from experiments.evaluation.gallery.store import GalleryStore\n"
        "try: GalleryStore.create(Path(sys.argv[1]), 'net', 16, EmbedOptions())\n"
        "except FacesError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "g"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "make room, and try again" in done.stdout, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_gallery_in_a_folder_that_may_not_be_written_to_is_read(tmp_path, monkeypatch):
    with GalleryStore.create(tmp_path / "g", "net", DIMENSION, EmbedOptions()) as store:
        store.enroll({"anna": [photo("1")]}, "net", "test")
    monkeypatch.setattr("experiments.evaluation.gallery.database.os.access", lambda path, mode: False)  # root may all
    with GalleryStore.open(tmp_path / "g") as store:
        assert [person.name for person in store.people()] == ["anna"]
        assert store.search(vector("1")[None])[0][0].name == "anna"
        with pytest.raises(FacesError, match="may not be written to: check the permissions"):
            store.enroll({"ben": [photo("2")]}, "net", "test")
    assert [path.name for path in tmp_path.iterdir()] == ["g"]
