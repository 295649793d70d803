import csv
import json
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from experiments.data.dataset import read_images
from experiments.data.preparation import AS_THEY_ARE, Preparation, write_preparation
from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.inference.predict import balance_logits
from experiments.run import Run
from experiments.submission.format import check_submission, read_sample
from experiments.submission.submit import most_likely, submit
from mytorch import load, save

ALIGNED = Preparation(detector="mtcnn", template="five-point", size=112, margin=0)
ORDER = ["10.png", "1.png", "3.png", "2.png"]
TRUTH = {"1.png": "anna", "2.png": "ben", "3.png": "chloe", "10.png": "dan"}


@pytest.fixture
def test(people, tmp_path):
    """A flat folder with an image of each person."""
    folder = tmp_path / "test"
    folder.mkdir()
    for name, person in TRUTH.items():
        shutil.copy(people / person / "0.png", folder / name)
    return folder


@pytest.fixture
def sample(tmp_path):
    """A sample in an order that is neither by string nor by number."""
    path = tmp_path / "sample_submission.csv"
    path.write_text("image_name,label\n" + "".join(f"{name},anna\n" for name in ORDER))
    return path


def test_the_rows_are_in_the_samples_order_with_the_right_people(trained_once, test, sample, tmp_path):
    submit([trained_once.folder], test, sample, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["image_name", "label"], *([name, TRUTH[name]] for name in ORDER)]


def test_an_earlier_file_is_replaced(trained_once, test, sample, tmp_path, contents):
    (tmp_path / "out.csv").write_text("old")
    submit([trained_once.folder], test, sample, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().startswith("image_name,label\n10.png,dan\n")
    assert not [name for name in contents(tmp_path) if name.startswith(".")]


def test_images_beyond_the_sample_are_mentioned_and_left_out(trained_once, test, sample, tmp_path, capsys):
    shutil.copy(test / "1.png", test / "11.png")
    submit([trained_once.folder], test, sample, tmp_path / "out.csv")
    assert "note: 1 image of" in capsys.readouterr().out
    assert "11.png" not in (tmp_path / "out.csv").read_text()


def test_a_sample_with_labels_of_other_people_is_mentioned(trained_once, test, sample, tmp_path, capsys):
    sample.write_text(sample.read_text().replace("anna", "n000001"))
    submit([trained_once.folder], test, sample, tmp_path / "out.csv")
    assert "label 'n000001' is none of the run's people" in capsys.readouterr().out


def test_a_sample_from_a_spreadsheet_is_read(trained_once, test, tmp_path):
    """With a byte-order mark, \\r\\n and an empty line at the end."""
    path = tmp_path / "sample.csv"
    path.write_bytes(b"\xef\xbb\xbfimage_name,label\r\n1.png,anna\r\n\r\n")
    assert read_sample(path).ids == ("1.png",)


def refused(trained_once, test, sample, out) -> str:
    before = out.read_bytes() if out.is_file() else None
    with pytest.raises(FacesError) as error:
        submit([trained_once.folder], test, sample, out)
    assert (out.read_bytes() if out.is_file() else None) == before
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty; expected a CSV file"),
        ("image,label\n1.png,a\n", "columns image,label; expected image_name,label, id,label or ID,Label"),
        ("label,image_name\na,1.png\n", "columns label,image_name; expected image_name,label, id,label or ID,Label"),
        (
            "image_name,label,extra\n1.png,a,b\n",
            "columns image_name,label,extra; expected image_name,label, id,label or ID,Label",
        ),
        ("1.png,a\n", "columns 1.png,a; expected image_name,label, id,label or ID,Label"),
        ("image_name,label\n", "names no images"),
        ("image_name,label\n1.png,a\n2.png,a\n1.png,b\n", "1.png occurs more than once"),
        ("image_name,label\n1.png,a\n2.png\n", "a row with 1 value, 2.png; expected 2, image_name,label"),
        ("image_name,label\n1.png,a,b\n", "a row with 3 values, 1.png,a,b; expected 2, image_name,label"),
        ('image_name,label\n"1.png,a\n', "cannot be read as CSV"),
    ],
)
@pytest.mark.parametrize("earlier", [None, "an earlier submission"])
def test_a_sample_of_another_form_is_refused(trained_once, test, sample, tmp_path, content, expected, earlier):
    sample.write_text(content)
    if earlier:
        (tmp_path / "out.csv").write_text(earlier)
    message = refused(trained_once, test, sample, tmp_path / "out.csv")
    assert message.startswith(f"{sample}: ")
    assert expected in message


def test_a_sample_that_is_no_text(trained_once, test, sample, tmp_path):
    sample.write_bytes(b"\xff\xfe\x00\x01")
    assert "not text in UTF-8" in refused(trained_once, test, sample, tmp_path / "out.csv")


def test_a_missing_sample(trained_once, test, tmp_path):
    message = refused(trained_once, test, tmp_path / "none.csv", tmp_path / "out.csv")
    assert "none.csv: no such file; give the competition's sample_submission.csv" in message


def test_an_image_that_the_test_folder_lacks(trained_once, test, sample, tmp_path):
    (test / "3.png").unlink()
    message = refused(trained_once, test, sample, tmp_path / "out.csv")
    assert "names 4 images, 1 of which" in message
    assert "such as 3.png" in message


def test_a_sample_of_another_competition(trained_once, test, sample, tmp_path):
    sample.write_text("image_name,label\n" + "".join(f"{n}.jpg,n1\n" for n in range(5)))
    message = refused(trained_once, test, sample, tmp_path / "out.csv")
    assert "names 5 images, 5 of which" in message
    assert "one competition" in message


def test_a_test_image_that_cannot_be_read(trained_once, test, sample, tmp_path):
    (test / "3.png").write_text("no image")
    assert "3.png: begins with b'no image'" in refused(trained_once, test, sample, tmp_path / "out.csv")


def test_no_folder_to_write_to(trained_once, test, sample, tmp_path):
    assert "there is no folder" in refused(trained_once, test, sample, tmp_path / "none" / "out.csv")


def test_a_folder_in_the_files_place(trained_once, test, sample, tmp_path):
    assert "is a folder: give --out the name of a file" in refused(trained_once, test, sample, tmp_path)


def test_logits_come_in_chunks_and_in_order(trained_once, people):
    from experiments.data.dataset import read_split

    trained = TrainedModel.open(trained_once.folder)
    train, _ = read_split(people, trained.recipe)
    many = train.images[list(range(20)) * 4]
    logits = trained.logits(many)
    assert logits.shape == (80, 4)
    assert abs(logits[20:40] - logits[:20]).max() < 1e-5


def table(path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("head", "ids", "label", "expected"),
    [
        ("id,label", ["10", "1", "3", "2"], "0", ["3", "0", "2", "1"]),  # indices, told by the zeros of the sample
        ("id,label", ["10.png", "1.png", "3.png", "2.png"], "anna", ["dan", "anna", "chloe", "ben"]),
        ("ID,Label", ["0", "1", "2", "3"], "0", ["0", "1", "2", "3"]),  # places of 1, 2, 3 and 10 in natural order
        ("image_name,label", ["10.png", "1.png", "3.png", "2.png"], "0", ["dan", "anna", "chloe", "ben"]),
    ],
)
def test_every_format_is_chosen_from_the_samples_columns(trained_once, test, tmp_path, head, ids, label, expected):
    sample = tmp_path / "sample.csv"
    sample.write_text(f"{head}\n" + "".join(f"{name},{label}\n" for name in ids))
    submit([trained_once.folder], test, sample, tmp_path / "out.csv")
    head_written, *rows = table(tmp_path / "out.csv")
    assert ",".join(head_written) == head
    assert rows == [[name, person] for name, person in zip(ids, expected, strict=True)]
    assert check_submission(tmp_path / "out.csv", sample) == []


def test_several_runs_and_views_are_averaged(trained_once, untrained, test, sample, tmp_path, capsys):
    submit([untrained.folder, trained_once.folder, trained_once.folder], test, sample, tmp_path / "out.csv", "flip")
    trained = [TrainedModel.open(run.folder) for run in (untrained, trained_once, trained_once)]
    pixels = read_images([test / name for name in ORDER], trained[0].recipe.data)
    views = (pixels, pixels[:, :, ::-1])
    mean = sum(torch.from_numpy(one.logits(view)).softmax(1) for one in trained for view in views)
    assert [row[1] for row in table(tmp_path / "out.csv")[1:]] == [trained[0].classes[n] for n in mean.argmax(1)]
    assert "the mean of probabilities: 3 runs, views: flip" in capsys.readouterr().out


def test_people_may_be_named_as_often_as_is_known(untrained, people, test, sample, tmp_path, capsys):
    submit([untrained.folder], test, sample, tmp_path / "plain.csv")
    submit([untrained.folder], test, sample, tmp_path / "even.csv", balance="even")
    assert "balanced: people named equally often, as a whole" in capsys.readouterr().out
    submit([untrained.folder], test, sample, tmp_path / "folder.csv", balance=str(people))
    assert f"as often as they have images in {people}, as a whole" in capsys.readouterr().out
    trained = TrainedModel.open(untrained.folder)
    logits = trained.logits(read_images([test / name for name in ORDER], trained.recipe.data))
    expected = [trained.classes[n] for n in balance_logits(logits, np.full(4, 0.25)).argmax(1)]
    named = {name: [row[1] for row in table(tmp_path / f"{name}.csv")[1:]] for name in ("plain", "even", "folder")}
    assert named["even"] == named["folder"] == expected
    assert named["even"] != named["plain"]


def test_each_run_may_see_the_images_in_a_folder_of_its_own(trained_once, test, sample, tmp_path):
    mirrored = shutil.copytree(test, tmp_path / "mirrored")
    for path in mirrored.iterdir():
        with Image.open(path) as image:
            ImageOps.mirror(image).save(path)
    submit([trained_once.folder] * 2, [test, mirrored], sample, tmp_path / "two.csv")
    submit([trained_once.folder], test, sample, tmp_path / "flip.csv", "flip")
    assert table(tmp_path / "two.csv") == table(tmp_path / "flip.csv")
    with pytest.raises(FacesError, match="--test is given 2 times for 1 runs"):
        submit([trained_once.folder], [test, mirrored], sample, tmp_path / "out.csv")


def test_runs_that_know_different_people_are_refused_by_name(trained_once, test, sample, tmp_path, sign):
    other = Run(shutil.copytree(trained_once.folder, tmp_path / "other"))
    (other.folder / "classes.json").write_text('["anna", "ben", "chloe", "eve"]')
    sign(other.folder)
    with pytest.raises(
        FacesError, match=r"other lacks dan; .*run lacks eve: give runs that were trained on the same people$"
    ):
        submit([trained_once.folder, other.folder], test, sample, tmp_path / "out.csv")


def test_a_sample_with_other_class_folders_is_refused_unless_the_labels_are_asked_for(
    trained_once, test, sample, tmp_path
):
    sample.write_text(sample.read_text().replace("1.png,anna", "1.png,eve"))
    message = refused(trained_once, test, sample, tmp_path / "out.csv")
    assert "1 of its 2 labels are none of the run's 4 people, such as 'eve'" in message
    submit([trained_once.folder], test, sample, tmp_path / "out.csv", labels="name")
    assert ["1.png", "anna"] in table(tmp_path / "out.csv")


def test_a_competition_of_pairs_is_sent_to_verify(trained_once, test, tmp_path):
    path = tmp_path / "sample.csv"
    path.write_text("ID,Label\n" + "".join(f"{n},0\n" for n in range(9)))
    assert "`faces verify`" in refused(trained_once, test, path, tmp_path / "out.csv")


def test_the_command_that_uploads_it_is_printed(trained_once, test, sample, tmp_path, capsys):
    submit([trained_once.folder], test, sample, tmp_path / "my file.csv")
    file = shlex.quote(str(tmp_path / "my file.csv"))
    assert f"kaggle competitions submit -c COMPETITION -f {file} -m run" in capsys.readouterr().out


def test_runs_of_both_libraries_and_of_different_sizes_are_averaged(
    trained_once, transfer_once, test, sample, tmp_path, capsys
):
    submit([trained_once.folder, transfer_once.folder], test, sample, tmp_path / "out.csv", device="cpu")
    trained = [TrainedModel.open(run.folder, "cpu") for run in (trained_once, transfer_once)]
    shares = [one.logits(read_images([test / name for name in ORDER], one.recipe.data)) for one in trained]
    mean = sum(torch.from_numpy(logits).softmax(1) for logits in shares)
    assert [row[1] for row in table(tmp_path / "out.csv")[1:]] == [trained[0].classes[n] for n in mean.argmax(1)]
    assert "2 runs, views: none" in capsys.readouterr().out


def test_the_sample_and_the_test_images_are_not_written_over(trained_once, test, sample, tmp_path):
    (tmp_path / "link.csv").symlink_to(sample)
    for out in (sample, tmp_path / "link.csv", test / "1.png"):
        assert "which this command reads: choose another --out" in refused(trained_once, test, sample, out)


def test_a_sample_spelled_in_another_unicode_form_is_answered_in_its_own(trained_once, test, tmp_path, sign):
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    (run.folder / "classes.json").write_text('["Jos\u00e9", "ben", "chloe", "dan"]')
    sign(run.folder)
    labels = dict(zip(ORDER, ["dan", "Jose\u0301", "chloe", "ben"], strict=True))
    path = tmp_path / "sample.csv"
    path.write_text("image_name,label\n" + "".join(f"{name},{label}\n" for name, label in labels.items()))
    submit([run.folder], test, path, tmp_path / "out.csv")
    assert dict(table(tmp_path / "out.csv")[1:]) == labels


@pytest.mark.parametrize("damage", ["zero", "nan"])
def test_a_network_that_answers_every_image_alike_submits_nothing(trained_once, test, sample, tmp_path, damage):
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    state = load(run.best_weights)[0]
    spoiled = {
        name: value * (0 if damage == "zero" else np.float32("nan")) if value.dtype.kind == "f" else value
        for name, value in state.items()
    }
    save(spoiled, run.best_weights)
    with pytest.raises(FacesError, match=r"the same answer|not finite|all weights are zero"):
        submit([run.folder], test, sample, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("trained_on", [ALIGNED, AS_THEY_ARE])
def test_test_images_prepared_otherwise_are_refused(trained_once, test, sample, tmp_path, trained_on, sign):
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    environment = run.folder / "environment.json"
    stored = json.loads(environment.read_text()) | {"preparation": trained_on.model_dump(mode="json")}
    environment.write_text(json.dumps(stored))
    sign(run.folder)
    write_preparation(test, trained_on)
    submit([run.folder], test, sample, tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()
    write_preparation(test, AS_THEY_ARE if trained_on == ALIGNED else ALIGNED)
    with pytest.raises(FacesError, match=r"its images are .*, but the run .* expects images"):
        submit([run.folder], test, sample, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == before


@pytest.mark.parametrize("stream", ["> /dev/full", "| true"])
def test_a_submission_is_written_and_reported_so_where_the_screen_fails(trained_once, test, sample, tmp_path, stream):
    arguments = ["submit", trained_once.folder, "--test", test, "--sample", sample, "--out", tmp_path / "out.csv"]
    program = "import sys; from experiments.cli import main; sys.argv[0] = 'faces'; main()"
    shell = f'"{sys.executable}" -c "{program}" {shlex.join(map(str, arguments))} {stream}'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert len(table(tmp_path / "out.csv")) == 5
    assert "unchanged" not in done.stderr
    assert "Traceback" not in done.stderr


def test_most_likely_classes_of_chunks():
    rng = np.random.default_rng(0)
    chunks = [rng.standard_normal((n, 3)) for n in (4, 1, 2)]
    assert most_likely(chunks) == np.concatenate(chunks).argmax(1).tolist()
    assert most_likely([np.zeros((1, 3))]) == [0]
    one, other = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    for order in ([one, other, one], [one, one, other], [other, one, one]):  # wherever the one that differs is
        assert most_likely(order) == np.concatenate(order).argmax(1).tolist()
    with pytest.raises(FacesError, match="all 5 images get the same answer"):
        most_likely([np.ones((3, 2)), np.ones((2, 2))])
