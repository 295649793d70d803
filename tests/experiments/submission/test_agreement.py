import csv
import shutil

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.data.folders import find_identities
from experiments.data.pack import pack_folder
from experiments.errors import FacesError
from experiments.submission.pseudo_labels import compare_submissions

NAMED = {
    "first": ["anna", "anna", "ben", "ben", "carl", "carl"],
    "second": ["anna", "anna", "ben", "carl", "carl", "anna"],
    "third": ["anna", "ben", "ben", "anna", "carl", "anna"],
}


@pytest.fixture
def folder(own_people, tmp_path):
    """Six images, 0.png to 5.png, in a flat folder."""
    images = tmp_path / "test"
    images.mkdir()
    for number, path in enumerate(sorted(own_people.glob("*/*"))[:6]):
        (images / f"{number}{path.suffix}").write_bytes(path.read_bytes())
    return images


@pytest.fixture
def files(folder, tmp_path):
    """Submissions about those images, the second in another order."""
    names = sorted(path.name for path in folder.iterdir())
    paths = []
    for title, labels in NAMED.items():
        rows = list(zip(names, labels, strict=True))
        rows = rows[::-1] if title == "second" else rows
        paths.append(tmp_path / f"{title}.csv")
        paths[-1].write_text("image_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows))
    return paths


def test_agreement_counts_the_images_that_two_label_alike(files):
    assert compare_submissions(files) == {(0, 1): 4 / 6, (0, 2): 3 / 6, (1, 2): 4 / 6}


def test_images_that_enough_label_alike_are_sorted_by_person(files, folder, tmp_path):
    compare_submissions(files, folder, tmp_path / "all")
    assert {(p.parent.name, p.stem) for p in (tmp_path / "all").glob("*/*")} == {
        ("anna", "0"),
        ("ben", "2"),
        ("carl", "4"),
    }
    compare_submissions(files, folder, tmp_path / "two", least=2)
    found = find_identities(tmp_path / "two")
    assert {(p.parent.name, p.stem) for p in found.paths} == {
        ("anna", "0"), ("anna", "1"), ("ben", "2"), ("carl", "4"), ("anna", "5"),
    }  # fmt: skip
    with (tmp_path / "two" / "agreement.csv").open(newline="") as file:
        rows = {row.pop("image").partition(".")[0]: tuple(row.values()) for row in csv.DictReader(file)}
    assert rows["0"] == ("anna", "3", "1")
    assert rows["1"] == ("anna", "2", "1")
    assert rows["3"] == ("", "0", "0"), "three people, one vote each: nobody"


def test_a_tie_decides_nothing_even_where_one_vote_would_do(files, folder, tmp_path):
    compare_submissions(files[:2], folder, tmp_path / "one", least=1)
    assert {p.stem for p in (tmp_path / "one").glob("*/*")} == {"0", "1", "2", "4"}


def test_the_command_prints_the_agreement(files, folder, tmp_path):
    out = tmp_path / "more"
    arguments = ["pseudo-label", *map(str, files), "--min-votes", "2", "--test", str(folder), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    output = result.output.replace("\n", " ")
    for told in ("66.7%", "50.0%", "3 of 6 images: 3 name", "5 of 6 images: 2 or more name", "of 3 of 3 people"):
        assert told in output


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda files, folder, out: compare_submissions(files[:1]), "expected two submissions or more"),
        (lambda files, folder, out: compare_submissions(files, folder), "go together"),
        (lambda files, folder, out: compare_submissions(files, folder, out, least=4), "expected 1 to 3"),
        (lambda files, folder, out: compare_submissions(files, folder, out, least=0), "expected 1 to 3"),
        (lambda files, folder, out: compare_submissions(files, folder, folder), "exists already"),
        (lambda files, folder, out: compare_submissions([files[0], out]), "no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(files, folder, tmp_path, change, match):
    with pytest.raises(FacesError, match=match):
        change(files, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_ids_are_refused(files):
    files[1].write_text(files[1].read_text().replace("0.", "9.", 1))
    with pytest.raises(FacesError, match=r"other ids than .*first\.csv"):
        compare_submissions(files)


def test_images_that_are_missing_are_refused(files, folder, tmp_path):
    next(folder.glob("3.*")).unlink()
    with pytest.raises(FacesError, match="lacks"):
        compare_submissions(files, folder, tmp_path / "out", least=2)


@pytest.mark.parametrize("label", ["../anna", "..", "a/b", "/etc"])
def test_a_label_never_leads_out_of_the_folder(files, folder, tmp_path, label):
    for path in files:
        path.write_text(path.read_text().replace("anna", label))
    with pytest.raises(FacesError, match="not a folder's name"):
        compare_submissions(files, folder, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["people", "test"]


def test_images_of_a_pack_are_not_files_to_sort(files, own_people, tmp_path):
    contest = tmp_path / "contest"
    shutil.copytree(own_people, contest / "train")
    shutil.copytree(tmp_path / "test", contest / "test")
    pack_folder(contest, tmp_path / "pack", (16, 16))
    with pytest.raises(FacesError, match="of a pack, which holds no files to take"):
        compare_submissions(files, tmp_path / "pack" / "test", tmp_path / "out")


def test_fewer_than_two_people_agreed_on_is_an_error(files, folder, tmp_path):
    files[0].write_text(files[0].read_text().replace("ben", "zoe").replace("carl", "zoe"))
    with pytest.raises(FacesError, match="fewer than two people"):
        compare_submissions(files, folder, tmp_path / "out")
