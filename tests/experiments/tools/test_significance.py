"""`faces compare A B --data D`: is the difference real?"""

import shutil

import numpy as np
import pytest
from scipy.stats import binomtest

from experiments.data.dataset import read_split
from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.inference.predict import predict
from experiments.tools.significance import PairedTest, compare_accuracy, compare_eer


def right(run, people) -> np.ndarray:
    trained = TrainedModel.open(run.folder)
    _, faces = read_split(people, trained.recipe)
    return predict(trained, faces.images).argmax(1) == faces.labels


def test_the_test_is_on_the_answers_of_both_networks(trained_once, untrained, people):
    (found,) = compare_accuracy([trained_once.folder, untrained.folder], ["good", "bad"], people)
    one, two = right(trained_once, people), right(untrained, people)
    assert found.top1 == (one.mean(), two.mean())
    assert found.only == ((one & ~two).sum(), (two & ~one).sum())
    assert (found.images, found.people) == (len(one), 4)
    assert found.p == pytest.approx(binomtest(found.only[0], sum(found.only)).pvalue)
    low, high = found.interval
    assert low <= one.mean() - two.mean() <= high


def test_a_run_and_its_copy_do_not_differ(trained_once, people, tmp_path):
    copy = shutil.copytree(trained_once.folder, tmp_path / "copy")
    (found,) = compare_accuracy([trained_once.folder, copy], ["run", "copy"], people)
    assert (found.p, found.interval, found.only) == (1.0, (0.0, 0.0), (0, 0))
    assert found.verdict == "the difference may be chance: neither is shown to be better"


@pytest.mark.parametrize(
    ("p", "interval", "expected"),
    [
        (0.001, (0.01, 0.05), "the difference is real: a is better"),
        (0.001, (-0.01, 0.05), "images alone say that a is better"),
        (0.2, (0.01, 0.05), "may be chance: too few images"),
        (0.2, (-0.01, 0.05), "neither is shown to be better"),
    ],
)
def test_a_sentence_tells_what_the_tests_found(p, interval, expected):
    test = PairedTest(("a", "b"), (0.83, 0.8), (60, 30), 1000, 330, interval, p)
    assert expected in test.verdict
    assert "+3.0 points" in test.sentences[1]


def test_the_command_prints_the_sentence(trained_once, untrained, people, command):
    result = command("compare", trained_once.folder, untrained.folder, "--data", people)
    assert result.status == 0, result.err
    assert "right of the same 8 images of 4 people" in result.out or "right of the same 4 images" in result.out
    assert "the difference" in result.out


def test_one_run_alone_and_submissions_are_refused(trained_once, people, command, tmp_path):
    with pytest.raises(FacesError, match="one run alone; a paired test needs two"):
        compare_accuracy([trained_once.folder], ["run"], people)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("Id,Category\n0,anna\n")
    result = command("compare", tmp_path / "a.csv", tmp_path / "b.csv", "--data", people)
    assert result.status == 2
    assert "--data" in result.err


def test_runs_verified_on_the_same_pairs_differ_in_their_eer(trained_once, tmp_path, sign):
    """The better of two scorings of the same pairs, of two hundred people, is found."""
    rng, runs = np.random.default_rng(8), []
    matches = np.arange(600) % 2
    rows = [f"p{n}/a.png,p{n if match else n + 1}/b.png,{match}" for n, match in enumerate(matches)]
    for name, noise in (("good", 0.05), ("bad", 0.6), ("also bad", 0.6)):
        run = shutil.copytree(trained_once.folder, tmp_path / name)
        (run / "verification").mkdir()
        scores = np.clip(matches * 0.5 + rng.normal(0, noise, 600), -1, 1)
        lines = [f"{n},{row},{score:.6f}\n" for n, (row, score) in enumerate(zip(rows, scores, strict=True))]
        (run / "verification" / "scores.csv").write_text("ID,first,second,match,similarity\n" + "".join(lines))
        (run / "verification" / "verification.json").write_text(
            '{"eer": 0.1, "auc": 0.9, "threshold": 0.2, "tar_at_far": {}, "genuine": 300, "impostor": 300, '
            '"pairs_file": "pairs.txt", "files": {"scores.csv": ""}}'
        )
        sign(run)
        runs.append(run)
    first, second = compare_eer(runs[:2] + runs[2:], ["good", "bad", "also bad"])
    assert "the difference is real: good errs less" in first
    assert "the difference is real: good errs less" in second
    (chance,) = compare_eer(runs[1:], ["bad", "also bad"])
    assert "the difference may be chance" in chance


def test_runs_that_were_not_verified_have_no_eer_to_compare(trained_once, untrained):
    assert compare_eer([trained_once.folder, untrained.folder], ["a", "b"]) == []
