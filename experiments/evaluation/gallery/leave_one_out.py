"""How well a gallery would name its own people: each image is identified by a gallery of all the others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, require_distinct
from experiments.evaluation.gallery.enroll import QualityGate, enroll_folder
from experiments.evaluation.gallery.identify import choose_threshold
from experiments.evaluation.gallery.snapshot import Gallery
from experiments.evaluation.verification import require_folder
from experiments.files import write_csv, write_json
from experiments.inference.embedder import normalize_embeddings
from experiments.inference.networks import open_embedder
from experiments.metrics.bootstrap import proportion_interval_by_person
from experiments.metrics.identification import (
    STRANGER,
    OpenSetScores,
    cmc_curve,
    match_ranks,
    open_set_scores,
    rank_k_rate,
)
from experiments.plots.verification import plot_cmc, plot_open_set
from experiments.progress import say


@dataclass(frozen=True, eq=False)
class LeaveOneOutResult:
    """What the gallery answers for each image of a person with at least two, N in all.

    probes (N,): their rows in the gallery; labels (N,): their people. similarity (N, P): to everybody's template, the
    own one without the image. ranks (N,): of the right person. scores: known probes are these; strangers the same
    images with their person out of the gallery.
    """

    probes: np.ndarray
    labels: np.ndarray
    similarity: np.ndarray
    ranks: np.ndarray
    scores: OpenSetScores


def leave_one_out(gallery: Gallery) -> LeaveOneOutResult:
    """Identify each image by a gallery without it, and by one without its person.

    Raises FacesError where there are not two people, or nobody has two images.
    """
    labels = np.unique(np.array(gallery.people), return_inverse=True)[1]
    counts = np.bincount(labels)
    sums = np.zeros((len(counts), gallery.embeddings.shape[1]))
    np.add.at(sums, labels, gallery.embeddings)
    probes = np.flatnonzero(counts[labels] > 1)
    if not len(probes) or len(counts) < 2:
        raise FacesError("leaving one out needs at least two people, and somebody with two images")
    vectors, own = gallery.embeddings[probes].astype(np.float64), labels[probes]
    similarity = vectors @ normalize_embeddings(sums).astype(np.float64).T
    without = normalize_embeddings(sums[own] - vectors).astype(np.float64)
    similarity[np.arange(len(probes)), own] = np.einsum("nd,nd->n", vectors, without)
    strangers = similarity.copy()
    strangers[np.arange(len(probes)), own] = -1.0
    truth = np.append(own, np.full(len(probes), STRANGER))
    scores = open_set_scores(np.concatenate([similarity, strangers]), truth)
    return LeaveOneOutResult(probes, own, similarity, match_ranks(similarity, own), scores)


def evaluate_gallery(
    run: Path,
    people: Path,
    out: Path | None,
    options: EmbedOptions,
    gate: QualityGate,
    far: float,
    allow_laxer: bool = False,
) -> dict[str, Any]:
    """Enroll a folder of people except for one image, identify that, and report how often the answer was right.

    Each image is left out once. Writes identification.json, answers.csv, cmc.png and open_set.png into `out`.
    """
    if out is not None:
        require_folder(out)
    embedder = open_embedder(run)
    gallery = enroll_folder(embedder, people, options, gate)
    require_distinct(gallery.embeddings, people)
    left = leave_one_out(gallery)
    threshold = choose_threshold(embedder, gallery, far, allow_laxer)
    named, strangers = left.scores.right >= threshold.value, left.scores.strangers >= threshold.value
    result: dict[str, Any] = {
        "people": len(gallery.names),
        "images": len(gallery.people),
        "probes": len(left.probes),
        "rank1": rank_k_rate(left.ranks, 1),
        "rank5": rank_k_rate(left.ranks, 5),
        "far": far,
        "threshold": threshold.value,
        "basis": threshold.basis,
        "dir": left.scores.dir(threshold.value),
        "strangers_named": left.scores.far(threshold.value),
        "intervals": {
            "dir": proportion_interval_by_person(named, left.labels),
            "strangers_named": proportion_interval_by_person(strangers, left.labels),
        },
        "open_set_accuracy": left.scores.accuracy(threshold.value),
        "dir_at_far": {f"{rate:g}": left.scores.dir_at(rate) for rate in (0.01, 0.1)},
    }
    say(f"{result['probes']} images of {result['people']} people, each identified by a gallery without it:")
    say(f"rank-1 {result['rank1']:.4f}, rank-5 {result['rank5']:.4f}")
    say(f"threshold {threshold.value:.4f}: {threshold.basis}")
    say(
        f"at this threshold {result['dir']:.4f} get their right name; with their person out of the gallery, "
        f"{result['strangers_named']:.4f} are given another person's name instead of none"
    )
    if out is not None:
        _write(out, gallery, left, result)
    return result


def _write(out: Path, gallery: Gallery, left: LeaveOneOutResult, result: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "identification.json", result)
    names = gallery.names
    rows = [
        {
            "person": gallery.people[row],
            "image": gallery.images[row],
            "most_similar": names[int(scores.argmax())],
            "similarity": f"{scores.max():.4f}",
            "rank": int(rank),
        }
        for row, scores, rank in zip(left.probes, left.similarity, left.ranks, strict=True)
    ]
    write_csv(out / "answers.csv", rows)
    title = f"{len(left.probes)} images of {len(names)} people, each left out once"
    written = ["identification.json", "answers.csv"]
    if plot_cmc(cmc_curve(left.ranks, min(20, len(names))), out / "cmc.png", title):
        written.append("cmc.png")
    rates = np.linspace(0, 1, 201)
    plot_open_set(rates, np.array([left.scores.dir_at(rate) for rate in rates]), out / "open_set.png", title)
    say(f"written to {out}: {', '.join([*written, 'open_set.png'])}")
