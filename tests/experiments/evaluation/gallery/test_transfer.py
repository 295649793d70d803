"""Export, import, and galleries from before the database."""

import hashlib
import json
import os
import stat
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from experiments.data.preparation import AlignSettings
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.records import ConflictError
from experiments.evaluation.gallery.store import GalleryStore, read_gallery
from experiments.evaluation.gallery.transfer import export_gallery, import_gallery

from .conftest import DIMENSION, photo, vector

PREPARATION = AlignSettings(size=112).preparation


def write_old(path, people=("ben", "anna", "ben"), preparation=None, **changes):
    """A gallery of version 2, as that version wrote it."""
    embeddings = np.stack([vector(f"{n}") for n in range(len(people))])
    record = {
        "format": "faces gallery 2",
        "network": "net",
        "flip": True,
        "zooms": [1.0, 1.1],
        "align": True,
        "preparation": preparation and json.loads(preparation.model_dump_json()),
        "people": people,
        "images": [f"{n}.jpg" for n in range(len(people))],
        "digests": [f"digest-{n}" for n in range(len(people))],
        **changes,
    }
    text = json.dumps(record, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    digest.update(f"{embeddings.dtype} {embeddings.shape}".encode())
    digest.update(embeddings.data)
    save_file({"embeddings": embeddings}, path, {"record": text, "digest": digest.hexdigest()})
    return path


def contents(location):
    """Everything in a gallery but its ids."""
    with GalleryStore.open(location) as store:
        people = {
            name: [(p.image, p.digest, p.quality, p.created, p.thumbnail, p.embedding.tobytes()) for p in photos]
            for name, photos in store.contents()
        }
        return store.network, store.dimension, store.options, store.preparation, people


def test_an_old_gallery_becomes_a_database_and_nothing_is_lost(tmp_path, location, command):
    old = write_old(tmp_path / "old.gallery", preparation=PREPARATION)
    before = old.read_bytes()
    with pytest.raises(FacesError, match=r"old\.gallery: a gallery of an earlier version.*`faces gallery import .*old"):
        read_gallery(old)
    done = command("gallery", "import", old, "--out", location)
    assert (done.status, "2 people with 3 images" in done.out) == (0, True), done.err
    gallery = read_gallery(location, "net")
    assert (gallery.options, gallery.preparation) == (EmbedOptions(True, True, (1.0, 1.1)), PREPARATION)
    assert gallery.names == ("anna", "ben")
    rows = {
        d: (p, i, e)
        for d, p, i, e in zip(gallery.digests, gallery.people, gallery.images, gallery.embeddings, strict=True)
    }
    for n, name in enumerate(("ben", "anna", "ben")):
        person, image, embedding = rows[f"digest-{n}"]
        assert (person, image) == (name, f"{n}.jpg")
        np.testing.assert_array_equal(embedding, vector(f"{n}"))
    assert old.read_bytes() == before


def test_old_names_with_control_characters_are_the_escapes_that_were_shown(tmp_path, capsys):
    import_gallery(write_old(tmp_path / "old", ("a\nb", "\x1b[1m")), tmp_path / "new")
    assert read_gallery(tmp_path / "new").names == ("\\x1b[1m", "a\\nb")
    assert capsys.readouterr().out.count("note: a name with control characters is enrolled as") == 2


def test_a_damaged_old_gallery_is_refused_and_nothing_is_made(tmp_path):
    path = write_old(tmp_path / "old")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    for wrong in (bytes(content), bytes(content[:100]), b"", b"text"):
        path.write_bytes(wrong)
        with pytest.raises(FacesError, match="old: damaged, or no gallery: restore a copy"):
            import_gallery(path, tmp_path / "new")
    write_old(path, digests=["same"] * 3)
    with pytest.raises(ConflictError, match="the same image that"):
        import_gallery(path, tmp_path / "new")
    assert [one.name for one in tmp_path.iterdir()] == ["old"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30).filter(str.strip),
        st.lists(st.tuples(st.none() | st.floats(0, 1), st.none() | st.binary(max_size=50)), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_an_export_holds_everything(tmp_path_factory, people):
    folder = tmp_path_factory.mktemp("export")
    then = datetime(2021, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
    with GalleryStore.create(folder / "g", "net", DIMENSION, EmbedOptions(zooms=(1.0, 1.5)), PREPARATION) as store:
        photos = {
            name: [photo(f"{n}-{m}", quality=q, thumbnail=t, created=then) for m, (q, t) in enumerate(own)]
            for n, (name, own) in enumerate(people.items())
        }
        store.enroll(photos, "net", "test")
    export_gallery(folder / "g", folder / "g.jsonl")
    import_gallery(folder / "g.jsonl", folder / "again")
    assert contents(folder / "again") == contents(folder / "g")


def test_from_a_file_to_a_server_and_back(tmp_path, postgres, command):
    with GalleryStore.create(tmp_path / "g", "net", DIMENSION, EmbedOptions(), PREPARATION) as store:
        store.enroll({"anna": [photo("1", quality=0.1, thumbnail=b"x")], "ben": [photo("2")]}, "net", "test")
    url = postgres()
    for words in (
        ("export", tmp_path / "g", "--out", tmp_path / "1.jsonl"),
        ("import", tmp_path / "1.jsonl", "--gallery", url),
        ("export", url, "--out", tmp_path / "2.jsonl"),
        ("import", tmp_path / "2.jsonl", "--out", tmp_path / "back"),
    ):
        done = command("gallery", *words)
        assert done.status == 0, done.err
    assert contents(tmp_path / "back") == contents(url) == contents(tmp_path / "g")
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    assert stat.S_IMODE(os.stat(tmp_path / "1.jsonl").st_mode) == 0o600


def test_adding_a_file_to_a_gallery(tmp_path):
    for name, texts in (("one", ["1", "2"]), ("two", ["2", "3"])):
        with GalleryStore.create(tmp_path / name, "net", DIMENSION, EmbedOptions()) as store:
            store.enroll({"anna": [photo(text) for text in texts]}, "net", "test")
    export_gallery(tmp_path / "two", tmp_path / "two.jsonl")
    with pytest.raises(FacesError, match="exists already"):
        import_gallery(tmp_path / "two.jsonl", tmp_path / "one")
    done = import_gallery(tmp_path / "two.jsonl", tmp_path / "one", add=True)
    assert (done.added, done.known) == (1, ("2.jpg",))
    with pytest.raises(FacesError, match="which this command reads"):
        export_gallery(tmp_path / "one", tmp_path / "one")
    with pytest.raises(FacesError, match="which this command reads"):
        import_gallery(tmp_path / "two.jsonl", tmp_path / "two.jsonl")


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (1, lambda row: {**row, "format": "faces gallery 9"}, "line 1: format"),
        (1, lambda row: {**row, "zooms": [7]}, "zooms"),
        (1, lambda row: {**row, "network": ""}, "line 1: network"),
        (2, lambda row: {**row, "person": "a\nb"}, "line 2: .*a name with the character"),
        (2, lambda row: {**row, "person": ""}, "line 2: a person's name is empty"),
        (2, lambda row: {**row, "extra": 1}, "line 2: extra"),
        (2, lambda row: {**row, "photos": []}, "line 2: photos: expected at least 1 entries"),
        (
            2,
            lambda row: {**row, "photos": [{**row["photos"][0], "embedding": [1.0]}]},
            "line 2: 1 numbers, expected 16",
        ),
        (2, lambda row: {**row, "photos": [{**row["photos"][0], "embedding": [9.0] * 16}]}, "length 36.000"),
        (2, lambda row: {**row, "photos": [{**row["photos"][0], "embedding": [1e300] * 16}]}, "length inf"),
        (2, lambda row: {**row, "photos": [{**row["photos"][0], "quality": 2}]}, "line 2: photos.0.quality"),
        (2, lambda row: {**row, "photos": [{**row["photos"][0], "digest": "a\0"}]}, "digest"),
        (2, lambda row: {**row, "photos": [{**row["photos"][0], "created": "2020-01-01"}]}, "line 2: photos.0.created"),
        (2, lambda row: {**row, "photos": [{**row["photos"][0], "thumbnail": "\u00e9"}]}, "line 2: photos.0.thumbnail"),
        (2, lambda row: "{" * 100_000, "line 2"),
        (2, lambda row: [1], "line 2"),
    ],
)
def test_hostile_lines_are_refused_with_their_number_and_nothing_is_made(tmp_path, line, change, message):
    with GalleryStore.create(tmp_path / "g", "net", DIMENSION, EmbedOptions()) as store:
        store.enroll({"anna": [photo("1")]}, "net", "test")
    export_gallery(tmp_path / "g", tmp_path / "x")
    rows = [json.loads(row) for row in (tmp_path / "x").read_text().splitlines()]
    changed = change(rows[line - 1])
    rows[line - 1] = changed
    (tmp_path / "x").write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    with pytest.raises(FacesError, match=message):
        import_gallery(tmp_path / "x", tmp_path / "new")
    assert not (tmp_path / "new").exists()
