"""The competition's file: a name for every test image, in the sample's order, validated against it."""

import csv
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from experiments.data.faces import read_pictures
from experiments.data.identities import find_images
from experiments.errors import FacesError
from experiments.progress import say
from experiments.run import write_csv
from experiments.training.trained import Trained

COLUMNS = ("image_name", "label")


@dataclass(frozen=True)
class Sample:
    """A sample_submission.csv. names: the images, in its order; labels: those that stand in it."""

    path: Path
    names: tuple[str, ...]
    labels: frozenset[str]


def read_sample(path: str | os.PathLike[str]) -> Sample:
    """Read a sample. Raises FacesError where it is missing, has other columns, or names an image twice."""
    path = Path(path)
    if not path.is_file():
        raise FacesError(f"{path}: no such file; give the competition's sample_submission.csv")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FacesError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if tuple(columns) != COLUMNS:
        raise FacesError(f"{path}: columns {','.join(columns) or '(none)'}; expected {','.join(COLUMNS)}")
    if odd := [row for row in rows if len(row) != len(COLUMNS)]:
        raise FacesError(f"{path}: a row with {len(odd[0])} values, {','.join(odd[0])}; expected {','.join(COLUMNS)}")
    times = Counter(name for name, _ in rows)
    if repeated := [name for name in times if times[name] > 1]:
        raise FacesError(f"{path}: {repeated[0]} stands there more than once; get the sample again")
    if not rows:
        raise FacesError(f"{path}: names no images; get the sample again")
    return Sample(path, tuple(times), frozenset(label for _, label in rows))


def submit(
    run: str | os.PathLike[str],
    test: str | os.PathLike[str],
    sample: str | os.PathLike[str],
    out: str | os.PathLike[str],
) -> None:
    """Predict the images of a flat folder and write them as the sample asks. An earlier file at `out` is replaced.

    Raises FacesError, writing nothing, where the sample names images that the folder lacks.
    """
    trained, form, out = Trained.open(run), read_sample(sample), Path(out)
    if out.is_dir():
        raise FacesError(f"{out} is a folder: give --out the name of a file, such as {out / 'submission.csv'}")
    if not out.absolute().parent.is_dir():
        raise FacesError(f"{out}: there is no folder {out.parent} to write it to; make it first")
    there = {path.name: path for path in find_images(test)}
    missing = [name for name in form.names if name not in there]
    if missing:
        raise FacesError(
            f"{form.path} names {len(form.names)} images, {len(missing)} of which {test} lacks, such as {missing[0]}: "
            "give the folder and the sample of one competition"
        )
    logits = trained.logits(read_pictures([there[name] for name in form.names], trained.recipe.data))
    labels = [trained.classes[label] for label in logits.argmax(1)]
    write_csv(out, [dict(zip(COLUMNS, row, strict=True)) for row in zip(form.names, labels, strict=True)])
    say(f"{out}: {len(labels)} rows, {len(set(labels))} of {len(trained.classes)} people named")
    if extra := len(there) - len(form.names):
        say(f"note: {extra} images of {test} are not in the sample, and so not in the file")
    if strangers := form.labels - set(trained.classes):
        say(f"note: the sample's label {min(strangers)!r} is none of the run's people; is it the right competition?")
