"""Is a network fair? Error rates of each group of people, with intervals, where a table says who belongs to which."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.data.pairs import Pairs
from experiments.errors import FacesError
from experiments.evaluation.scoring import Scored, people_in
from experiments.metrics.bootstrap import intervals
from experiments.metrics.roc import Roc, roc

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


def group_rates(
    scored: Scored, attributes: Mapping[str, Sequence[str]], threshold: float, rounds: int = 500
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


def _rates(scored: Scored, inside: np.ndarray, threshold: float, rounds: int) -> dict[str, object]:
    pairs, scores = scored.pairs, scored.scores[inside]
    matches = pairs.answers[inside]
    first, second = (side[inside] for side in people_in(pairs))
    known = np.unique(np.concatenate([first, second]), return_inverse=True)
    first, second = known[1][: len(first)], known[1][len(first) :]
    found: dict[str, object] = {"people": len(known[0]), "genuine": int(matches.sum())}
    found["impostor"] = len(matches) - int(matches.sum())
    statistics = {
        "far": lambda curve: Roc.rates_at(curve, threshold)[0],
        "frr": lambda curve: Roc.rates_at(curve, threshold)[1],
        "eer": Roc.eer,
    }
    both = bool(matches.any() and not matches.all())
    sure = {}
    if both and len(known[0]) >= FEWEST:
        try:
            sure = intervals(scores, matches, (first, second), statistics, rounds)
        except FacesError:
            sure = {}
    for name, statistic in statistics.items():
        low, high = sure.get(name, (None, None))
        value = statistic(roc(scores, matches)) if both else None
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found
