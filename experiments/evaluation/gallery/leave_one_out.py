"""How well a gallery would name its own people: each picture in turn is asked after, and never helps to answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import FacesError
from experiments.evaluation.gallery.enroll import QualityGate, enroll_folder
from experiments.evaluation.gallery.identify import choose_threshold
from experiments.evaluation.gallery.store import Gallery
from experiments.evaluation.scoring import EmbedOptions
from experiments.files import write_csv, write_json
from experiments.inference.embedder import normalize_embeddings, open_embedder
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
    """places (N,): of the right person when the picture is left out of its person's template. open_set: known probes
    are those, strangers the same pictures with their person out of the gallery. best (N,): the likest of all, then."""

    places: np.ndarray
    open_set_scores: OpenSetScores
    similarity: np.ndarray


def leave_one_out(gallery: Gallery) -> LeaveOneOutResult:
    """Ask after every picture of people with two at least, of a gallery without it; and of one without its person."""
    numbers = np.unique(np.array(gallery.people), return_inverse=True)[1]
    counts = np.bincount(numbers)
    sums = np.zeros((len(counts), gallery.embeddings.shape[1]))
    np.add.at(sums, numbers, gallery.embeddings)
    asked = np.flatnonzero(counts[numbers] > 1)
    if not len(asked) or len(counts) < 2:
        raise FacesError("leaving one out needs two people at least, and somebody with two pictures")
    probes, own = gallery.embeddings[asked].astype(np.float64), numbers[asked]
    similarity = probes @ normalize_embeddings(sums).astype(np.float64).T
    without = normalize_embeddings(sums[own] - probes).astype(np.float64)
    similarity[np.arange(len(asked)), own] = np.einsum("nd,nd->n", probes, without)
    strangers = similarity.copy()
    strangers[np.arange(len(asked)), own] = -1.0
    truth = np.append(own, np.full(len(asked), STRANGER))
    judged = open_set_scores(np.concatenate([similarity, strangers]), truth)
    return LeaveOneOutResult(match_ranks(similarity, own), judged, similarity)


def evaluate_gallery(
    run: Path, people: Path, out: Path | None, view: EmbedOptions, gate: QualityGate, far: float
) -> dict[str, Any]:
    """Enroll a folder of people but for one picture each, ask after that, and say how often the answer was right.

    Every picture takes its turn. Writes identification.json, answers.csv, cmc.png and open_set.png into `out`.
    """
    embedder = open_embedder(run)
    gallery = enroll_folder(embedder, people, view, gate)
    left = leave_one_out(gallery)
    limit = choose_threshold(embedder, gallery, far)
    judged = left.open_set_scores
    numbers = np.unique(np.array(gallery.people), return_inverse=True)[1]
    whose = numbers[np.bincount(numbers)[numbers] > 1]
    named, strangers = judged.right >= limit.value, judged.strangers >= limit.value
    result: dict[str, Any] = {
        "people": len(gallery.names),
        "pictures": len(gallery.people),
        "asked": len(left.places),
        "rank1": rank_k_rate(left.places, 1),
        "rank5": rank_k_rate(left.places, 5),
        "far": far,
        "threshold": limit.value,
        "basis": limit.basis,
        "dir": judged.dir(limit.value),
        "strangers_named": judged.far(limit.value),
        "intervals": {
            "dir": proportion_interval_by_person(named, whose),
            "strangers_named": proportion_interval_by_person(strangers, whose),
        },
        "open_set_accuracy": judged.accuracy(limit.value),
        "dir_at_far": {f"{share:g}": judged.dir_at(share) for share in (0.01, 0.1)},
    }
    say(f"{result['asked']} pictures of {result['people']} people, each asked after with itself left out:")
    say(f"rank-1 {result['rank1']:.4f}, rank-5 {result['rank5']:.4f}")
    say(f"threshold {limit.value:.4f}: {limit.basis}")
    say(
        f"there {result['dir']:.4f} are named rightly; with their person out of the gallery, "
        f"{result['strangers_named']:.4f} are named wrongly instead of nobody"
    )
    if out is not None:
        _write(out, gallery, left, result)
    return result


def _write(out: Path, gallery: Gallery, left: LeaveOneOutResult, result: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "identification.json", result)
    names = gallery.names
    numbers = np.unique(np.array(gallery.people), return_inverse=True)[1]
    asked = np.flatnonzero(np.bincount(numbers)[numbers] > 1)
    rows = [
        {
            "person": gallery.people[row],
            "picture": gallery.pictures[row],
            "likest": names[int(scores.argmax())],
            "similarity": f"{scores.max():.4f}",
            "place": int(place),
        }
        for row, scores, place in zip(asked, left.similarity, left.places, strict=True)
    ]
    write_csv(out / "answers.csv", rows)
    title = f"{len(left.places)} pictures of {len(names)} people, each left out in turn"
    ranks = plot_cmc(cmc_curve(left.places, min(20, len(names))), out / "cmc.png", title)
    shares = np.linspace(0, 1, 201)
    plot_open_set(
        shares, np.array([left.open_set_scores.dir_at(share) for share in shares]), out / "open_set.png", title
    )
    say(f"written to {out}: identification.json, answers.csv, {'cmc.png, ' if ranks else ''}open_set.png")
