"""Known people and strangers: a folder `known/` of people, a folder of probes, and a table that says who is on each.

This is the course's form until autumn 2023: `verification_dev.csv` with the columns id,label, a row for each image of
`unknown_dev/` in the order of their names, where the label n000000 means a stranger, who is not in `known/`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.folders import composed, existing_folder, folders_in, images_in, other_files, person_name
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, read_faces, require_distinct
from experiments.evaluation.verification import require_folder
from experiments.files import read_user_csv, write_csv, write_json
from experiments.inference.embedder import Embedder, normalize_embeddings
from experiments.metrics.identification import STRANGER, cmc_curve, match_ranks, open_set_scores, rank_k_rate
from experiments.plots.verification import plot_cmc
from experiments.progress import say

KNOWN, DEV, TEST = "known", "unknown_dev", "unknown_test"
STRANGER_LABEL = "n000000"


def is_known_unknown(file: Path, images: Path) -> bool:
    """Whether a table is of this form: two columns, the second "label", and a folder `known` next to the probes."""
    if file.suffix.lower() != ".csv" or not (images / KNOWN).is_dir() or not file.is_file():
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        return [word.strip().strip('"').lower() for word in lines.readline().split(",")][1:] == ["label"]


def evaluate_known_unknown(
    embedder: Embedder, file: Path, images: Path, out: Path, options: EmbedOptions
) -> dict[str, Any]:
    """Identify the images of unknown_dev/ and judge that by the table; identify unknown_test/ where there is one.

    The threshold below which the answer is "a stranger" is the one that is best on the table. Writes
    identification.json, cmc.png, and unknown_test_submission.csv (id,label) into `out`. Raises FacesError where the
    table and the images do not fit, and for images prepared otherwise than those of the network.
    """
    require_folder(out)
    people = {person_name(folder): images_in(folder) for folder in folders_in(images / KNOWN)}
    people = {name: paths for name, paths in people.items() if paths}
    if not people:
        expected = "expected one folder per person, with images inside"
        raise FacesError(f"{images / KNOWN}: no images in folders of it; {expected}{other_files(images / KNOWN)}")
    probes = _probe_files(images / DEV)
    labels = _read_labels(file, probes)
    names = list(people)
    column = {name: n for n, name in enumerate(names)}
    if unknown := sorted({label for label in labels if label not in column and label != STRANGER_LABEL}):
        raise FacesError(
            f"{file}: the label {unknown[0]!r} is no folder of {images / KNOWN}, nor {STRANGER_LABEL} for a stranger: "
            "correct the label, or add the person's folder"
        )
    truth = np.array([column.get(label, STRANGER) for label in labels])
    templates = _templates(embedder, list(people.values()), options)
    similarity = _embed(embedder, probes, options) @ templates.T
    scores, ranks = open_set_scores(similarity, truth), match_ranks(similarity[truth >= 0], truth[truth >= 0])
    threshold = scores.best_threshold()
    result: dict[str, Any] = {
        "known": len(names),
        "probes": len(probes),
        "strangers": int((truth == STRANGER).sum()),
        "rank1": rank_k_rate(ranks, 1),
        "rank5": rank_k_rate(ranks, 5),
        "threshold": threshold,
        "open_set_accuracy": scores.accuracy(threshold),
        "dir_at_far": {f"{far:g}": scores.dir_at(far) for far in (0.01, 0.1)},
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "identification.json", result)
    plot_cmc(cmc_curve(ranks, min(20, len(names))), out / "cmc.png", f"{len(ranks)} images, {len(names)} people")
    say(
        f"rank-1 {result['rank1']:.4f} of the known people; {result['open_set_accuracy']:.4f} of all images are right "
        f"at the threshold {threshold:.4f}, below which the answer is a stranger"
    )
    if (images / TEST).is_dir():
        _write_test_labels(embedder, images / TEST, templates, names, threshold, out, options)
    return result


def _write_test_labels(
    embedder: Embedder,
    folder: Path,
    templates: np.ndarray,
    names: list[str],
    threshold: float,
    out: Path,
    options: EmbedOptions,
) -> None:
    scores = _embed(embedder, _probe_files(folder), options) @ templates.T
    given = np.where(scores.max(1) >= threshold, np.array(names)[scores.argmax(1)], STRANGER_LABEL)
    path = out / f"{TEST}_submission.csv"
    write_csv(path, [{"id": n, "label": str(name)} for n, name in enumerate(given)], exact=True)
    say(f"{path}: {len(given)} rows, {(given == STRANGER_LABEL).mean():.1%} of them strangers")


def _probe_files(folder: Path) -> list[Path]:
    """A folder's images in the order of their names as strings, as the table numbers them."""
    found = sorted(images_in(existing_folder(folder)), key=lambda path: path.name)
    if not found:
        raise FacesError(f"{folder}: no images in it; expected those that the table is about{other_files(folder)}")
    return found


def _read_labels(file: Path, probes: list[Path]) -> list[str]:
    """The label of each image, by number or by file name."""
    frame = read_user_csv(file)
    if frame.shape[1] != 2:
        raise FacesError(f"{file}: {frame.shape[1]} columns, expected rows of two values, id,label")
    ids = frame.iloc[:, 0].str.strip()
    if ids.duplicated().any():
        raise FacesError(f"{file}: the id {ids[ids.duplicated()].iloc[0]} is in it twice: get it again")
    table = dict(zip(ids, frame.iloc[:, 1].str.strip(), strict=True))
    labels = [table.get(path.name, table.get(str(n))) for n, path in enumerate(probes)]
    if len(frame) != len(probes) or None in labels:
        raise FacesError(
            f"{file}: {len(frame)} rows for {len(probes)} images of {probes[0].parent}: expected one each, by number "
            "from 0 or by file name"
        )
    return [composed(label) for label in labels if label is not None]


def _templates(embedder: Embedder, people: list[tuple[Path, ...]], options: EmbedOptions) -> np.ndarray:
    """One embedding per person (P, D), the direction of the mean of theirs."""
    embeddings = _embed(embedder, [path for paths in people for path in paths], options)
    sums = np.zeros((len(people), embeddings.shape[1]))
    np.add.at(sums, np.repeat(np.arange(len(people)), [len(paths) for paths in people]), embeddings)
    return normalize_embeddings(sums).astype(np.float64)


def _embed(embedder: Embedder, paths: list[Path], options: EmbedOptions) -> np.ndarray:
    images, remarks, _ = read_faces(embedder, paths, options)
    for remark in remarks:
        say(f"note: {remark}")
    embeddings = embedder.embed(images, options.flip, options.zooms)
    require_distinct(embeddings, paths[0].parent)
    return embeddings.astype(np.float64)
