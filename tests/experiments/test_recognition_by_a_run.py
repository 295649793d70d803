"""From a run of training to decisions, as typed: verify, match, enroll, identify."""

import csv
import json
import shutil
from itertools import combinations

import pytest

from experiments.run import Run
from experiments.training.build_model import read_tensors, save_tensors


@pytest.fixture
def own_run(transfer_once, tmp_path):
    """The trained run in a folder that the test may change."""
    return Run(shutil.copytree(transfer_once.folder, tmp_path / "run"))


@pytest.fixture
def pairs_file(people, tmp_path):
    """Every pair of three images of each person, with answers."""
    names = [f"{person.name}/{number}.png" for person in sorted(people.iterdir()) for number in range(3)]
    lines = [f"{a} {b} {int(a.split('/')[0] == b.split('/')[0])}\n" for a, b in combinations(names, 2)]
    (tmp_path / "pairs.txt").write_text("".join(lines))
    return tmp_path / "pairs.txt"


def test_a_run_verifies_matches_enrolls_and_identifies(command, own_run, people, pairs_file, tmp_path):
    run = own_run.folder
    before = json.loads(own_run.metrics_file.read_text())
    verified = command("verify", run, "--pairs", pairs_file, "--images", people, "--far", 0.1, "--bootstrap", 20)
    assert verified.status == 0, verified.err
    after = json.loads(own_run.metrics_file.read_text())
    result = json.loads((run / "verification" / "verification.json").read_text())
    assert (after["eer"], after["threshold"]) == (result["eer"], result["threshold"])
    del before["digest"]  # which covers the new values, too
    assert before.items() <= after.items()  # what training measured is kept
    with (run / "verification" / "scores.csv").open(newline="") as file:
        scores = {(row["first"], row["second"]): float(row["similarity"]) for row in csv.DictReader(file)}
    assert len(scores) == 66

    (one, other), similarity = max(scores.items(), key=lambda pair: pair[1])
    matched = command("match", run, one, other, "--no-align", "--out", tmp_path / "match.png")
    assert matched.status == 0, matched.err
    assert f"ONE PERSON: similarity {similarity:.4f}" in matched.out

    gallery = tmp_path / "people.gallery"
    enrolled = command("gallery", "enroll", run, people, "--no-align", "--out", gallery)
    assert enrolled.status == 0, enrolled.err
    known = [people / person / "0.png" for person in ("anna", "ben", "chloe", "dan")]
    named = command("identify", run, gallery, *known, "--threshold", -1, "--out", tmp_path / "named.csv")
    assert named.status == 0, named.err
    assert all(image.name in named.out for image in known)
    nobody = command("identify", run, gallery, known[0], "--threshold", 1.01)
    assert "unknown" in nobody.out.lower()


def test_a_run_trained_further_loses_its_thresholds_and_its_gallery(command, own_run, people, pairs_file, tmp_path):
    run, gallery = own_run.folder, tmp_path / "people.gallery"
    assert command("verify", run, "--pairs", pairs_file, "--images", people, "--bootstrap", 0).status == 0
    assert command("gallery", "enroll", run, people, "--no-align", "--out", gallery).status == 0
    tensors, _ = read_tensors(own_run.best_weights)
    save_tensors({name: tensor + 0.25 * (tensor.ndim > 1) for name, tensor in tensors.items()}, own_run.best_weights)
    image = people / "anna" / "0.png"
    matched = command("match", run, image, image, "--no-align", "--out", tmp_path / "match.png")
    assert (matched.status, "calibrated for other weights" in matched.err) == (2, True)
    named = command("identify", run, gallery, image)
    assert named.status == 2
    assert "gallery" in named.err
