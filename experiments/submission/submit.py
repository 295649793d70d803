"""Write a competition's file: a label for every test image, by one run or several. Upload it to Kaggle.

Kaggle's own program uploads, with the user's own credentials.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from experiments.data.preparation import require_preparation
from experiments.data.sources import find_images
from experiments.errors import FacesError
from experiments.files import refuse_overwriting_input, write_csv
from experiments.inference.model import TrainedModel
from experiments.inference.predict import (
    EVEN,
    PathLike,
    Views,
    balance_chunks,
    folder_per_run,
    open_ensemble,
    predict_files,
    read_class_frequencies,
)
from experiments.progress import format_count, say
from experiments.requirements import install_command
from experiments.submission.format import (
    LabelStyle,
    Sample,
    detect_label_style,
    find_problems,
    label_texts,
    match_ids,
    read_sample,
)

STYLE_TEXTS = {"name": "folder's name", "index": "index among the folders sorted as strings, from 0"}


def submit(
    runs: Sequence[str | os.PathLike[str]],
    test: PathLike | Sequence[PathLike],
    sample: str | os.PathLike[str],
    out: str | os.PathLike[str],
    views: Views = "none",
    labels: LabelStyle | None = None,
    competition: str | None = None,
    device: str | None = None,
    balance: str | None = None,
) -> None:
    """Predict the images of a flat folder and write them as the sample asks. An earlier file at `out` is replaced.

    test: a folder for all runs, or one for each, of the same images aligned in another way. Several runs, and several
    views of an image, are averaged by their probabilities. labels: what to write for a person; by default as in the
    sample. competition: upload the file to that one of Kaggle's. device: as for `TrainedModel.open`. balance: name each
    person as often as all others ("even"), or as often as there are images in a folder.

    Raises FacesError, writing nothing, where the sample names images that the folder lacks or people that the runs do
    not know, where the runs, or the folder to balance by, know different people, where images are prepared otherwise
    than those of a run, where `out` is the sample or a test image, and where the network answers every image alike.
    """
    if competition:
        require_kaggle()
    trained = open_ensemble(runs, device)
    people, form, out = trained[0].classes, read_sample(sample), Path(out)
    _refuse_output(out, form)
    style = labels or detect_label_style(form, people)
    folders = folder_per_run(len(runs), test, "--test")
    require_preparations(trained, folders)
    found = {folder: find_images(folder) for folder in dict.fromkeys(folders)}
    refuse_overwriting_input(out, [path for paths in found.values() for path in paths])
    matched = {folder: match_ids(form, [path.name for path in found[folder]], str(folder)) for folder in found}
    texts = label_texts(form, people, style)
    files = [[found[folder][place] for place in matched[folder][0]] for folder in folders]
    frequencies = read_class_frequencies(balance, people) if balance else None
    named = [texts[label] for label in most_likely(balance_chunks(predict_files(trained, files, views), frequencies))]
    rows = list(zip(form.ids, named, strict=True))
    if wrong := find_problems(rows, form, texts):
        raise FacesError(f"{out} is not written: {'; '.join(wrong)}")
    write_csv(out, [dict(zip(form.columns, row, strict=True)) for row in rows], exact=True)
    say(f"{out}: {len(rows)} rows, {len(set(named))} of {len(people)} people named, each by its {STYLE_TEXTS[style]}")
    if len(trained) > 1 or views != "none":
        say(f"the mean of probabilities: {len(trained)} {'run' if len(trained) == 1 else 'runs'}, views: {views}")
    if balance:
        often = "equally often" if balance == EVEN else f"as often as they have images in {balance}"
        say(f"balanced: people named {often}, as a whole; each answer depends on the other images")
    _print_remarks(form, matched[folders[0]][1], len(found[folders[0]]), folders[0], style, people)
    message = " + ".join(one.run.folder.name for one in trained)
    if competition:
        say(upload(out, message, competition))
    else:
        say(f"next: {upload_command(out, message)}")


def _refuse_output(out: Path, sample: Sample) -> None:
    if out.is_dir():
        raise FacesError(f"{out} is a folder: give --out the name of a file, such as {out / 'submission.csv'}")
    if not out.absolute().parent.is_dir():
        raise FacesError(f"{out}: there is no folder {out.parent} to write it to; make it first")
    refuse_overwriting_input(out, [sample.path])


def require_preparations(trained: Sequence[TrainedModel], folders: Sequence[PathLike]) -> None:
    """Raise FacesError, with the command that helps, where a folder's images are prepared otherwise than its run's."""
    for one, folder in zip(trained, folders, strict=True):
        require_preparation(one.run.preparation(), Path(folder), f"the run {one.run.folder}")


def most_likely(logits: Iterable[np.ndarray]) -> list[int]:
    """Return the class of each image, of logits that come some images at a time.

    Raises FacesError where all images have the same logits: the network does not look at them.
    """
    found: list[int] = []
    first, differ = None, False
    for some in logits:
        first = some[0] if first is None else first
        differ = differ or bool((some != first).any())
        found += some.argmax(1).tolist()
    if len(found) > 1 and not differ:
        raise FacesError(
            f"all {len(found)} images get the same answer, to the last digit: the network's weights are damaged, or "
            "the images are all the same; train again, or check the images with `faces data check`"
        )
    return found


def _print_remarks(
    form: Sample, how: str, there: int, test: str | os.PathLike[str], style: LabelStyle, people: Sequence[str]
) -> None:
    """Print what the user may want to know about a valid file."""
    if how != "file name":
        say(f"note: {form.columns[0]} is read as the {how}")
    if extra := there - len(form.ids):
        say(f"note: {format_count(extra, 'image')} of {test} not in the sample, left out of the file")
    strangers = set(form.labels) - set(label_texts(form, people, style))
    if style == "name" and strangers:
        say(f"note: the sample's label {min(strangers)!r} is none of the run's people; is it the right competition?")


# Kaggle

PROGRAM = "from kaggle.cli import main; main()"
"""What the command `kaggle` runs, in a process of its own: its import ends the process where nobody is logged in."""

CREDENTIALS = ("access_token", "kaggle.json", "credentials.json")
"""Files of which one gives Kaggle's program access. Nothing here reads them."""


def upload_command(file: Path, message: str, competition: str = "COMPETITION") -> str:
    """Return what to type to upload a submission."""
    return shlex.join(["kaggle", *_arguments(file, message, competition)])


def require_kaggle() -> None:
    """Raise FacesError, with the remedy, where Kaggle's program is missing or nobody is logged in."""
    if find_spec("kaggle") is None:
        raise FacesError(f"--upload needs the kaggle package: in the project's folder, {install_command('kaggle')}")
    if not _has_credentials(os.environ, Path.home()):
        raise FacesError(
            "--upload needs your Kaggle credentials: make a token on kaggle.com under Settings, API, and put it "
            "into the variable KAGGLE_API_TOKEN, or save the kaggle.json that it gives you as ~/.kaggle/kaggle.json"
        )


def upload(file: Path, message: str, competition: str) -> str:
    """Upload a submission, and return Kaggle's answer. Raises FacesError with its words where it refuses."""
    require_kaggle()
    command = [sys.executable, "-c", PROGRAM, *_arguments(file, message, competition)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = (done.stdout + done.stderr).strip()
    if done.returncode:
        last = answer.splitlines()[-1] if answer else f"exit status {done.returncode}"
        again = upload_command(file, message, competition)
        raise FacesError(f"{file} is written, but Kaggle did not take it: {last}\ntry again by: {again}")
    return answer


def _arguments(file: Path, message: str, competition: str) -> list[str]:
    return ["competitions", "submit", "-c", competition, "-f", str(file), "-m", message]


def _has_credentials(environment: Mapping[str, str], home: Path) -> bool:
    if environment.get("KAGGLE_API_TOKEN") or (environment.get("KAGGLE_USERNAME") and environment.get("KAGGLE_KEY")):
        return True
    folders = [home / ".kaggle", Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"]
    if own := environment.get("KAGGLE_CONFIG_DIR"):
        folders.append(Path(own))
    return any((folder / name).is_file() for folder in folders for name in CREDENTIALS)
