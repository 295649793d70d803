"""Where a network fails: damaged pictures, and groups of people."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.data.pairs import Pairs, read_pairs
from experiments.errors import FacesError
from experiments.evaluation.groups import group_rates, read_attributes
from experiments.evaluation.robustness import KINDS, robustness
from experiments.evaluation.scoring import View, score_pairs
from experiments.evaluation.thresholds import read_calibration
from experiments.inference.embedder import open_embedder
from experiments.metrics.roc import roc
from experiments.plots.verification import group_plot, robustness_plot
from experiments.progress import say
from experiments.run import write_csv


def run_stress(
    run: Path,
    file: Path,
    images: Path,
    out: Path | None,
    view: View,
    kinds: Sequence[str] | None = None,
    attributes: Path | None = None,
    most: int | None = None,
) -> list[dict[str, object]]:
    """Write robustness.csv and .png into `out`, or, with a table of attributes, groups.csv and .png.

    Groups are judged at the network's calibrated threshold of the EER point. most: so many pairs only, drawn by lot.
    """
    pairs = read_pairs(file, images)
    embedder = open_embedder(run)
    folder = run / "stress" if out is None else out
    if folder.exists() and not folder.is_dir():
        raise FacesError(f"{folder} is a file: give --out a folder, new or not")
    if most is not None:
        pairs = some_pairs(pairs, most)
    answers = pairs.answers
    if attributes is not None:
        table, point = read_attributes(attributes, pairs), read_calibration(run, embedder.fingerprint).at()
        scored = score_pairs(embedder, pairs, view)
        curve = roc(scored.scores, answers)
        rows = group_rates(scored, table, point.value)
        folder.mkdir(parents=True, exist_ok=True)
        write_csv(folder / "groups.csv", rows)
        group_plot(rows, curve.rates_at(point.value), folder / "groups.png")
        say(
            f"error rates of {len(rows)} groups at the threshold {point.value:.4f}: {folder / 'groups.csv'}, groups.png"
        )
        return rows
    rows = robustness(embedder, score_pairs(embedder, pairs, view), view, tuple(kinds or KINDS))
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "robustness.csv", rows)
    robustness_plot(rows, {name: kind.label for name, kind in KINDS.items()}, folder / "robustness.png")
    for row in rows:
        say(f"{row['damage']} {row['severity'] or 'none'}: EER {row['eer']:.4f}")
    say(f"written to {folder}: robustness.csv, robustness.png")
    return rows


def some_pairs(pairs: Pairs, most: int, seed: int = 0) -> Pairs:
    """`most` of the pairs, drawn by lot, and only the pictures that are in them; folds are dropped."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pairs))[:most])
    used, places = np.unique(np.concatenate([pairs.first[chosen], pairs.second[chosen]]), return_inverse=True)
    return replace(
        pairs,
        paths=tuple(pairs.paths[n] for n in used),
        first=places[: len(chosen)],
        second=places[len(chosen) :],
        matches=None if pairs.matches is None else pairs.matches[chosen],
        folds=None,
        names=None if pairs.names is None else tuple(pairs.names[n] for n in used),
    )
