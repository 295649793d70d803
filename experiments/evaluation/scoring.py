"""Pairs of images scored by a network, and every metric that follows from the scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.folders import existing_folder, files_under, is_image
from experiments.data.pairs import Pairs
from experiments.data.preparation import AS_THEY_ARE, Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, read_faces, require_distinct
from experiments.inference.embedder import Embedder, Whitening
from experiments.metrics.bootstrap import bootstrap_intervals, infer_identities
from experiments.metrics.roc import FARS, RocCurve, fold_accuracy, roc_curve, tar_at_far

MAX_COHORT_IMAGES = 2000
"""Images of a cohort that are used; of more, so many are drawn at random."""


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Pairs with their similarities (N,), float64, and the images (P, H, W, 3) that the network was shown.

    cohort: how many images of other people the embeddings were whitened with. preparation: of the images.
    """

    pairs: Pairs
    scores: np.ndarray
    images: np.ndarray
    remarks: list[str] = field(default_factory=list)
    cohort: int = 0
    preparation: Preparation = AS_THEY_ARE


def score_pairs(embedder: Embedder, pairs: Pairs, options: EmbedOptions, cohort: Path | None = None) -> ScoredPairs:
    """Compute the cosine similarity of each pair; remarks hold what is unusual about the images.

    cohort: a folder of images of other people, to whiten embeddings with (see
    `Whitening`). Raises FacesError for images that are prepared otherwise than the network's, or that are all the same.
    """
    images, remarks, preparation = read_faces(embedder, pairs.paths, options)
    if pairs.with_itself:
        remarks.append(f"{pairs.with_itself} of {len(pairs)} pairs compare an image with itself")
    embeddings, count = embedder.embed(images, options.flip, options.zooms), 0
    require_distinct(embeddings, pairs.file)
    if cohort is not None:
        whitening, count, more = _fit_whitening(embedder, cohort, options)
        embeddings, remarks = whitening(embeddings), remarks + more
    embeddings = embeddings.astype(np.float64)
    scores = np.einsum("nd,nd->n", embeddings[pairs.first], embeddings[pairs.second])
    return ScoredPairs(pairs, scores, images, remarks, count, preparation)


def _fit_whitening(embedder: Embedder, cohort: Path, options: EmbedOptions) -> tuple[Whitening, int, list[str]]:
    """Whitening of a cohort's embeddings, how many there are, and remarks on their images."""
    paths = [path for path in files_under(existing_folder(cohort)) if is_image(path)]
    chosen = np.sort(np.random.default_rng(0).permutation(len(paths))[:MAX_COHORT_IMAGES])
    if not len(chosen):
        raise FacesError(f"{cohort}: no images in it or its folders; expected images of other people")
    images, remarks, _ = read_faces(embedder, [paths[n] for n in chosen], options)
    embeddings = embedder.embed(images, options.flip, options.zooms)
    return Whitening.fit(embeddings), len(chosen), [f"cohort: {remark}" for remark in remarks]


def verification_metrics(scored: ScoredPairs, fars: Sequence[float] = FARS, rounds: int = 1000) -> dict[str, Any]:
    """Compute every metric of scored pairs with answers, with 95 % intervals from `rounds` resamples of the people.

    Where there are too few people for intervals, a remark in "not_supported" says so.
    """
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
        try:
            result["intervals"] = bootstrap_intervals(scores, pairs.answers, people, statistics, rounds)
        except FacesError as error:  # too few people
            unsupported.append(f"no intervals: {error}")
    return result


def pair_identities(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Number the people in each pair: by name where names are known, else images joined by genuine pairs are one."""
    if pairs.names is None:
        return infer_identities(pairs.first, pairs.second, pairs.answers)
    numbers = np.unique(pairs.names, return_inverse=True)[1]
    return numbers[pairs.first], numbers[pairs.second]
