"""Pairs of pictures scored by a network, and every figure that follows from the scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.align.in_memory import align_files
from experiments.data.folders import existing_folder, files_under, is_image
from experiments.data.images import load_images
from experiments.data.pairs import Pairs
from experiments.errors import FacesError
from experiments.inference.embedder import Embedder, Whitening
from experiments.metrics.bootstrap import bootstrap_intervals, infer_identities
from experiments.metrics.roc import FARS, RocCurve, fold_accuracy, roc_curve, tar_at_far

MAX_COHORT_IMAGES = 2000
"""How many pictures of a cohort are looked at."""


@dataclass(frozen=True)
class EmbedOptions:
    """How pictures are looked at.

    align: find, turn and cut out the faces first. flip: add the mirror image's embedding. zooms: add those of the
    picture's middle, enlarged by each factor.
    """

    align: bool = False
    flip: bool = True
    zooms: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.zooms or not all(1 <= zoom <= 2 for zoom in self.zooms):
            raise FacesError(f"zooms are {list(self.zooms)}, expected factors from 1 to 2, such as 1 1.1")


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Pairs with their similarities (N,), float64, and the pictures (P, H, W, 3) that the network was shown.

    cohort: how many pictures of other people the embeddings were whitened by.
    """

    pairs: Pairs
    scores: np.ndarray
    images: np.ndarray
    remarks: list[str] = field(default_factory=list)
    cohort: int = 0


def score_pairs(embedder: Embedder, pairs: Pairs, view: EmbedOptions, cohort: Path | None = None) -> ScoredPairs:
    """The similarity of each pair, a cosine; what was odd about the pictures goes into the remarks.

    cohort: a folder of pictures of other people, by which embeddings are whitened (see `whitening`); of more than
    COHORT, so many are drawn by lot.
    """
    images, remarks = _pictures(embedder, pairs.paths, view)
    if pairs.with_itself:
        remarks.append(f"{pairs.with_itself} of {len(pairs)} pairs compare a picture with itself")
    embeddings, count = embedder.embed(images, view.flip, view.zooms), 0
    if cohort is not None:
        paths = [path for path in files_under(existing_folder(cohort)) if is_image(path)]
        chosen = np.sort(np.random.default_rng(0).permutation(len(paths))[:MAX_COHORT_IMAGES])
        if not (count := len(chosen)):
            raise FacesError(f"{cohort}: no pictures in it or its folders; expected those of other people")
        others, odd = _pictures(embedder, [paths[n] for n in chosen], view)
        remarks += [f"cohort: {remark}" for remark in odd]
        embeddings = Whitening.of(embedder.embed(others, view.flip, view.zooms))(embeddings)
    embeddings = embeddings.astype(np.float64)
    scores = np.einsum("nd,nd->n", embeddings[pairs.first], embeddings[pairs.second])
    return ScoredPairs(pairs, scores, images, remarks, count)


def _pictures(embedder: Embedder, paths: Sequence[Path], view: EmbedOptions) -> tuple[np.ndarray, list[str]]:
    """What the network is shown of picture files, (N, H, W, 3), and what was odd about them."""
    remarks = []
    if view.align:
        found = align_files(paths, embedder.size)
        images = np.stack([one.image for one in found])
        for what, count in (
            ("no face found, so their middle was taken", sum(one.face is None for one in found)),
            ("several faces, of which the most central large one was taken", sum(one.faces > 1 for one in found)),
        ):
            if count:
                remarks.append(f"{count} of {len(found)} pictures: {what}")
    else:
        images = load_images(paths, embedder.size, "crop")
    return images, remarks


def verification_metrics(scored: ScoredPairs, fars: Sequence[float] = FARS, rounds: int = 1000) -> dict[str, Any]:
    """Every figure of scored pairs with answers, with 95 % intervals by drawing people again `rounds` times."""
    pairs, scores = scored.pairs, scored.scores
    curve = roc_curve(scores, pairs.answers)
    tars, unsupported = tar_at_far(curve, fars)
    result: dict[str, Any] = {
        "eer": curve.eer(),
        "auc": curve.auc(),
        "tar_at_far": tars,
        "threshold": curve.eer_threshold(),
        "genuine": int(pairs.answers.sum()),
        "impostor": int((~pairs.answers).sum()),
        "not_supported": unsupported,
    }
    if pairs.folds is not None:
        folds = fold_accuracy(scores, pairs.answers, pairs.folds)
        result |= {"lfw_accuracy": folds.mean, "lfw_std": folds.std, "fold_accuracies": folds.accuracies.tolist()}
    if rounds:
        statistics = {"eer": RocCurve.eer, "auc": RocCurve.auc}
        statistics |= {f"tar_at_far {far}": partial(RocCurve.tar_at, far=float(far)) for far in tars}
        people = pair_identities(pairs)
        result["people"] = int(np.unique(np.concatenate(people)).size)
        result["intervals"] = bootstrap_intervals(scores, pairs.answers, people, statistics, rounds)
    return result


def pair_identities(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Who is in each pair: by name where names are known, else pictures joined by genuine pairs."""
    if pairs.names is None:
        return infer_identities(pairs.first, pairs.second, pairs.answers)
    numbers = np.unique(pairs.names, return_inverse=True)[1]
    return numbers[pairs.first], numbers[pairs.second]
