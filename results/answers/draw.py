"""Draw answers.png of a run: typical pairs, a person identified and a stranger, with error rates measured on others.

`python results/answers/draw.py RUNS OUT`, after `results/answers/measure` has made RUNS.
"""

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.data.folders import find_identities
from experiments.data.images import load_images
from experiments.files import write_json
from experiments.inference.embedder import normalize_embeddings
from experiments.inference.networks import open_embedder
from experiments.metrics.roc import roc_curve
from experiments.plots.style import GRAY, GREEN, RED, write_plot

FAR = 0.01
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn")
SHOWN = (96, 96)


def main(runs: Path, out: Path) -> None:
    """Measure, choose typical examples, and draw."""
    embedder = open_embedder(runs / "net")
    others = find_identities(runs / "others" / "train")
    vectors = embedder.embed_files(others.paths)
    first, second = np.array(list(combinations(range(len(vectors)), 2))).T
    same = others.labels[first] == others.labels[second]
    scores = np.einsum("nd,nd->n", vectors[first], vectors[second])
    threshold = float(np.quantile(scores[~same], 1 - FAR))
    accepted = float((scores[same] >= threshold).mean())
    curve = roc_curve(scores, same)

    team = find_identities(runs / "team" / "train")
    gallery = embedder.embed_files(team.paths)
    templates = normalize_embeddings(np.stack([gallery[team.labels == n].sum(0) for n in range(len(NAMES))]))
    probes = sorted((runs / "team" / "test").glob("*.jpg"))
    strangers = sorted((runs / "others" / "test").glob("*.jpg"))
    searches = (vectors @ templates.T).max(1)  # nobody of the others is in the gallery
    limit = float(np.quantile(searches, 1 - FAR))
    known = embedder.embed_files(probes) @ templates.T
    unknown = embedder.embed_files(strangers) @ templates.T

    drawing = Figure(figsize=(9.6, 3.9))
    FigureCanvasAgg(drawing)
    drawing.text(0.02, 0.93, "Same person?", fontsize=15, weight="bold")
    drawing.text(0.47, 0.93, "Who is it?", fontsize=15, weight="bold")
    for row, kind in enumerate((same, ~same)):
        pair = _typical(scores, kind)
        images = load_images([others.paths[first[pair]], others.paths[second[pair]]], SHOWN, "crop")
        score, yes = scores[pair], scores[pair] >= threshold
        top = 0.515 - 0.425 * row
        color = GREEN if yes == same[pair] else RED
        for column, image in enumerate(images):
            _face(drawing.add_axes((0.02 + 0.145 * column, top, 0.14, 0.345)), image, color)
        drawing.text(0.315, top + 0.2, "yes" if yes else "no", fontsize=20, color=color, weight="bold")
        drawing.text(0.315, top + 0.1, f"similarity {score:.2f}\nthreshold {threshold:.2f}", fontsize=9.5, color=GRAY)
    for row, (paths, table) in enumerate(((probes, known), (strangers, unknown))):
        _search(drawing, 0.515 - 0.425 * row, paths, table, limit, team.paths, team.labels)
    drawing.text(
        0.02, 0.015,
        f"At this threshold {FAR:.0%} of {int((~same).sum()):,} pairs of strangers are accepted, and {accepted:.0%} of "
        f"{int(same.sum()):,} pairs of one person. A stranger is named in {FAR:.0%} of {len(searches)} searches.",
        fontsize=9, color=GRAY,
    )  # fmt: skip
    write_plot(drawing, out / "answers.png", dpi=130)
    named = (known.max(1) >= limit).mean()
    write_json(
        out / "answers.json",
        {
            "far": FAR, "threshold": threshold, "tar": accepted, "eer": curve.eer(), "pairs": len(scores),
            "search_threshold": limit, "known_named": float(named), "searches_by_strangers": len(searches),
        },
    )  # fmt: skip


def _typical(scores: np.ndarray, kind: np.ndarray) -> int:
    """The pair of this kind whose score is the median."""
    rows = np.flatnonzero(kind)
    return int(rows[np.argsort(scores[rows])[len(rows) // 2]])


def _search(
    drawing: Figure, top: float, paths: list[Path], table: np.ndarray, limit: float, people: tuple[Path, ...],
    labels: np.ndarray,
) -> None:  # fmt: skip
    """Draw the search with the median best score: the photo, its answer, and the most similar people."""
    best = table.max(1)
    chosen = int(np.argsort(best)[len(best) // 2])
    order = np.argsort(-table[chosen])[:3]
    found = best[chosen] >= limit
    photo = load_images([paths[chosen]], SHOWN, "crop")[0]
    _face(drawing.add_axes((0.47, top, 0.14, 0.345)), photo, GREEN)
    drawing.text(0.625, top + 0.2, NAMES[order[0]] if found else "nobody", fontsize=20, color=GREEN, weight="bold")
    drawing.text(0.625, top + 0.1, f"threshold {limit:.2f}", fontsize=9.5, color=GRAY)
    for place, person in enumerate(order):
        left = 0.775 + 0.075 * place
        image = load_images([people[int(np.flatnonzero(labels == person)[0])]], SHOWN, "crop")[0]
        _face(drawing.add_axes((left, top + 0.135, 0.07, 0.175)), image, GREEN if found and not place else GRAY)
        drawing.text(left + 0.035, top + 0.03, f"{NAMES[person]}\n{table[chosen, person]:.2f}", fontsize=9, ha="center")


def _face(axis: Axes, image: np.ndarray, color: str) -> None:
    axis.imshow(image, interpolation="bilinear")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(edgecolor=color, linewidth=2.5)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
