"""The known and the unknown: a folder `known/` of people, a folder of strangers' pictures, and a table of who is who.

The course's form until autumn 2023: `verification_dev.csv` with the columns id,label, a row for each picture of
`unknown_dev/` in the order of their names, where the label n000000 says that nobody of `known/` is on it.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.align.in_memory import align_files
from experiments.data.folders import folders_in, images_in, person_name
from experiments.data.images import load_images
from experiments.errors import FacesError
from experiments.evaluation.scoring import EmbedOptions
from experiments.files import write_csv, write_json
from experiments.inference.embedder import Embedder, normalize_embeddings
from experiments.metrics.identification import STRANGER, cmc_curve, match_ranks, open_set_scores, rank_k_rate
from experiments.plots.verification import plot_cmc
from experiments.progress import say

KNOWN, DEV, TEST = "known", "unknown_dev", "unknown_test"
STRANGER_LABEL = "n000000"


def is_known_unknown(file: Path, images: Path) -> bool:
    """Whether a table is of this form: two columns, the second "label", beside a folder `known`."""
    if file.suffix.lower() != ".csv" or not (images / KNOWN).is_dir() or not file.is_file():
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        return [word.strip().lower() for word in lines.readline().split(",")][1:] == ["label"]


def evaluate_known_unknown(
    embedder: Embedder, file: Path, images: Path, out: Path, view: EmbedOptions
) -> dict[str, Any]:
    """Name the pictures of unknown_dev/, judge that by the table, and name those of unknown_test/ where there are any.

    The threshold below which the answer is nobody is the one that is best on the table. Writes identification.json,
    cmc.png, and unknown_test_submission.csv (id,label) into `out`. Raises FacesError where the table and the pictures
    do not fit.
    """
    people = {person_name(folder): images_in(folder) for folder in folders_in(images / KNOWN)}
    people = {name: paths for name, paths in people.items() if paths}
    if not people:
        raise FacesError(f"{images / KNOWN}: no pictures in folders of it; expected one folder a person")
    probes = _pictures(images / DEV)
    labels = _labels(file, probes)
    names = list(people)
    column = {name: n for n, name in enumerate(names)}
    if strange := sorted({label for label in labels if label not in column and label != STRANGER_LABEL}):
        raise FacesError(f"{file}: the label {strange[0]!r} is nobody's in {images / KNOWN}, and not {STRANGER_LABEL}")
    truth = np.array([column.get(label, STRANGER) for label in labels])
    known = _embeddings(embedder, [path for paths in people.values() for path in paths], view)
    numbers = np.repeat(np.arange(len(names)), [len(paths) for paths in people.values()])
    sums = np.zeros((len(names), known.shape[1]))
    np.add.at(sums, numbers, known)
    templates = normalize_embeddings(sums).astype(np.float64)
    similarity = _embeddings(embedder, probes, view) @ templates.T
    judged, places = (
        open_set_scores(similarity, truth),
        match_ranks(similarity[truth != STRANGER], truth[truth != STRANGER]),
    )
    threshold = judged.best_threshold()
    result: dict[str, Any] = {
        "known": len(names),
        "probes": len(probes),
        "strangers": int((truth == STRANGER).sum()),
        "rank1": rank_k_rate(places, 1),
        "rank5": rank_k_rate(places, 5),
        "threshold": threshold,
        "open_set_accuracy": judged.accuracy(threshold),
        "dir_at_far": {f"{far:g}": judged.dir_at(far) for far in (0.01, 0.1)},
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "identification.json", result)
    plot_cmc(cmc_curve(places, min(20, len(names))), out / "cmc.png", f"{len(places)} pictures, {len(names)} people")
    say(f"rank-1 {result['rank1']:.4f} of the known; of all, with nobody below {threshold:.4f}, right are "
        f"{result['open_set_accuracy']:.4f}")  # fmt: skip
    if (images / TEST).is_dir():
        asked = _pictures(images / TEST)
        scores = _embeddings(embedder, asked, view) @ templates.T
        given = np.where(scores.max(1) >= threshold, np.array(names)[scores.argmax(1)], STRANGER_LABEL)
        path = out / f"{TEST}_submission.csv"
        write_csv(path, [{"id": n, "label": str(name)} for n, name in enumerate(given)], exact=True)
        say(f"{path}: {len(asked)} rows, {(given == STRANGER_LABEL).mean():.1%} of them nobody")
    return result


def _pictures(folder: Path) -> list[Path]:
    """A folder's pictures in the order of their names as strings, as the table numbers them."""
    found = sorted(images_in(folder), key=lambda path: path.name) if folder.is_dir() else []
    if not found:
        raise FacesError(f"{folder}: no pictures there; expected those that the table is about")
    return found


def _labels(file: Path, probes: list[Path]) -> list[str]:
    """The label of each picture, by number or by file name."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        rows = [row for row in csv.reader(lines) if row][1:]
    if any(len(row) != 2 for row in rows):
        raise FacesError(f"{file}: expected rows of two values, id,label")
    table = {row[0].strip(): row[1].strip() for row in rows}
    labels = [table.get(path.name, table.get(str(n))) for n, path in enumerate(probes)]
    if len(rows) != len(probes) or None in labels:
        raise FacesError(
            f"{file}: {len(rows)} rows for {len(probes)} pictures of {probes[0].parent}: expected one each, by number "
            "from 0 or by file name"
        )
    return [label for label in labels if label is not None]


def _embeddings(embedder: Embedder, paths: list[Path], view: EmbedOptions) -> np.ndarray:
    if view.align:
        images = np.stack([one.image for one in align_files(paths, embedder.size)])
    else:
        images = load_images(paths, embedder.size, "crop")
    return embedder.embed(images, view.flip, view.zooms).astype(np.float64)
