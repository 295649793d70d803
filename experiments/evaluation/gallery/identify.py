"""Who of a gallery is on a photograph, or nobody.

Whose template is nearest: exactly, by one matrix product, or by FAISS for a million people and more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

import numpy as np

from experiments.data.align.in_memory import align_files
from experiments.data.images import load_images
from experiments.errors import FacesError
from experiments.evaluation.gallery.calibrate import SearchCalibration, read_search_calibration
from experiments.evaluation.gallery.store import Gallery, read_gallery
from experiments.evaluation.thresholds import ThresholdCalibration, read_thresholds
from experiments.files import write_csv
from experiments.inference.embedder import Embedder, open_embedder
from experiments.progress import say

Search = Literal["exact", "faiss"]
CHUNK = 4096


def nearest(
    templates: np.ndarray, probes: np.ndarray, most: int, search: Search = "exact"
) -> tuple[np.ndarray, np.ndarray]:
    """The `most` templates (G, D) most alike to each probe (P, D): similarities and rows, both (P, most), best first.

    "faiss" looks through an HNSW graph (Malkov and Yashunin 2018, arXiv 1603.09320), which finds nearly always the
    nearest, in a time that hardly grows with G. Raises FacesError where FAISS is not installed.
    """
    most = min(most, len(templates))
    if search == "faiss":
        return _by_graph(templates, probes, most)
    scores, rows = [], []
    for start in range(0, len(probes), CHUNK):
        table = probes[start : start + CHUNK] @ templates.T
        best = np.argpartition(-table, most - 1, axis=1)[:, :most]
        found = np.take_along_axis(table, best, 1)
        order = np.argsort(-found, axis=1, kind="stable")
        scores.append(np.take_along_axis(found, order, 1))
        rows.append(np.take_along_axis(best, order, 1))
    return np.concatenate(scores), np.concatenate(rows)


def _by_graph(templates: np.ndarray, probes: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        import faiss
    except ImportError as error:
        raise FacesError("--search faiss needs FAISS: pip install 'mytorch-faces[gallery]', or leave it out") from error
    index = faiss.IndexHNSWFlat(templates.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 80, max(128, 2 * most)
    index.add(np.ascontiguousarray(templates, np.float32))
    scores, rows = index.search(np.ascontiguousarray(probes, np.float32), most)
    return scores, rows


NOBODY = "nobody"
STRANGERS = 0.01


@dataclass(frozen=True)
class Answer:
    """What a gallery says of a photograph.

    name: who it is, or "nobody". likest: the people most alike, with similarities, the likest first; empty where no
    face was found, as `why` says then.
    """

    picture: Path
    name: str
    candidates: tuple[tuple[str, float], ...] = ()
    why: str = ""


@dataclass(frozen=True)
class DecisionThreshold:
    """A similarity below which the answer is nobody; basis: where it is from, in words."""

    value: float
    basis: str


def choose_threshold(embedder: Embedder, gallery: Gallery, far: float = STRANGERS) -> DecisionThreshold:
    """The calibrated similarity from which this gallery gives a stranger a name no oftener than `far`.

    That of whole searches, where `faces gallery calibrate` has been there. Else of pairs: a stranger is compared with
    everybody, so the FAR of a single comparison must be `far` over the people (the bound of Bonferroni); where the
    calibrating pairs were too few for that, it is the strictest they support. Raises FacesError where the embeddings
    were calibrated with other views than the gallery's.
    """
    if not 0 < far < 1:
        raise FacesError(f"--far {far:g}: expected a share between 0 and 1, such as 0.01")
    assert embedder.folder is not None
    people = len(gallery.names)
    if searches := read_search_calibration(embedder.folder, embedder.fingerprint):
        _refuse_other_views(embedder.folder, gallery, searches, "faces gallery calibrate")
        basis = f"a stranger named in {far:.2%} of searches, calibrated on {searches.people:,} other people"
        return DecisionThreshold(searches.threshold(people, far), basis)
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    _refuse_other_views(embedder.folder, gallery, calibration, "faces verify")
    point = calibration.strictest_for(far / people)
    return DecisionThreshold(
        point.value, f"{point.name.upper()} of single comparisons; `faces gallery calibrate` does it by searches"
    )


def _refuse_other_views(
    folder: Path, gallery: Gallery, calibrated: SearchCalibration | ThresholdCalibration, command: str
) -> None:
    if (calibrated.flip, tuple(calibrated.zooms)) != (gallery.flip, tuple(gallery.zooms)):
        raise FacesError(
            f"{folder}: calibrated with {_views(calibrated)}, and the gallery is of {_views(gallery)}, whose "
            f"similarities are others: `{command}` with the gallery's, enroll anew, or give --threshold"
        )


def _views(made: SearchCalibration | ThresholdCalibration | Gallery) -> str:
    return f"{'flip' if made.flip else 'no flip'} and zooms {' '.join(f'{zoom:g}' for zoom in made.zooms)}"


def name_probes(
    gallery: Gallery, probes: np.ndarray, threshold: float, top: int = 1, search: Search = "exact"
) -> list[tuple[str, tuple[tuple[str, float], ...]]]:
    """For each probe (P, D): the name, or "nobody" below the threshold, and the `top` likest with similarities."""
    names = gallery.names
    scores, rows = nearest(gallery.templates(), probes, top, search)
    candidates = [
        tuple((names[row], float(score)) for row, score in zip(whose, how, strict=True))
        for whose, how in zip(rows, scores, strict=True)
    ]
    return [(best[0][0] if best[0][1] >= threshold else NOBODY, best) for best in candidates]


def identify(
    run: Path,
    file: Path,
    pictures: Sequence[Path],
    top: int = 3,
    threshold: float | None = None,
    far: float = STRANGERS,
    search: Search = "exact",
    out: Path | None = None,
) -> list[Answer]:
    """Say who is on each photograph, the `top` likest with their similarities; as a CSV, too, where `out` is given.

    Below the threshold (calibrated, for strangers named no oftener than `far`, unless given) it is nobody. Raises
    FacesError for a gallery that another network made, and for a photograph that cannot be read.
    """
    if threshold is not None and not isfinite(threshold):
        raise FacesError(f"--threshold {threshold}: expected a similarity from -1 to 1")
    if missing := [path for path in pictures if not path.is_file()]:
        raise FacesError(f"{missing[0]}: no such picture ({len(missing)} of {len(pictures)} are missing)")
    embedder = open_embedder(run)
    gallery = read_gallery(file, embedder.fingerprint)
    if threshold is None:
        limit = choose_threshold(embedder, gallery, far)
        threshold = limit.value
        say(f"threshold {threshold:.4f} for {len(gallery.names)} people: {limit.basis}")
    images, whose, remarks = _faces(pictures, embedder, gallery.align)
    found = {}
    if len(images):
        probes = embedder.embed(images, gallery.flip, gallery.zooms)
        found = dict(zip(whose, name_probes(gallery, probes, threshold, top, search), strict=True))
    result = []
    for row, path in enumerate(pictures):
        name, candidates = found.get(row, (NOBODY, ()))
        result.append(Answer(path, name, candidates, remarks.get(row, "")))
        listed = ", ".join(f"{who} {score:.3f}" for who, score in candidates)
        say(f"{path}: {name}" + f" ({listed})" * bool(listed) + f"; {remarks.get(row)}" * (row in remarks))
    if out is not None:
        write_csv(
            out, [row for answer in result for row in _rows(answer)], ("picture", "name", "rank", "who", "similarity")
        )
    return result


def _faces(paths: Sequence[Path], embedder: Embedder, align: bool) -> tuple[np.ndarray, list[int], dict[int, str]]:
    """The faces (N, H, W, 3), which photograph each is of, and what there is to say of photographs."""
    if not align:
        return load_images(paths, embedder.size, "crop"), list(range(len(paths))), {}
    found = align_files(paths, embedder.size)
    remarks = {
        row: "no face found" if one.face is None else f"{one.faces} faces, the most central large one was asked after"
        for row, one in enumerate(found)
        if one.face is None or one.faces > 1
    }
    rows = [row for row, one in enumerate(found) if one.face is not None]
    return np.stack([found[row].image for row in rows]) if rows else np.empty(0), rows, remarks


def _rows(answer: Answer) -> list[dict[str, object]]:
    """A row a person among the likest, or one without where no face was found."""
    common = {"picture": str(answer.picture), "name": answer.name}
    ranked = enumerate(answer.candidates, 1)
    rows = [{**common, "rank": n, "who": who, "similarity": f"{score:.6f}"} for n, (who, score) in ranked]
    return rows or [{**common, "rank": "", "who": "", "similarity": ""}]
