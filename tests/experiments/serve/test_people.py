import re

import numpy as np
import pytest
from starlette.testclient import TestClient

from experiments.evaluation.gallery.identify import choose_threshold
from experiments.evaluation.gallery.store import GalleryStore
from experiments.evaluation.thresholds import read_thresholds


@pytest.fixture(scope="module")
def client(server):
    return TestClient(server.app, base_url="http://127.0.0.1")


@pytest.fixture
def gallery(server):
    """The store of the server, empty before and after."""
    store = server.app.service.people.store
    yield store
    if people := store.people():
        store.remove([person.id for person in people], "test")


def enroll(client, name, *photos):
    return client.post("/api/v1/people", data={"name": name}, files=[("photos", ("p.jpg", one)) for one in photos])


def test_people_are_enrolled_identified_verified_and_deleted(client, server, gallery, photo):
    for number, name in ((0, "Anna"), (2, "Chloé")):
        done = enroll(client, name, photo(number, 0), photo(number, 1))
        assert done.status_code == 201, done.text
        assert (done.json()["added"], done.json()["refused"]) == (2, [])
    anna = done.json()["person"] | client.get("/api/v1/people", params={"search": "ann"}).json()["people"][0]
    answer = client.post("/api/v1/identify", files=[("photos", photo(0, 2))]).json()
    (face,) = answer["photos"][0]["faces"]
    assert (face["name"], face["id"]) == ("Anna", anna["id"])
    recognizer = server.app.service.recognizer
    assert answer["threshold"] == choose_threshold(recognizer.embedder, gallery, 0.01).value
    snapshot = gallery.snapshot()  # the oracle: a person is the mean of their photos' embeddings
    embedded = client.post("/api/v1/embed", files=[("photos", photo(0, 2))]).json()["photos"][0]["faces"][0][
        "embedding"
    ]
    scores = snapshot.templates() @ np.array(embedded)
    expected = dict(zip(snapshot.names, scores, strict=True))
    assert {one["name"]: one["similarity"] for one in face["candidates"]} == pytest.approx(expected, abs=1e-5)
    verified = client.post(f"/api/v1/people/{anna['id']}/verify", files={"photo": photo(0, 2)}).json()
    assert verified["similarity"] == pytest.approx(expected["Anna"], abs=1e-5)
    assert verified["same_person"]
    image = client.get(f"/api/v1/people/{anna['id']}/thumbnail")
    assert (image.headers["content-type"], image.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert client.delete(f"/api/v1/people/{anna['id']}").status_code == 204
    assert client.get(f"/api/v1/people/{anna['id']}").status_code == 404
    gone = client.post("/api/v1/identify", files=[("photos", photo(0, 2))]).json()["photos"][0]["faces"][0]
    assert "Anna" not in [one["name"] for one in gone["candidates"]]
    with GalleryStore.open(server.folder / "people.gallery") as other:  # another process sees the same
        assert [person.name for person in other.people()] == ["Chloé"]
        assert other.audit(limit=1)[0].actor == "faces serve: testclient"


def test_an_empty_gallery_names_nobody(client, gallery, photo):
    (face,) = client.post("/api/v1/identify", files=[("photos", photo(0))]).json()["photos"][0]["faces"]
    assert (face["name"], face["candidates"]) == (None, [])


def test_photos_that_cannot_be_used_are_left_out_with_the_reason(client, gallery, photo):
    done = enroll(client, "Anna", photo(0, 0), b"text", photo(1, 0)).json()  # the detector is unsure of the last
    assert done["added"] == 1
    reasons = [one["problem"] for one in done["refused"]]
    assert "expected an image (JPEG, PNG, WEBP)" in reasons[0]
    assert re.fullmatch(r"the detector is only \d\d% sure of the face, below 90%", reasons[1])
    nothing = enroll(client, "Ben", b"text")
    assert nothing.status_code == 422
    assert nothing.json()["error"]["message"].startswith("Ben: not enrolled, as no photo can be used: photo 1 (p.jpg)")
    assert [person.name for person in gallery.people()] == ["Anna"]
    again = enroll(client, "Anna", photo(0, 0)).json()
    assert (again["added"], again["refused"][0]["problem"]) == (0, "enrolled already, the same file")
    taken = enroll(client, "Dan", photo(0, 0))
    assert (taken.status_code, "Anna" in taken.json()["error"]["message"]) == (409, True)


@pytest.mark.parametrize(
    "name",
    ["Robert'); DROP TABLE person;--", "<script>alert(1)</script>", "%_%", "../../etc/passwd", "O’Brien 李 \U0001f600"],
)
def test_any_name_is_a_name(client, gallery, photo, name):
    done = enroll(client, name, photo(0, 0))
    assert done.status_code == 201, done.text
    assert done.json()["person"]["name"] == name
    found = client.get("/api/v1/people", params={"search": name}).json()
    assert [one["name"] for one in found["people"]] == [name]
    assert client.get("/api/v1/people", params={"search": name + "x"}).json()["people"] == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "x" * 5000])
def test_what_is_no_name_is_refused(client, gallery, photo, name):
    assert enroll(client, name, photo(0, 0)).status_code == 422
    assert gallery.count() == 0


@pytest.mark.parametrize(
    ("person", "status"),
    [("0" * 32, 404), ("anna", 422), ("..%2f..%2fetc", 404), ("0" * 31 + "'", 422), ("0" * 33, 422)],
)
def test_an_id_that_is_none_is_refused(client, gallery, person, status):
    for method in ("GET", "DELETE"):
        assert client.request(method, f"/api/v1/people/{person}").status_code == status


def test_a_person_is_renamed_and_two_of_one_name_are_refused(client, gallery, photo):
    first = enroll(client, "Anna", photo(0, 0)).json()["person"]
    enroll(client, "Ben", photo(2, 0))
    renamed = client.patch(f"/api/v1/people/{first['id']}", json={"name": "Anna B."})
    assert renamed.json()["name"] == "Anna B."
    assert client.patch(f"/api/v1/people/{first['id']}", json={"name": "Ben"}).status_code == 409
    deep = client.patch(
        f"/api/v1/people/{first['id']}", content="[" * 50_000, headers={"content-type": "application/json"}
    )
    assert deep.status_code in (400, 422)
    odd = client.patch(f"/api/v1/people/{first['id']}", json={"name": "X", "template": [1]})
    assert odd.status_code == 422


def test_the_gallery_is_compared_as_the_thresholds_were_calibrated(server, gallery):
    embedder = server.app.service.recognizer.embedder
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    assert (gallery.options.flip, gallery.options.zooms) == (calibration.flip, calibration.zooms)
