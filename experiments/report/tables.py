"""Every table of a report, from its runs. Where a table would have one row, its section has a sentence instead."""

from collections.abc import Callable, Sequence

from experiments.config.recipe import Recipe
from experiments.progress import format_duration
from experiments.report.document import Block, Code, Column, Table, Words, cells, join, paragraph
from experiments.report.facts import Confusion, EvaluationFacts, RunFacts
from experiments.report.phrases import NONE, SPACE, decimal, interval, large, percent, spelled
from experiments.report.settings import Aspects
from experiments.report.study import Family, Study

MAX_COLUMNS = 4
"""Recipes side by side in a table of settings; more go into another table below it."""

MAX_ROWS_UNBROKEN = 14
"""A table of settings with more rows may continue on the next page."""

CALIBRATION = (
    "Calibration error: how far confidence is from accuracy, on average. Temperature: above 1 the network is"
    " over-confident, below 1 under-confident."
)
EER = "EER: the error rate at which FAR and FRR are equal."
INTERVALS = " Intervals are those of resampled people."


def setting_tables(
    found: Sequence[Family], aspects: Callable[[Recipe], Aspects], label: str, about: str
) -> list[Block]:
    """What recipes do, as tables: of one, all of it; of several, what they share, then where they differ.

    A table of one row is a sentence instead. about: what the settings decide, for the caption.
    """
    of_each = [aspects(family.first.recipe) for family in found]
    keys = list(dict.fromkeys(key for one in of_each for key in one))
    shared = [key for key in keys if all(one.get(key) == of_each[0].get(key) for one in of_each)]
    blocks: list[Block] = []
    if len(shared) == 1:
        whose = "" if len(found) == 1 else f", the same in all {spelled(len(found))} recipes"
        blocks.append(paragraph(f"{about}{whose}: {shared[0]} {of_each[0][shared[0]]}."))
    elif shared:
        caption = f"{about}." if len(found) == 1 else f"{about}: what all {spelled(len(found))} recipes share."
        rows = [cells(key, of_each[0][key]) for key in shared]
        blocks.append(
            Table(
                label,
                (caption,),
                [Column("setting"), Column("value", grow=1)],
                rows,
                breaks=len(rows) > MAX_ROWS_UNBROKEN,
            )
        )
    differing = [key for key in keys if key not in shared]
    if len(differing) == 1:
        values = [
            join(f"{one.get(differing[0], 'none')} (", family.called, ")")
            for family, one in zip(found, of_each, strict=True)
        ]
        blocks.append(paragraph(f"{about}: the recipes differ in one setting, {differing[0]}: ", _list(values), "."))
    elif differing:
        blocks += _difference_tables(found, of_each, differing, label, about)
    return blocks


def _list(items: Sequence[Words]) -> Words:
    found: list[str | Words] = []
    for item in items:
        found += ["; " if found else "", item]
    return join(*found)


def _difference_tables(
    found: Sequence[Family], of_each: Sequence[Aspects], keys: Sequence[str], label: str, about: str
) -> list[Block]:
    blocks: list[Block] = []
    tables = -(-len(found) // MAX_COLUMNS)
    for number, start in enumerate(range(0, len(found), MAX_COLUMNS), 1):
        part, values = found[start : start + MAX_COLUMNS], of_each[start : start + MAX_COLUMNS]
        columns = [Column("setting"), *(Column(family.name, grow=1) for family in part)]
        rows = [cells(key, *(one.get(key, NONE) for one in values)) for key in keys]
        rows = [row for row in rows if any(cell != (NONE,) for cell in row[1:])]
        place = f" ({number} of {tables})" if tables > 1 else ""
        caption = f"{about}: where the recipes differ{place}."
        blocks.append(Table(f"{label}-{number}", (caption,), columns, rows, breaks=len(rows) > MAX_ROWS_UNBROKEN))
    return blocks


def cost_table(families: Sequence[Family]) -> Table:
    """Parameters and FLOPs of each recipe's network."""
    columns = [
        Column("run", grow=1),
        Column("network"),
        Column("image"),
        Column("parameters", "right"),
        Column("FLOPs", "right"),
    ]
    caption = (
        "Size and cost. FLOPs are those of one image in evaluation, counted on the networks as built; a"
        " multiply-add is two."
    )
    return Table("costs-table", (caption,), columns, [_cost_row(family) for family in families])


def _cost_row(family: Family) -> tuple[Words, ...]:
    run = family.first
    assert run.anatomy is not None
    size = " × ".join(map(str, run.recipe.data.size))
    return cells(family.called, run.recipe.model.name, size, f"{run.anatomy.parameters:,}", large(run.anatomy.flops))


def part_table(family: Family, place: int) -> Table:
    """The parts of a network: the shape of their output, and their parameters. place: of the table, for its label."""
    run = family.first
    assert run.anatomy is not None
    shown = [part for part in run.anatomy.parts if part.parameters or part.output]
    shaped = any(part.output for part in shown)
    columns = [Column("part"), *([Column("output (C × H × W)")] if shaped else []), Column("parameters", "right")]
    rows = [
        cells(part.name, *([part.output] if shaped else []), f"{part.parameters:,}" if part.parameters else NONE)
        for part in shown
    ]
    rows.append(cells("all", *([""] if shaped else []), f"{run.anatomy.parameters:,}"))
    height, width = run.recipe.data.size
    caption = (
        f"The parts of {run.recipe.model.name}, from input to logits. An image of {height} × {width} pixels takes"
        f" {large(run.anatomy.flops)} FLOPs."
    )
    return Table(f"parts-{place}", (caption,), columns, rows, frozenset({len(rows) - 1}))


def command_table(runs: Sequence[RunFacts]) -> Table:
    """The commands that made the runs."""
    columns = [Column("run", grow=1), Column("command", grow=3), Column("seed", "right"), Column("started (UTC)")]
    rows = [
        cells(Code(run.name), Code(run.environment.command), str(run.recipe.seed), run.started or NONE) for run in runs
    ]
    return Table("commands", ("The commands, as typed.",), columns, rows, breaks=True)


def ranking_table(study: Study) -> Table:
    """Top-1, top-5, loss and training time of each run."""
    titles = ("top-1", "top-5", "loss", "best\ntop-1", "images/s", "trained", "epochs")
    columns = [Column("run", grow=1), *(Column(title, "right") for title in titles)]
    rows: list[tuple[Words, ...]] = []
    groups: set[int] = set()
    for family in study.families:
        groups.add(len(rows))
        rows += [_ranking_row(run) for run in family.runs]
    caption = (
        "The runs, the best recipe first. top-1, top-5 and loss are those of the last epoch on the validation images."
        " The last epoch was not selected on these images; the best epoch was."
    )
    lines = frozenset(groups - {0}) if len(groups) < len(rows) else frozenset()
    return Table("ranking-table", (caption,), columns, rows, lines)


def _ranking_row(run: RunFacts) -> tuple[Words, ...]:
    found = run.metrics
    return cells(
        Code(run.name),
        percent(found.top1),
        percent(found.top5),
        decimal(found.loss),
        percent(found.best_top1),
        NONE if found.images_per_second is None else f"{found.images_per_second:,.0f}",
        format_duration(found.seconds) if run.learned else NONE,
        str(found.epoch),
    )


def evaluation_table(study: Study) -> Table:
    """What `faces evaluate` measured of each run."""
    titles = ("top-1", f"95{SPACE}%\ninterval", "top-5", "loss", "calibration\nerror", "temper-\nature")
    columns = [Column("run", grow=1), *(Column(title, "right") for title in titles)]
    columns += [Column("views"), Column("images", "right")]
    rows = [_evaluation_row(run, run.evaluation) for run in study.evaluated if run.evaluation]
    caption = (
        "As evaluated, with the best epoch’s weights, which the same images chose. The intervals are those of"
        f" resampled people. {CALIBRATION}"
    )
    return Table("evaluations", (caption,), columns, rows)


def _evaluation_row(run: RunFacts, evaluation: EvaluationFacts) -> tuple[Words, ...]:
    found = evaluation.metrics
    return cells(
        Code(run.name),
        percent(found.top1),
        interval(found.top1_interval) or NONE,
        percent(found.top5),
        decimal(found.loss),
        decimal(found.ece),
        decimal(found.temperature, 2),
        found.views,
        f"{found.images:,}",
    )


def confusion_table(confusions: Sequence[Confusion], whose: Words) -> Table:
    """The most common mistakes. whose: the run, for the caption; empty where there is only one."""
    columns = [Column("true"), Column("predicted"), Column("times", "right"), Column("of images", "right")]
    rows = [cells(Code(c.true), Code(c.predicted), f"{c.times}", f"{c.images}") for c in confusions]
    caption = join(whose, "The most common mistakes, and how many images there are of that person.")
    return Table("confused", caption, columns, rows)


def verification_table(study: Study) -> Table:
    """Error rates of each verified run: EER, AUC, TAR at FAR."""
    fars = sorted({far for run in study.verified for far in run.verified.tar_at_far}, key=float, reverse=True)
    folds_known = any(run.verified.lfw_accuracy is not None for run in study.verified)
    titles = ["EER", f"95{SPACE}%\ninterval", "AUC", *(f"TAR at\nFAR {far}" for far in fars)]
    titles += (["accuracy\nby folds"] if folds_known else []) + ["threshold"]
    columns = [Column("run", grow=1), *(Column(title, "right") for title in titles)]
    rows = [_verification_row(run, fars, folds_known) for run in study.verified]
    return Table("verification", (f"Verification. {EER}{INTERVALS}",), columns, rows)


def _verification_row(run: RunFacts, fars: list[str], folds_known: bool) -> tuple[Words, ...]:
    found = run.verified
    return cells(
        Code(run.name),
        percent(found.eer, 2),
        interval(found.intervals.get("eer"), 2) or NONE,
        decimal(found.auc, 4),
        *(percent(found.tar_at_far.get(far)) for far in fars),
        *([percent(found.lfw_accuracy, 2)] if folds_known else []),
        decimal(found.threshold),
    )


def difference_table(rows: Sequence[tuple[Words, ...]]) -> Table:
    """What single settings are worth: pairs of recipes that differ in one group of settings alone."""
    columns = [
        Column("setting", grow=1.2),
        Column("value", grow=1),
        Column("top-1", "right"),
        Column("other value", grow=1),
        Column("top-1", "right"),
        Column("points", "right"),
    ]
    caption = (
        "Recipes that differ in one group of settings alone, and the difference in top-1 on the validation images. The"
        " first value is never the worse one."
    )
    return Table("single", (caption,), columns, rows)
