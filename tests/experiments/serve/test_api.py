import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from experiments.data.align.align import open_detector
from experiments.evaluation.match import load_faces
from experiments.evaluation.thresholds import read_thresholds
from experiments.inference.networks import open_embedder


@pytest.fixture(scope="module")
def client(server):
    with TestClient(server.app, base_url="http://127.0.0.1") as client:
        yield client


def test_match_answers_as_the_command_does(client, photo, tmp_path, command):
    """The oracle is `faces match` on the same two files."""
    for name, image in {"one.jpg": photo(0, 0), "two.jpg": photo(0, 1), "other.jpg": photo(1, 0)}.items():
        (tmp_path / name).write_bytes(image)
    for second, same in (("two.jpg", True), ("other.jpg", None)):
        printed = command("match", tmp_path / "one.jpg", tmp_path / second, "--far", 0.001, "--out", tmp_path / "m.png")
        assert printed.status == 0, printed.err
        files = {"first": (tmp_path / "one.jpg").read_bytes(), "second": (tmp_path / second).read_bytes()}
        answer = client.post("/api/v1/match", files=files, data={"far": "0.001"})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        for line in found["statement"]:
            assert line in printed.out
        assert same in (None, found["same_person"])
        assert found["same_person"] == (found["similarity"] >= found["threshold"]["value"])


def test_embeddings_are_those_of_the_library(client, photo, tmp_path):
    (tmp_path / "one.jpg").write_bytes(photo(2, 0))
    embedder = open_embedder("sface")
    images, _ = load_faces([tmp_path / "one.jpg"], embedder, align=True)
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    expected = embedder.embed(images, calibration.flip, calibration.zooms)[0]
    answer = client.post("/api/v1/embed", files=[("photos", ("one.jpg", photo(2, 0)))]).json()
    assert answer["network"] == embedder.fingerprint
    assert np.allclose(answer["photos"][0]["faces"][0]["embedding"], expected, atol=1e-5)


def group(photo):
    """Two people side by side."""
    sides = [np.asarray(Image.open(BytesIO(photo(person, 0)))) for person in (0, 2)]
    file = BytesIO()
    Image.fromarray(np.concatenate(sides, 1)).save(file, "PNG")
    return file.getvalue()


def test_every_face_of_a_group_is_detected_where_the_detector_sees_it(client, photo):
    answer = client.post("/api/v1/detect", files=[("photos", ("group.png", group(photo)))], data={"crops": "true"})
    (found,) = answer.json()["photos"]
    assert (found["width"], found["height"], len(found["faces"])) == (512, 256, 2)
    (faces,) = open_detector("yunet", small_faces=True)([np.asarray(Image.open(BytesIO(group(photo))))])
    boxes = sorted([list(face["box"].values()) for face in found["faces"]])
    assert np.allclose(boxes, sorted(face.box.tolist() for face in faces))
    assert sum(face["main"] for face in found["faces"]) == 1
    crop = found["faces"][0]["crop"]
    with urllib.request.urlopen(crop) as data, Image.open(BytesIO(data.read())) as image:  # a data URL
        assert image.size == (112, 112)
    everyone = client.post("/api/v1/embed", files=[("photos", group(photo))], data={"every": "true"}).json()
    assert len(everyone["photos"][0]["faces"]) == 2


def test_every_face_of_a_group_is_compared(client, photo):
    files = {"first": group(photo), "second": ("two.jpg", photo(2, 1))}
    found = client.post("/api/v1/match", files=files, data={"far": "0.001"}).json()
    vectors = [
        [face["embedding"] for face in one["faces"]]
        for one in client.post(
            "/api/v1/embed", files=[("photos", group(photo)), ("photos", photo(2, 1))], data={"every": "true"}
        ).json()["photos"]
    ]
    table = np.array(vectors[0]) @ np.array(vectors[1]).T
    assert found["pairs"] == 2
    assert found["similarity"] == pytest.approx(table.max(), abs=1e-5)
    assert found["best"] == list(np.unravel_index(table.argmax(), table.shape))
    assert found["false_match_bound"] == pytest.approx(0.002)
    assert found["statement"][-1].startswith("2 pairs of faces were compared")


def test_one_bad_photo_of_a_batch_does_not_spoil_the_others(client, photo):
    files = [("photos", ("good.jpg", photo(0))), ("photos", ("bad.jpg", b"text")), ("photos", ("empty.jpg", b""))]
    good, bad, empty = client.post("/api/v1/detect", files=files).json()["photos"]
    assert (len(good["faces"]), good["error"]) == (1, None)
    assert bad["error"].startswith("photo 2 (bad.jpg): begins with b'text', expected an image (JPEG, PNG, WEBP)")
    assert "is empty (0 bytes)" in empty["error"]


def test_orientation_is_applied_and_exif_is_dropped(client, photo):
    file = BytesIO()
    exif = Image.Exif()
    exif[274], exif[315] = 6, "SECRET ARTIST"
    turned = Image.open(BytesIO(photo(0))).crop((0, 0, 256, 240)).transpose(Image.Transpose.ROTATE_90)
    turned.save(file, "JPEG", exif=exif, quality=95)
    assert b"SECRET ARTIST" in file.getvalue()
    answer = client.post("/api/v1/detect", files=[("photos", file.getvalue())], data={"crops": "true"})
    (found,) = answer.json()["photos"]
    assert (found["width"], found["height"], len(found["faces"])) == (256, 240, 1)
    with urllib.request.urlopen(found["faces"][0]["crop"]) as data:
        assert b"SECRET" not in data.read()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"far": "2"}, "far: expected a number less than 1"),
        ({"far": "abc"}, "far: expected a number, such as 0.01"),
        ({"far": "0.000001"}, "no threshold was calibrated for a FAR of 1e-06, only: eer, far 0.1"),
        ({"crops": "perhaps"}, "crops: expected yes or no"),
    ],
)
def test_values_that_cannot_be_used_are_explained(client, photo, data, message):
    answer = client.post("/api/v1/match", files={"first": photo(0), "second": photo(1)}, data=data)
    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]


def test_a_photo_without_a_face_is_named(client, photo):
    gray = BytesIO()
    Image.new("RGB", (120, 90), "gray").save(gray, "PNG")
    answer = client.post("/api/v1/match", files={"first": photo(0), "second": ("wall.png", gray.getvalue())})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("second (wall.png): no face was found; give a photo of a face")


def test_more_photos_than_allowed_are_refused(client, photo):
    answer = client.post("/api/v1/detect", files=[("photos", photo(0))] * 5)
    assert answer.status_code == 422
    assert "photos: 5 of them, expected at most 4" in answer.json()["error"]["message"]


def test_a_full_queue_is_answered_429_and_empties(server, client, photo):
    """One request is stopped inside the network, as many as the queue holds wait, and the next is refused."""
    jobs, size = server.app.service.jobs, server.app.service.settings.queue
    stop, begun = threading.Event(), threading.Event()
    recognizer = server.app.service.recognizer
    detect = recognizer.detect

    def slow(upload):
        begun.set()
        assert stop.wait(30)
        return detect(upload)

    recognizer.detect = slow
    try:
        with ThreadPoolExecutor(size + 1) as pool:
            body = {"files": [("photos", photo(0))]}
            waiting = [pool.submit(client.post, "/api/v1/detect", **body) for _ in range(size + 1)]
            assert begun.wait(30)
            while jobs.waiting < size:
                threading.Event().wait(0.01)
            refused = client.post("/api/v1/detect", **body)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refused.json()["error"]["code"] == "busy"
            assert client.get("/api/v1/health").json()["waiting"] == size
            stop.set()
            assert [one.result().status_code for one in waiting] == [200] * (size + 1)
    finally:
        stop.set()
        recognizer.detect = detect
    assert jobs.waiting == 0


def test_metrics_count_requests(client, photo):
    def count():
        lines = client.get("/api/v1/metrics").text.splitlines()
        name = 'faces_requests_total{method="POST",route="/api/v1/detect",status="200"}'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    before = count()
    client.post("/api/v1/detect", files=[("photos", photo(0))])
    assert count() == before + 1


def test_thresholds_are_the_calibrations(client):
    embedder = open_embedder("sface")
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    found = client.get("/api/v1/thresholds").json()
    assert [one["value"] for one in found["thresholds"]] == [one.value for one in calibration.thresholds]
    assert found["pairs"] == calibration.pairs


def test_the_log_holds_no_names_of_files(client, photo, caplog):
    with caplog.at_level("INFO", logger="faces.serve"):
        client.post("/api/v1/detect?anna=1", files=[("photos", ("anna.jpg", photo(0)))])
        client.post("/anna", content=b"{}", headers={"content-type": "application/json"})
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("POST /api/v1/detect 200 ") for line in lines)
    assert not any("anna" in line for line in lines)


def test_a_fault_of_ours_is_a_500_without_a_trace(server, client, photo, monkeypatch, caplog):
    def broken(uploads):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(server.app.service.recognizer, "detect_all", broken)
    answer = client.post("/api/v1/detect", files=[("photos", photo(0))])
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "the server failed at this request; see its log"
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers
    assert any(record.exc_info for record in caplog.records)


def test_openapi_has_an_example_of_every_answer(client):
    spec = json.loads(client.get("/api/v1/openapi.json").text)
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert {"422", "429", "413"} <= set(operation["responses"]), path
    shown = spec["components"]["schemas"]
    assert all(shown[name]["examples"] for name in ("MatchAnswer", "PhotoAnswer", "ErrorAnswer", "Health"))
