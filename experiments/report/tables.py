"""Tables that several sections have: what all recipes share, and where they differ."""

from collections.abc import Callable, Sequence

from experiments.config.recipe import Recipe
from experiments.report.document import Block, Column, Table, cells
from experiments.report.phrases import NONE, number
from experiments.report.settings import Aspects
from experiments.report.study import Family

ACROSS = 4
"""Recipes side by side in a table; more go into another below it."""


def setting_tables(
    found: Sequence[Family], aspects: Callable[[Recipe], Aspects], label: str, about: str
) -> list[Block]:
    """What recipes do, as tables: of one, all of it; of several, what they share, then what they do not.

    about: what the settings decide, for the caption.
    """
    of_each = [aspects(family.first.recipe) for family in found]
    keys = list(dict.fromkeys(key for one in of_each for key in one))
    shared = [key for key in keys if all(one.get(key) == of_each[0].get(key) for one in of_each)]
    blocks: list[Block] = []
    if shared:
        caption = f"{about}." if len(found) == 1 else f"{about}: what all {number(len(found))} recipes share."
        rows = [cells(key, of_each[0][key]) for key in shared]
        blocks.append(Table(label, (caption,), [Column("setting"), Column("value", grow=1)], rows, breaks=True))
    differing = [key for key in keys if key not in shared]
    if not differing:
        return blocks
    for start in range(0, len(found), ACROSS):
        part, values = found[start : start + ACROSS], of_each[start : start + ACROSS]
        columns = [Column("setting"), *(Column(f"{family.numbers}  {family.name}", grow=1) for family in part)]
        rows = [cells(key, *(one.get(key, NONE) for one in values)) for key in differing]
        rows = [row for row in rows if any(cell != (NONE,) for cell in row[1:])]
        place = f" ({start // ACROSS + 1} of {-(-len(found) // ACROSS)})" if len(found) > ACROSS else ""
        caption = f"{about}: where the recipes differ{place}."
        blocks.append(Table(f"{label}-{start // ACROSS + 1}", (caption,), columns, rows, breaks=True))
    return blocks
