"""What a gallery stores, in a file and on a server: every change against a model in plain dictionaries."""

import os
import sqlite3
import stat
import unicodedata
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.data.preparation import AlignSettings
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.records import (
    ConflictError,
    NewPhoto,
    UnknownPersonError,
    check_name,
    parse_age,
)
from experiments.evaluation.gallery.store import GalleryStore, read_gallery

from .conftest import DIMENSION, photo, vector

slow_example = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def enroll(store: GalleryStore, name: str, *texts: str) -> None:
    store.enroll({name: [photo(text) for text in texts]}, "net", "test")


def same_as_model(store: GalleryStore, model: dict[str, list[str]]) -> None:
    """People, photos, templates and what a search finds are those of the model."""
    assert [(person.name, person.photos) for person in store.people()] == [
        (name, len(model[name])) for name in sorted(model)
    ]
    for name, texts in model.items():
        assert sorted(one.image for one in store.photos(name)) == sorted(f"{text}.jpg" for text in texts)
    if not model:
        return
    names = sorted(model)
    means = np.stack([np.sum([vector(text) for text in model[name]], axis=0, dtype=float) for name in names])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    probes = np.stack([vector("probe 1"), vector("probe 2")])
    for probe, found in zip(probes, store.search(probes, top=3), strict=True):
        scores = means @ probe
        order = np.argsort(-scores)[:3]
        assert [match.name for match in found] == [names[row] for row in order]
        np.testing.assert_allclose([match.similarity for match in found], scores[order], atol=1e-6)


def test_what_is_stored_comes_back(location):
    options = EmbedOptions(align=True, flip=False, zooms=(1.0, 1.1))
    preparation = AlignSettings(size=112).preparation
    GalleryStore.create(location, "net", DIMENSION, options, preparation).close()
    then = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    new = photo("a", quality=0.75, thumbnail=b"\xff\xd8\0jpeg", created=then)
    with GalleryStore.open(location, "net") as store:
        store.enroll({"Anna": [new]}, "net", "key 3")
    with GalleryStore.open(location) as store:
        assert (store.options, store.preparation, store.network) == (options, preparation, "net")
        (person,) = store.people()
        (stored,) = store.photos(person.id)
        assert (stored.image, stored.digest, stored.quality) == ("a.jpg", "digest-a", 0.75)
        assert (stored.created, stored.has_thumbnail) == (then, True)
        assert store.thumbnail(stored.id) == b"\xff\xd8\0jpeg"
        assert store.thumbnail(stored.id + 1) is None
        np.testing.assert_array_equal(store.snapshot().embeddings, vector("a")[None])
        assert [(entry.actor, entry.action, entry.person) for entry in store.audit()] == [
            ("key 3", "enroll", person.id),
            ("library", "create", None),
        ]


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["enroll", "remove", "rename", "merge", "other"]), st.integers(0, 4), st.integers(0, 4)),
    max_size=12,
)


@slow_example
@given(ACTIONS)
def test_any_changes_leave_what_a_model_says_also_for_another_process(tmp_path_factory, actions):
    path = tmp_path_factory.mktemp("model") / "g"
    model: dict[str, list[str]] = {}
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as one, GalleryStore.open(path) as other:
        one.search(vector("probe")[None])  # both have an index from the beginning
        other.search(vector("probe")[None])
        for step, (action, first, second) in enumerate(actions):
            store, name, target = (one, other)[step % 2], f"p{first}", f"p{second}"
            if action in ("enroll", "other"):
                model.setdefault(name, []).append(f"{step}")
                enroll(store, name, f"{step}")
            elif name not in model:
                with pytest.raises(UnknownPersonError):
                    store.remove([name], "test")
            elif action == "remove":
                del model[name]
                store.remove([name], "test")
            elif action == "rename" and (target not in model or name == target):
                model[target] = model.pop(name)
                store.rename(name, target, "test")
            elif action == "rename":
                with pytest.raises(ConflictError, match="another person in the gallery"):
                    store.rename(name, target, "test")
            elif target in model and target != name:
                model[name] += model.pop(target)
                store.merge(name, [target], "test")
            same_as_model(one, model)
            same_as_model(other, model)


def test_every_change_on_both_databases(store):
    model = {"anna": ["1", "2"], "ben": ["3"], "chloe": ["4"], "dan": ["5", "6"]}
    for name, texts in model.items():
        enroll(store, name, *texts)
    same_as_model(store, model)
    ben = store.person("ben")
    assert store.person(ben.id) == ben
    store.merge("anna", ["ben", "chloe"], "test")
    model = {"anna": ["1", "2", "3", "4"], "dan": ["5", "6"]}
    same_as_model(store, model)
    numbers = {one.image: one.id for one in store.photos("dan")}
    (dan,) = store.remove_photos([numbers["5.jpg"]], "test")
    assert (dan.name, dan.photos) == ("dan", 1)
    same_as_model(store, {**model, "dan": ["6"]})
    assert store.remove_photos([numbers["6.jpg"]], "test") == []
    with pytest.raises(UnknownPersonError, match="no photo with the number"):
        store.remove_photos([numbers["6.jpg"]], "test")
    same_as_model(store, {"anna": model["anna"]})
    assert store.rename("anna", "Zo\u00eb", "key 1").name == "Zo\u00eb"
    assert [one.name for one in store.people("ZO\u00cb")] == ["Zo\u00eb"]
    assert store.people("%") == []
    assert [one.name for one in store.remove(["Zo\u00eb"], "key 1")] == ["Zo\u00eb"]
    same_as_model(store, {})
    assert store.search(vector("probe")[None], 3) == [[]]
    assert (store.stats().people, store.stats().photos, store.stats().erase_pending) == (0, 0, False)
    assert store.snapshot().embeddings.shape == (0, DIMENSION)


def test_approximate_search_finds_who_was_added_and_nobody_who_left(store):
    pytest.importorskip("faiss")
    store.enroll({f"p{n}": [photo(f"{n}")] for n in range(60)}, "net", "test")
    probes = np.stack([vector(f"{n}") for n in range(60)])
    assert [row[0].name for row in store.search(probes, 2, approximate=True)] == [f"p{n}" for n in range(60)]
    store.remove(["p7", "p8"], "test")
    enroll(store, "new", "new")
    found = store.search(np.stack([*probes, vector("new")]), 60, approximate=True)
    names = {match.name for row in found for match in row}
    assert names.isdisjoint({"p7", "p8"})
    assert found[-1][0].name == "new"


def test_embeddings_of_two_networks_never_mix(store, location):
    enroll(store, "anna", "1")
    with pytest.raises(FacesError, match="made by another network"):
        store.enroll({"ben": [photo("2")]}, "other", "test")
    with pytest.raises(FacesError, match="made by another network"):
        GalleryStore.open(location, "other")
    with pytest.raises(FacesError, match=r"probes of shape \(1, 8\), expected \(N, 16\)"):
        store.search(vector("1", 8)[None])
    assert [person.name for person in store.people()] == ["anna"]


def test_the_file_itself_refuses_another_networks_embedding(tmp_path):
    path = tmp_path / "g"
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as store:
        enroll(store, "anna", "1")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE photo SET network = 'other'")
    connection.close()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (vector("1", 8), r"shape \(8,\)"),
        (vector("1") * 2, "length 2.000"),
        (vector("1") * np.nan, "length nan"),
        (vector("1") * np.inf, "length (inf|nan)"),
    ],
)
def test_an_impossible_embedding_is_refused_and_nothing_is_stored(store, bad, message):
    with pytest.raises(FacesError, match=message):
        store.enroll({"ben": [photo("2")], "anna": [NewPhoto("1.jpg", "d", bad)]}, "net", "test")
    assert store.people() == []


def test_an_image_belongs_to_one_person(store):
    enroll(store, "anna", "1")
    assert store.enroll({"anna": [photo("1"), photo("2"), photo("2")]}, "net", "test").known == ("1.jpg", "2.jpg")
    with pytest.raises(ConflictError, match="the same image that 'anna' is enrolled with"):
        store.enroll({"ben": [photo("3"), photo("1")]}, "net", "test")
    same_as_model(store, {"anna": ["1", "2"]})


@slow_example
@given(st.text(max_size=300))
def test_any_text_as_a_name_is_stored_as_it_is_or_refused(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("names") / "g"
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as store:
        try:
            enroll(store, name, "1")
            refused = False
        except FacesError:
            refused = True
        if refused:
            assert store.people() == []
        else:
            composed = unicodedata.normalize("NFC", name)
            assert [person.name for person in store.people()] == [composed]
            for form in ("NFC", "NFD"):
                assert store.person(unicodedata.normalize(form, name)).name == composed
            enroll(store, unicodedata.normalize("NFD", name), "2")
            assert store.count() == 1


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "a\nb", "\x1b[31mred", "\x9b", "\ud800", "a\u2028b", "n" * 256])
def test_names_that_are_refused(store, name):
    with pytest.raises(FacesError, match="name"):
        check_name(name)
    enroll(store, "anna", "1")
    with pytest.raises(FacesError, match="name"):
        store.rename("anna", name, "test")
    with pytest.raises(UnknownPersonError):
        store.person(name)


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE person; --", '"', "%", "_", "<script>alert(1)</script>", "../../x", ":a"]
)
def test_names_that_could_be_commands_are_names(store, name):
    enroll(store, name, "1")
    enroll(store, "anna", "2")
    assert {person.name for person in store.people()} == {name, "anna"}
    assert [person.name for person in store.people(name)] == [name]
    store.remove([name], "test")
    assert [person.name for person in store.people()] == ["anna"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE person SET template = x'00'",
        "UPDATE person SET template = zeroblob(64)",
        "UPDATE photo SET embedding = x'0000c07f' || zeroblob(60)",
        "UPDATE photo SET embedding = x''",
        "UPDATE gallery SET options = '{'",
        "UPDATE gallery SET options = '[]'",
        "UPDATE gallery SET preparation = '7'",
        "UPDATE gallery SET format = 99",
        "DELETE FROM gallery",
        "DROP TABLE person",
    ],
)
def test_rows_that_somebody_edited_are_refused(tmp_path, change):
    path = tmp_path / "g"
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as store:
        enroll(store, "anna", "1")
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.close()

    def use() -> None:
        with GalleryStore.open(path) as store:
            store.search(vector("1")[None])
            store.snapshot()

    with pytest.raises(FacesError):
        use()


@pytest.mark.parametrize("kept", [0, 50, 4096, 0.5])
def test_a_file_that_is_cut_off_or_something_else_is_refused(tmp_path, kept):
    path = tmp_path / "a.gallery"
    with GalleryStore.create(path, "net", DIMENSION, EmbedOptions()) as store:
        store.enroll({f"p{n}": [photo(f"{n}")] for n in range(50)}, "net", "test")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else kept])
    with pytest.raises(FacesError, match=r"a\.gallery"):
        read_gallery(path)


def test_what_is_no_gallery(tmp_path):
    with pytest.raises(FacesError, match="no such gallery; make one with `faces gallery enroll`"):
        GalleryStore.open(tmp_path / "none")
    with pytest.raises(FacesError, match="is a folder"):
        GalleryStore.open(tmp_path)
    (tmp_path / "text").write_text("no gallery")
    with pytest.raises(FacesError, match="not a gallery that"):
        GalleryStore.open(tmp_path / "text")
    sqlite3.connect(tmp_path / "db").executescript("CREATE TABLE gallery (id)").connection.close()
    with pytest.raises(FacesError, match="another database"):
        GalleryStore.open(tmp_path / "db")
    for url in ("mysql://root:secret@host/db", "sqlite:///x", "postgresql://"):
        with pytest.raises(FacesError) as refused:
            GalleryStore.open(url)
        assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_or_has_no_gallery(postgres):
    with pytest.raises(FacesError, match=r"no gallery in this database; make one with `faces gallery enroll`"):
        GalleryStore.open(postgres())
    with pytest.raises(FacesError, match="cannot be reached") as refused:
        GalleryStore.open("postgresql://me:secret@127.0.0.1:1/db")
    assert "secret" not in str(refused.value)
    with pytest.raises(FacesError, match="no such database"):
        GalleryStore.open(postgres().replace("/g", "/other"))


def test_a_gallery_is_made_once(location):
    with GalleryStore.create(location, "net", DIMENSION, EmbedOptions()) as store:
        enroll(store, "anna", "1")
        with pytest.raises(ConflictError, match="exists already: choose another --out, or --add to it"):
            GalleryStore.create(location, "net", DIMENSION, EmbedOptions())
        with GalleryStore.open_or_create(location, "net", DIMENSION, EmbedOptions()) as same:
            assert same.count() == 1
        store.discard()
        assert store.count() == 1


def test_a_gallery_is_for_its_owner_alone_with_its_log(tmp_path):
    before = os.umask(0o022)
    try:
        with GalleryStore.create(tmp_path / "g", "net", DIMENSION, EmbedOptions()) as store:
            enroll(store, "anna", "1")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("g", "g-wal", "g-shm", ".g.lock"), 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_purge_removes_whose_newest_photo_is_old(store):
    now = datetime.now(UTC)
    store.enroll(
        {
            "old": [photo("1", created=now - timedelta(days=100))],
            "seen again": [photo("2", created=now - timedelta(days=100)), photo("3", created=now - timedelta(days=1))],
            "new": [photo("4")],
        },
        "net",
        "test",
    )
    assert [person.name for person in store.older_than(timedelta(days=101))] == []
    assert [person.name for person in store.older_than(timedelta(days=99))] == ["old"]
    assert [person.name for person in store.purge(timedelta(days=99), "retention")] == ["old"]
    assert [person.name for person in store.people()] == ["new", "seen again"]
    assert (store.audit()[0].actor, store.audit()[0].action) == ("retention", "purge")
    assert store.purge(timedelta(days=99), "retention") == []


@pytest.mark.parametrize(("given", "hours"), [("90d", 2160), ("36h", 36), (" 2 W", 336), ("1y", 8760)])
def test_ages(given, hours):
    assert parse_age(given, "--older-than") == timedelta(hours=hours)


@pytest.mark.parametrize("given", ["", "90", "d", "-1d", "1.5d", "9999999d", "999y", "\u0663d"])
def test_ages_that_are_none(given):
    with pytest.raises(FacesError, match="expected a number of hours, days, weeks or years"):
        parse_age(given, "--older-than")
