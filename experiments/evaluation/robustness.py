"""Robustness: the EER where an image of each pair is damaged, by kind and severity. Fairness: error rates by group.

For fairness a table says who belongs to which group; every rate comes with an interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from experiments.data.pairs import Pairs, read_pairs
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, require_same_preparation
from experiments.evaluation.thresholds import THRESHOLDS, read_thresholds
from experiments.evaluation.verification import ScoredPairs, pair_identities, require_folder, score_pairs
from experiments.files import read_user_csv, write_csv
from experiments.inference.embedder import Embedder
from experiments.inference.networks import open_embedder
from experiments.metrics.bootstrap import bootstrap_intervals
from experiments.metrics.roc import RocCurve, roc_curve
from experiments.plots.verification import plot_groups, plot_robustness
from experiments.progress import say

GRAY = 128
MIN_PEOPLE_FOR_INTERVAL = 5

Damage = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Takes an image (H, W, 3) uint8 and a severity, and returns an image of the same shape."""


def blur(image: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """Gaussian blur; sigma in pixels."""
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noise(image: np.ndarray, spread: float, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise; its standard deviation in gray levels of 255."""
    return (image + spread * generator.standard_normal(image.shape)).clip(0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: float, generator: np.random.Generator) -> np.ndarray:
    """JPEG at a quality of 1 to 100."""
    stored = BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=int(quality))
    return np.array(Image.open(stored).convert("RGB"))


def occlusion(image: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """A gray square at a random place; its side as a fraction of the image's."""
    side = round(fraction * min(image.shape[:2]))
    top, left = (int(generator.integers(0, length - side + 1)) for length in image.shape[:2])
    covered = image.copy()
    covered[top : top + side, left : left + side] = GRAY
    return covered


def darkness(image: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    """A fraction of the light, with the noise of a sensor that counts 1,000 photons at white in full light."""
    photons = generator.poisson(image / 255 * 1000 * factor)
    return (photons / 1000 * 255).clip(0, 255).astype(np.uint8)


def resolution(image: np.ndarray, side: float, generator: np.random.Generator) -> np.ndarray:
    """Shrunk to so many pixels a side, and enlarged again."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((int(side), int(side)), Image.Resampling.BOX)
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def rotation(image: np.ndarray, degrees: float, generator: np.random.Generator) -> np.ndarray:
    """Rotated about the center, in a random direction."""
    angle = degrees if generator.random() < 0.5 else -degrees
    return np.array(Image.fromarray(image).rotate(angle, Image.Resampling.BICUBIC, fillcolor=(0, 0, 0)))


@dataclass(frozen=True)
class DamageKind:
    """A kind of damage. steps: its severities, from none (None) to severe; label: the unit of the steps."""

    damage: Damage
    steps: tuple[float | None, ...]
    label: str


KINDS = {
    "blur": DamageKind(blur, (None, 1, 2, 3, 4), "sigma, pixels"),
    "noise": DamageKind(noise, (None, 10, 25, 50, 80), "standard deviation, of 255"),
    "jpeg": DamageKind(jpeg, (None, 30, 15, 8, 4), "quality"),
    "occlusion": DamageKind(occlusion, (None, 0.2, 0.3, 0.4, 0.5), "fraction of the side covered"),
    "darkness": DamageKind(darkness, (None, 0.3, 0.1, 0.05, 0.02), "fraction of the light"),
    "resolution": DamageKind(resolution, (None, 48, 32, 24, 16), "pixels a side"),
    "rotation": DamageKind(rotation, (None, 10, 20, 30, 45), "degrees"),
}


def run_robustness(
    run: Path,
    file: Path,
    images: Path,
    out: Path | None,
    options: EmbedOptions,
    kinds: Sequence[str] | None = None,
    attributes: Path | None = None,
    most: int | None = None,
) -> list[dict[str, object]]:
    """Write robustness.csv and .png into `out`, or, with a table of attributes, groups.csv and .png.

    Groups are judged at the network's calibrated threshold of the EER point. most: use only so many random pairs.
    """
    pairs = read_pairs(file, images)
    embedder = open_embedder(run)
    folder = run / "stress" if out is None else out
    require_folder(folder)
    if most is not None:
        pairs = sample_pairs(pairs, most)
    if attributes is not None:
        return _judge_groups(embedder, pairs, attributes, folder, options)
    rows = measure_robustness(embedder, score_pairs(embedder, pairs, options), options, tuple(kinds or KINDS))
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "robustness.csv", rows)
    plot_robustness(rows, {name: kind.label for name, kind in KINDS.items()}, folder / "robustness.png")
    for row in rows:
        say(f"{row['damage']} {row['severity'] or 'none'}: EER {row['eer']:.4f}")
    say(f"written to {folder}: robustness.csv, robustness.png")
    return rows


def _judge_groups(
    embedder: Embedder, pairs: Pairs, attributes: Path, folder: Path, options: EmbedOptions
) -> list[dict[str, object]]:
    """Write the error rates of each group at the calibrated threshold."""
    assert embedder.folder is not None
    answers, table = pairs.answers, read_attributes(attributes, pairs)
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    scored = score_pairs(embedder, pairs, options)
    owner = str(embedder.folder / THRESHOLDS)
    require_same_preparation(scored.preparation, calibration.preparation, owner, options.align)
    threshold = calibration.for_far().value
    rows = group_error_rates(scored, table, threshold)
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "groups.csv", rows)
    plot_groups(rows, roc_curve(scored.scores, answers).rates_at(threshold), folder / "groups.png")
    say(f"error rates of {len(rows)} groups at the threshold {threshold:.4f}: {folder / 'groups.csv'}, groups.png")
    return rows


def sample_pairs(pairs: Pairs, most: int, seed: int = 0) -> Pairs:
    """Draw `most` of the pairs at random, with only the images that are in them; folds are dropped."""
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


def measure_robustness(
    embedder: Embedder, scored: ScoredPairs, options: EmbedOptions, kinds: Sequence[str] = tuple(KINDS), seed: int = 0
) -> list[dict[str, object]]:
    """Return a row per kind and severity: the EER where each pair's second image is damaged and the first is not.

    Raises FacesError for an unknown kind, and for pairs without answers.
    """
    pairs = scored.pairs
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise FacesError(f"damage {unknown[0]!r}: expected one of {', '.join(KINDS)}")
    whole = embedder.embed(scored.images, options.flip, options.zooms).astype(np.float64)
    rows: list[dict[str, object]] = []
    for kind in kinds:
        for step in KINDS[kind].steps:
            second = whole
            if step is not None:
                generator = np.random.default_rng(seed)
                damaged = [KINDS[kind].damage(image, step, generator) for image in scored.images]
                second = embedder.embed(np.stack(damaged), options.flip, options.zooms).astype(np.float64)
            scores = np.einsum("nd,nd->n", whole[pairs.first], second[pairs.second])
            curve = roc_curve(scores, pairs.answers)
            rows.append({"damage": kind, "severity": step, "eer": curve.eer(), "auc": curve.auc()})
    return rows


def read_attributes(path: Path, pairs: Pairs) -> dict[str, list[str]]:
    """Read a table of attributes: for each column but the first, the value of each of the pairs' images, "" if none.

    The first column names an image (its path as in the pairs' file, or its file name) or a person (the name of the
    image's folder). Raises FacesError where the table cannot be read, names something twice, or fits no image.
    """
    frame = read_user_csv(path)
    if frame.shape[1] < 2:
        raise FacesError(f"{path}: expected a column of images or people, and one for each attribute")
    keys = frame.iloc[:, 0]
    if keys.duplicated().any():
        raise FacesError(f"{path}: {keys[keys.duplicated()].iloc[0]!r} is in it twice: keep one of its rows")
    table = {key: list(values) for key, *values in frame.itertuples(index=False)}
    found = [_row_for(image, table) for image in pairs.paths]
    if not any(found):
        raise FacesError(
            f"{path}: no row names an image or person of {pairs.file}: its first column holds "
            f"{', '.join(map(repr, keys[:3])) or 'nothing'}, expected such as {pairs.paths[0].name!r}"
        )
    titles = [title.strip() for title in frame.columns[1:]]
    return {title: [row[n] if row else "" for row in found] for n, title in enumerate(titles)}


def _row_for(image: Path, table: Mapping[str, list[str]]) -> list[str] | None:
    tails = ["/".join(image.parts[-n:]) for n in range(1, len(image.parts) + 1)]
    return next((table[key] for key in (*reversed(tails), image.stem, image.parent.name) if key in table), None)


def group_error_rates(
    scored: ScoredPairs, attributes: Mapping[str, Sequence[str]], threshold: float, rounds: int = 500
) -> list[dict[str, object]]:
    """Return a row per group: FAR and FRR at the threshold, and the EER, over pairs with both images in the group.

    With 95 % intervals from resampling the group's people. What there are too few pairs or people for is None.
    """
    pairs = scored.pairs
    rows: list[dict[str, object]] = []
    for attribute, values in attributes.items():
        of = np.array(values)
        for group in sorted(set(values) - {""}):
            inside = (of[pairs.first] == group) & (of[pairs.second] == group)
            rows.append({"attribute": attribute, "group": group, **_group_rates(scored, inside, threshold, rounds)})
    return rows


def _group_rates(scored: ScoredPairs, inside: np.ndarray, threshold: float, rounds: int) -> dict[str, object]:
    pairs, scores = scored.pairs, scored.scores[inside]
    matches = pairs.answers[inside]
    first, second = (side[inside] for side in pair_identities(pairs))
    people, numbers = np.unique(np.concatenate([first, second]), return_inverse=True)
    first, second = numbers[: len(first)], numbers[len(first) :]
    genuine = int(matches.sum())
    found: dict[str, object] = {"people": len(people), "genuine": genuine, "impostor": len(matches) - genuine}
    statistics = {
        "far": lambda curve: RocCurve.rates_at(curve, threshold)[0],
        "frr": lambda curve: RocCurve.rates_at(curve, threshold)[1],
        "eer": RocCurve.eer,
    }
    both = bool(matches.any() and not matches.all())
    intervals = {}
    if both and len(people) >= MIN_PEOPLE_FOR_INTERVAL:
        try:
            intervals = bootstrap_intervals(scores, matches, (first, second), statistics, rounds)
        except FacesError:
            intervals = {}
    for name, statistic in statistics.items():
        low, high = intervals.get(name, (None, None))
        value = statistic(roc_curve(scores, matches)) if both else None
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found
