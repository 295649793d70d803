"""What a network bears: the EER where one picture of each pair is damaged, kind by kind, more and more.

Where a network fails: damaged pictures, and groups of people.

Is a network fair? Error rates of each group of people, with intervals, where a table says who belongs to which.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from experiments.data.pairs import Pairs, read_pairs
from experiments.errors import FacesError
from experiments.evaluation.scoring import EmbedOptions, ScoredPairs, pair_identities, score_pairs
from experiments.evaluation.thresholds import read_thresholds
from experiments.files import write_csv
from experiments.inference.embedder import Embedder, open_embedder
from experiments.metrics.bootstrap import bootstrap_intervals
from experiments.metrics.roc import RocCurve, roc_curve
from experiments.plots.verification import plot_groups, plot_robustness
from experiments.progress import say

Picture = np.ndarray
Damage = Callable[[Picture, float, np.random.Generator], Picture]


def blur(image: Picture, sigma: float, generator: np.random.Generator) -> Picture:
    """Gaussian blur; sigma in pixels."""
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noise(image: Picture, spread: float, generator: np.random.Generator) -> Picture:
    """Gaussian noise; its standard deviation in grey levels of 255."""
    return (image + spread * generator.standard_normal(image.shape)).clip(0, 255).astype(np.uint8)


def jpeg(image: Picture, quality: float, generator: np.random.Generator) -> Picture:
    """JPEG at a quality of 1 to 100."""
    stored = BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=int(quality))
    return np.array(Image.open(stored).convert("RGB"))


def occlusion(image: Picture, share: float, generator: np.random.Generator) -> Picture:
    """A grey square on a place drawn by lot; its side as a share of the picture's."""
    side = round(share * min(image.shape[:2]))
    top, left = (int(generator.integers(0, length - side + 1)) for length in image.shape[:2])
    covered = image.copy()
    covered[top : top + side, left : left + side] = 128
    return covered


def darkness(image: Picture, factor: float, generator: np.random.Generator) -> Picture:
    """So much of the light, with the noise of a sensor that counts 1,000 photons at white in full light."""
    photons = generator.poisson(image / 255 * 1000 * factor)
    return (photons / 1000 * 255).clip(0, 255).astype(np.uint8)


def resolution(image: Picture, side: float, generator: np.random.Generator) -> Picture:
    """Shrunk to so many pixels a side, and enlarged again."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((int(side), int(side)), Image.Resampling.BOX)
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def rotation(image: Picture, degrees: float, generator: np.random.Generator) -> Picture:
    """Turned about its middle, to one side or the other by lot."""
    angle = degrees if generator.random() < 0.5 else -degrees
    return np.array(Image.fromarray(image).rotate(angle, Image.Resampling.BICUBIC, fillcolor=(0, 0, 0)))


@dataclass(frozen=True)
class DamageKind:
    """A kind of damage. steps: its severities, from none (None) to much; label: what they count."""

    damage: Damage
    steps: tuple[float | None, ...]
    label: str


KINDS = {
    "blur": DamageKind(blur, (None, 1, 2, 3, 4), "sigma, pixels"),
    "noise": DamageKind(noise, (None, 10, 25, 50, 80), "standard deviation, of 255"),
    "jpeg": DamageKind(jpeg, (None, 30, 15, 8, 4), "quality"),
    "occlusion": DamageKind(occlusion, (None, 0.2, 0.3, 0.4, 0.5), "share of the side covered"),
    "darkness": DamageKind(darkness, (None, 0.3, 0.1, 0.05, 0.02), "light left"),
    "resolution": DamageKind(resolution, (None, 48, 32, 24, 16), "pixels a side"),
    "rotation": DamageKind(rotation, (None, 10, 20, 30, 45), "degrees"),
}


def robustness(
    embedder: Embedder, scored: ScoredPairs, view: EmbedOptions, kinds: Sequence[str] = tuple(KINDS), seed: int = 0
) -> list[dict[str, object]]:
    """A row a kind and severity: the EER where every pair's second picture is damaged, and the first is whole.

    Raises FacesError for a kind that there is not, and for pairs without answers.
    """
    pairs = scored.pairs
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise FacesError(f"damage {unknown[0]!r}: expected one of {', '.join(KINDS)}")
    whole = embedder.embed(scored.images, view.flip, view.zooms).astype(np.float64)
    rows: list[dict[str, object]] = []
    for kind in kinds:
        for step in KINDS[kind].steps:
            second = whole
            if step is not None:
                generator = np.random.default_rng(seed)
                damaged = [KINDS[kind].damage(image, step, generator) for image in scored.images]
                second = embedder.embed(np.stack(damaged), view.flip, view.zooms).astype(np.float64)
            scores = np.einsum("nd,nd->n", whole[pairs.first], second[pairs.second])
            curve = roc_curve(scores, pairs.answers)
            rows.append({"damage": kind, "severity": step, "eer": curve.eer(), "auc": curve.auc()})
    return rows


FEWEST = 5
"""People below which a group's interval is not given."""


def read_attributes(path: Path, pairs: Pairs) -> dict[str, list[str]]:
    """A table of attributes: for each column but the first, the value of each of the pairs' pictures, "" where none is.

    The first column names a picture (its path as in the pairs' file, or its file name) or a person (the name of the
    folder the picture lies in). Raises FacesError where the table cannot be read or none of its rows fits a picture.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            titles, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FacesError(f"{path}: cannot be read as a table ({error}): give a CSV in UTF-8") from error
    if len(titles) < 2 or any(len(row) != len(titles) for row in rows):
        raise FacesError(f"{path}: expected a column of pictures or people, and one an attribute, alike on all rows")
    table = {row[0]: row[1:] for row in rows}
    found = [_row_for(picture, table) for picture in pairs.paths]
    if not any(found):
        raise FacesError(f"{path}: no row names a picture or person of {pairs.file}: its first column holds {rows[:1]}")
    return {title: [row[n] if row else "" for row in found] for n, title in enumerate(titles[1:])}


def _row_for(picture: Path, table: Mapping[str, list[str]]) -> list[str] | None:
    tails = ["/".join(picture.parts[-n:]) for n in range(1, len(picture.parts) + 1)]
    return next((table[key] for key in (*reversed(tails), picture.stem, picture.parent.name) if key in table), None)


def group_error_rates(
    scored: ScoredPairs, attributes: Mapping[str, Sequence[str]], threshold: float, rounds: int = 500
) -> list[dict[str, object]]:
    """A row a group: FAR and FRR at the threshold, and the EER, over pairs of which both pictures are of the group.

    With 95 % intervals by drawing the group's people again. What pairs or people are too few for is None.
    """
    pairs = scored.pairs
    rows: list[dict[str, object]] = []
    for attribute, values in attributes.items():
        of = np.array(values)
        for group in sorted(set(values) - {""}):
            inside = (of[pairs.first] == group) & (of[pairs.second] == group)
            rows.append({"attribute": attribute, "group": group, **_rates(scored, inside, threshold, rounds)})
    return rows


def _rates(scored: ScoredPairs, inside: np.ndarray, threshold: float, rounds: int) -> dict[str, object]:
    pairs, scores = scored.pairs, scored.scores[inside]
    matches = pairs.answers[inside]
    first, second = (side[inside] for side in pair_identities(pairs))
    known = np.unique(np.concatenate([first, second]), return_inverse=True)
    first, second = known[1][: len(first)], known[1][len(first) :]
    found: dict[str, object] = {"people": len(known[0]), "genuine": int(matches.sum())}
    found["impostor"] = len(matches) - int(matches.sum())
    statistics = {
        "far": lambda curve: RocCurve.rates_at(curve, threshold)[0],
        "frr": lambda curve: RocCurve.rates_at(curve, threshold)[1],
        "eer": RocCurve.eer,
    }
    both = bool(matches.any() and not matches.all())
    sure = {}
    if both and len(known[0]) >= FEWEST:
        try:
            sure = bootstrap_intervals(scores, matches, (first, second), statistics, rounds)
        except FacesError:
            sure = {}
    for name, statistic in statistics.items():
        low, high = sure.get(name, (None, None))
        value = statistic(roc_curve(scores, matches)) if both else None
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found


def run_robustness(
    run: Path,
    file: Path,
    images: Path,
    out: Path | None,
    view: EmbedOptions,
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
        pairs = sample_pairs(pairs, most)
    name_probes = pairs.answers
    if attributes is not None:
        table, point = read_attributes(attributes, pairs), read_thresholds(run, embedder.fingerprint).at()
        scored = score_pairs(embedder, pairs, view)
        curve = roc_curve(scored.scores, name_probes)
        rows = group_error_rates(scored, table, point.value)
        folder.mkdir(parents=True, exist_ok=True)
        write_csv(folder / "groups.csv", rows)
        plot_groups(rows, curve.rates_at(point.value), folder / "groups.png")
        say(
            f"error rates of {len(rows)} groups at the threshold {point.value:.4f}: {folder / 'groups.csv'}, groups.png"
        )
        return rows
    rows = robustness(embedder, score_pairs(embedder, pairs, view), view, tuple(kinds or KINDS))
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "robustness.csv", rows)
    plot_robustness(rows, {name: kind.label for name, kind in KINDS.items()}, folder / "robustness.png")
    for row in rows:
        say(f"{row['damage']} {row['severity'] or 'none'}: EER {row['eer']:.4f}")
    say(f"written to {folder}: robustness.csv, robustness.png")
    return rows


def sample_pairs(pairs: Pairs, most: int, seed: int = 0) -> Pairs:
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
